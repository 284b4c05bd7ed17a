"""The page of predictions and data quality shows the numbers of the day tables, a page of rows, and never a feature."""

from __future__ import annotations

import re
from datetime import date, timedelta
from html import unescape
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import polars as pl
import pytest
from known_desk import CASE, DAYS, make_desk, put_predictions, put_table
from test_dashboard_service import as_a_service, counters, serving, told

from driftbook.config import Settings
from driftbook.dashboard.known import Known, load_known
from driftbook.dashboard.page import render_page
from driftbook.dashboard.pages import predictions
from driftbook.dashboard.pages.predictions import PAGE
from driftbook.dashboard.periods import by_period
from driftbook.dashboard.recent import FLAGGED, ROWS
from driftbook.dashboard.state import Selection
from driftbook.decisions import Decision

CALM = Decision("wait", ("No batch alarmed.",), {})
NOBODY_THERE = "http://127.0.0.1:9"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Three days: two quiet ones, and one with odd rows, findings and more predictions of the positive class."""
    monkeypatch.setenv("DRIFTBOOK_SERVICE_URL", NOBODY_THERE)
    desk = make_desk(tmp_path / "desk", decisions=[CALM] * 3, offices=((1, None, None),) * 3, kind="retraining")
    volumes = [
        {"day": day, "batches": 1, "rows": 200, "quarantined": 0, "cells": 3000, "missing_cells": 30, "unseen": 0}
        | {"outliers": 2, "scored": 200}
        for day in DAYS
    ]
    volumes[2] |= {"batches": 2, "rows": 250, "quarantined": 4, "missing_cells": 600, "unseen": 5, "outliers": 25}
    volumes[2] |= {"scored": 250}
    put_table(desk, "volumes", volumes)
    shares = zip(DAYS, (50, 60, 125), (200, 200, 250), strict=True)
    put_table(
        desk, "predicted",
        [
            {"day": day, "version": 1, "prediction": name, "rows": rows, "mean_score": score}
            for day, yes, all_rows in shares
            for name, rows, score in (("no", all_rows - yes, 0.2), ("yes", yes, 0.8))
        ],
    )  # fmt: skip
    edges = [0.0, 0.25, 0.5, 0.75, 1.0]
    kept = [
        {"known_on": day or DAYS[0], "day": day, "version": 1, "column": "prediction_score", "kind": "numeric"}
        | {"edges": edges, "counts": counts, "below": 0, "above": 0, "missing": 0, "rows": sum(counts)}
        for day, counts in (
            (None, [40, 40, 20, 0]),
            *zip(DAYS, ([100, 50, 50, 0], [0, 100, 100, 0], [0, 0, 0, 250]), strict=True),
        )
    ]
    kept.append(
        {"known_on": DAYS[0], "day": None, "version": 1, "column": "prediction", "kind": "categorical"}
        | {"labels": ["no", "yes"], "counts": [75, 25], "others": 0, "unseen": 0, "missing": 0, "rows": 100}
    )
    put_table(desk, "distributions", kept)
    found = {"column": "age", "check": "missing", "value": 0.2, "limit": 0.05}
    put_table(
        desk, "findings",
        [
            {"batch_id": "2026-06-12", "severity": "info", "message": "age: few rows.", **found},
            {"batch_id": "2026-06-14T07", "severity": "critical", "message": "age: 20 % missing.", **found},
        ],
    )  # fmt: skip
    put_predictions(desk, DAYS[1], "2026-06-13", rows=30)
    put_predictions(desk, DAYS[2], "2026-06-14T06", rows=20)
    put_predictions(desk, DAYS[2], "2026-06-14T07", rows=60)
    return desk


def known_of(settings: Settings, day: date | None = None) -> Known:
    return load_known(settings, CASE, day)


def page_of(settings: Settings, day: date | None = None, **chosen: str) -> str:
    return render_page(PAGE, known_of(settings, day), Selection(CASE, "predictions", day, chosen))


def text_of(markup: str) -> str:
    bare = re.sub(r"<style>.*?</style>|<title>.*?</title>", " ", markup, flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", bare)).split())


def markup_of(markup: str, title: str) -> str:
    found = re.search(rf'<section class="[^"]*" aria-label="{re.escape(title)}">.*?</section>', markup, flags=re.S)
    assert found, f"no card {title!r}"
    return found.group()


def card(markup: str, title: str) -> str:
    return text_of(markup_of(markup, title))


def test_the_tiles_are_the_numbers_of_the_day(settings: Settings) -> None:
    shown = card(page_of(settings), "The day in numbers")
    assert "rows scored 250 in 2 batches" in shown
    assert "predicted churned = yes 50 % 25.0 % in training" in shown
    assert "mean score 0.5 " in shown
    assert "suspicious rows 10 %" in shown
    assert "missing values 20 % of all cells" in shown
    assert "new categories 2 %" in shown
    assert "set aside 4 " in shown
    assert "quality findings 1 the worst: critical" in shown


def test_a_page_of_an_earlier_day_shows_that_day_and_nothing_later(settings: Settings) -> None:
    markup = page_of(settings, DAYS[1])
    shown = card(markup, "The day in numbers")
    assert "rows scored 200 in 1 batch" in shown
    assert "predicted churned = yes 30 %" in shown
    assert "quality findings 0 all checks passed" in shown
    assert "20 % missing" not in markup
    assert "2026-06-14" not in markup
    assert "row-029" in markup, "its own newest batch"
    assert "shown on the newest day only" in card(markup, "Prediction service")


def test_the_predicted_classes_are_shares_of_all_predictions(settings: Settings) -> None:
    markup = markup_of(page_of(settings), "What is predicted")
    for day, share in zip(DAYS, ("25", "30", "50"), strict=True):
        assert f"{day}, churned = yes: {share}\u00a0%" in markup
    assert "churned = yes in training: 25\u00a0%" in markup
    assert "churned = no" not in markup, "the mirror image of it says nothing more"


def test_score_levels_are_quantiles_of_the_kept_counts(settings: Settings) -> None:
    markup = markup_of(page_of(settings), "How sure the model is")
    assert "2026-06-12: 200 rows; 5% 0.025, 25% 0.125, 50% 0.25, 75% 0.5, 95% 0.7" in markup
    assert "2026-06-14: 250 rows; 5% 0.762" in markup
    assert "the median score moves from 0.25 to 0.875" in markup
    assert "Dashed: in training." in markup


def test_histograms_of_two_versions_in_a_week_are_read_together() -> None:
    narrow = {"edges": [0.0, 0.5], "counts": [100], "below": 0, "above": 0}
    wide = {"edges": [0.5, 1.0], "counts": [100], "below": 0, "above": 0}
    assert predictions._quantiles([narrow, wide], (0.25, 0.5, 0.75)) == [0.25, 0.5, 0.75]
    beyond = {"edges": [0.4, 0.6], "counts": [10], "below": 10, "above": 0}
    assert predictions._quantiles([beyond], (0.25, 0.75)) == [0.4, 0.5]


def test_odd_rows_are_shares_of_what_they_are_counted_of(settings: Settings) -> None:
    markup = markup_of(page_of(settings), "Missing, new and suspicious")
    assert "2026-06-14, missing values: 20\u00a0% of 3,000" in markup
    assert "2026-06-14, new categories: 2\u00a0% of 250" in markup
    assert "2026-06-12, suspicious rows: 1\u00a0% of 200" in markup


def test_findings_are_listed_newest_first_and_drawn_by_day(settings: Settings) -> None:
    shown = card(page_of(settings), "Quality findings")
    assert shown.index("age: 20 % missing.") < shown.index("age: few rows.")
    assert "■ critical" in shown


def test_without_findings_a_sentence_says_how_much_was_checked(settings: Settings) -> None:
    put_table(settings, "findings", [])
    assert "No check found anything in 4 batches." in card(page_of(settings), "Quality findings")


def test_recent_predictions_are_the_newest_batch_a_page_at_a_time(settings: Settings) -> None:
    shown = card(page_of(settings), "Recent predictions")
    assert "Batch 2026-06-14T07 of version 1, newest first" in shown
    assert shown.index("row-059") < shown.index("row-058") < shown.index("row-035")
    assert "row-034" not in shown
    assert "row-059 00:59:00 yes 0.6 –" in shown
    assert "row-050 00:50:00 yes 0.51 ▲ suspicious" in shown
    following = card(page_of(settings, rows="25"), "Recent predictions")
    assert "row-034" in following
    assert "row-035" not in following


def test_the_pages_and_the_flag_are_offered_as_choices(settings: Settings) -> None:
    known, everything = known_of(settings), Selection(CASE, "predictions")
    assert ROWS.options(known, everything) == [
        ("1 to 25 of 60", "0"),
        ("26 to 50 of 60", "25"),
        ("51 to 60 of 60", "50"),
    ]
    flagged = everything.choosing("flagged", "suspicious")
    assert ROWS.options(known, flagged) == [("1 to 6 of 6", "0")]
    shown = card(page_of(settings, flagged="suspicious"), "Recent predictions")
    assert re.findall(r"row-\d+", shown) == [f"row-{number:03}" for number in (50, 40, 30, 20, 10, 0)]
    assert [value for _, value in FLAGGED.options(known, everything)] == ["all", "suspicious"]


@pytest.mark.parametrize("rows", ["26", "-25", "1e9", "x", "../.."])
def test_a_page_that_is_not_offered_is_the_first(settings: Settings, rows: str) -> None:
    assert "row-059" in card(page_of(settings, rows=rows), "Recent predictions")


def test_only_the_decision_is_shown_of_a_row_never_a_feature(settings: Settings) -> None:
    path = next((settings.data_folder(CASE) / "predictions").rglob("2026-06-14T07.parquet"))
    pl.read_parquet(path).with_columns(age=pl.lit(4711)).write_parquet(path)
    assert "4711" not in page_of(settings)


def test_predictions_that_are_gone_or_broken_cost_their_card_only(settings: Settings) -> None:
    path = next((settings.data_folder(CASE) / "predictions").rglob("2026-06-14T07.parquet"))
    path.write_bytes(b"no parquet")
    markup = page_of(settings)
    assert "cannot be read: the file was changed or broken" in card(markup, "Recent predictions")
    assert "rows scored 250" in card(markup, "The day in numbers")
    for each in path.parent.iterdir():
        each.unlink()
    assert "expected predictions of version 1 for 2026-06-14, found none" in card(
        page_of(settings), "Recent predictions"
    )


def test_a_broken_table_costs_its_cards_only(settings: Settings) -> None:
    (settings.report_folder(CASE, DAYS[-1]) / "distributions.parquet").write_bytes(b"no parquet")
    markup = page_of(settings)
    assert "distributions.parquet cannot be read" in card(markup, "How sure the model is")
    assert "2026-06-14, missing values" in markup


def test_a_scorer_without_a_detector_shows_no_flags(settings: Settings) -> None:
    path = next((settings.data_folder(CASE) / "predictions").rglob("2026-06-14T07.parquet"))
    pl.read_parquet(path).drop("outlier", "outlier_score").write_parquet(path)
    shown = card(page_of(settings), "Recent predictions")
    assert "row-059" in shown
    assert "suspicious" not in shown


def test_no_service_is_a_calm_sentence_with_the_command(settings: Settings) -> None:
    shown = card(page_of(settings), "Prediction service")
    assert shown == (
        "Prediction service No prediction service answers at http://127.0.0.1:9. driftbook serve --use-case churn "
        "starts one, where predictions are wanted at once."
    )


def test_many_days_are_drawn_by_week() -> None:
    days = pl.DataFrame({"day": [date(2026, 1, 1) + timedelta(days=day) for day in range(121)]})
    weeks = by_period(days)["batch_id"].unique(maintain_order=True).to_list()
    assert weeks[:2] == ["2025-12-29", "2026-01-05"]
    assert by_period(days.head(120))["batch_id"].n_unique() == 120


def test_a_year_is_drawn_by_week_and_stays_light(settings: Settings) -> None:
    days = [DAYS[-1] - timedelta(days=day) for day in range(365)]
    row = {"batches": 24, "rows": 2400, "quarantined": 0, "cells": 30000, "missing_cells": 30, "unseen": 0}
    put_table(settings, "volumes", [{"day": day, "outliers": 2, "scored": 2400, **row} for day in days])
    markup = markup_of(page_of(settings), "Missing, new and suspicious")
    assert "A mark a week." in markup
    assert "missing values: 0.1\u00a0% of 210,000" in markup
    assert len(markup) < 60_000


def test_a_running_service_is_shown_in_its_own_numbers(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(as_a_service) as (address, _):
        monkeypatch.setenv("DRIFTBOOK_SERVICE_URL", address)
        shown = card(page_of(settings), "Prediction service")
        known, selection = known_of(settings), Selection(CASE, "predictions")
        assert PAGE.live(known, selection)
        assert PAGE.live(known_of(settings, DAYS[0]), selection) == "", "a past day asks nobody"
    assert "error rate 25 % of 4 requests" in shown
    assert "rows answered 30 in 1 minute" in shown
    assert "1 ● champion 3 2 3 3 0.05" in shown
    assert "2 ▲ challenger 0 – – – 0.07" in shown


def test_a_service_of_another_use_case_is_named_and_its_numbers_are_not_shown(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(handler: BaseHTTPRequestHandler) -> None:
        pages = {"/stats": counters().summary(), "/model": {"use_case": "bank", "versions": []}}
        told(handler, pages[handler.path])

    with serving(other) as (address, _):
        monkeypatch.setenv("DRIFTBOOK_SERVICE_URL", address)
        shown = card(page_of(settings), "Prediction service")
    assert f"The prediction service at {address} answers for bank." in shown
    assert "requests a second" not in shown
