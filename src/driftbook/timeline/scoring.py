"""Predictions of a version for a batch: made once, kept as immutable Parquet, joined with targets when known.

Champion and challenger score every row, so that their comparison is paired and needs no traffic split.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
from polars._typing import PolarsDataType

from driftbook.data.batches import batch_index, load_batches, load_targets
from driftbook.storage import read_parquet, sha256_file, write_once
from driftbook.timeline.models import Version
from driftbook.timeline.run import Run

OUTLIER: tuple[tuple[str, PolarsDataType], ...] = (("outlier_score", pl.Float64), ("outlier", pl.String))


def ensure_predictions(run: Run, version: Version) -> pl.DataFrame:
    """Predictions of ``version`` for every stream batch up to the run's day; missing ones are made now.

    Returns
    -------
    Predictions frame: row_id, batch_id, event_time, version, prediction, prediction_score, probabilities,
    outlier_score, outlier (null where the version has no detector).
    """
    index = batch_index(run.case, run.settings, as_of=run.as_of).filter(pl.col("part") == "stream")
    paths = {row["batch_id"]: _path(run, version, row["day"], row["batch_id"]) for row in index.to_dicts()}
    missing = [batch_id for batch_id, path in paths.items() if not path.exists()]
    if missing:
        first = index.filter(pl.col("batch_id").is_in(missing))["day"].min()
        assert isinstance(first, date)
        rows = load_batches(run.case, run.settings, as_of=run.as_of, since=first, part="stream")
        rows = rows.filter(pl.col("batch_id").is_in(missing))
        made = _score(rows, version).partition_by("batch_id", as_dict=True)
        for batch_id in missing:
            write_once(paths[batch_id], made.get((batch_id,), _empty(version)))
    found = read_parquet(*paths.values()) if paths else _empty(version)
    return _with_outliers(found, version)


def predictions_on(run: Run, version: Version, day: date, rows: pl.DataFrame) -> pl.DataFrame:
    """Predictions of ``version`` for the rows of a day's batches, without looking at other days.

    Parameters
    ----------
    rows
        Batch frame of that day.

    Returns
    -------
    As :func:`ensure_predictions`.
    """
    found = [_empty(version)]
    for (batch_id,), part in rows.partition_by("batch_id", as_dict=True, maintain_order=True).items():
        path = _path(run, version, day, str(batch_id))
        found.append(read_parquet(path) if path.exists() else read_parquet(write_once(path, _score(part, version))))
    return _with_outliers(pl.concat(found), version)


def scores_in_training(version: Version) -> pl.Series:
    """The scores the version gave, out of sample, to the rows it was trained on: what its scores are compared with."""
    return pl.Series("prediction_score", version.reference.profile["prediction_score"].values)


def prediction_hashes(run: Run, version: Version) -> dict[str, str]:
    """sha256 of the prediction file of every stream batch, for the record."""
    index = batch_index(run.case, run.settings, as_of=run.as_of).filter(pl.col("part") == "stream")
    return {row["batch_id"]: sha256_file(_path(run, version, row["day"], row["batch_id"])) for row in index.to_dicts()}


def labelled_predictions(run: Run, predictions: pl.DataFrame, *, as_of: date | None = None) -> pl.DataFrame:
    """Predictions joined with the targets known by ``as_of`` (the run's day unless given): adds ``target``."""
    targets = load_targets(run.case, run.settings, as_of=as_of or run.as_of)
    return predictions.join(targets.select("row_id", "target", "known_time"), on="row_id", how="inner")


def _with_outliers(found: pl.DataFrame, version: Version) -> pl.DataFrame:
    return found if version.detector else found.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in OUTLIER)


def _path(run: Run, version: Version, day: date, batch_id: str) -> Path:
    folder = run.settings.data_folder(run.case.name) / "predictions"
    return folder / version.label / f"date={day.isoformat()}" / f"{batch_id}.parquet"


def _score(rows: pl.DataFrame, version: Version) -> pl.DataFrame:
    if rows.is_empty():
        return _empty(version)
    scores = version.score(rows).drop("row_id")
    identity = rows.select("row_id", "batch_id", "event_time", version=pl.lit(version.number, dtype=pl.Int64))
    return identity.hstack(scores)


def _empty(version: Version) -> pl.DataFrame:
    schema: dict[str, PolarsDataType] = {
        "row_id": pl.String,
        "batch_id": pl.String,
        "event_time": pl.Datetime("us"),
        "version": pl.Int64,
        "prediction": pl.String,
        "prediction_score": pl.Float64,
        "probabilities": pl.List(pl.Float64),
        **(dict(OUTLIER) if version.detector else {}),
    }
    return pl.DataFrame(schema=schema)
