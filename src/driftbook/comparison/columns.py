"""One column on both sides: what kind it is, and in which type the two can be compared.

Kinds are guessed from both sides together, because a guess from one of them may not fit the other. Numbers with many
values are numeric; texts, truth values and whole numbers of few values are categorical. What names rows instead of
describing them (identifiers, running numbers, free text, a time that simply goes on) differs between any two tables:
it gets a finding, not a verdict. Where the type changed, the widest type that holds both is taken, and a finding
says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

from driftbook.comparison.findings import Finding, Severity
from driftbook.data.roles import MAX_DISTINCT_SHARE, MAX_UNREADABLE, as_text
from driftbook.drift.plain_series import as_comparable
from driftbook.drift.profile import Kind
from driftbook.schema import TIME, iso_time

Family = Literal["nothing", "number", "truth", "text", "time", "clock", "span", "nested"]
MAX_CODES = 10  # whole numbers with no more distinct values are categories
MIN_IDENTIFIERS = 20  # so many values, all distinct, are no accident


@dataclass(frozen=True)
class ColumnPair:
    """Both sides of a column in one type; ``kind`` None: not judged, and a finding says why."""

    name: str
    kind: Kind | None
    reference: pl.Series
    current: pl.Series
    family: Family = "nothing"
    findings: tuple[Finding, ...] = ()


def pair_columns(name: str, reference: pl.Series, current: pl.Series) -> ColumnPair:
    """Bring both sides of a column into one type and guess its kind.

    Examples
    --------
    >>> pair = pair_columns("size", pl.Series([1, 2, 3]), pl.Series(["2", "3", "many"]))
    >>> pair.kind, pair.findings[0].text
    ('categorical', 'holds Int64 in the reference and String in the current table; compared as text')
    """
    found: list[Finding] = []

    def note(code: str, text: str, severity: Severity = "info") -> None:
        found.append(Finding(name, code, severity, text))

    families = [_family(each.dtype) for each in (reference, current)]
    filled = [family for family in families if family != "nothing"]
    if not filled:
        note("empty", "holds no value on either side")
        return ColumnPair(name, None, reference, current, findings=tuple(found))
    if "nested" in families:
        dtype = next(each.dtype for each in (reference, current) if _family(each.dtype) == "nested")
        note("nested", f"holds values of type {_plain(dtype)}, compared by their text")
    before, after, family = _unified(reference, current, families)
    if len(set(filled)) > 1:
        types = f"holds {reference.dtype} in the reference and {current.dtype} in the current table"
        note("type_changed", f"{types}; compared as {_WORDS[family]}", "warning")
    reason = _names_rows(before, after, family)
    if reason:
        note(*reason)
        return ColumnPair(name, None, before, after, family, tuple(found))
    is_coded = family == "number" and _are_codes(before, after)
    kind: Kind = "categorical" if family == "text" or is_coded else "numeric"
    if kind == "categorical" and family != "text":
        before, after = as_text(before), as_text(after)
    return ColumnPair(name, kind, before, after, family, tuple(found))


_WORDS: dict[Family, str] = {"number": "numbers", "text": "text", "time": "times", "clock": "times", "span": "spans"}


_OTHERS: dict[type[pl.DataType], Family] = {
    pl.Null: "nothing",
    pl.Boolean: "truth",
    pl.Time: "clock",
    pl.Duration: "span",
}


def _family(dtype: pl.DataType) -> Family:
    if dtype.is_numeric():
        return "number"
    if dtype in (pl.Date, pl.Datetime):
        return "time"
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return "text"
    return _OTHERS.get(dtype.base_type(), "nested")


def _unified(reference: pl.Series, current: pl.Series, families: list[Family]) -> tuple[pl.Series, pl.Series, Family]:
    """Both sides as numbers (Float64) or as texts, and as what they are to be read."""
    pair = [as_comparable(each) for each in (reference, current)]
    wanted = set(families) - {"nothing"}
    if "nested" not in wanted:
        readers: tuple[tuple[set[Family], Family], ...] = (
            ({"number", "truth", "text"}, "number"),
            ({"time", "text"}, "time"),
            ({"clock"}, "clock"),
            ({"span"}, "span"),
        )
        for allowed, family in readers:
            if wanted <= allowed and family in wanted:
                read = [_numbers(each, family) for each in pair]
                if all(each is not None for each in read):
                    return read[0], read[1], family  # type: ignore[return-value]
    texts = [_texts(each) for each in pair]
    return texts[0], texts[1], "text"


def _numbers(series: pl.Series, family: Family) -> pl.Series | None:
    """The values as numbers (times as microseconds); None if a text column holds too much else."""
    if series.dtype in (pl.String, pl.Categorical, pl.Enum):
        text = series.cast(pl.String).str.strip_chars()
        if family == "time":
            read = text.to_frame("x").select(iso_time(pl.col("x"))).to_series()
        else:
            read = text.cast(pl.Float64, strict=False)
        lost = (read.is_null() & text.is_not_null() & (text != "")).sum()
        if lost > MAX_UNREADABLE * max(len(text) - text.null_count(), 1):
            return None
        series = read
    if series.dtype in (pl.Date, pl.Datetime):
        if isinstance(series.dtype, pl.Datetime) and series.dtype.time_zone:
            series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        series = series.cast(TIME)
    if series.dtype == pl.Duration:
        series = series.cast(pl.Duration("us"))
    if series.dtype.is_temporal():
        series = series.to_physical()
    return series.cast(pl.Float64, strict=False)


def _texts(series: pl.Series) -> pl.Series:
    """The values as texts; a truth value is written as in most files, whatever its case."""
    text = as_text(series.dt.to_string() if series.dtype == pl.Duration else series)
    return text.str.to_lowercase() if set(text.drop_nulls().str.to_lowercase().unique()) <= {"true", "false"} else text


def _are_codes(before: pl.Series, after: pl.Series) -> bool:
    """Whether numbers are few and whole on both sides together."""
    values: set[float] = set()
    for side in (before, after):
        held = side.drop_nulls().drop_nans()
        few = held.head(10_000).n_unique() <= MAX_CODES and held.n_unique() <= MAX_CODES
        if not few:
            return False
        values |= set(held.unique().to_list())
    return len(values) <= MAX_CODES and all(value == value // 1 for value in values if abs(value) != float("inf"))


def _names_rows(before: pl.Series, after: pl.Series, family: Family) -> tuple[str, str] | None:
    """Code and words of the finding if the values name rows; None if they describe them."""
    sides = [held for side in (before, after) if len(held := side.drop_nulls())]
    if family == "text":
        return _names_rows_by_text(sides)
    if family == "number" and sides and all(_is_running(side) for side in sides):
        return "row_number", "counts its rows without a gap: a running number, not judged"
    if family == "time" and len(sides) == 2 and sides[1].min() > sides[0].max():  # type: ignore[operator]
        return "time_goes_on", "begins in the current table after it ended in the reference: a time, not judged"
    return None


def _names_rows_by_text(sides: list[pl.Series]) -> tuple[str, str] | None:
    sizes = [(len(side), side.n_unique()) for side in sides]
    if max((size for size, _ in sizes), default=0) < MIN_IDENTIFIERS:
        return None
    if all(size == distinct for size, distinct in sizes):
        return "identifier", "holds another text in every row: an identifier, not judged"
    if all(distinct > max(MAX_DISTINCT_SHARE * size, MIN_IDENTIFIERS) for size, distinct in sizes):
        shown = " and ".join(f"{distinct:,}" for _, distinct in sizes)
        return "free_text", f"holds {shown} different texts, too many for categories: not judged"
    return None


def _is_running(side: pl.Series) -> bool:
    """Whether whole numbers occur once each and without a gap."""
    if len(side) < MIN_IDENTIFIERS:
        return False
    low, high = side.min(), side.max()
    if not isinstance(low, float) or not isinstance(high, float) or high - low != len(side) - 1 or low % 1:
        return False
    return bool((side.sort().diff().drop_nulls() == 1).all())


def _plain(dtype: pl.DataType) -> str:
    return str(dtype.base_type())
