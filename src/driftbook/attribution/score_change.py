"""Which columns changed the score, split exactly by the model's own contributions.

TreeSHAP writes a row's margin as a base plus one contribution per feature, so the change of the *mean margin*
between two sets of rows is the sum over features of the change of their mean contribution: exact, nothing assumed.

People read scores, and a score is a bent function of the margin. A row's contributions are carried over along the
straight line from the base margin ``b`` to the row's margin ``m``: each counts ``∫ σ'(b + t (m - b)) dt`` of its size.
With two classes that is the slope of the secant, ``(σ(m) - σ(b)) / (m - b)``, the same for all features of a row (the
rescale rule of DeepLIFT; Shrikumar 2017); with more it is Aumann's and Shapley's split of the softmax. So a row's
parts add up to its score less the base score, and the change of the *mean score* is again a sum over columns. That
split is proportional within each row; it is exact, not the only exact one. A derived feature's part is shared evenly
among its raw columns, as everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from driftbook.errors import ModelError
from driftbook.model.bundle import Bundle
from driftbook.model.calibration import Array
from driftbook.model.explain import class_contributions
from driftbook.model.splits import sample_rows

TREE_ROWS = 250_000  # rows times trees of each side that are explained: TreeSHAP is the dear part (1.2 µs each)
FEWEST_ROWS, MOST_ROWS = 500, 5_000
NODES = 12  # of the quadrature along the softmax
CERTAIN = 3.0  # standard errors: a smaller change of the score is chance, and nobody's
NAMED_CHANGE = 0.001  # of the mean score: a smaller change is none


@dataclass(frozen=True, eq=False)
class ScoreChange:
    """The mean score of ``of`` (a class) before and after, and what each column did to it.

    ``columns`` has ``column``, ``margin_change`` and ``score_change``, which add up to ``margin_after -
    margin_before`` and ``after - before``, and ``score_share``, the score's change in parts: null where the change is
    within chance. ``rows`` is how many of each side were explained.
    """

    of: str
    before: float
    after: float
    margin_before: float
    margin_after: float
    is_certain: bool
    rows: tuple[int, int]
    columns: pl.DataFrame

    def share(self, columns: Sequence[str]) -> float | None:
        """The part of the score's change that some columns make together; null if it is within chance."""
        found = self.columns.filter(pl.col("column").is_in(list(columns)))
        return float(found["score_share"].sum()) if self.is_certain else None


