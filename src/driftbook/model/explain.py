"""Why a model says what it says: exact contributions, and which features and columns matter.

XGBoost computes TreeSHAP exactly and quickly, so no other package is needed. Contributions are on the scale of
calibrated log-odds (for more than two classes: the calibrated margin of the predicted class) and add up to it with
the base value. A derived feature's importance is split evenly among the raw columns it is made of, because drift is
measured on raw columns and has to be weighed by what they mean to the model.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from driftbook.model.bundle import Bundle, load_xgboost
from driftbook.model.calibration import Array
from driftbook.model.features import Matrix

BASE = "(base)"


def contributions(bundle: Bundle, rows: pl.DataFrame) -> pl.DataFrame:
    """Contribution of each feature to each row's margin.

    Returns
    -------
    Long frame row_id, feature, contribution. The feature ``(base)`` is the base value: a row's contributions and
    its base add up to its calibrated log-odds, up to the 32-bit floats of XGBoost.
    """
    values = decided_contributions(bundle, bundle.encoder.matrix(rows))
    names = pl.Series("feature", [*bundle.encoder.features, BASE], dtype=pl.String)
    width = len(names)
    return pl.DataFrame(
        {
            "row_id": rows["row_id"].gather(np.repeat(np.arange(rows.height), width)),
            "feature": names.gather(np.tile(np.arange(width), rows.height)),
            "contribution": values.ravel(),
        }
    )


def feature_importance(bundle: Bundle, rows: pl.DataFrame) -> pl.DataFrame:
    """Importance of every feature, the greatest first.

    Returns
    -------
    feature, gain (mean loss reduction of its splits), contribution (mean absolute contribution over ``rows``),
    share (of the sum of contributions, 0 to 1).
    """
    values = decided_contributions(bundle, bundle.encoder.matrix(rows))[:, :-1]
    means = np.abs(values).mean(axis=0) if rows.height else np.zeros(0)
    features = bundle.encoder.features
    gains = bundle.booster.get_score(importance_type="gain")
    total = float(means.sum())
    frame = pl.DataFrame(
        {
            "feature": pl.Series(features, dtype=pl.String),
            "gain": [float(np.asarray(gains.get(f"f{at}", 0.0))) for at in range(len(features))],
            "contribution": means if rows.height else np.zeros(len(features)),
        }
    )
    share = pl.col("contribution") / total if total > 0 else pl.lit(0.0)
    return frame.with_columns(share.alias("share")).sort(["contribution", "feature"], descending=[True, False])


def column_shares(bundle: Bundle, importance: pl.DataFrame) -> dict[str, float]:
    """Share of importance of every raw column, from :func:`feature_importance`; a column not used has none."""
    shares: dict[str, float] = {}
    for feature, share in importance.select("feature", "share").iter_rows():
        sources = bundle.encoder.sources(feature)
        for column in sources:
            shares[column] = shares.get(column, 0.0) + share / len(sources)
    return dict(sorted(shares.items(), key=_by_share))


def class_contributions(bundle: Bundle, rows: pl.DataFrame) -> Array:
    """Calibrated contributions to each class, the base last.

    Returns
    -------
    Shape (rows, 1, features + 1) for two classes, of the positive one's log-odds; else (rows, classes, features + 1).
    """
    return _by_class(bundle, bundle.encoder.matrix(rows))


def decided_contributions(bundle: Bundle, matrix: Matrix) -> Array:
    """Calibrated contributions to the positive or the predicted class of encoded rows, shape (rows, features + 1)."""
    values = _by_class(bundle, matrix)
    if values.shape[1] == 1:
        return np.asarray(values[:, 0])
    decided = bundle.calibration.probabilities(bundle.margins(matrix)).argmax(axis=1)
    return np.asarray(values[np.arange(len(matrix)), decided])


def _by_class(bundle: Bundle, matrix: Matrix) -> Array:
    classes = 1 if bundle.task == "binary" else len(bundle.classes)
    rows, width = len(matrix), len(bundle.encoder.features) + 1
    if not rows:
        return np.empty((0, classes, width))
    data = load_xgboost().DMatrix(matrix, missing=np.nan)
    raw = np.asarray(bundle.booster.predict(data, pred_contribs=True), dtype=np.float64)
    slope, offsets = bundle.calibration.slope, np.asarray(bundle.calibration.offsets)
    values: Array = slope * raw.reshape(rows, classes, width)
    values[:, :, -1] += offsets[1] - offsets[0] if classes == 1 else offsets
    return values


def _by_share(item: tuple[str, float]) -> tuple[float, str]:
    return -item[1], item[0]
