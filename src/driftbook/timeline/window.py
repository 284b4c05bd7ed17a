"""The training window of a challenger: everything, what came since the drift set in, or the last so many days.

Old rows help while the relation to the target holds and mislead once it changed. Which of the two holds is
measured: a small model is fitted on each window without the newest labelled rows, and the one that explains
those better (lower log loss) is taken. All look only backwards from the cut-off, and are judged on the same rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

import polars as pl

from driftbook.config import UseCase
from driftbook.errors import ModelError
from driftbook.model.metrics import log_loss
from driftbook.model.training import fit_quickly

ALL, SINCE_DRIFT = "all", "since_drift"
NEWEST_SHARE = 1 / 3
SMALLEST_WINDOW = 100


@dataclass(frozen=True)
class Window:
    """The rows to train on, the window's name, and the log loss of every window that was tried (none: no choice)."""

    name: str
    rows: pl.DataFrame
    losses: dict[str, float] = field(default_factory=dict)


def choose_window(
    case: UseCase, rows: pl.DataFrame, *, since: date | None, windows_days: Sequence[int] = (), seed: int
) -> Window:
    """The window whose rows explain the newest ones best.

    Parameters
    ----------
    rows
        Labelled rows known by the cut-off.
    since
        First day of the drift; None: there was none.
    windows_days
        Windows of so many days up to the newest row; those that hold all rows are no choice.

    Returns
    -------
    ``all``, ``since_drift`` or ``last_30_days``, judged on the newest third of the smallest of them.
    """
    rows = rows.sort("event_time", "row_id")
    windows = {name: rows.filter(pl.col("event_time") >= start) for name, start in _starts(rows, since, windows_days)}
    if not windows:
        return Window(ALL, rows)
    smallest = min(windows.values(), key=lambda window: window.height)
    if since is not None:
        smallest = windows[SINCE_DRIFT]  # what has to be explained is the world since the drift
    newest = smallest.tail(int(smallest.height * NEWEST_SHARE))
    if smallest.height - newest.height < SMALLEST_WINDOW or newest["target"].n_unique() < 2:
        return Window(ALL, rows)
    losses = {}
    for name, window in {ALL: rows, **windows}.items():
        older = window.head(max(window.height - newest.height, 0))
        loss = _loss(case, older, newest, seed=seed)
        if loss is not None:
            losses[name] = loss
    if not losses:
        return Window(ALL, rows)
    best = min(losses, key=lambda name: (losses[name], name))
    return Window(best, windows.get(best, rows), losses)


def _starts(rows: pl.DataFrame, since: date | None, windows_days: Sequence[int]) -> Iterator[tuple[str, datetime]]:
    """Every window beside all rows, with its first moment."""
    if rows.is_empty():
        return
    first, last = rows["event_time"][0], rows["event_time"][-1]
    if since is not None:
        yield SINCE_DRIFT, datetime.combine(since, time.min)
    for days in windows_days:
        start = datetime.combine(last.date() - timedelta(days=days - 1), time.min)
        if start > first:
            yield f"last_{days}_days", start


def _loss(case: UseCase, older: pl.DataFrame, newest: pl.DataFrame, *, seed: int) -> float | None:
    """Log loss on the newest rows of a small model of the older ones; None where those allow no model."""
    if older.height < SMALLEST_WINDOW or older["target"].n_unique() < 2:
        return None
    try:
        bundle = fit_quickly(case, older, seed=seed)
    except ModelError:  # too few rows of a class: this window is no choice
        return None
    return log_loss(newest["target"], bundle.score(newest)["probabilities"], classes=bundle.classes)
