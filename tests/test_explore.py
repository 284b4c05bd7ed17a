"""Exploring: what a selection yields, and that the controls only pass it on."""

import dataclasses
from datetime import date

import polars as pl
import pytest
import yaml
from workbench import ONSET_DAY, make_workbench, run_of

from driftbook.data.batches import ingest
from driftbook.errors import ConfigError, DataError, UnknownNameError
from driftbook.explore import (
    Injection,
    Panel,
    Selection,
    WhatIfPanel,
    Workshop,
    distort,
    look,
    open_exploration,
    open_workshop,
    overview,
    what_if,
)
from driftbook.explore.data import default_period, names_to_explore
from driftbook.explore.groups import MISSING, OTHERS, group_values
from driftbook.tables import format_value
from driftbook.timeline.models import champion_version

START, LAST = date(2026, 5, 17), date(2026, 5, 24)
SHOCK = date(2026, 5, 17 + ONSET_DAY - 1)


@pytest.fixture(scope="module")
def exploration(tmp_path_factory):
    """A fresh workbench, opened: nothing was built before."""
    settings = make_workbench(tmp_path_factory.mktemp("desk"), rows_per_day=120, history_days=8, stream_days=8)
    return open_exploration("churn", settings=settings)


def _pick(column="monthly_charges", **changes):
    return Selection(**{"column": column, "since": SHOCK, "until": LAST, **changes})


def test_a_fresh_clone_is_ingested_up_to_the_last_day_of_its_source(exploration):
    assert exploration.run.as_of == LAST
    assert len(exploration.days) == 16
    assert exploration.stream_days[0] == START
    assert exploration.run.sandbox, "nothing of it counts"


def test_a_day_shows_only_what_was_known_by_its_end(exploration):
    earlier = open_exploration("churn", as_of="2026-05-20", settings=exploration.run.settings)
    assert earlier.days[-1] == date(2026, 5, 20)
    rows = earlier.read(["age"], since=date.min, until=date.max)
    assert rows["batch_id"].max() == "2026-05-20"
    known = rows.filter(pl.col("target").is_not_null())["batch_id"].max()
    assert known == "2026-05-17", "targets come three days later"


def test_a_day_after_the_last_one_shows_everything(exploration):
    assert open_exploration("churn", as_of="2030-01-01", settings=exploration.run.settings).run.as_of == LAST


def test_every_column_can_be_looked_at_and_the_target_comes_last(exploration):
    case = exploration.case
    assert list(exploration.columns) == [*case.columns.features, case.columns.target]
    for column in exploration.columns:
        assert len(look(exploration, _pick(column)).figures) == 4


def test_the_distribution_compares_the_period_with_the_history(exploration):
    seen = look(exploration, _pick())
    rows = exploration.read(["monthly_charges"], since=SHOCK, until=LAST)
    assert seen.summary["rows of"].to_list() == ["history", "21 May to 24 May"]
    assert seen.summary["rows"].to_list() == [exploration.index.head(8)["rows"].sum(), rows.height]
    assert seen.summary["mean"][1] == pytest.approx(rows["monthly_charges"].mean())
    assert "monthly_charges: history and 21 May to 24 May" in seen.distribution.title


def test_or_with_as_many_days_just_before_it(exploration):
    seen = look(exploration, _pick(against="days before"))
    four_days_before = exploration.index.slice(8, 4)["rows"].sum()
    assert seen.summary["rows"][0] == four_days_before


def test_the_target_rate_counts_known_targets_only(exploration):
    seen = look(exploration, _pick(since=date(2026, 5, 21), until=date(2026, 5, 21)))
    targets = exploration.targets.filter(pl.col("batch_id") == "2026-05-21")
    rate = (targets["target"] == "yes").mean()
    assert seen.summary["churned = yes"][1] == pytest.approx(rate)
    assert format_value(rate, format="percent") in seen.target_rate.svg
    assert "2026-05-22" not in seen.target_rate.svg, "no target of that day is known"


def test_missing_values_are_drawn_where_there_are_any(exploration):
    assert "2026-05-24: " in look(exploration, _pick("data_usage_gb")).missing.svg
    assert "None in any of 16 batches" in look(exploration, _pick("contract")).missing.description


def test_the_target_by_itself_is_not_shown(exploration):
    assert "pick another one" in look(exploration, _pick("churned")).target_by_value.description