def score_change(
    bundle: Bundle, reference: pl.DataFrame, current: pl.DataFrame, *, most_rows: int | None = None
) -> ScoreChange:
    """Split the change of the mean score among raw columns.

    Parameters
    ----------
    bundle
        The model whose score it is.
    reference, current
        Rows with the model's columns.
    most_rows
        Of each side, always the same ones; by default fewer the more trees the model has, so that it takes a second.

    Returns
    -------
    The split; for more than two classes, of the class whose mean score changed most.

    Raises
    ------
    ModelError
        If a side has no rows.
    """
    if not reference.height or not current.height:
        raise ModelError(
            f"expected rows on both sides to compare scores, found {reference.height} and {current.height}; give some"
        )
    binary = bundle.task == "binary"
    if most_rows is None:
        trees = max(bundle.booster.num_boosted_rounds(), 1) * (1 if binary else len(bundle.classes))
        most_rows = min(max(TREE_ROWS // trees, FEWEST_ROWS), MOST_ROWS)
    sides = [rows[sample_rows(rows.height, most=most_rows, seed=0)] for rows in (reference, current)]
    parts = [class_contributions(bundle, rows) for rows in sides]
    of, scores, moved = _binary(parts) if binary else _multiclass(parts)
    frame = pl.DataFrame(
        {
            "feature": list(bundle.encoder.features),
            "margin_change": parts[1][:, of, :-1].mean(axis=0) - parts[0][:, of, :-1].mean(axis=0),
            "score_change": moved[1].mean(axis=0) - moved[0].mean(axis=0),
        }
    )
    before, after = (float(score.mean()) for score in scores)
    margins = [float(each[:, of].sum(axis=1).mean()) for each in parts]
    error = float(np.sqrt(sum(score.var() / score.size for score in scores)))
    is_certain = abs(after - before) > max(CERTAIN * error, NAMED_CHANGE)
    return ScoreChange(
        of=bundle.classes[1] if binary else bundle.classes[of],
        before=before,
        after=after,
        margin_before=margins[0],
        margin_after=margins[1],
        is_certain=is_certain,
        rows=(sides[0].height, sides[1].height),
        columns=_by_column(bundle, frame, total=after - before if is_certain else None),
    )


def _binary(parts: Sequence[Array]) -> tuple[int, list[Array], list[Array]]:
    """Place of the class, scores of each side, what each feature adds to them."""
    return 0, [_sigmoid(each[:, 0].sum(axis=1)) for each in parts], [_binary_parts(each[:, 0]) for each in parts]


def _multiclass(parts: Sequence[Array]) -> tuple[int, list[Array], list[Array]]:
    """The same for the class whose mean score changed most."""
    tables = [_softmax(each.sum(axis=2)) for each in parts]
    of = int(np.argmax(np.abs(tables[1].mean(axis=0) - tables[0].mean(axis=0))))
    return of, [table[:, of] for table in tables], [_softmax_parts(each, of) for each in parts]


def _sigmoid(margins: Array) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-margins)))


def _binary_parts(contributions: Array) -> Array:
    """What each feature adds to a row's score, shape (rows, features)."""
    base = contributions[:, -1]
    margin = contributions.sum(axis=1)
    way = margin - base
    middle = _sigmoid(base + way / 2)
    secant = np.divide(_sigmoid(margin) - _sigmoid(base), way, out=middle * (1 - middle), where=np.abs(way) > 1e-6)
    return np.asarray(contributions[:, :-1] * secant[:, None])


def _softmax_parts(contributions: Array, of: int) -> Array:
    """What each feature adds to a row's score of one class, shape (rows, features)."""
    base, way = contributions[:, :, -1], contributions[:, :, :-1].sum(axis=2)
    points, lengths = np.polynomial.legendre.leggauss(NODES)
    slopes = np.zeros_like(base)
    for point, length in zip((points + 1) / 2, lengths / 2, strict=True):
        table = _softmax(base + point * way)
        slope = -table * table[:, [of]]
        slope[:, of] += table[:, of]
        slopes += length * slope
    parts = np.einsum("rc,rcf->rf", slopes, contributions[:, :, :-1])
    missing = _softmax(base + way)[:, of] - _softmax(base)[:, of] - parts.sum(axis=1)  # what the quadrature lacks
    sizes = np.abs(parts)
    total = sizes.sum(axis=1, keepdims=True)
    return np.asarray(parts + missing[:, None] * np.divide(sizes, total, out=np.zeros_like(sizes), where=total > 0))


def _softmax(margins: Array) -> Array:
    weights = np.exp(margins - margins.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _by_column(bundle: Bundle, frame: pl.DataFrame, *, total: float | None) -> pl.DataFrame:
    """Features' parts shared evenly among their raw columns, the largest first."""
    parts = ["margin_change", "score_change"]
    sources = pl.Series("column", [list(bundle.encoder.sources(each)) for each in frame["feature"]])
    shared = frame.with_columns(sources).with_columns(pl.col(parts) / pl.col("column").list.len())
    summed = shared.explode("column").group_by("column", maintain_order=True).agg(pl.col(parts).sum())
    share = pl.lit(None, dtype=pl.Float64) if total is None else pl.col("score_change") / total
    summed = summed.with_columns(share.alias("score_share"))
    return summed.sort(pl.col("score_change").abs(), descending=True, maintain_order=True)
