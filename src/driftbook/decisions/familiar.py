"""The familiar views of a comparison: the rows that decided, seen through the tests people know.

Built on the same rows as the evidence (both models scored them, the target is known, the challenger had not seen
them), so that a view can be laid beside the decision. It decides nothing: see ``decisions.paired_tests`` for why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from driftbook.decisions.costs import Costs
from driftbook.decisions.outcomes import Contender, check_unique, row_outcomes
from driftbook.decisions.paired_tests import (
    LEAST_DAYS,
    Array,
    Clusters,
    Codes,
    Paired,
    bootstrap_auc,
    bootstrap_mean,
    clusters_of,
    delong,
    mcnemar,
)
from driftbook.decisions.split import CHALLENGER, CHAMPION, NOBODY, Split, split_view
from driftbook.model.metrics import confusion_counts, matrix_of
from driftbook.storage import canonical_json

ONE_LOOK = "For one look only."
AS_INDEPENDENT = "Takes rows as independent, for one look only."


@dataclass(frozen=True)
class PairedRows:
    """Rows that both models scored and whose targets are known, in the order of ``row_id``.

    ``truth`` is the place of the true class in ``classes`` (-1 for one that neither model knows), ``champion`` and
    ``challenger`` the places of the decided ones, ``…_table`` the probabilities, shape (rows, classes). ``days``
    numbers the days of the events. ``gains`` holds what the challenger gained in each metric but accuracy, and
    ``role`` says who answered (codes of ``decisions.split``) where traffic was split.
    """

    classes: tuple[str, ...]
    truth: Codes
    champion: Codes
    challenger: Codes
    champion_table: Array
    challenger_table: Array
    days: Codes
    gains: Mapping[str, Array] = field(default_factory=dict)
    role: Codes | None = None

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return int(self.truth.size)

    @property
    def day_count(self) -> int:
        """On how many days."""
        return int(self.days.max(initial=-1)) + 1

    @property
    def correct(self) -> tuple[np.ndarray[Any, np.dtype[np.bool_]], np.ndarray[Any, np.dtype[np.bool_]]]:
        """Whether champion and challenger decided rightly, row by row."""
        return self.champion == self.truth, self.challenger == self.truth


@dataclass(frozen=True)
class View:
    """One way to look at a comparison: a difference (positive: challenger better), how sure, and how to read it."""

    view: str
    metric: str
    difference: float | None
    low: float | None
    high: float | None
    p_value: float | None
    reading: str


@dataclass(frozen=True)
class FamiliarViews:
    """All views of one comparison.

    ``confusion`` holds, for champion and challenger, rows per true class (down) and decided class (across), in the
    order of ``classes``; a last line counts targets outside them.
    """

    rows: int
    days: int
    classes: tuple[str, ...]
    confusion: Mapping[str, list[list[int]]]
    split: Split | None
    views: tuple[View, ...]

    def to_json(self) -> dict[str, Any]:
        """As a record holds it: numbers to 12 digits."""
        content: dict[str, Any] = json.loads(canonical_json(asdict(self)))
        return content


def pair_rows(
    champion: Contender,
    challenger: Contender,
    targets: pl.DataFrame,
    *,
    trained_until: datetime,
    costs: Costs | None = None,
    answered: pl.DataFrame | None = None,
) -> PairedRows:
    """The rows that ``decisions.comparison.compare_models`` sums up, one by one.

    Parameters
    ----------
    champion, challenger
        Who scored what; rows of other versions are ignored.
    targets
        ``row_id, batch_id, known_time, target``; only what is known may be given. Null targets are not known.
    trained_until
        Rows up to this event time trained the challenger and are left out.
    costs
        By actual, then by predicted class.
    answered
        ``row_id, answered_version`` where a service split the traffic.

    Raises
    ------
    DataError
        If a row was scored twice by one version, has two targets, or was answered twice.
    """
    known = targets.filter(pl.col("target").is_not_null()).select("row_id", "batch_id", "known_time", "target")
    check_unique(known, "targets")
    before, after = (
        row_outcomes(model, known, trained_until=trained_until, costs=costs or {}).join(
            _own(model).select("row_id", "event_time", "prediction", "probabilities"), on="row_id"
        )
        for model in (champion, challenger)
    )
    both = before.join(after.drop("event_time", "batch_id", "known_on"), on="row_id", suffix="_after")
    both = both.join(known.select("row_id", "target"), on="row_id").sort("row_id")
    classes = tuple(dict.fromkeys([*champion.classes, *challenger.classes]))
    role = None
    if answered is not None:
        check_unique(answered, "answers")
        who = both.join(answered.select("row_id", "answered_version"), on="row_id", how="left").sort("row_id")
        codes = {champion.version: CHAMPION, challenger.version: CHALLENGER}
        role = who["answered_version"].replace_strict(codes, default=NOBODY, return_dtype=pl.Int64).to_numpy()
    places = {name: place for place, name in enumerate(classes)}
    return PairedRows(
        classes=classes,
        truth=_codes(both["target"], places, other=-1),
        champion=_codes(both["prediction"], places, other=-1),
        challenger=_codes(both["prediction_after"], places, other=-1),
        champion_table=_table(both["probabilities"], champion.classes, classes),
        challenger_table=_table(both["probabilities_after"], challenger.classes, classes),
        days=(both["event_time"].dt.date().rank("dense") - 1).cast(pl.Int64).to_numpy(),
        gains={name: (both[name] - both[f"{name}_after"]).to_numpy() for name in ("brier", "log_loss", "cost")},
        role=role,
    )


def familiar_views(rows: PairedRows, *, metric: str, positive: str | None, seed: int) -> FamiliarViews:
    """McNemar, DeLong, bootstrap intervals, the A/B view and both confusion matrices of one comparison.

    Parameters
    ----------
    rows
        From :func:`pair_rows`.
    metric
        The policy's metric; its bootstrap is added to that of accuracy and ROC AUC.
    positive
        The class that the ROC AUC is about; ``None`` takes the mean over the classes, each against the rest.
    seed
        Of the bootstrap: the same rows and seed give the same bytes.

    Examples
    --------
    >>> truth, decided = np.tile([0, 1], 60), np.tile([0, 1, 1, 1], 30)
    >>> sure, unsure = np.eye(2)[truth] * 0.8 + 0.1, np.eye(2)[decided] * 0.6 + 0.2
    >>> rows = PairedRows(("no", "yes"), truth, decided, truth, unsure, sure, np.arange(120) // 12)
    >>> found = familiar_views(rows, metric="accuracy", positive="yes", seed=1)
    >>> [(each.view, each.metric, round(each.difference, 3)) for each in found.views]  # doctest: +NORMALIZE_WHITESPACE
    [('mcnemar', 'accuracy', 0.25), ('bootstrap', 'accuracy', 0.25), ('split', 'accuracy', 0.25),
     ('delong', 'roc_auc', 0.25), ('bootstrap', 'roc_auc', 0.25)]
    """
    chosen = None if positive is None else rows.classes.index(positive)
    clusters = clusters_of(rows.days, seed=seed)
    before, after = rows.correct
    tables = (rows.champion_table, rows.challenger_table)
    split = split_view(before, after, role=rows.role)
    views = [
        _mcnemar(int((after & ~before).sum()), int((before & ~after).sum()), rows.rows),
        _bootstrap("accuracy", bootstrap_mean(after.astype(np.float64) - before, clusters, seed=seed), clusters, rows),
        *([_view("split", "accuracy", split.result, _split_reading(split))] if split else []),
        _view("delong", "roc_auc", delong(rows.truth, *tables, chosen=chosen), _ranking_reading(rows, positive)),
        _bootstrap("roc_auc", bootstrap_auc(rows.truth, *tables, clusters, chosen=chosen, seed=seed), clusters, rows),
    ]
    if metric in rows.gains:
        views.append(_bootstrap(metric, bootstrap_mean(rows.gains[metric], clusters, seed=seed), clusters, rows))
    return FamiliarViews(
        rows=rows.rows,
        days=rows.day_count,
        classes=rows.classes,
        confusion={name: _confusion(rows, getattr(rows, name)) for name in ("champion", "challenger")},
        split=split,
        views=tuple(views),
    )


def _view(name: str, metric: str, result: Paired, reading: str) -> View:
    return View(name, metric, result.difference, result.low, result.high, result.p_value, reading)


def _mcnemar(wins: int, losses: int, rows: int) -> View:
    reading = f"Only one was right on {wins + losses:,} rows, the challenger on {wins:,} of them. {AS_INDEPENDENT}"
    return _view("mcnemar", "accuracy", mcnemar(wins, losses, rows=rows), reading)


def _bootstrap(metric: str, result: Paired, clusters: Clusters, rows: PairedRows) -> View:
    if clusters.by == "day":
        reading = f"{rows.day_count} days drawn anew, whole, since rows of a day move together. {ONE_LOOK}"
    else:
        reading = f"Rows drawn anew (days from {LEAST_DAYS} on, {rows.day_count} so far). {AS_INDEPENDENT}"
    return _view("bootstrap", metric, result, reading)


def _ranking_reading(rows: PairedRows, positive: str | None) -> str:
    about = f"the class {positive}" if positive else f"each of {len(rows.classes)} classes against the rest, averaged"
    return f"How well scores rank {about}, decisions aside. {AS_INDEPENDENT}"


def _split_reading(split: Split) -> str:
    champion, challenger = (f"{count:,}" for count in split.rows)
    saved = "" if split.times is None else f"; {split.times:.2g} times as many needed to be as sure"
    if split.routed:
        return f"Each on its own rows, {champion} and {challenger}{saved}. {AS_INDEPENDENT}"
    return f"Not run: each on its own rows, {champion} and {challenger}{saved}. {AS_INDEPENDENT}"


def _confusion(rows: PairedRows, decided: Codes) -> list[list[int]]:
    counts: list[list[int]] = confusion_counts(rows.truth, decided, classes=len(rows.classes)).tolist()
    return counts


def _own(model: Contender) -> pl.DataFrame:
    return model.predictions.filter(pl.col("version") == model.version)


def _codes(names: pl.Series, codes: Mapping[str, int], *, other: int) -> Codes:
    return names.replace_strict(dict(codes), default=other, return_dtype=pl.Int64).to_numpy()


def _table(probabilities: pl.Series, own: Sequence[str], classes: Sequence[str]) -> Array:
    """Probabilities in the order of all classes; a class the model never saw has none."""
    table = np.zeros((probabilities.len(), len(classes)))
    table[:, [classes.index(name) for name in own]] = matrix_of(probabilities, classes=len(own))
    return table
