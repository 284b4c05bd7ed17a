"""What each column of an unknown table is good for: feature, date, or left out with a reason.

Left out are columns a model must not or cannot learn from: identifiers, constants, texts with a value of its own
for nearly every row, other models' outputs, and columns that give the target away. The last only when certain, that
is when every value belongs to one class over many rows: a strong feature is not a leak, and only a person knows.
A few values that are no number or time do not make a column text: those rows are set aside, and a note says so.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import polars as pl

from driftbook.config.use_case import RESERVED_NAMES
from driftbook.data.dealing import COMMON_FORMATS, read_times
from driftbook.errors import DataError

MAX_CLASSES = 50
MAX_CATEGORIES = 200
MAX_DISTINCT_SHARE = 0.5
MIN_ROWS_PER_VALUE = 20  # below, a value that knows the target may be chance
MIN_MINORITY_ROWS = 50
FIRST_LOOK_ROWS = 20_000
MAX_UNREADABLE = 0.02  # of the filled values of a column of numbers or times
MISSING_MARKS = frozenset({"?", "-", "--", ".", "n/a", "N/A", "#N/A", "None", "none", "missing"})
YES = frozenset({"1", "1.0", "yes", "y", "true", "t", "positive", "pos"})
NO = frozenset({"0", "0.0", "-1", "no", "n", "false", "f", "negative", "neg"})
_IDENTIFIER = re.compile(r"(^|.*[_\W])(id|uuid|guid|key|nr|no|number|index|instant)$|.*[a-z]I[dD]$", re.IGNORECASE)
_MODEL_OUTPUT = re.compile(r"(pred|predicted|prediction|predictions|y_pred|y_hat)($|_.*)", re.IGNORECASE)
_DECIMAL_COMMA = r"^\s*[+-]?\d*,\d+\s*$"
_DATE_LIKE = r"^(\d{4}-\d{2}-\d{2}([ T]|$)|\d{1,2}[./]\d{1,2}[./]\d{4}( |$))"


@dataclass(frozen=True)
class Roles:
    """Features by kind, columns left out with the reason, marks to read as missing, and remarks for a person.

    ``time_format`` is that of the dates where they are not ISO 8601.
    """

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    dates: tuple[str, ...]
    left_out: dict[str, str]
    missing_marks: tuple[str, ...]
    notes: tuple[str, ...]
    time_format: str | None = None


@dataclass(frozen=True)
class _Reading:
    """A column as numbers or times, with the marks for missing and a note on values that are neither."""

    values: pl.Series
    marks: frozenset[str] = frozenset()
    note: str = ""
    time_format: str | None = None


@dataclass(frozen=True)
class Task:
    """What is to be predicted."""

    task: str
    classes: tuple[str, ...]
    positive_class: str | None
    note: str


def guess_task(target: pl.Series) -> Task:
    """Classes of the target, and which of two is the positive one.

    Raises
    ------
    DataError
        If there is one class only, or so many that it is a quantity and not a class.

    Examples
    --------
    >>> guess_task(pl.Series("churn", ["No", "Yes", "No"])).positive_class
    'Yes'
    >>> guess_task(pl.Series("risk", ["1", "2", "1"])).note
    "target 'risk' has the classes 1, 2; '2' is taken as the positive one because it is the rarer"
    """
    counts = as_text(target).drop_nulls().value_counts(sort=True).sort("count", target.name, descending=[True, False])
    classes, name = tuple(sorted(counts[target.name].to_list())), target.name
    if len(classes) < 2:
        found = f"the class {classes[0]!r} in every row" if classes else "no value at all"
        raise DataError(
            f"target {name!r} holds {found}; expected two classes or more: choose another target or more rows"
        )
    if len(classes) > MAX_CLASSES:
        raise DataError(
            f"target {name!r} has {len(classes)} different values; expected at most {MAX_CLASSES} classes. Regression "
            "is not supported: choose a target with classes, or cut the quantity into a few classes first"
        )
    if len(classes) > 2:
        few = [row[0] for row in counts.rows() if row[1] < MIN_ROWS_PER_VALUE]
        rare = f"; fewer than {MIN_ROWS_PER_VALUE} rows: {', '.join(few)}" if few else ""
        return Task("multiclass", classes, None, f"target {name!r} has {len(classes)} classes{rare}")
    told = {each.lower() for each in classes}
    by_name = [each for each in classes if each.lower() in YES] if told & NO else []
    positive = by_name[0] if len(by_name) == 1 else str(counts[target.name][-1])
    why = "by its name" if len(by_name) == 1 else "because it is the rarer"
    text = f"target {name!r} has the classes {', '.join(classes)}; {positive!r} is taken as the positive one {why}"
    return Task("binary", classes, positive, text)


def guess_roles(
    table: pl.DataFrame,
    *,
    target: str,
    given: Collection[str],
    has_types: bool,
    time_formats: Sequence[str | None] = (None, *COMMON_FORMATS),
) -> Roles:
    """Guess what each column is, beside the target and the ``given`` ones (identifier, time).

    A table that ``has_types`` (Parquet) means what it says: numbers written as text are codes there. A CSV is all text.
    Dates are looked for in the ``time_formats`` (ISO 8601: nothing); a table has one format beside ISO 8601.
    """
    roles: dict[str, list[str]] = {"numeric": [], "categorical": [], "dates": []}
    left_out: dict[str, str] = {}
    marks: set[str] = set()
    notes: list[str] = []
    for name in table.columns:
        if name == target or name in given:
            continue
        dates = _dates(table[name], time_formats)
        numbers = None if dates else _numbers(table[name], has_types=has_types)
        reason = _why_left_out(table[name], as_text(table[target]), numbers=numbers, is_date=dates is not None)
        if reason:
            left_out[name] = reason
            continue
        roles["dates" if dates else "numeric" if numbers else "categorical"].append(name)
        reading = dates or numbers
        if reading is None:
            continue
        if reading.time_format:
            time_formats = (None, reading.time_format)
        marks |= reading.marks
        notes += [f"{name}: {' '.join(sorted(reading.marks))} read as missing"] if reading.marks else []
        notes += [reading.note] if reading.note else []
    codes = [name for name in roles["numeric"] if _looks_like_codes(table[name])]
    if codes:
        notes.append(f"taken as numbers, though they have few values (move them if they are codes): {', '.join(codes)}")
    if not roles["numeric"] and not roles["categorical"]:
        raise DataError("no column is fit to be a feature: " + "; ".join(f"{k}: {v}" for k, v in left_out.items()))
    return Roles(
        numeric=tuple(roles["numeric"]),
        categorical=tuple(roles["categorical"]),
        dates=tuple(roles["dates"]),
        left_out=left_out,
        missing_marks=tuple(sorted(marks)),
        notes=tuple(notes),
        time_format=next((each for each in time_formats if each), None) if len(time_formats) == 2 else None,
    )


def unreadable_note(name: str, strange: pl.Series, *, filled: int, wanted: str) -> str:
    """How many of the ``filled`` values are not what is ``wanted``, and the first; empty if none.

    Examples
    --------
    >>> unreadable_note("x", pl.Series(["abc"]), filled=600, wanted="number")
    "x: 1 of 600 values is no number ('abc'); such rows are set aside"
    """
    if strange.is_empty():
        return ""
    are, first = ("is", "") if len(strange) == 1 else ("are", "the first: ")
    shown = str(strange[0])[:40]
    return f"{name}: {len(strange)} of {filled} values {are} no {wanted} ({first}{shown!r}); such rows are set aside"


def as_text(column: pl.Series) -> pl.Series:
    """The text of each value as ``schema.conform`` will write it: ``1.0`` of a number is ``1``."""
    if column.dtype.is_float() and not (column.drop_nulls() % 1 != 0).any():
        column = column.cast(pl.Int64, strict=False)
    text = column.cast(pl.String, strict=False).str.strip_chars()
    return text.to_frame().select(pl.when(pl.first() != "").then(pl.first()).alias(column.name)).to_series()


def _why_left_out(column: pl.Series, target: pl.Series, *, numbers: _Reading | None, is_date: bool) -> str:
    """The reason why a column is left out; empty for a feature."""
    values = column.drop_nulls() if _is_plain(column) else column.clear()
    distinct = values.n_unique()
    unusable = _unusable(column, distinct)
    if unusable:
        return unusable
    known = numbers.values if numbers else None
    is_category = numbers is None and not is_date
    reasons = {
        "WARNING: gives the target away: each of its values belongs to one class only": _reveals(column, known, target),
        "numbers with a decimal comma: export them with a point": (
            is_category and column.dtype == pl.String and bool(values.str.contains(_DECIMAL_COMMA).all())
        ),
        "identifier: every value occurs once": (
            not is_date and distinct == len(values) and _names_rows(column.name, known)
        ),
        f"text with {distinct} different values: too many for a category": is_category
        and (distinct > MAX_CATEGORIES or MIN_ROWS_PER_VALUE < distinct > MAX_DISTINCT_SHARE * len(values)),
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def _is_plain(column: pl.Series) -> bool:
    return not column.dtype.is_nested() and column.dtype not in (pl.Binary, pl.Object, pl.Duration, pl.Time)


def _unusable(column: pl.Series, distinct: int) -> str:
    """Why a column is no feature whatever its values; empty if it may be one."""
    if column.name in RESERVED_NAMES:
        return "the name is driftbook's own: rename the column to use it"
    if _MODEL_OUTPUT.fullmatch(column.name):
        return "another model's output, by its name"
    if not _is_plain(column):
        return f"holds values of type {column.dtype}, neither number, text nor date"
    if distinct < 2:
        return "one value only: nothing to learn" if distinct else "no value in any row"
    return ""


def _numbers(column: pl.Series, *, has_types: bool) -> _Reading | None:
    """The column as numbers; nothing if it holds none."""
    if column.dtype.is_numeric():
        return _Reading(column.cast(pl.Float64))
    if column.dtype != pl.String or has_types:
        return None
    return _reading(column, column.str.strip_chars().cast(pl.Float64, strict=False), wanted="number")


def _dates(column: pl.Series, time_formats: Sequence[str | None]) -> _Reading | None:
    """The column as times; nothing if it holds none, or if two formats fit alike."""
    if column.dtype.is_temporal():
        return _Reading(column) if _is_plain(column) else None
    if column.dtype != pl.String:
        return None
    text = column.str.strip_chars().to_frame()
    dates = text.select(pl.when(pl.first().str.contains(_DATE_LIKE)).then(pl.first())).to_series()
    if dates.null_count() == len(dates):
        return None
    tried = [_reading(column, read_times(dates, time_format=each), wanted="time", form=each) for each in time_formats]
    found = sorted(filter(None, tried), key=lambda each: each.values.null_count())
    if not found or (len(found) > 1 and found[0].values.null_count() == found[1].values.null_count()):
        return None
    return found[0]


def _reading(column: pl.Series, values: pl.Series, *, wanted: str, form: str | None = None) -> _Reading | None:
    """The ``values`` read from a text column, unless too many of those filled are not what is ``wanted``."""
    text = column.str.strip_chars()
    lost = text.filter(values.is_null() & text.is_not_null() & (text != ""))
    is_mark = lost.is_in(list(MISSING_MARKS))
    strange = lost.filter(~is_mark)
    known = len(values) - values.null_count()
    filled = known + len(strange)
    if not known or len(strange) > MAX_UNREADABLE * filled:
        return None
    note = unreadable_note(column.name, strange, filled=filled, wanted=wanted)
    return _Reading(values, frozenset(lost.filter(is_mark).to_list()), note, form)


def _names_rows(name: str, numbers: pl.Series | None) -> bool:
    """Whether a column without repetition is an identifier: a text, a running number, or called so."""
    if numbers is None:
        return True
    values = numbers.drop_nulls()
    whole = bool((values % 1 == 0).all())
    running = whole and bool((values.sort().diff().drop_nulls() == 1).all())
    return running or (whole and _IDENTIFIER.fullmatch(name) is not None)


def _reveals(column: pl.Series, numbers: pl.Series | None, target: pl.Series) -> bool:
    """Whether the column is certain to give the target away; a first look at some rows spares the long one."""
    pair = pl.DataFrame({"value": column if numbers is None else numbers, "target": target}).drop_nulls()
    return _is_certain(pair.head(FIRST_LOOK_ROWS)) and _is_certain(pair)


def _is_certain(pair: pl.DataFrame) -> bool:
    """Each value in one class, over many rows; or two classes that a number parts without overlap."""
    classes = pair["target"].value_counts(sort=True)["count"].to_list()
    if sum(classes[1:]) < MIN_MINORITY_ROWS:
        return False
    known = pair["value"].n_unique()
    if pair.height >= MIN_ROWS_PER_VALUE * known:
        return pair.unique().height == known
    if not pair["value"].dtype.is_float() or len(classes) != 2:
        return False
    ends = pair.group_by("target").agg(pl.col("value").min().alias("low"), pl.col("value").max().alias("high"))
    ends = ends.sort("low")
    return bool(ends["high"][0] < ends["low"][1])


def _looks_like_codes(column: pl.Series) -> bool:
    distinct = column.n_unique()
    return 2 < distinct <= 12 and column.dtype != pl.Float64
