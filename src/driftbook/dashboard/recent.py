"""The newest batch's predictions, a page at a time: what was decided for which row, and whether it looked suspicious.

They are read from the file that scoring wrote, the rows of the page only; features are in another file, and stay there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from driftbook.dashboard.known import Known
from driftbook.dashboard.page import Choice, Options
from driftbook.dashboard.state import Selection
from driftbook.errors import StateError
from driftbook.timeline.run import version_label

PAGE_ROWS, MOST_PAGES = 25, 200
ALL, SUSPICIOUS = "all", "suspicious"
COLUMNS = ("row_id", "event_time", "prediction", "prediction_score", "outlier")


@dataclass(frozen=True)
class Batch:
    """The file of a batch's predictions by the champion of its day."""

    path: Path
    version: int

    @property
    def name(self) -> str:
        """The batch."""
        return self.path.stem


def newest_batch(known: Known) -> Batch:
    """The newest batch of the day.

    Raises
    ------
    StateError
        If its predictions are not there.
    """
    version = known.entries[-1]["during"]["champion"]
    folder = (
        known.settings.data_folder(known.case.name) / "predictions" / version_label(version, known.training(version))
    )
    found = sorted((folder / f"date={known.day}").glob("*.parquet"))
    if not found:
        raise StateError(
            f"expected predictions of version {version} for {known.day}, found none. "
            f"`driftbook build --use-case {known.case.name} --as-of {known.days[-1]}` makes what is missing."
        )
    return Batch(found[-1], version)


def rows_shown(known: Known, selection: Selection) -> pl.DataFrame:
    """The chosen page of the newest batch: row, time, predicted class and score, and what is odd about it.

    Raises
    ------
    StateError
        If the predictions are not there, or cannot be read.
    """
    batch, first = newest_batch(known), int(ROWS.value(known, selection) or 0)
    try:
        rows = _chosen(batch, FLAGGED.value(known, selection))
        page = rows.sort("event_time", descending=True, maintain_order=True).slice(first, PAGE_ROWS).collect()
    except (PolarsError, OSError):
        raise StateError(
            f"the predictions of batch {batch.name} cannot be read: the file was changed or broken"
        ) from None
    flag = pl.when(pl.col("outlier") == "yes").then(pl.lit("suspicious"))
    time = pl.col("event_time").dt.strftime("%H:%M:%S").alias("event_time")
    shown = page.select("row_id", time, "prediction", "prediction_score", flag.alias("state"))
    return shown if page["outlier"].count() else shown.drop("state")


def count_rows(known: Known, flagged: str) -> int:
    """How many rows of the newest batch there are to page through; 0 where they cannot be read."""
    try:
        return int(_chosen(newest_batch(known), flagged).select(pl.len()).collect().item())
    except (StateError, PolarsError, OSError):
        return 0


def _chosen(batch: Batch, flagged: str) -> pl.LazyFrame:
    rows = pl.scan_parquet(batch.path)
    there = rows.collect_schema().names()
    missing = [pl.lit(None, pl.String).alias(name) for name in COLUMNS if name not in there]
    rows = rows.with_columns(*missing).select(COLUMNS)
    return rows.filter(pl.col("outlier") == "yes") if flagged == SUSPICIOUS else rows


def _flags(known: Known, selection: Selection) -> Options:
    return [("all rows", ALL), ("suspicious rows only", SUSPICIOUS)]


def _pages(known: Known, selection: Selection) -> Options:
    """Pages of :data:`PAGE_ROWS` rows, as many as anybody turns."""
    count = count_rows(known, FLAGGED.value(known, selection))
    starts = range(0, max(min(count, PAGE_ROWS * MOST_PAGES), 1), PAGE_ROWS)
    return [
        (f"{start + 1:,} to {max(min(start + PAGE_ROWS, count), 1):,} of {count:,}", str(start)) for start in starts
    ]


FLAGGED = Choice("flagged", "Recent predictions", _flags)
ROWS = Choice("rows", "Rows", _pages)
