"""A comparison as lines of text: the verdict first, then the long table, worst first, within 100 columns."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import polars as pl

from driftbook.drift.excess import excess
from driftbook.tables import SHAPES, TONES, format_value
from driftbook.words import plain

if TYPE_CHECKING:
    from driftbook.comparison.result import Comparison

WIDTH = 100
MOST_ROWS = 250
MOST_FINDINGS = 20
CALM = "The record (--json) has all rows; of calm columns only the method nearest to its limit is shown."
COLUMN, METHOD = 25, 18
WIDTHS = (10, 10, 9, 10)


def as_text(comparison: Comparison) -> str:
    """The comparison for a terminal."""
    before, after = comparison.titles
    rows = [f"{count:,} rows" for count in comparison.rows]
    lines = [f"{plain(comparison.verdict.status)}: {before} ({rows[0]}) → {after} ({rows[1]})", ""]
    for sentence in comparison.verdict.sentences:
        lines += textwrap.wrap(sentence, WIDTH)
    if comparison.why:
        lines += ["", "Why:"]
        for sentence in comparison.why:
            lines += textwrap.wrap(sentence, WIDTH, initial_indent="- ", subsequent_indent="  ")
    lines += _findings(comparison.findings)
    if not comparison.table.is_empty():
        lines += ["", *_table(comparison.table, by=comparison.surprise)]
        notes = [*comparison.origins, CALM]
        lines += ["", *(line for note in notes for line in textwrap.wrap(note, WIDTH))]
    return "\n".join(line.rstrip() for line in lines)


def _findings(findings: pl.DataFrame) -> list[str]:
    if findings.is_empty():
        return []
    lines = [""]
    for row in findings.head(MOST_FINDINGS).iter_rows(named=True):
        sign = "!" if row["severity"] == "warning" else "-"
        lines += textwrap.wrap(f"{sign} {row['column']}: {row['text']}", WIDTH, subsequent_indent="  ")
    hidden = findings.height - MOST_FINDINGS
    return [*lines, f"  … and {hidden:,} more"] if hidden > 0 else lines


def _table(table: pl.DataFrame, *, by: str) -> list[str]:
    """Rows of one column stay together, the column farthest beyond its limit first, all together on top."""
    marked = table.with_columns(excess().fill_null(-1.0), place=pl.int_range(pl.len()))
    column = (pl.col("drifted").any(), pl.col("excess").max(), pl.col("place").min())
    drifted, most, first = (each.over("column") for each in column)
    ordered = marked.sort(pl.col("role") != "table", ~drifted, -most, first, -pl.col("excess"), "place")
    nearest = pl.col("column").is_first_distinct() | (pl.col("band") != "stable").any().over("column")
    shown = ordered.filter(nearest)
    names = ("value", "limit", by.removesuffix("_value"), "effect")
    head = "".join(f"{name:>{width}}" for name, width in zip(names, WIDTHS, strict=True))
    lines = [f"{'column':<{COLUMN}}  {'method':<{METHOD}}{head}  band"]
    last = None
    for row in shown.head(MOST_ROWS).iter_rows(named=True):
        lines.append(_line(row, by=by, is_first=row["column"] != last))
        last = row["column"]
    hidden = shown.height - MOST_ROWS
    return [*lines, f"… and {hidden:,} more rows, calmer than these; --json FILE has all"] if hidden > 0 else lines


def _line(row: dict[str, Any], *, by: str, is_first: bool) -> str:
    name = _cut(row["column"], COLUMN) if is_first else ""
    value = row["p_value"] if row["on"] == "p_value" else row[row["on"]]
    texts = (
        format_value(value),
        format_value(row["threshold"]),
        format_value(row[by], format="p_value"),
        format_value(row["effect_size"]) if is_first else "",
    )
    numbers = "".join(f"{text:>{width}}" for text, width in zip(texts, WIDTHS, strict=True))
    sign = SHAPES[TONES.get(row["band"], "calm")]
    return f"{name:<{COLUMN}}  {_cut(plain(row['method']), METHOD):<{METHOD}}{numbers}  {sign} {plain(row['band'])}"


def _cut(text: str, width: int) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= width else f"{flat[: width - 1]}…"
