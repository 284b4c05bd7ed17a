"""Small tables for people, made from records and frames: what the notebooks show beside their one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from driftbook.data.batches import load_batches
from driftbook.drift.excess import excess
from driftbook.drift.power import power, power_summary
from driftbook.figures import Figure, reference_vs_current
from driftbook.tables import format_value
from driftbook.timeline.causes import reference_rows
from driftbook.timeline.evidence import Reign
from driftbook.timeline.journal import Entry
from driftbook.timeline.run import Run
from driftbook.words import CHANGES, plain

REFERENCE_ROWS = 20_000
SHOWN_SIGNALS = 12
SHOWN_OVERLAYS = {"numeric": 2, "categorical": 1}


def strongest_signals(table: pl.DataFrame) -> pl.DataFrame:
    """The newest batch's strongest signals in plain words: how large against their limits, and by chance.

    What matters comes first; a column that drifted and cannot matter says so in its verdict.
    """
    newest = table.filter(pl.col("batch_id") == pl.col("batch_id").max()).with_columns(excess())
    order = (pl.col("matters") & pl.col("drifted"), "drifted", "excess")
    ranked = newest.sort(*order, descending=True, nulls_last=True, maintain_order=True).head(SHOWN_SIGNALS)
    own = pl.when(pl.col("role") == "feature").then("column")
    silent = pl.col("drifted") & ~pl.col("matters")
    shown = ranked.select(
        own.otherwise(pl.col("column").map_elements(plain, return_dtype=pl.String)).alias("column"),
        pl.col("method").map_elements(plain, return_dtype=pl.String),
        "statistic",
        "threshold",
        pl.col("excess").alias("times"),
        pl.Series("effect", [effect_words(row) for row in ranked.iter_rows(named=True)], dtype=pl.String),
        "chance",
        pl.when(silent).then(pl.lit("wakes nobody")).otherwise("band").alias("band"),
        "note",
    )
    return shown.drop(name for name in ("note", "chance") if not shown[name].count())


def effect_words(row: Mapping[str, Any], *, in_full: bool = False) -> str | None:
    """An effect size as a person says it, None where there is none.

    Examples
    --------
    >>> effect_words({"kind": "numeric", "effect_size": 0.3484})
    '0.348 sd higher'
    >>> effect_words({"kind": "categorical", "effect_size": -0.0466}, in_full=True)
    'Largest change of a share: −4.66 points'
    """
    size = row["effect_size"]
    if size is None:
        return None
    if row["kind"] == "numeric":
        unit, way = "standard deviations" if in_full else "sd", "higher" if size > 0 else "lower"
        return f"{format_value(abs(size))} {unit} {way}"
    points = f"{'+' if size > 0 else ''}{format_value(100 * size)} points"
    return f"{'Largest change of a share:' if in_full else 'share'} {points}"


def promise(table: pl.DataFrame) -> str:
    """Where the limits of a long table come from, in a sentence.

    Examples
    --------
    >>> promise(pl.DataFrame({"threshold": [0.1, None], "origin": ["1 false alarm in 365 days", None]}))
    'Limits of all columns and methods together: 1 false alarm in 365 days.'
    """
    origins = table.filter(pl.col("threshold").is_not_null())["origin"].drop_nulls().unique(maintain_order=True)
    if origins.is_empty():
        return "There is no limit: nothing can be told."
    whole = "Limits of all columns and methods together" if origins[0].startswith("1 false alarm") else "Limits"
    return f"{whole}: {'; '.join(origins)}."


def limits_told(run: Run, reign: Reign) -> list[str]:
    """What the limits stand for, what they leave unseen, and what cannot be told."""
    newest = reign.table.filter(pl.col("batch_id") == pl.col("batch_id").max())
    lost = newest.filter((pl.col("band") == "cannot_tell") & (pl.col("role") == "feature"))["column"].n_unique()
    blind = [f"Nothing can be told of {lost} column{'' if lost == 1 else 's'} in the newest batch."] if lost else []
    return [promise(newest), *power_summary(power(reign.version.reference, run.policy)), *blind]


def reference_and_current(run: Run, reign: Reign) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows of the reference (a bounded sample) and of the newest batch."""
    stream = load_batches(run.case, run.settings, as_of=run.as_of, part="stream")
    current = stream.filter(pl.col("batch_id") == pl.col("batch_id").max())
    return reference_rows(run, reign.version, most=REFERENCE_ROWS), current


def moved_most(table: pl.DataFrame, reference: pl.DataFrame, current: pl.DataFrame) -> list[Figure]:
    """The features that moved most in the newest batch, numbers and categories: both distributions, and how far."""
    features = table.filter((pl.col("role") == "feature") & (pl.col("batch_id") == pl.col("batch_id").max()))
    heard = (pl.col("drifted") & pl.col("matters")).alias("heard")
    order = pl.struct(heard, "drifted", pl.col("excess").fill_null(-1.0))
    ranked = features.with_columns(excess()).sort(order, descending=True).unique("column", maintain_order=True)
    chosen = [ranked.filter(kind=kind).head(most) for kind, most in SHOWN_OVERLAYS.items()]
    return [
        reference_vs_current(reference[row["column"]], current[row["column"]], column=row["column"], effect=_moved(row))
        for row in pl.concat(chosen).iter_rows(named=True)
        if row["column"] in reference.columns and row["column"] in current.columns
    ]


def _moved(row: Mapping[str, Any]) -> str:
    """How far a column moved and how that compares with its limit."""
    effect, times = effect_words(row, in_full=True), row["excess"]
    if times is None:
        return str(row["note"] or "It cannot be told whether it moved.")
    against = f"{plain(row['method'])} at {format_value(times)} times its limit."
    return f"{effect}; {against}" if effect else against


def changes_table(entries: Sequence[Entry]) -> pl.DataFrame:
    """What changed on which day, and why, in plain words."""
    rows = [
        {
            "day": entry["day"],
            "action": CHANGES[change["action"]],
            "version": change["version"],
            "reason": f"{change['actor']}: {change['reason']}" if change.get("actor") else change["reason"],
        }
        for entry in entries
        for change in entry["changes"]
    ]
    return pl.DataFrame(rows, schema={"day": pl.String, "action": pl.String, "version": pl.Int64, "reason": pl.String})
