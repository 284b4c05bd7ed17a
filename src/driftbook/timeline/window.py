"""The training window of a challenger: everything, or only what came since the drift set in.

Old rows help while the relation to the target holds and mislead once it changed. Which of the two holds is
measured: a small model is fitted on each window without the newest labelled rows, and the one that explains
those better (lower log loss) is taken. Both look only backwards from the cut-off.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from driftbook.config import UseCase
from driftbook.errors import ModelError
from driftbook.model.metrics import log_loss
from driftbook.model.training import fit_quickly

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
    losses = {}
    for window, candidate in (("all", rows.head(rows.height - newest.height)), ("since_drift", older)):
        try:
            bundle = fit_quickly(case, candidate, seed=seed)
        except ModelError:  # too few rows of a class: this window is no choice
            continue
        losses[window] = log_loss(newest["target"], bundle.score(newest)["probabilities"], classes=bundle.classes)
    if not losses:
        return "all", rows
    best = min(losses, key=lambda window: (losses[window], window))
    return best, rows if best == "all" else fresh
