"""How one model did, row by row: right or wrong, how far its probabilities were off, what its decision cost.

The rows are those it scored after a training and whose targets are known. Comparisons sum them up by day; the familiar
views look at them one by one, and so see exactly the rows that decided.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from driftbook.decisions.costs import Costs, row_costs
from driftbook.errors import DataError

# log loss of one row is capped here (a probability of 0.1 %), so that a difference is bounded
LOG_LOSS_LIMIT = -math.log(0.001)


@dataclass(frozen=True)
class Contender:
    """A model version, its classes in the order of its probabilities, and a predictions frame that holds its rows."""

    version: int
    classes: Sequence[str]
    predictions: pl.DataFrame


def row_outcomes(model: Contender, known: pl.DataFrame, *, trained_until: datetime, costs: Costs) -> pl.DataFrame:
    """How a model did on each row after a training whose target is known: what days are summed up from.

    Parameters
    ----------
    known
        ``row_id, batch_id, known_time, target``, without nulls.

    Returns
    -------
    One row each, in the order of the predictions: ``row_id, batch_id, known_on``, ``correct``, ``brier``,
    ``log_loss``, ``cost``, and ``confidence``, the largest probability. ``brier`` is half the squared distance of the
    probabilities from the truth (0 to 1), ``log_loss`` is capped at :data:`LOG_LOSS_LIMIT`.

    Raises
    ------
    DataError
        If a row was scored twice.

    Examples
    --------
    >>> when = datetime(2026, 6, 6)
    >>> scored = pl.DataFrame({"row_id": ["a"], "event_time": [when], "version": [1], "prediction": ["no"]})
    >>> model = Contender(1, ["no", "yes"], scored.with_columns(probabilities=pl.Series([[0.8, 0.2]])))
    >>> known = pl.DataFrame({"row_id": ["a"], "batch_id": ["2026-06-06"], "known_time": [when], "target": ["no"]})
    >>> found = row_outcomes(model, known, trained_until=datetime(2026, 6, 5), costs={})
    >>> found["correct"][0], round(found["brier"][0], 4), round(found["log_loss"][0], 4)
    (True, 0.04, 0.2231)
    """
    scored = model.predictions.filter(
        (pl.col("version") == model.version) & (pl.col("event_time") > trained_until)
    ).select("row_id", "prediction", "probabilities")
    check_unique(scored, f"predictions of version {model.version}")
    places = {name: place for place, name in enumerate(model.classes)}
    place = pl.col("target").replace_strict(places, default=len(places), return_dtype=pl.Int64)
    truth = pl.col("probabilities").list.get(place, null_on_oob=True).fill_null(0.0)
    squared = (pl.col("probabilities").list.eval(pl.element() ** 2)).list.sum()
    joined = scored.join(known, on="row_id", how="inner", maintain_order="left")
    return joined.select(
        "row_id",
        "batch_id",
        pl.col("known_time").dt.date().alias("known_on"),
        (pl.col("prediction") == pl.col("target")).fill_null(False).alias("correct"),
        ((squared - 2 * truth + 1) / 2).alias("brier"),
        (-truth.clip(math.exp(-LOG_LOSS_LIMIT), 1.0).log()).alias("log_loss"),
        row_costs(joined, costs).alias("cost"),
        pl.col("probabilities").list.max().alias("confidence"),
    )


def check_unique(frame: pl.DataFrame, what: str) -> None:
    """Make sure that no row is there twice.

    Raises
    ------
    DataError
        If one is, naming it.

    Examples
    --------
    >>> check_unique(pl.DataFrame({"row_id": ["a", "b"]}), "targets")
    """
    doubled = frame.filter(pl.col("row_id").is_duplicated())["row_id"].unique().sort()
    if len(doubled):
        raise DataError(
            f"{what}: expected one row per row_id, found {len(doubled)} doubled ({doubled[0]!r} …); "
            "score each batch once and give each target once"
        )
