"""Any two tables, compared without set-up: column by column, never more than a few columns at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from driftbook.comparison.columns import pair_columns
from driftbook.comparison.findings import Finding, findings_frame
from driftbook.comparison.judging import Judge, Judged, comparison_policy
from driftbook.comparison.result import Comparison
from driftbook.comparison.together import look_together
from driftbook.comparison.verdict import column_summary, decide
from driftbook.config import Policy
from driftbook.drift.column_by_column import each_column
from driftbook.drift.table_source import Table, open_table
from driftbook.errors import DataError, UnknownNameError


def compare(
    reference: Any,
    current: Any,
    *,
    columns: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
    policy: str | Policy | None = None,
    budget: float | None = None,
    seed: int = 1,
) -> Comparison:
    """What drifted between two tables.

    Parameters
    ----------
    reference, current
        Each a polars, pandas or Arrow table, a numpy array, a dict of columns, or the path of a CSV or Parquet file.
        Large Parquet files are read one column at a time.
    columns
        Only these; by default all that both sides have.
    methods
        Drift methods instead of the policy's; each is used on the kinds of columns it can measure.
    policy
        Named set of limits; by default ``calibrated``: limits follow from the budget and from what random rows of the
        reference do by chance.
    budget
        At most one false alarm in so many comparisons, over all columns and methods; 100 by default.
    seed
        Of the random rows.

    Returns
    -------
    A :class:`Comparison`, which shows itself in a notebook.

    Raises
    ------
    DataError
        If a side is no table, has no rows, or the two have no column in common.
    UnknownNameError
        If a column, method or policy does not exist.

    Examples
    --------
    >>> old = {"age": [20 + place % 40 for place in range(400)], "plan": ["a", "b"] * 200}
    >>> new = {"age": [30 + place % 40 for place in range(200)], "plan": ["a", "b"] * 100}
    >>> compare(old, new)
    1 of 2 columns drifted: age (mean 39.5 → 49.5).
    """
    chosen = comparison_policy(policy, methods=methods, budget=budget)
    sides = open_table(reference, title="the reference"), open_table(current, title="the current table")
    for side in sides:
        if not side.rows:
            raise DataError(f"{side.title} has no rows; expected a table with rows")
    names, findings = _common(*sides, columns=columns)
    judge = Judge(chosen, reference_rows=sides[0].rows, current_rows=sides[1].rows, seed=seed)
    measured = each_column(names, lambda name: _measure(name, sides, judge))
    findings += [finding for _, found in measured.values() for finding in found]
    judged = {name: each for name, (each, _) in measured.items() if each is not None}
    table = judge.table(list(judged.values()))
    shapes = {name: each.shape for name, each in judged.items()}
    summary, frame = column_summary(table, shapes), findings_frame(findings)
    drifted = summary.filter(pl.col("band") == "drifted")["column"].to_list()
    together = look_together(judged, drifted=drifted, policy=chosen, seed=seed)
    table = pl.concat([table, together.table])
    return Comparison(
        table=table,
        verdict=decide(table, summary, frame, policy=chosen),
        columns=summary,
        findings=frame,
        shapes=shapes,
        why=together.why,
        policy=chosen,
        titles=(sides[0].title, sides[1].title),
        rows=(sides[0].rows, sides[1].rows),
    )


def _common(reference: Table, current: Table, *, columns: Sequence[str] | None) -> tuple[list[str], list[Finding]]:
    """Columns to look at, and findings on those that one side lacks."""
    everywhere = list(dict.fromkeys([*reference.names, *current.names]))
    wanted = everywhere if columns is None else list(dict.fromkeys(name.strip() for name in columns))
    for name in wanted:
        if name not in everywhere:
            raise UnknownNameError("column", name, everywhere)
    missing = [name for name in wanted if name not in current.names]
    new = [name for name in wanted if name not in reference.names]
    names = [name for name in wanted if name in reference.names and name in current.names]
    if not names:
        found = f"{', '.join(reference.names[:5])} and {', '.join(current.names[:5])}"
        raise DataError(f"the two tables have no column in common (they begin with {found}); rename columns of one")
    findings = [
        *(Finding(name, "only_in_reference", "warning", "is missing in the current table") for name in missing),
        *(Finding(name, "only_in_current", "warning", "is not in the reference") for name in new),
    ]
    return names, findings


def _measure(name: str, sides: tuple[Table, Table], judge: Judge) -> tuple[Judged | None, list[Finding]]:
    """Measure one column; what is wrong with it never stops the others."""
    found: list[Finding] = []
    readings = [side.read(name) for side in sides]
    for reading, words in zip(readings, ("reference", "current table"), strict=True):
        if reading.remark:
            found.append(Finding(name, "unreadable_values", "warning", f"in the {words}: {reading.remark}"))
    pair = pair_columns(name, *(reading.values for reading in readings))
    found += pair.findings
    if pair.kind is None:
        return None, found
    if not judge.methods(pair.kind):
        text = f"is {pair.kind}, which none of the chosen methods measures: not judged"
        return None, [*found, Finding(name, "no_method", "info", text)]
    judged = judge.measure(pair)
    if judged.is_apart:
        text = "has no value in common with the reference: recoded, or it names the period"
        found.append(Finding(name, "nothing_in_common", "warning", text))
    return judged, found
