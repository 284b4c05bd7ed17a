"""The drift of every day so far: each against the champion that served on it.

The reign that stands is the one notebook 05 has analysed. A reign that is over never changes, so its drift is kept
beside the version's predictions, under a name that holds what it depends on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import polars as pl

from driftbook.drift.excess import excess
from driftbook.storage import canonical_json, read_parquet, sha256_file, sha256_text, write_parquet
from driftbook.timeline.day_tables import DAY_TABLES
from driftbook.timeline.days.offices import Offices, Spell
from driftbook.timeline.evidence import Reign
from driftbook.timeline.models import PACKAGE, Version
from driftbook.timeline.run import Run

STRONGEST = ("kind", "role", "method", "on", "statistic", "p_value", "drift_score", "threshold", "excess", "band")


def drift_by_day(run: Run, offices: Offices, versions: Mapping[int, Version], analysed: pl.DataFrame) -> pl.DataFrame:
    """``drift_days`` of all reigns.

    Parameters
    ----------
    analysed
        The long drift table of the reign that this build found, from its first day on; it is not made again.
    """
    frames = [pl.DataFrame(schema=DAY_TABLES["drift_days"])]
    for spell in offices.spells:
        version = versions[spell.version]
        table = _part(analysed, spell)
        if spell != offices.spells[-1]:
            table = _ensure_drift(run, version, spell, table)
        elif table is None:
            table = Reign.of(replace(run, as_of=spell.until), version, since=spell.since).table
        frames.append(strongest_by_day(table, spell.version, shares=version.training["column_shares"]))
    return pl.concat(frames).sort("day", "role", "column")


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
    return known.select(pl.col(name).cast(dtype) for name, dtype in DAY_TABLES["drift_days"].items())


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
    ordered = seen.sort("excess", "batch_id", "method", descending=[True, False, False], nulls_last=True)
    return ordered.group_by("day", "column", maintain_order=True).agg(
        *(pl.col(name).first() for name in (*STRONGEST, "note")),
        drifted_batches=pl.col("batch_id").filter("drifted").n_unique().cast(pl.Int64),
        batches=pl.col("batch_id").n_unique().cast(pl.Int64),
        drifted=pl.col("drifted").any(),
        matters=pl.col("matters").any(),
    )


def _part(analysed: pl.DataFrame, spell: Spell) -> pl.DataFrame | None:
    """The days of a reign, if it is the one that was analysed: two never begin on the same day."""
    days = pl.col("batch_id").str.slice(0, 10)
    if analysed.is_empty() or str(analysed["batch_id"].min())[:10] != spell.since.isoformat():
        return None
    return analysed.filter(days <= spell.until.isoformat())


def _ensure_drift(run: Run, version: Version, spell: Spell, table: pl.DataFrame | None) -> pl.DataFrame:
    """The long drift table of a reign that is over; looked up where it was kept before."""
    code = [sha256_file(path) for path in sorted((PACKAGE / "drift").glob("*.py"))]
    known = {"policy": run.policy.model_dump(mode="json"), "code": code}
    digest = sha256_text(canonical_json(known))[:12]
    folder = run.settings.data_folder(run.case.name) / "predictions" / version.label / "reigns"
    path = folder / f"{spell.since}_{spell.until}_{digest}.parquet"
    if not path.exists():
        if table is None:
            table = Reign.of(replace(run, as_of=spell.until), version, since=spell.since).table
        write_parquet(path, table.filter(pl.col("role") != "target"))
    return read_parquet(path)
