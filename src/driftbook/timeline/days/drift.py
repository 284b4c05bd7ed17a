"""The drift of every day so far: each against the champion that served on it.

The reign that stands is the one notebook 05 has analysed. A reign that is over never changes, so its drift is kept
beside the version's predictions, under a name that holds what it depends on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import polars as pl

from driftbook.drift.excess import excess
from driftbook.storage import canonical_json, read_parquet, sha256_file, sha256_text, write_parquet
from driftbook.timeline.day_tables import DAY_TABLES
from driftbook.timeline.days.offices import Offices, Spell
from driftbook.timeline.evidence import Reign
from driftbook.timeline.models import PACKAGE, Version
from driftbook.timeline.run import Run

DIGITS = 12  # the last bits of a statistic depend on how many batches are measured at once
MEASURED = ("statistic", "p_value", "drift_score", "threshold", "excess")
STRONGEST = ("kind", "role", "method", "on", *MEASURED, "band")


def drift_by_day(run: Run, offices: Offices, versions: Mapping[int, Version], analysed: pl.DataFrame) -> pl.DataFrame:
    """``drift_days`` of all reigns.

    Parameters
    ----------
    analysed
        The long drift table of the reign that this build found, from its first day on; it is not made again.
    """
    frames = [pl.DataFrame(schema=DAY_TABLES["drift_days"])]
    for spell in offices.spells:
        version, over = versions[spell.version], spell != offices.spells[-1]
        frames.append((_ensure_drift if over else _drift_of)(run, version, spell, analysed))
    return pl.concat(frames)


def strongest_by_day(table: pl.DataFrame, version: int, *, shares: Mapping[str, float]) -> pl.DataFrame:
    """A row a day and column of one reign's long drift table, whatever batch and method is strongest.

    Parameters
    ----------
    shares
        Each feature's share in the score.
    """
    ordered = table if table["batch_id"].is_sorted() else table.sort("batch_id", maintain_order=True)
    by_day = pl.concat([_strongest(ordered.clear()), *map(_strongest, _days(ordered))])
    weights = pl.DataFrame(
        {"column": list(shares), "importance": list(shares.values())},
        schema={"column": pl.String, "importance": pl.Float64},
    )
    feature = pl.col("role") == "feature"
    known = by_day.join(weights, on="column", how="left").with_columns(
        version=pl.lit(version, dtype=pl.Int64),
        importance=pl.when(feature).then(pl.col("importance").fill_null(0.0)),
    )
    columns = (pl.col(name).cast(dtype) for name, dtype in DAY_TABLES["drift_days"].items())
    return known.select(columns).sort("day", "role", "column")


def _days(table: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The days of a table in order of its batches: sorting a year of hourly batches at once takes its size again."""
    first = 0
    for height in table["batch_id"].str.slice(0, 10).rle().struct.field("len"):
        yield table.slice(first, height)
        first += height


def _strongest(day: pl.DataFrame) -> pl.DataFrame:
    """The strongest row of each column on one day, and whether any batch drifted."""
    seen = day.filter(pl.col("role") != "target").with_columns(
        excess=excess(), day=pl.col("batch_id").str.slice(0, 10).str.to_date()
    )
    seen = seen.with_columns(pl.col(MEASURED).cast(pl.Float64).round_sig_figs(DIGITS))
    ordered = seen.sort("excess", "batch_id", "method", descending=[True, False, False], nulls_last=True)
    return ordered.group_by("day", "column", maintain_order=True).agg(
        *(pl.col(name).first() for name in (*STRONGEST, "note")),
        drifted_batches=pl.col("batch_id").filter("drifted").n_unique().cast(pl.Int64),
        batches=pl.col("batch_id").n_unique().cast(pl.Int64),
        drifted=pl.col("drifted").any(),
        matters=pl.col("matters").any(),
    )


def _drift_of(run: Run, version: Version, spell: Spell, analysed: pl.DataFrame) -> pl.DataFrame:
    """The days of a reign; it is analysed here unless it is the one that was: two never begin on the same day."""
    if not analysed.is_empty() and str(analysed["batch_id"].min())[:10] == spell.since.isoformat():
        table = analysed.filter(pl.col("batch_id").str.slice(0, 10) <= spell.until.isoformat())
    else:
        table = Reign.of(replace(run, as_of=spell.until), version, since=spell.since).table
    return strongest_by_day(table, version.number, shares=version.training["column_shares"])


def _ensure_drift(run: Run, version: Version, spell: Spell, analysed: pl.DataFrame) -> pl.DataFrame:
    """The days of a reign that is over; looked up where they were kept before."""
    code = [sha256_file(path) for path in (*sorted((PACKAGE / "drift").glob("*.py")), Path(__file__))]
    known = {"policy": run.policy.model_dump(mode="json"), "code": code}
    digest = sha256_text(canonical_json(known))[:12]
    folder = run.settings.data_folder(run.case.name) / "predictions" / version.label / "reigns"
    path = folder / f"{spell.since}_{spell.until}_{digest}.parquet"
    if not path.exists():
        write_parquet(path, _drift_of(run, version, spell, analysed))
    return read_parquet(path)