def test_the_overview_has_a_line_per_column(exploration):
    lines = overview(exploration)
    assert lines["column"].to_list() == list(exploration.columns)
    usage = lines.row(by_predicate=pl.col("column") == "data_usage_gb", named=True)
    assert 0.1 < usage["missing, history"] < 0.25
    assert lines.row(by_predicate=pl.col("column") == "contract", named=True)["typical, stream"] == "month-to-month"


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"column": "agee"}, UnknownNameError, "did you mean 'age'"),
        ({"until": date(2026, 5, 1)}, ConfigError, "ends after it begins"),
        ({"target_class": "maybe"}, UnknownNameError, "no class 'maybe'"),
        ({"against": "the future"}, UnknownNameError, "no comparison"),
    ],
)
def test_what_cannot_be_shown_is_named(exploration, changes, error, said):
    with pytest.raises(error, match=said):
        look(exploration, _pick(**changes))


def test_numbers_are_cut_where_the_rows_compared_with_have_equal_shares():
    groups = group_values(pl.Series([0.0, 55.0, 400.0, None]), like=pl.Series([float(n) for n in range(800)]))
    assert groups.to_list() == ["up to 100", "up to 100", "301 to 400", MISSING]


def test_odd_columns_have_groups_too():
    empty = pl.Series("x", [None, None], dtype=pl.Float64)
    assert group_values(empty, like=empty).to_list() == [MISSING, MISSING]
    infinite = pl.Series([float("inf"), float("nan"), 1.0])
    assert group_values(infinite, like=infinite).to_list() == [MISSING, MISSING, "1"]


def test_rare_texts_share_a_group_and_new_ones_have_their_own():
    like = pl.Series([letter for letter in "abcdefghij" for _ in range(3)])
    groups = group_values(pl.Series(["a", "j", "new", None]), like=like)
    assert groups.to_list() == ["a", OTHERS, "new", MISSING]


def test_the_controls_offer_what_there_is_and_show_what_is_picked(exploration):
    panel = Panel(exploration)
    assert panel.selection == Selection("monthly_charges", START + (LAST - START) / 7, LAST, target_class="yes")
    assert panel.shown.value.count("<svg") == 3, "nothing is missing in this column: words instead of a picture"
    panel.column.value = "contract"
    panel.period.value = (START, START)
    panel.against.value = "days before"
    assert "contract: days before and 17 May" in panel.shown.value
    assert len(panel.view.children) == 4


def test_a_use_case_that_cannot_be_read_says_why_and_the_old_one_can_be_picked_again(exploration):
    settings = exploration.run.settings
    declared = yaml.safe_load((settings.data_folder("churn") / "usecase.yaml").read_text(encoding="utf-8"))
    other = settings.data_folder("lost") / "usecase.yaml"
    other.parent.mkdir()
    declared["source"] = {"kind": "files", "path": "lost.csv", "stream_start": START}
    other.write_text(yaml.safe_dump(declared), encoding="utf-8")
    assert names_to_explore(settings) == ["churn", "lost"]
    with pytest.raises(DataError, match=r"lost\.csv"):
        open_exploration("lost", settings=settings)
    panel = Panel(exploration)
    panel.use_case.value = "lost"
    assert "This cannot be shown" in panel.shown.value
    assert "lost.csv" in panel.shown.value
    panel.use_case.value = "churn"
    assert "<svg" in panel.shown.value


def test_of_several_classes_the_frequent_one_is_offered_first(exploration):
    columns = exploration.case.columns.model_copy(update={"positive_class": None})
    case = exploration.case.model_copy(update={"columns": columns, "task": "multiclass"})
    several = dataclasses.replace(exploration, run=dataclasses.replace(exploration.run, case=case))
    assert several.classes == ["no", "yes"]
    panel = Panel(several)
    panel.target_class.value = "yes"
    assert "Target rate: churned = yes" in panel.shown.value


def test_the_first_period_is_the_last_week_of_the_stream(exploration):
    assert default_period(exploration) == (date(2026, 5, 18), LAST)


@pytest.fixture(scope="module")
def workshop(exploration):
    """The same fresh workbench: no model yet, so the reference is learned from the history."""
    return open_workshop("churn", settings=exploration.run.settings)


def test_without_drift_a_batch_passes_and_says_that_nothing_was_done(workshop):
    found = what_if(workshop, workshop.batches[0], Injection(column="monthly_charges"))
    assert found.title == "This batch would pass"
    assert found.sentences[0] == "Nothing was changed: this is the batch as it came."
    assert workshop.version is None
    assert "prediction" not in found.columns.svg


def test_drift_put_in_is_found_by_the_engine_and_its_power_is_told(workshop):
    found = what_if(workshop, workshop.batches[0], Injection(column="monthly_charges", shift=1.5))
    assert found.alarmed
    assert found.sentences[0].startswith("Strongest signal: `monthly_charges`, ")
    assert "A shift of 1.5 standard deviations raises an alarm with probability" in found.sentences[-1]
    psi = found.signals.row(by_predicate=pl.col("method") == "PSI", named=True)
    assert psi["times before"] < 1 < psi["times now"]
    assert "standard deviations higher, against the reference." in found.distribution.svg
    assert "monthly_charges: as it came and with drift" in found.distribution.title


