"""Training windows: the one that explains the newest rows best is taken, and the record says what the others lost."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
from model_samples import binary_case, labelled_rows

from driftbook.timeline.training_tables import windows_tried
from driftbook.timeline.window import choose_window

SEED = 7


def days_of(rows: pl.DataFrame) -> list[date]:
    return sorted(set(rows["event_time"].dt.date().to_list()))


def turned(rows: pl.DataFrame, *, since: date) -> pl.DataFrame:
    """The same rows, the relation to the target turned round from a day on."""
    classes = rows["target"].unique().sort().to_list()
    other = pl.col("target").replace_strict(classes, classes[::-1])
    late = pl.col("event_time").dt.date() >= since
    return rows.with_columns(target=pl.when(late).then(other).otherwise(pl.col("target")))


def test_without_drift_or_shorter_windows_there_is_no_choice() -> None:
    rows = labelled_rows(3000)
    chosen = choose_window(binary_case(), rows, since=None, windows_days=(10_000,), seed=SEED)
    assert (chosen.name, chosen.losses, chosen.rows.height) == ("all", {}, rows.height)


def test_where_the_relation_changed_only_what_came_since_is_learnt_from() -> None:
    rows = labelled_rows(3000)
    since = days_of(rows)[-len(days_of(rows)) // 2]
    chosen = choose_window(binary_case(), turned(rows, since=since), since=since, seed=SEED)
    assert chosen.name == "since_drift"
    assert chosen.losses["since_drift"] < chosen.losses["all"]
    assert days_of(chosen.rows)[0] == since


def test_a_window_of_days_is_taken_where_the_change_is_not_known() -> None:
    rows = labelled_rows(3000)
    days = days_of(rows)
    since = days[-len(days) // 2]
    width = (days[-1] - since).days + 1
    chosen = choose_window(binary_case(), turned(rows, since=since), since=None, windows_days=(width,), seed=SEED)
    assert chosen.name == f"last_{width}_days"
    assert days_of(chosen.rows)[0] == since
    assert set(chosen.losses) == {"all", chosen.name}


def test_a_window_too_short_to_leave_rows_to_learn_from_is_no_choice() -> None:
    rows = labelled_rows(3000)
    days = days_of(rows)
    chosen = choose_window(binary_case(), rows, since=days[0] + timedelta(days=1), windows_days=(1,), seed=SEED)
    assert "last_1_days" not in chosen.losses
    tiny = choose_window(binary_case(), rows, since=days[-1] + timedelta(days=1), seed=SEED)
    assert (tiny.name, tiny.losses) == ("all", {})


def test_the_losses_are_shown_best_first_and_an_old_record_shows_none() -> None:
    training = {"window": "last_30_days", "window_losses": {"all": 0.41, "last_30_days": 0.4}}
    assert windows_tried(training).rows() == [
        ("the last 30 days", "0.4000", "taken"),
        ("all rows with known targets", "0.4100", ""),
    ]
    assert windows_tried({"window": "all"}).is_empty()
    assert windows_tried(None).is_empty()
