"""How well the versions in play do: realised where targets are known, estimated everywhere else until that fails."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from driftbook.data.batches import first_stream_day
from driftbook.model.estimation import estimate_performance
from driftbook.model.labelling import rows_to_label
from driftbook.model.metrics import METRICS, performance_by_batch
from driftbook.model.trust import mean_share, reason, withdraw
from driftbook.tables import Format, format_value
from driftbook.timeline.estimates import trust_of
from driftbook.timeline.models import Version
from driftbook.timeline.run import Run
from driftbook.timeline.scoring import ensure_predictions, labelled_predictions
from driftbook.words import plain

METRIC_FORMATS: dict[str, Format] = dict.fromkeys(("accuracy", "precision", "recall", "f1"), "percent")
LABEL_COUNT = 20
NEWEST = 7  # batches shown in a table


def measure_performance(run: Run, versions: Sequence[Version]) -> pl.DataFrame:
    """Performance of each version on each stream batch, from what is known by the end of the run's day.

    Returns
    -------
    Long frame: version, kind (``realised`` or ``estimated``), batch_id, metric, value, low, high, rows, withdrawn (an
    estimate that the targets known by now contradict; it has no value), note (why, or what the estimate lacks).
    """
    frames = []
    for version in versions:
        classes, positive = version.bundle.classes, version.bundle.positive
        predictions = ensure_predictions(run, version)
        labelled = labelled_predictions(run, predictions)
        realised = performance_by_batch(labelled, classes=classes, positive=positive)
        realised = realised.with_columns(withdrawn=pl.lit(False), note=pl.lit(None, dtype=pl.String))
        estimated = estimate_performance(
            predictions, classes=classes, positive=positive, recalibration=version.recalibration
        )
        estimated = withdraw(estimated, trust_of(version, labelled))
        lacking = pl.lit(version.recalibration.note or None, dtype=pl.String)
        estimated = estimated.with_columns(note=pl.coalesce("note", lacking))
        for kind, frame in (("realised", realised), ("estimated", estimated)):
            frames.append(frame.select(pl.lit(version.number).alias("version"), pl.lit(kind).alias("kind"), pl.all()))
    return pl.concat(frames).sort("version", "kind", "batch_id", "metric")


def estimate_state(run: Run, version: Version) -> tuple[str, list[str]]:
    """Whether the version's estimates may be believed as of the run's day, and why: a status and sentences."""
    trust = trust_of(version, labelled_predictions(run, ensure_predictions(run, version)))
    notes = [_sentence(version.recalibration.note)] if version.recalibration.note else []
    if trust.is_empty():
        return "unchecked", [
            *notes,
            "No targets of rows after its training are known yet: nothing speaks for or against.",
        ]
    if trust["broken"].any():
        return "withdrawn", [*notes, reason(trust)]
    promised, found = (format_value(mean_share(trust, name), format="percent") for name in ("promised", "found"))
    return "holds", [
        *notes,
        f"On {trust['rows'].sum():,} rows with known targets {found} of the decisions were right, {promised} were "
        "promised: no contradiction. What changed since the latest targets cannot be seen without new ones.",
    ]


def propose_labels(run: Run, version: Version, *, count: int = LABEL_COUNT) -> pl.DataFrame:
    """Rows of the newest batch without targets whose targets would tell most about the estimate."""
    predictions = ensure_predictions(run, version)
    known = labelled_predictions(run, predictions).filter(pl.col("target").is_not_null())
    unknown = predictions.join(known.select("row_id"), on="row_id", how="anti", maintain_order="left")
    return rows_to_label(
        unknown.filter(pl.col("batch_id") == pl.col("batch_id").max()),
        count,
        seed=run.case.seed,
        classes=version.bundle.classes,
        recalibration=version.recalibration,
    )


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
    latest = mine["batch_id"].unique().sort().tail(NEWEST)
    rows = mine.filter(pl.col("batch_id").is_in(latest.to_list()) & pl.col("metric").is_in(METRICS))
    if rows.is_empty():
        return pl.DataFrame(schema=dict.fromkeys(("batch_id", "rows", *METRICS), pl.String))
    wide = rows.pivot("metric", index=["batch_id", "rows"], values="value").sort("batch_id")
    return wide.select("batch_id", "rows", *[name for name in METRICS if name in wide.columns])


def newest_estimate(performance: pl.DataFrame, version: int) -> pl.DataFrame:
    """Each estimated figure of the newest batch with its interval, as text; nothing where estimates are withdrawn."""
    mine = performance.filter(pl.col("version") == version, kind="estimated", withdrawn=False)
    newest = mine.filter(pl.col("batch_id") == performance["batch_id"].max()) if performance.height else mine
    rows = []
    for row in newest.iter_rows(named=True):
        format = METRIC_FORMATS.get(row["metric"], "auto")
        value, low, high = (format_value(row[name], format=format) for name in ("value", "low", "high"))
        rows.append((row["batch_id"], plain(row["metric"]), value, f"{low} to {high}"))
    return pl.DataFrame(
        rows, schema=dict.fromkeys(("batch_id", "metric", "estimated", "interval"), pl.String), orient="row"
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