def test_columns_that_go_together_otherwise_keep_their_own_distributions(workshop):
    injection = Injection(column="age", partner="tenure_months", together=1.0)
    found = what_if(workshop, workshop.batches[0], injection)
    assert found.signals.filter(column="age")["times now"].to_list() == pytest.approx(
        found.signals.filter(column="age")["times before"].to_list()
    )
    assert found.sentences[-1].endswith("as it came, 0.999 with drift."), "tied ages keep it from 1"


ROWS = pl.DataFrame(
    {"fee": [1.5, 2.5, None, 4.5], "calls": [0, 1, 2, 3], "plan": ["a", "b", "a", None]},
    schema={"fee": pl.Float64, "calls": pl.Int64, "plan": pl.String},
)


def test_what_is_not_asked_for_stays_as_it_is():
    assert distort(ROWS, Injection(column="fee"), std=1.0, seed=1).equals(ROWS)
    changed = distort(ROWS, Injection(column="fee", shift=1.0), std=2.0, seed=1)
    assert changed["fee"].to_list() == [3.5, 4.5, None, 6.5]
    assert changed.drop("fee").equals(ROWS.drop("fee"))


def test_whole_numbers_stay_whole_and_nothing_falls_below_the_lowest():
    changed = distort(ROWS, Injection(column="calls", shift=-0.5), std=3.0, seed=1)["calls"]
    assert changed.is_in([0.0, 1.0, 2.0]).all()
    assert changed[0] == 0.0


def test_each_way_to_change_a_column():
    unit = distort(ROWS, Injection(column="fee", wrong_unit=1.0), std=1.0, seed=1)["fee"].to_list()
    assert unit == [150.0, 250.0, None, 450.0]
    new = distort(ROWS, Injection(column="plan", new_value=1.0), std=float("nan"), seed=1)["plan"].to_list()
    assert new == ["never_seen_before"] * 3 + [None], "what is missing stays missing"
    lost = distort(ROWS, Injection(column="calls", missing=1.0), std=1.0, seed=1)["calls"]
    assert lost.null_count() == 4
    against = distort(ROWS, Injection(column="calls", partner="fee", together=-1.0), std=1.0, seed=1)["calls"]
    assert against.to_list() == [3, 1, 2, 0], "the row without a fee keeps its value"


def test_a_larger_share_hits_the_same_rows_and_more():
    rows = pl.DataFrame({"fee": [float(value) for value in range(500)]})
    few, many = (
        set(rows.filter(distort(rows, Injection(column="fee", missing=share), std=1.0, seed=1)["fee"].is_null())["fee"])
        for share in (0.1, 0.3)
    )
    assert few < many


def test_only_what_can_be_done_to_a_column_is_offered(workshop):
    panel = WhatIfPanel(workshop)
    assert panel.injection == Injection(column="monthly_charges", shift=0.3)
    assert panel.shown.value.count("<svg") == 2
    panel.column.value = "contract"
    assert panel.shift.layout.display == "none"
    assert panel.injection.shift == 0.0
    panel.new_value.value = 0.2
    assert "unseen share" in panel.shown.value
    assert "raise an alarm" in panel.shown.value
    panel.partner.value = "contract"
    assert panel.injection.partner is None, "a column goes along with itself anyway"
    panel._on_reset(None)
    assert panel.injection.is_nothing
    assert "as it came" in panel.shown.value
    assert len(panel.view.children) == 5


def test_with_a_model_the_predictions_follow_and_a_column_it_hardly_uses_wakes_nobody(tmp_path):
    settings = make_workbench(tmp_path, rows_per_day=200, history_days=16, stream_days=2)
    run = run_of(settings, "2026-05-18")
    ingest(run.case, settings, as_of=run.as_of)
    version = champion_version(run)
    shop = open_workshop("churn", settings=settings)
    assert shop.version is not None
    assert shop.version.number == version.number
    found = what_if(shop, shop.batches[0], Injection(column="support_calls", shift=2.0))
    assert "predicted score" in found.columns.svg
    silent = Workshop(shop.exploration, shop.reference, shop.version)
    object.__setattr__(silent, "silent", frozenset({"gender"}))
    calm = what_if(silent, shop.batches[0], Injection(column="gender", new_value=0.5))
    assert "`gender` hardly matters to the model: its drift is shown and wakes nobody." in calm.sentences
