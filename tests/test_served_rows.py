"""What is answered is what the pipeline scores later: each form of a value that the service takes, both read alike."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from served_models import CASE, ROW, make_models, serving, trained

from driftbook.data.served_rows import served_parts
from driftbook.serving.encoding import BLANKS, ISO_TIME
from driftbook.serving.log_reader import open_reader

DAYS = dict.fromkeys(["2026-06-01", "2026/06/01"], datetime(2026, 6, 1))
CLOCKS = {"00:30": timedelta(minutes=30), "00:30:15": timedelta(minutes=30, seconds=15)}
CLOCKS |= {
    f"00:30:15.{'123456789'[:digits]}": timedelta(
        minutes=30, seconds=15, microseconds=int("123456"[:digits].ljust(6, "0"))
    )
    for digits in range(1, 10)
}
OFFSETS = {"Z": 0.0, "+02:00": 2.0, "-0230": -2.5, "+14:00": 14.0, "-00:00": 0.0}
ZONES = {"": timedelta()} | {
    blank + zone: timedelta(hours=OFFSETS[zone]) for blank, zone in product(["", " "], OFFSETS)
}
TIMES = DAYS | {
    f"{day}{mark}{clock}{zone}": DAYS[day] + CLOCKS[clock] - ZONES[zone]
    for day, mark, clock, zone in product(DAYS, "T ", CLOCKS, ZONES)
}
SPACES = [chr(code) for code in range(sys.maxunicode + 1) if chr(code).isspace()]


def answered_and_scored_again(folder: Path, sent: list[dict[str, Any]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What was answered to rows, and what the pipeline reads of them in the log and scores; none is set aside."""
    settings = make_models(folder, challenger=False)
    with serving(settings) as client:
        answers = client.post("/predict", json=sent).raise_for_status().json()
    today = datetime.now(UTC).date()
    with open_reader(settings.prediction_log_url, settings.spill_folder(CASE.name), use_case=CASE.name) as reader:
        kept = [row for day in (today - timedelta(days=1), today) for row in reader.predictions(day)]
    parts = served_parts(kept, CASE)
    assert [part.quarantined.to_dicts() for part in parts if part.quarantined.height] == []
    read = pl.concat([part.rows for part in parts])
    read = read.join(trained(1).score(read), on="row_id")
    told = pl.DataFrame(answers).rename({"prediction_id": "row_id"})
    return told, told.select("row_id").join(read, on="row_id", maintain_order="left")


def test_every_form_of_a_time_is_read_alike_when_it_is_scored_again(tmp_path: Path) -> None:
    assert all(ISO_TIME.fullmatch(text) for text in TIMES)
    spaced = {f"{space}2026-06-01T00:00Z{space}": datetime(2026, 6, 1) for space in BLANKS}
    times = {**TIMES, **spaced, "": None, " ": None}
    told, again = answered_and_scored_again(tmp_path, [{**ROW, "joined": text} for text in times])
    assert again["joined"].to_list() == list(times.values())
    assert again["prediction_score"].to_list() == told["prediction_score"].to_list()


@pytest.mark.parametrize("form", ["{}pro", "pro{}", "{0}pro{0}", "p{}ro", "{}"])
def test_every_white_space_is_read_alike_when_it_is_scored_again(tmp_path: Path, form: str) -> None:
    told, again = answered_and_scored_again(tmp_path, [{**ROW, "plan": form.format(space)} for space in SPACES])
    assert again["prediction_score"].to_list() == told["prediction_score"].to_list()
    known = {"pro": [], None: ["missing:plan"]}
    assert [known.get(plan, ["unseen:plan"]) for plan in again["plan"]] == told["flags"].to_list()
