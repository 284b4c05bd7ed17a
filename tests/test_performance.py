"""Performance over a workbench's stream: realised beside estimated, from what was known on the day of the report."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from workbench import make_workbench, run_of

from driftbook.data.batches import ingest
from driftbook.model.estimation import ESTIMATED
from driftbook.model.isotonic import Recalibration
from driftbook.storage import load_json
from driftbook.timeline.models import Version, champion_version
from driftbook.timeline.performance import (
    estimate_state,
    measure_performance,
    newest_estimate,
    onset,
    propose_labels,
)
from driftbook.timeline.run import Run
from driftbook.timeline.scoring import ensure_predictions

AS_OF, DELAY = "2026-06-03", timedelta(days=3)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Version]:
    settings = make_workbench(tmp_path_factory.mktemp("desk"), rows_per_day=500)
    run = run_of(settings, AS_OF, scenario="concept")
    ingest(run.case, run.settings, as_of=run.as_of)
    return run, champion_version(run)


def as_of(run: Run, day: date) -> Run:
    return run_of(run.settings, day.isoformat(), scenario="concept")


def test_a_version_keeps_what_its_estimates_rest_on(desk: tuple[Run, Version]) -> None:
    _, version = desk
    stored = load_json(version.folder / "estimation.json")
    assert version.recalibration == Recalibration.from_json(stored)
    assert version.recalibration.rows == version.training["rows"]
    assert version.recalibration.days == 21  # of 24 the last three are not labelled yet
    assert set(version.recalibration.optimism) == set(ESTIMATED)


def test_a_version_of_an_older_driftbook_is_estimated_by_its_own_probabilities(tmp_path) -> None:
    old = Version(1, tmp_path).recalibration
    assert old.maps == ()
    assert "trained before" in old.note


def test_realised_and_estimated_stand_side_by_side_until_the_estimates_are_withdrawn(desk: tuple[Run, Version]) -> None:
    run, version = desk
    performance = measure_performance(run, [version])
    realised, estimated = (performance.filter(kind=kind) for kind in ("realised", "estimated"))
    changed = onset(run).isoformat()
    assert set(estimated["metric"]) == set(ESTIMATED)
    assert realised["batch_id"].max() == (run.as_of - DELAY).isoformat()
    assert estimated["batch_id"].max() == run.as_of.isoformat()
    assert not realised["withdrawn"].any()
    assert estimated.filter("withdrawn")["batch_id"].min() == changed
    assert (
        estimated.filter(pl.col("batch_id") < changed).select("value", "low", "high").null_count().sum_horizontal()[0]
        == 0
    )
    assert estimated.filter(pl.col("batch_id") >= changed)["value"].null_count() == estimated.filter("withdrawn").height
    status, sentences = estimate_state(run, version)
    assert (status, sentences[0][:26]) == ("withdrawn", "Withdrawn from batch 2026-")
    assert estimated.filter("withdrawn")["note"].unique().to_list() == sentences


def test_a_report_knows_no_target_of_a_later_day(desk: tuple[Run, Version]) -> None:
    run, version = desk
    found_on = onset(run) + DELAY
    eve, day = (as_of(run, each) for each in (found_on - timedelta(days=1), found_on))
    assert estimate_state(eve, version)[0] == "holds"
    assert estimate_state(day, version)[0] == "withdrawn"
    assert not measure_performance(eve, [version])["withdrawn"].any()
    before_any = as_of(run, onset(run) - timedelta(days=2))
    assert estimate_state(before_any, version)[0] == "unchecked"
    known = measure_performance(eve, [version]).filter(kind="estimated")
    same = measure_performance(day, [version]).filter(pl.col("batch_id") < onset(run).isoformat(), kind="estimated")
    assert_frame_equal(known.filter(pl.col("batch_id") < onset(run).isoformat()), same)


def test_the_newest_estimate_is_shown_with_its_interval_unless_it_is_withdrawn(desk: tuple[Run, Version]) -> None:
    run, version = desk
    eve = as_of(run, onset(run) + DELAY - timedelta(days=1))
    shown = newest_estimate(measure_performance(eve, [version]), version.number)
    assert shown["batch_id"].unique().to_list() == [eve.as_of.isoformat()]
    assert shown.filter(metric="accuracy")["estimated"][0].endswith("\u00a0%")
    assert " to " in shown.filter(metric="log loss")["interval"][0]
    assert newest_estimate(measure_performance(run, [version]), version.number).is_empty()


def test_rows_to_label_are_of_the_newest_batch_and_have_no_target_yet(desk: tuple[Run, Version]) -> None:
    run, version = desk
    proposed = propose_labels(run, version, count=12)
    assert proposed.height == 12
    assert proposed["batch_id"].unique().to_list() == [AS_OF]
    assert proposed["row_id"].is_in(ensure_predictions(run, version)["row_id"].to_list()).all()
    assert_frame_equal(proposed, propose_labels(run, version, count=12))
