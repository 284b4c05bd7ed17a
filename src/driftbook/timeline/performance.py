"""How well the versions in play do: realised where targets are known, estimated everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from driftbook.data.batches import first_stream_day
from driftbook.model.estimation import estimate_performance
from driftbook.model.metrics import METRICS, performance_by_batch
from driftbook.tables import Format
from driftbook.timeline.models import Version
from driftbook.timeline.run import Run
from driftbook.timeline.scoring import ensure_predictions, labelled_predictions
from driftbook.words import plain

METRIC_FORMATS: dict[str, Format] = dict.fromkeys(("accuracy", "precision", "recall", "f1"), "percent")


def measure_performance(run: Run, versions: Sequence[Version]) -> pl.DataFrame:
    """Performance of each version on each stream batch.

    Returns
    -------
    Long frame: version, kind (``realised`` or ``estimated``), batch_id, metric, value, low, high, rows.
    """
    frames = []
    for version in versions:
        classes, positive = version.bundle.classes, version.bundle.positive
        predictions = ensure_predictions(run, version)
        labelled = labelled_predictions(run, predictions)
        realised = performance_by_batch(labelled, classes=classes, positive=positive)
        estimated = estimate_performance(predictions, classes=classes, positive=positive)
        for kind, frame in (("realised", realised), ("estimated", estimated)):
            frames.append(frame.select(pl.lit(version.number).alias("version"), pl.lit(kind).alias("kind"), pl.all()))
    return pl.concat(frames).sort("version", "kind", "batch_id", "metric")


def onset(run: Run) -> date | None:
    """First day the declared scenario changes anything; ``None`` where nothing is injected."""
    scenario = run.case.scenario
    if scenario.name == "stable":
        return None
    return first_stream_day(run.case, run.settings) + timedelta(days=scenario.onset_day - 1)


def onset_marks(run: Run) -> list[tuple[date, str]]:
    """The day an injected scenario sets in, to be marked in figures; empty for real drift."""
    day = onset(run)
    return [(day, f"simulated {plain(run.case.scenario.name)}")] if day and day <= run.as_of else []


def performance_table(performance: pl.DataFrame, version: int) -> pl.DataFrame:
    """Realised metrics of the latest labelled batches, one row a batch."""
    mine = performance.filter((pl.col("version") == version) & (pl.col("kind") == "realised"))
    latest = mine["batch_id"].unique().sort().tail(7)
    rows = mine.filter(pl.col("batch_id").is_in(latest.to_list()) & pl.col("metric").is_in(METRICS))
    if rows.is_empty():
        return pl.DataFrame(schema=dict.fromkeys(("batch_id", "rows", *METRICS), pl.String))
    wide = rows.pivot("metric", index=["batch_id", "rows"], values="value").sort("batch_id")
    return wide.select("batch_id", "rows", *[name for name in METRICS if name in wide.columns])
