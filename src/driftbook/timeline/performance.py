"""How well the versions in play do: realised where targets are known, estimated everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from driftbook.data.batches import first_stream_day
from driftbook.model.estimation import estimate_performance
from driftbook.model.metrics import performance_by_batch
from driftbook.timeline.models import Version
from driftbook.timeline.run import Run
from driftbook.timeline.scoring import ensure_predictions, labelled_predictions


def measure_performance(run: Run, versions: Sequence[Version]) -> pl.DataFrame:
    """Performance of each version on each stream batch.

    Returns
    -------
    Long frame: version, kind (``realised`` or ``estimated``), batch_id, metric, value, low, high, rows.
    """
    frames = []
    for version in versions:
        options = {"classes": version.bundle.classes, "positive": run.case.columns.positive_class}
        predictions = ensure_predictions(run, version)
        realised = performance_by_batch(labelled_predictions(run, predictions), **options)
        estimated = estimate_performance(predictions, **options)
        for kind, frame in (("realised", realised), ("estimated", estimated)):
            frames.append(frame.select(pl.lit(version.number).alias("version"), pl.lit(kind).alias("kind"), pl.all()))
    return pl.concat(frames).sort("version", "kind", "batch_id", "metric")


def onset(run: Run) -> date | None:
    """First day the declared scenario changes anything; ``None`` where nothing is injected."""
    scenario = run.case.scenario
    if scenario.name == "stable":
        return None
    return first_stream_day(run.case, run.settings) + timedelta(days=scenario.onset_day - 1)
