"""The day tables say what the records and rows say, and nothing that was not known on the day they are cut to."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from workbench import build_story, make_workbench, run_of

from driftbook.data.batches import batch_index, labelled_rows, load_batches, load_targets
from driftbook.drift.engine import DRIFT_SCHEMA
from driftbook.drift.profile import column_profile
from driftbook.errors import StateError
from driftbook.quality import check_batches
from driftbook.storage import write_parquet
from driftbook.timeline.closing import close
from driftbook.timeline.day_tables import DAY_TABLES, cut, load_day_table
from driftbook.timeline.days.alerts import alerts_by_day
from driftbook.timeline.days.bins import bins_of
from driftbook.timeline.days.drift import strongest_by_day
from driftbook.timeline.days.measuring import measure_days, write_days
from driftbook.timeline.days.offices import Offices, Spell
from driftbook.timeline.days.outcomes import Outcomes, squared_errors
from driftbook.timeline.evidence import Reign
from driftbook.timeline.models import load_versions
from driftbook.timeline.scoring import ensure_predictions

pytestmark = pytest.mark.long

FIRST = date(2026, 5, 17)
LAST = FIRST + timedelta(days=13)
EARLIER = [FIRST + timedelta(days=days) for days in (0, 5, 8, 11)]


def _numbers(*values):
    return column_profile(pl.Series(values, dtype=pl.Float64), kind="numeric")


def _texts(*values):
    return column_profile(pl.Series(values, dtype=pl.String), kind="categorical")


def test_numbers_are_counted_in_the_bins_of_the_reference_and_outside_them():
    bins = bins_of("calls", _numbers(0, 1, 1, 2, 4, None))
    assert bins.edges.tolist() == [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5]
    found = bins.counted(_numbers(-3, 0, 0, 5, 6, 7, float("inf"), None))
    assert found["counts"] == [0, 0, 2, 0, 0, 0, 0, 1, 1]
    assert (found["below"], found["above"], found["missing"], found["rows"]) == (1, 1, 2, 8)


def test_a_column_of_many_values_has_thirty_bins_that_reach_beyond_its_middle():
    reference = _numbers(*range(1001))
    bins = bins_of("charge", reference)
    assert bins.edges.size == 31
    assert (float(bins.edges[5]), float(bins.edges[25])) == pytest.approx((5.0, 995.0))
    found = bins.counted(reference)
    assert sum(found["counts"]) + found["below"] + found["above"] == 1001


def test_the_highest_score_lies_in_the_last_bin():
    found = bins_of("prediction_score", _numbers(0.2)).counted(_numbers(0.0, 0.05, 1.0))
    assert (found["counts"][0], found["counts"][1], found["counts"][-1], found["above"]) == (1, 1, 1, 0)


@pytest.mark.parametrize("values", [(), (None,), (7.25,), (0.0, 0.0), (1e300, -1e300)])
def test_any_reference_has_bins_with_ascending_edges(values):
    bins = bins_of("odd", _numbers(*values))
    assert all(low < high for low, high in pairwise(bins.edges))
    found = bins.counted(_numbers(*values))
    assert sum(found["counts"]) + found["below"] + found["above"] + found["missing"] == len(values)


def test_texts_are_counted_by_the_most_frequent_categories_of_the_reference():
    often = [f"c{number:02}" for number in range(20) for _ in range(2)]
    bins = bins_of("plan", _texts(*often, "rare", None))
    found = bins.counted(_texts("c00", "rare", "new", "newer", None))
    assert len(found["labels"]) == 20
    assert found["counts"] == [1] + [0] * 19
    assert (found["others"], found["unseen"], found["missing"], found["rows"]) == (1, 2, 1, 5)


def _entry(day, champion, challenger=None):
    return {"day": day, "during": {"champion": champion, "challenger": challenger, "previous": None}}


def test_a_champion_that_comes_back_has_two_spells():
    entries = [_entry(f"2026-06-0{day}", champion) for day, champion in enumerate((1, 1, 2, 1), start=1)]
    days = [date(2026, 6, day) for day in (1, 2, 3, 4)]
    assert Offices.of(entries).spells == [
        Spell(1, days[0], days[1]),
        Spell(2, days[2], days[2]),
        Spell(1, days[3], days[3]),
    ]


def test_decisions_of_a_version_out_of_office_are_not_counted():
    offices = Offices.of([_entry("2026-06-01", 1), _entry("2026-06-02", 1, 2), _entry("2026-06-03", 2)])
    trained = {1: date(2026, 5, 1), 2: date(2026, 5, 31)}
    assert [offices.counted(day, trained) for day in offices.days] == [[1, 2], [1, 2], [2]]


def _drift(batch_id, method, statistic, *, column="age", role="feature", note=None):
    row = dict.fromkeys(DRIFT_SCHEMA) | {"batch_id": batch_id, "column": column, "kind": "numeric", "role": role}
    row |= {"method": method, "statistic": statistic, "drift_score": statistic, "threshold": 0.2, "on": "statistic"}
    row |= {"rows": 9, "drifted": bool(statistic and statistic > 0.2), "matters": True, "note": note, "band": "stable"}
    return row


def test_a_day_shows_the_strongest_batch_and_method_of_each_column():
    table = pl.DataFrame(
        [
            _drift("2026-06-01T00", "psi", 0.1),
            _drift("2026-06-01T00", "wasserstein", 0.3),
            _drift("2026-06-01T01", "psi", 0.5),
            _drift("2026-06-01T00", "psi", None, column="fee", note="empty"),
            _drift("2026-06-01T01", "psi", 0.9, column="target", role="target"),
            _drift("2026-06-02T00", "psi", 0.1),
        ],
        schema=DRIFT_SCHEMA,
    )
    found = strongest_by_day(table, 3, shares={"age": 0.25})
    shown = ("column", "method", "drift_score", "excess", "drifted", "drifted_batches", "batches", "importance", "note")
    assert found.sort("day", "column").select(shown).rows() == [
        ("age", "psi", 0.5, 2.5, True, 2, 2, 0.25, None),
        ("fee", "psi", None, None, False, 0, 1, 0.0, "empty"),
        ("age", "psi", 0.1, 0.5, False, 0, 1, 0.25, None),
    ]
    assert found["version"].to_list() == [3, 3, 3]


def _verdicts(alarmed):
    days = [f"2026-06-0{day}" for day in range(1, len(alarmed) + 1)]
    marks = [mark == "x" for mark in alarmed]
    columns = {"batch_id": days, "columns": [9] * len(days), "drifted_columns": [2 if mark else 0 for mark in marks]}
    columns |= {"prediction_drifted": [False] * len(days), "alarmed": marks}
    columns |= {"top_column": ["age"] * len(days), "top_excess": [2.0 if mark else 0.1 for mark in marks]}
    return pl.DataFrame(columns)


def _findings(*rows):
    schema = {"batch_id": pl.String, "severity": pl.String, "message": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _told(evidence, *, raised=(), causes=None):
    days = [date.fromisoformat(day) for day in evidence["verdicts"]["batch_id"]]
    return alerts_by_day(evidence, use_case="churn", days=days, raised=raised, causes=causes or {})


def test_an_alert_reads_on_each_day_as_it_did_that_evening():
    found = _told({"verdicts": _verdicts(".xxxx.."), "findings": _findings(("2026-06-03", "critical", "age: gone."))})
    drift = found.filter(pl.col("key") == "churn/drift/2026-06-02")
    assert drift["known_on"].dt.day().to_list() == [2, 3, 4, 5]
    assert drift["severity"].to_list() == ["warning", "warning", "critical", "critical"]
    assert drift["message"][1] == (
        "Up to 2 of 9 features drifted from 2026-06-02 to 2026-06-03 (2 batches); age most, at 2 times its threshold."
    )
    quality = found.filter(pl.col("key") == "churn/quality/2026-06-03")
    assert quality.select("known_on", "message").rows() == [
        (date(2026, 6, 3), "Data quality in 2026-06-03: age: gone.")
    ]


def test_why_it_drifted_is_told_once_the_first_days_settled_it():
    found = _told({"verdicts": _verdicts("xxxx...")}, causes={"2026-06-01": ["Fees rose."]})
    assert ["Fees rose." in message for message in found["message"]] == [False, False, True, True]
    short = _told({"verdicts": _verdicts("x..")}, causes={"2026-06-01": ["Fees rose."]})
    assert ["Fees rose." in message for message in short["message"]] == [True]


def test_the_last_day_has_the_alerts_as_they_were_raised():
    alert = {"key": "churn/quality/2026-06-02", "use_case": "churn", "severity": "warning", "subject": "s"}
    alert |= {"message": "a constant column", "first_batch": "2026-06-02", "last_batch": "2026-06-02"}
    evidence = {"verdicts": _verdicts(".."), "findings": _findings((None, "warning", "a constant column"))}
    found = _told(evidence, raised=[alert])
    assert found.select("known_on", "message").rows() == [(date(2026, 6, 2), "a constant column")]


def test_squared_errors_of_several_classes_add_up_over_the_classes():
    rows = pl.DataFrame({"target": ["a", "c", "none of them"], "probabilities": [[1.0, 0.0, 0.0]] * 3})
    found = squared_errors(rows, classes=("a", "b", "c"), positive=None)
    assert found.to_list() == [0.0, 2.0, 2.0]


def test_where_nothing_is_known_the_outcomes_are_empty_tables():
    tables = Outcomes(()).tables()
    assert {name: dict(table.schema) for name, table in tables.items()} == {name: DAY_TABLES[name] for name in tables}
    assert not any(table.height for table in tables.values())


def test_a_table_that_is_missing_says_so(tmp_path):
    with pytest.raises(StateError, match=r"volumes\.parquet"):
        load_day_table(tmp_path, "volumes")


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """One build over a small stream, and the day tables as of its last day."""
    settings = make_workbench(tmp_path_factory.mktemp("days"), stream_days=14)
    entries = build_story(settings, LAST.isoformat()).entries
    return settings, entries, _measured(settings, entries, LAST)


def _run(settings, day):
    """A run as notebook 08 has it; it tells nobody."""
    folder = settings.report_folder("churn", day)
    folder.mkdir(parents=True, exist_ok=True)
    products = {name: folder / f"{name}.parquet" for name in DAY_TABLES}
    return replace(run_of(settings, day.isoformat()), products=products, sandbox=True)


def _measured(settings, entries, day):
    run = _run(settings, day)
    known = [entry for entry in entries if entry["day"] <= day.isoformat()]
    history, stream = (load_batches(run.case, settings, as_of=day, part=part) for part in ("history", "stream"))
    findings = check_batches(stream, history, case=run.case, policy=run.policy.quality)
    spell = Offices.of(known).spells[0]
    drift = Reign.of(run, load_versions(run)[spell.version], since=spell.since).table
    return measure_days(run, known, close(run, known, findings), findings=findings, drift=drift)


def test_every_table_has_its_columns(told):
    _, _, tables = told
    assert {name: dict(table.schema) for name, table in tables.items()} == DAY_TABLES
    assert all(table.height for table in tables.values())


@pytest.mark.parametrize("name", sorted(set(DAY_TABLES) - {"alerts_days"}))
def test_cut_to_a_day_a_table_is_what_the_build_of_that_day_wrote(told, earlier, name):
    _, _, tables = told
    for day, then in earlier.items():
        assert_frame_equal(cut(tables[name], day), then[name], check_exact=True)


def test_cut_to_a_day_the_alerts_are_those_of_that_day_but_for_young_causes(told, earlier):
    _, _, tables = told
    shown = ["known_on", "key", "severity", "first_batch", "last_batch"]
    said = pl.col("message").str.strip_suffix(".").str.split(". ").list.first()
    for day, then in earlier.items():
        before, after = (frame.select(*shown, said) for frame in (then["alerts_days"], cut(tables["alerts_days"], day)))
        assert_frame_equal(before, after)


@pytest.fixture(scope="module")
def earlier(told):
    """The day tables of some earlier days, as builds of those days would write them."""
    settings, entries, _ = told
    return {day: _measured(settings, entries, day) for day in EARLIER}


def test_the_same_build_writes_the_same_bytes(told, tmp_path):
    settings, entries, tables = told
    run = _run(settings, LAST)
    again = replace(run, products={name: tmp_path / path.name for name, path in run.products.items()})
    write_days(run, tables)
    write_days(again, _measured(settings, entries, LAST))
    for name, path in run.products.items():
        assert path.read_bytes() == again.products[name].read_bytes(), name
        assert_frame_equal(load_day_table(path.parent, name), tables[name])


def test_volumes_are_those_of_the_batch_index(told):
    settings, entries, tables = told
    index = batch_index(_run(settings, LAST).case, settings, as_of=LAST).filter(pl.col("part") == "stream")
    volumes = tables["volumes"]
    assert volumes["day"].to_list() == [date.fromisoformat(entry["day"]) for entry in entries]
    assert volumes["rows"].to_list() == index["rows"].to_list() == volumes["scored"].to_list()
    assert volumes["quarantined"].to_list() == index["quarantined"].to_list()
    assert (volumes["cells"] == volumes["rows"] * 16).all()


def test_every_row_is_in_one_bin(told):
    _, _, tables = told
    table = tables["distributions"]
    outside = pl.sum_horizontal("below", "above", "others", "unseen", "missing")
    assert table.select((pl.col("counts").list.sum() + outside == pl.col("rows")).all()).item()
    rows = table.filter(pl.col("day").is_not_null(), pl.col("column") == "age").sort("day")["rows"]
    assert rows.to_list() == tables["volumes"]["rows"].to_list()


def test_predicted_classes_add_up_to_the_scored_rows(told):
    _, _, tables = told
    counted = tables["predicted"].group_by("day").agg(pl.col("rows").sum()).sort("day")
    assert counted["rows"].to_list() == tables["volumes"]["scored"].to_list()


def test_drifted_columns_are_those_of_the_journal(told):
    _, entries, tables = told
    drift = tables["drift_days"]
    for entry in entries:
        seen = drift.filter(pl.col("day") == date.fromisoformat(entry["day"]), pl.col("drifted"), pl.col("matters"))
        assert sorted(seen["column"].to_list()) == entry["drift"]["drifted_columns"]
        assert set(seen["version"].to_list()) <= {entry["during"]["champion"]}


def test_outcomes_are_the_decisions_with_known_targets(told):
    settings, entries, tables = told
    run = _run(settings, LAST)
    champion = load_versions(run)[1]
    until = [entry["day"] for entry in entries if entry["during"]["champion"] == 1][-1]
    targets = load_targets(run.case, settings, as_of=LAST).select("row_id", "target", "known_time")
    known = ensure_predictions(run, champion).join(targets, on="row_id").filter(pl.col("batch_id") <= until)
    mine = tables["outcomes"].filter(pl.col("version") == 1)
    right = mine.filter(pl.col("prediction") == pl.col("target"))["rows"].sum()
    assert (mine["rows"].sum(), right) == (known.height, (known["prediction"] == known["target"]).sum())
    squares = (known["prediction_score"] - (known["target"] == "yes").cast(pl.Float64)) ** 2
    assert mine["brier_sum"].sum() == pytest.approx(squares.sum(), rel=1e-12)
    bins = tables["score_outcomes"].filter(pl.col("version") == 1)
    assert bins.filter("positive")["rows"].sum() == (known["target"] == "yes").sum()
    assert bins.filter(pl.col("score_bin") >= 50)["rows"].sum() == (known["prediction_score"] >= 0.5).sum()


def test_each_segment_column_counts_every_decision_once(told):
    settings, _, tables = told
    outcomes, segments = tables["outcomes"], tables["segment_outcomes"]
    for column in ("contract", "internet_service"):
        mine = segments.filter(pl.col("column") == column)
        assert mine["rows"].sum() == outcomes["rows"].sum()
        assert mine["correct"].sum() == outcomes.filter(pl.col("prediction") == pl.col("target"))["rows"].sum()
    known = labelled_rows(_run(settings, LAST).case, settings, as_of=LAST, since=FIRST)
    assert set(segments.filter(pl.col("column") == "contract")["value"]) == set(known["contract"])


def test_a_version_is_counted_only_on_rows_it_had_not_learned_from_and_only_once_it_was_known(told):
    settings, entries, tables = told
    run = _run(settings, LAST)
    offices = Offices.of(entries)
    assert set(tables["outcomes"]["version"]) == set(offices.versions) == {1, 2}
    for number in offices.versions:
        mine = tables["outcomes"].filter(pl.col("version") == number)
        trained = date.fromisoformat(load_versions(run)[number].trained_until[:10])
        assert mine["day"].min() > trained
        assert mine["known_on"].min() >= offices.first_day(number)


def test_estimates_are_of_the_versions_in_office(told):
    _, entries, tables = told
    offices = Offices.of(entries)
    shown = set(tables["estimates"].select("day", "version").unique().rows())
    assert shown == {(day, version) for day, office in offices.days.items() for version in office if version}
    accuracy = tables["estimates"].filter(pl.col("metric") == "accuracy")
    assert accuracy.select((pl.col("low") <= pl.col("value")) & (pl.col("value") <= pl.col("high"))).to_series().all()


def test_a_reign_that_is_over_is_looked_up_and_not_analysed_again(told):
    settings, entries, tables = told
    [kept] = settings.data_folder("churn").glob("predictions/*/reigns/*.parquet")
    spell = Offices.of(entries).spells[0]
    assert kept.name.startswith(f"{spell.since}_{spell.until}_")
    table = pl.read_parquet(kept)
    assert_frame_equal(table, tables["drift_days"].filter(pl.col("day") <= spell.until), check_row_order=False)
    write_parquet(kept, table.with_columns(statistic=pl.lit(0.0)))
    looked_up = _measured(settings, entries, LAST)["drift_days"].filter(pl.col("day") <= spell.until)
    write_parquet(kept, table)
    assert set(looked_up["statistic"]) == {0.0}


def test_the_last_bits_of_a_statistic_do_not_count():
    def told(bit):
        table = pl.DataFrame([_drift("2026-06-01", "psi", 0.1 + 0.2 + bit)], schema=DRIFT_SCHEMA)
        return strongest_by_day(table, 1, shares={})

    assert_frame_equal(told(0.0), told(1e-16), check_exact=True)
    assert told(0.0)["statistic"].item() == 0.3
