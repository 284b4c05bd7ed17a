"""Whole batches measured and judged: their number of rows, and all their columns together.

They are rows of the long table like any other, under the column ``all columns``. What a method finds in chunks of the
reference says what is usual (``table_methods``); how far a batch lies from that, in standard errors, is its statistic's
distance to judge. The number of rows is a test of equal rank: half of the data gone shows in no distribution.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl

from driftbook.drift.calibration import FEWEST_CHUNKS, FEWEST_ROWS, Pair
from driftbook.drift.contract import Limited, Scale
from driftbook.drift.measuring import FAULTS, Measured
from driftbook.drift.null_laws import ChiSquare, NullLaw
from driftbook.drift.profile import Floats, Kind
from driftbook.drift.table_methods import (
    DomainClassifier,
    ReconstructionError,
    TableMeasure,
    TableMethod,
    Usual,
    table_amounts,
    usual,
)
from driftbook.errors import UnknownNameError

ALL_COLUMNS = "all columns"
MOST_ROWS = 2_000  # of either side for the classifier: told apart as well as by more, at 40 ms a batch
CHUNKS = FEWEST_CHUNKS + 2  # parts of the reference that are tried
SEED = 1
JOINT_SCHEMA: dict[str, pl.DataType] = {
    "batch_id": pl.String(),
    "method": pl.String(),
    "rows": pl.Int64(),
    "statistic": pl.Float64(),
    "p_value": pl.Float64(),
    "drift_score": pl.Float64(),
    "z": pl.Float64(),
    "standard_error": pl.Float64(),
    "note": pl.String(),
}


@dataclass(frozen=True)
class RowCount:
    """The number of rows: logarithm of its ratio to the median batch of the reference.

    By chance alone counts spread like Poisson's; days that differ more are usual. Drift score ``1 - exp(-|log|)``:
    twice or half the rows score 0.5.

    Examples
    --------
    >>> found = RowCount().count(50, [100, 102, 98])
    >>> round(found.statistic, 3), round(found.drift_score, 2)
    (-0.693, 0.5)
    """

    unchanged: float = 0.0
    one_sided: bool = False
    least_spread: float = 1.0

    def count(self, rows: int, batch_rows: Sequence[int]) -> TableMeasure:
        """Compare a batch of so many rows with the reference's batches."""
        usually = float(np.median(batch_rows))
        change, error = math.log(rows / usually), math.sqrt(1 / rows + 1 / usually)
        p_value = math.erfc(abs(change) / error / math.sqrt(2))
        return TableMeasure(change, p_value, -math.expm1(-abs(change)), change / error, error, {})

    def measure(
        self, reference_sample: pl.DataFrame, batch: pl.DataFrame, *, kinds: Mapping[str, Kind], seed: int
    ) -> TableMeasure:
        """Of two tables: their numbers of rows."""
        return self.count(batch.height, [reference_sample.height])

    def law(self) -> NullLaw:
        """See :class:`TableMethod`."""
        return ChiSquare(degrees=1)


JOINT_METHODS: Mapping[str, TableMethod] = {
    "domain_classifier": DomainClassifier(most_rows=MOST_ROWS, explain=False),
    "reconstruction_error": ReconstructionError(),
    "row_count": RowCount(),
}


class Deviation(Limited):
    """Limits on a statistic that is ``scale.expected`` as a rule, give or take ``scale.unit``."""

    has_p_value = True

    def amounts(self, statistics: Floats, scale: Scale) -> Floats:
        """See :class:`Limited`."""
        return np.square(np.maximum((statistics - scale.expected) / scale.unit, 0.0))

    def statistics_at(self, amounts: Floats, scale: Scale) -> Floats:
        """See :class:`Limited`."""
        found: Floats = scale.expected + scale.unit * np.sqrt(amounts)
        return found

    def largest(self, scale: Scale) -> Floats:
        """No limit is out of reach but an AUC of 1, and none comes that far."""
        return np.full(scale.m.size, np.inf)


DEVIATION = Deviation()


def joint_method(name: str) -> TableMethod:
    """The method of that name.

    Raises
    ------
    UnknownNameError
        If there is none.

    Examples
    --------
    >>> joint_method("row_count").unchanged
    0.0
    """
    if name not in JOINT_METHODS:
        raise UnknownNameError("drift method for whole batches", name, JOINT_METHODS)
    return JOINT_METHODS[name]


@dataclass(frozen=True, eq=False)
class JointReference:
    """What whole batches are compared with: some rows of the reference, and the sizes of its own batches."""

    sample: pl.DataFrame
    batch_rows: Sequence[int]
    kinds: Mapping[str, Kind]

    def measure(self, name: str, batch: pl.DataFrame) -> TableMeasure | str:
        """What a method says about a batch, or why it cannot tell."""
        if batch.height < FEWEST_ROWS:
            return f"the batch has {batch.height} rows; at least {FEWEST_ROWS} are needed"
        chosen = joint_method(name)
        if isinstance(chosen, RowCount):
            enough = len(self.batch_rows) >= FEWEST_CHUNKS
            return (
                chosen.count(batch.height, self.batch_rows) if enough else "the reference has too few batches to count"
            )
        try:
            return chosen.measure(self.sample, batch, kinds=self.kinds, seed=SEED)
        except FAULTS as fault:
            return str(fault)


