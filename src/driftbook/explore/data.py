"""What there is to explore: the batches and the known targets of one use case as of a day.

A fresh clone has no batches yet, so opening ingests what is missing, exactly as the first notebook of the pipeline
does. Columns are read from disk one at a time, when they are looked at: a wide table costs no more than a narrow one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from driftbook.config import Settings, UseCase, load_policy, load_use_case, use_case_names
from driftbook.config.use_case import DECLARED_SCENARIO
from driftbook.data.batches import ingest, last_day, load_targets
from driftbook.data.ingestion import partition_files
from driftbook.errors import UnknownNameError
from driftbook.timeline.run import Run
from driftbook.workflow.bind import parse_day

KINDS = {"numeric": "number", "categorical": "category", "dates": "date"}


@dataclass(frozen=True)
class Exploration:
    """A use case opened for exploring.

    Parameters
    ----------
    run
        The use case with its settings, as of a day; in the sandbox, so that nothing of it counts.
    index
        The batch index.
    targets
        ``row_id, batch_id, target``: what is known by the end of that day.
    """

    run: Run
    index: pl.DataFrame
    targets: pl.DataFrame

    @property
    def case(self) -> UseCase:
        """The use case."""
        return self.run.case

    @property
    def columns(self) -> dict[str, str]:
        """Columns that can be looked at, each with its kind; the target comes last."""
        columns = self.case.columns
        kinds = {name: word for kind, word in KINDS.items() for name in getattr(columns, kind)}
        return {**kinds, columns.target: "target"}

    @property
    def days(self) -> list[date]:
        """Days that have a batch, in order."""
        return self.index["day"].unique().sort().to_list()

    @property
    def stream_days(self) -> list[date]:
        """Those of them that belong to the stream."""
        return self.index.filter(pl.col("part") == "stream")["day"].unique().sort().to_list()

    @property
    def classes(self) -> list[str]:
        """Classes whose rate can be looked at: the positive one only where there are two, else the frequent first."""
        if self.case.columns.positive_class is not None:
            return [self.case.columns.positive_class]
        counts = self.targets.group_by("target").len().sort("len", "target", descending=[True, False])
        return counts["target"].to_list()

    def read(self, columns: Sequence[str], *, since: date, until: date) -> pl.DataFrame:
        """Rows of a period: ``row_id``, ``batch_id``, the columns (dates as the text of their month), ``target``.

        Raises
        ------
        UnknownNameError
            If the use case has no such column.
        """
        for column in columns:
            if column not in self.columns:
                raise UnknownNameError("column", column, self.columns)
        target = self.case.columns.target
        stored = [name for name in columns if name != target]
        until = min(until, self.run.as_of)
        paths = partition_files(self.run.settings.data_folder(self.case.name), "batches", since=since, until=until)
        if not paths:
            empty = {name: pl.Float64 if self.columns[name] == "number" else pl.String for name in columns}
            return pl.DataFrame(schema={"row_id": pl.String, "batch_id": pl.String, **empty, "target": pl.String})
        rows = pl.read_parquet(paths, columns=["row_id", "batch_id", *stored], hive_partitioning=False)
        rows = rows.join(self.targets, on=["row_id", "batch_id"], how="left", maintain_order="left")
        months = [pl.col(name).dt.strftime("%Y-%m") for name in stored if self.columns[name] == "date"]
        return rows.with_columns(*months, *([pl.col("target").alias(target)] if target in columns else []))


def open_exploration(
    use_case: str,
    *,
    scenario: str = DECLARED_SCENARIO,
    as_of: str | date | None = None,
    settings: Settings | None = None,
) -> Exploration:
    """Open a use case, bringing its batches onto the disk first where they are not there yet.

    Parameters
    ----------
    as_of
        Show what was known by the end of this day; the last day of the source unless given.

    Raises
    ------
    DriftbookError
        If there is no such use case, or its source cannot be read.
    """
    settings = settings or Settings.find()
    case = load_use_case(use_case, scenario=scenario, settings=settings)
    last = last_day(case, settings)
    day = min(parse_day(as_of), last) if as_of is not None else last
    run = Run(case, load_policy(case.policy), settings, day, sandbox=True, inputs={}, products={})
    index = ingest(case, settings, as_of=day)
    targets = load_targets(case, settings, as_of=day).select("row_id", "batch_id", "target")
    return Exploration(run, index, targets)


def names_to_explore(settings: Settings) -> list[str]:
    """Declared use cases, and the variants of them that have batches."""
    variants = [path.parent.name for path in settings.root.glob("data/*-*/batches")]
    return sorted({*use_case_names(settings), *variants})


def default_period(exploration: Exploration) -> tuple[date, date]:
    """The last week of the stream: what a person asks about first."""
    days = exploration.stream_days
    return max(days[0], days[-1] - timedelta(days=6)), days[-1]
