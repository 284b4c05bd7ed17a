"""What the rows of one day say, one day after another: volumes, distributions, the champion's decisions, outcomes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

import polars as pl

from driftbook.data.batches import load_targets
from driftbook.data.ingestion import partition_date, partition_files, read_partitions
from driftbook.drift.column_values import as_text
from driftbook.drift.profile import Kind, Profile, profile, readable
from driftbook.schema import batch_schema
from driftbook.storage import count_rows
from driftbook.timeline.day_tables import DAY_TABLES
from driftbook.timeline.days.bins import Bins, bins_of, counted
from driftbook.timeline.models import Version
from driftbook.timeline.run import Run
from driftbook.timeline.scoring import predictions_on

OF_THE_MODEL: Mapping[str, Kind] = {"prediction": "categorical", "prediction_score": "numeric"}
Line = dict[str, Any]


@dataclass(frozen=True, eq=False)
class DayRows:
    """One day: the rows of its batches, how many batches and rows set aside, its targets (``known_on``)."""

    day: date
    rows: pl.DataFrame
    batches: int
    quarantined: int
    targets: pl.DataFrame


class Monitored:
    """What is counted against one version: its reference, ready for every day it served.

    Parameters
    ----------
    kinds
        The features, and how each is read.
    """

    def __init__(self, version: Version, kinds: Mapping[str, Kind]) -> None:
        self.version = version
        self.kinds = kinds

    @cached_property
    def bins(self) -> dict[str, Bins]:
        """Of each column that the reference knows."""
        known = self.version.reference.profile
        return {name: bins_of(name, known[name]) for name in (*self.kinds, *OF_THE_MODEL) if name in known}

    def reference(self, known_on: date) -> list[Line]:
        """The reference's own lines of ``distributions``, which have no day."""
        lines = counted(self.bins, self.version.reference.profile)
        return [{"known_on": known_on, "day": None, "version": self.version.number, **line} for line in lines]

    def distributions(self, day: date, columns: Profile) -> list[Line]:
        """The lines of one day."""
        lines = counted(self.bins, columns)
        return [{"known_on": day, "day": day, "version": self.version.number, **line} for line in lines]

    def unseen_rows(self, rows: pl.DataFrame) -> int:
        """Rows with a category that the version's training never saw."""
        known = self.version.reference.profile
        strange = pl.repeat(False, rows.height, eager=True)
        for name, kind in self.kinds.items():
            if kind == "categorical" and name in known:
                seen = pl.Series(list(known[name].categories), dtype=pl.String)
                strange = strange | ~as_text(rows[name]).is_in(seen.implode()).fill_null(value=True)
        return int(strange.sum())


def days_of(run: Run, days: Sequence[date]) -> Iterator[DayRows]:
    """The days one after another; only one day's rows are in memory."""
    folder = run.settings.data_folder(run.case.name)
    batches, aside = (_by_day(partition_files(folder, kind, until=run.as_of)) for kind in ("batches", "quarantine"))
    schema = {**batch_schema(run.case), "batch_id": pl.String()}
    targets = load_targets(run.case, run.settings, as_of=run.as_of)
    targets = targets.select("row_id", "target", pl.col("known_time").dt.date().alias("known_on"), "batch_id")
    starts = _starts(targets["batch_id"])
    for day in days:
        rows = read_partitions(batches.get(day, []), schema=schema)
        first, height = starts.get(day.isoformat(), (0, 0))
        known = targets.slice(first, height).drop("batch_id")
        yield DayRows(day, rows, len(batches.get(day, [])), sum(map(count_rows, aside.get(day, []))), known)


def kinds_of(run: Run) -> dict[str, Kind]:
    """The features that are counted, and how each is read."""
    kinds: dict[str, Kind] = dict.fromkeys(run.case.columns.numeric, "numeric")
    return kinds | dict.fromkeys(run.case.columns.categorical, "categorical")


class Served:
    """Gathers what the rows of each day say about the champion of that day."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.kinds = kinds_of(run)
        self.known: dict[int, Monitored] = {}
        self.lines: dict[str, list[Line]] = defaultdict(list)
        self.predicted: list[pl.DataFrame] = []

    def add(self, day: DayRows, champion: Version, predictions: pl.DataFrame) -> None:
        """One more day with its champion's predictions."""
        if champion.number not in self.known:
            self.known[champion.number] = Monitored(champion, self.kinds)
            self.lines["distributions"] += self.known[champion.number].reference(day.day)
        monitored, rows = self.known[champion.number], readable(day.rows, self.kinds)
        features, decided = profile(rows, self.kinds), profile(predictions, OF_THE_MODEL)
        columns = Profile({**features, **decided})
        self.lines["distributions"] += monitored.distributions(day.day, columns)
        self.lines["volumes"].append(
            {
                "day": day.day,
                "batches": day.batches,
                "rows": rows.height,
                "quarantined": day.quarantined,
                "missing_cells": sum(each.missing for each in features.values()),
                "cells": rows.height * len(self.kinds),
                "unseen": monitored.unseen_rows(rows),
                "outliers": int((predictions["outlier"] == "yes").sum()),
                "scored": predictions.height,
            }
        )
        shares = predictions.group_by("prediction", maintain_order=True).agg(
            rows=pl.len().cast(pl.Int64), mean_score=pl.col("prediction_score").mean().round_sig_figs(12)
        )
        version = pl.lit(champion.number, dtype=pl.Int64)
        self.predicted.append(shares.sort("prediction").with_columns(day=pl.lit(day.day), version=version))

    def tables(self) -> dict[str, pl.DataFrame]:
        """``volumes``, ``distributions`` and ``predicted`` of all days so far."""
        predicted = [pl.DataFrame(schema=DAY_TABLES["predicted"])]
        predicted += [each.select(list(DAY_TABLES["predicted"])) for each in self.predicted]
        lines = {name: pl.DataFrame(self.lines[name], schema=DAY_TABLES[name]) for name in ("volumes", "distributions")}
        return {**lines, "predicted": pl.concat(predicted)}


def predictions_of_day(run: Run, day: DayRows, version: Version) -> pl.DataFrame:
    """A version's predictions of one day, in the order of its rows."""
    found = predictions_on(run, version, day.day, day.rows)
    return day.rows.select("row_id").join(found, on="row_id", how="inner", maintain_order="left")


def _by_day(paths: Sequence[Path]) -> dict[date, list[Path]]:
    return {day: list(files) for day, files in groupby(paths, key=partition_date)}


def _starts(batch_ids: pl.Series) -> dict[str, tuple[int, int]]:
    """First row and number of rows of each day, of batch ids in ascending order."""
    days = batch_ids.str.slice(0, 10).rle().struct.unnest()
    firsts = days["len"].cum_sum() - days["len"]
    return {day: (first, height) for day, first, height in zip(days["value"], firsts, days["len"], strict=True)}