def measure_jointly(
    reference: JointReference, batches: Mapping[str, pl.DataFrame], *, methods: Sequence[str]
) -> pl.DataFrame:
    """Measure whole batches, given as rows by batch id.

    Returns
    -------
    One row per batch and method, of :data:`JOINT_SCHEMA`; a fault is a note.
    """
    tasks = [(batch_id, name) for batch_id in batches for name in methods]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as threads:
        found = threads.map(lambda task: reference.measure(task[1], batches[task[0]]), tasks)
        rows = [_row(*task, batches[task[0]].height, each) for task, each in zip(tasks, found, strict=True)]
    return pl.DataFrame(rows, schema=JOINT_SCHEMA)


def _row(batch_id: str, name: str, rows: int, found: TableMeasure | str) -> dict[str, object]:
    row: dict[str, object] = {"batch_id": batch_id, "method": name, "rows": rows}
    if isinstance(found, str):
        return row | {"note": found}
    return row | {each: getattr(found, each) for each in JOINT_SCHEMA if hasattr(found, each)}


def joint_deviations(
    reference: JointReference, chunks: Sequence[pl.DataFrame], *, methods: Sequence[str], own_batches: bool
) -> dict[str, Floats]:
    """``z`` of parts of the reference, by method, each against the rest of it; NaN for parts that are not tried.

    Parameters
    ----------
    reference
        Its sample holds ``row``, a number that tells rows apart, as do the chunks.
    own_batches
        Whether the chunks are the reference's own batches, whose sizes may be counted.
    """
    sizes = [chunk.height for chunk in chunks] if own_batches else []
    tried = (
        sorted(set(np.linspace(0, len(chunks) - 1, min(CHUNKS, len(chunks))).astype(int).tolist())) if chunks else []
    )

    def deviation(name: str, number: int) -> float:
        if name == "row_count":
            others = [rows for place, rows in enumerate(sizes) if place != number]
            rest = JointReference(reference.sample.clear(), others, reference.kinds)
        else:
            rows = reference.sample.join(chunks[number].select("row"), on="row", how="anti", maintain_order="left")
            rest = JointReference(rows, [], reference.kinds)
        measure = rest.measure(name, chunks[number])
        return measure.z if isinstance(measure, TableMeasure) else math.nan

    found = {name: np.full(len(chunks), np.nan) for name in methods}
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as threads:
        for name, deviations in found.items():
            numbers = range(len(chunks)) if name == "row_count" else tried
            deviations[list(numbers)] = list(threads.map(partial(deviation, name), numbers))
    return found


def joint_amounts(deviations: Mapping[str, Floats]) -> dict[Pair, Floats]:
    """The same as amounts, for the calibration."""
    return {(ALL_COLUMNS, name): table_amounts(each, method=joint_method(name)) for name, each in deviations.items()}


def as_measured(
    frame: pl.DataFrame, batch_ids: Sequence[str], *, methods: Sequence[str], deviations: Mapping[str, Floats]
) -> Iterator[Measured]:
    """What :func:`measure_jointly` found, as the judge of the long table takes it.

    Where drift goes both ways, the statistic is its distance from the usual one.
    """
    ids = pl.DataFrame({"batch_id": list(batch_ids)}, schema={"batch_id": pl.String})
    for name in methods:
        rows = ids.join(frame.filter(method=name), on="batch_id", how="left", maintain_order="left")
        values = {
            each: rows[each].fill_null(np.nan).to_numpy()
            for each in ("statistic", "p_value", "drift_score", "standard_error")
        }
        scale, statistic = _scale(joint_method(name), values, deviations.get(name, np.empty(0)), rows)
        notes = {place: note for place, note in enumerate(rows["note"]) if note is not None}
        yield Measured(
            column=ALL_COLUMNS,
            kind="table",
            role="table",
            method=name,
            rows=rows["rows"].fill_null(0).to_numpy(),
            statistic=statistic,
            p_value=values["p_value"],
            drift_score=values["drift_score"],
            effect_size=np.full(rows.height, np.nan),
            scale=scale,
            notes=notes,
        )


def _scale(
    method: TableMethod, values: Mapping[str, Floats], deviations: Floats, rows: pl.DataFrame
) -> tuple[Scale, Floats]:
    known: Usual = usual(deviations, method=method)
    error = values["standard_error"]
    expected, unit = method.unchanged + known.centre * error, known.spread * error
    sizes = rows["rows"].fill_null(1).to_numpy()
    if method.one_sided:
        return Scale(1, sizes, expected=expected, unit=unit), values["statistic"]
    return Scale(1, sizes, expected=np.zeros_like(unit), unit=unit), np.abs(values["statistic"] - expected)
