"""The training window of a challenger: everything, or only what came since the drift set in.

Old rows help while the relation to the target holds and mislead once it changed. Which of the two holds is
measured: a small model is fitted on each window without the newest labelled rows, and the one that explains
those better (lower log loss) is taken. Both look only backwards from the cut-off.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from driftbook.config import UseCase
from driftbook.model.metrics import matrix_of, measure
from driftbook.model.training import train

NEWEST_SHARE = 1 / 3
SMALLEST_WINDOW = 100


def choose_window(case: UseCase, rows: pl.DataFrame, *, since: date, seed: int) -> tuple[str, pl.DataFrame]:
    """``("all", rows)`` or ``("since_drift", the rows from ``since`` on)``, whichever predicts the newest rows better.

    Parameters
    ----------
    rows
        Labelled rows known by the cut-off.
    since
        First day of the drift.
    """
    rows = rows.sort("event_time", "row_id")
    fresh = rows.filter(pl.col("event_time").dt.date() >= since)
    newest = fresh.tail(int(fresh.height * NEWEST_SHARE))
    older = fresh.head(fresh.height - newest.height)
    if older.height < SMALLEST_WINDOW or older["target"].n_unique() < 2 or newest["target"].n_unique() < 2:
        return "all", rows
    quick = case.model_copy(update={"model": case.model.model_copy(update={"trials": 1, "folds": 2})})
    losses = {}
    for window, candidate in (("all", rows.head(rows.height - newest.height)), ("since_drift", older)):
        bundle = train(quick, candidate, seed=seed).bundle
        scored = bundle.score(newest)
        table = matrix_of(scored["probabilities"], classes=len(bundle.classes))
        figures = measure(
            newest["target"], scored["prediction"], table, classes=bundle.classes, positive=bundle.positive
        )
        losses[window] = figures["log_loss"].value
    best = min(losses, key=lambda window: (losses[window], window))
    return best, rows if best == "all" else fresh
