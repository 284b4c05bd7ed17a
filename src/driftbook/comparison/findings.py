"""What a person should know of a column beside its drift: how it was read, and why it is not judged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import polars as pl

Severity = Literal["info", "warning"]
SCHEMA = {"column": pl.String(), "finding": pl.String(), "severity": pl.String(), "text": pl.String()}


@dataclass(frozen=True)
class Finding:
    """One remark on one column; ``finding`` is its code, ``text`` what a person reads."""

    column: str
    finding: str
    severity: Severity
    text: str


def findings_frame(findings: Iterable[Finding]) -> pl.DataFrame:
    """Findings as a frame: warnings first, else in their order.

    Examples
    --------
    >>> found = [Finding("id", "identifier", "info", "…"), Finding("age", "only_in_reference", "warning", "…")]
    >>> findings_frame(found)["column"].to_list()
    ['age', 'id']
    """
    rows = [(each.column, each.finding, each.severity, each.text) for each in findings]
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    return frame.sort(pl.col("severity") != "warning", maintain_order=True)
