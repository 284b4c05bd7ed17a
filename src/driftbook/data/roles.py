"""What each column of an unknown table is good for: feature, date, or left out with a reason.

Left out are columns a model must not or cannot learn from: identifiers, constants, texts with a value of its own
for nearly every row, other models' outputs, and columns that give the target away. The last only when certain, that
is when every value belongs to one class over many rows: a strong feature is not a leak, and only a person knows.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

from driftbook.config.use_case import RESERVED_NAMES
from driftbook.errors import DataError

MAX_CLASSES = 50
MAX_CATEGORIES = 200
MAX_DISTINCT_SHARE = 0.5
MIN_ROWS_PER_VALUE = 20  # below, a value that knows the target may be chance
MIN_MINORITY_ROWS = 50
FIRST_LOOK_ROWS = 20_000
MISSING_MARKS = frozenset({"?", "-", "--", ".", "n/a", "N/A", "#N/A", "None", "none", "missing"})
YES = frozenset({"1", "1.0", "yes", "y", "true", "t", "positive", "pos"})
NO = frozenset({"0", "0.0", "-1", "no", "n", "false", "f", "negative", "neg"})
_IDENTIFIER = re.compile(r"(^|.*[_\W])(id|uuid|guid|key|nr|no|number|index|instant)$|.*[a-z]I[dD]$", re.IGNORECASE)
_MODEL_OUTPUT = re.compile(r"(pred|predicted|prediction|predictions|y_pred|y_hat)($|_.*)", re.IGNORECASE)
_DECIMAL_COMMA = r"^\s*[+-]?\d*,\d+\s*$"
_ISO = r"^\d{4}-\d{2}-\d{2}([ T]|$)"


@dataclass(frozen=True)
class Roles:
    """Features by kind, columns left out with the reason, marks to read as missing, and remarks for a person."""

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    dates: tuple[str, ...]
    left_out: dict[str, str]
    missing_marks: tuple[str, ...]
    notes: tuple[str, ...]


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


def guess_roles(table: pl.DataFrame, *, target: str, given: Collection[str], has_types: bool) -> Roles:
    """Guess what each column is, beside the target and the ``given`` ones (identifier, time).

    A table that ``has_types`` (Parquet) means what it says: numbers written as text are codes there. A CSV is all text.
    """
    roles: dict[str, list[str]] = {"numeric": [], "categorical": [], "dates": []}
    left_out: dict[str, str] = {}
    marks: set[str] = set()
    notes: list[str] = []
    for name in table.columns:
        if name == target or name in given:
            continue
        role, remark = _role(table[name], as_text(table[target]), has_types=has_types)
        if role == "left_out":
            left_out[name] = remark
            continue
        roles[role].append(name)
        if role == "numeric" and remark:
            marks.update(remark.split(" "))
            notes.append(f"{name}: {remark} read as missing")
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
    )


def as_text(column: pl.Series) -> pl.Series:
    """The text of each value as ``schema.conform`` will write it: ``1.0`` of a number is ``1``."""
    if column.dtype.is_float() and not (column.drop_nulls() % 1 != 0).any():
        column = column.cast(pl.Int64, strict=False)
    text = column.cast(pl.String, strict=False).str.strip_chars()
    return text.to_frame().select(pl.when(pl.first() != "").then(pl.first()).alias(column.name)).to_series()


def _role(column: pl.Series, target: pl.Series, *, has_types: bool) -> tuple[str, str]:
    """Role of one column, with the reason where it is left out."""
    values = column.drop_nulls() if _is_plain(column) else column.clear()
    distinct = values.n_unique()
    unusable = _unusable(column, distinct)
    if unusable:
        return "left_out", unusable
    is_date = column.dtype.is_temporal() or (column.dtype == pl.String and bool(values.str.contains(_ISO).all()))
    numbers, marks = (None, "") if is_date else _numbers(column, has_types=has_types)
    is_category = numbers is None and not is_date
    reasons = {
        "WARNING: gives the target away: each of its values belongs to one class only": _reveals(
            column, numbers, target
        ),
        "numbers with a decimal comma: export them with a point": (
            is_category and column.dtype == pl.String and bool(values.str.contains(_DECIMAL_COMMA).all())
        ),
        "identifier: every value occurs once": (
            not is_date and distinct == len(values) and _names_rows(column.name, numbers)
        ),
        f"text with {distinct} different values: too many for a category": is_category
        and (distinct > MAX_CATEGORIES or MIN_ROWS_PER_VALUE < distinct > MAX_DISTINCT_SHARE * len(values)),
    }
    reason = next((reason for reason, holds in reasons.items() if holds), "")
    if reason:
        return "left_out", reason
    return ("dates", "") if is_date else ("categorical", "") if is_category else ("numeric", marks)


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


def _numbers(column: pl.Series, *, has_types: bool) -> tuple[pl.Series | None, str]:
    """The column as numbers, and the marks to read as missing; nothing if it holds no numbers."""
    if column.dtype.is_numeric():
        return column.cast(pl.Float64), ""
    if column.dtype != pl.String or has_types:
        return None, ""
    text = column.str.strip_chars()
    numbers = text.cast(pl.Float64, strict=False)
    lost = set(text.filter(numbers.is_null() & text.is_not_null() & (text != "")).unique().to_list())
    if numbers.null_count() == len(numbers) or not lost <= MISSING_MARKS:
        return None, ""
    return numbers, " ".join(sorted(lost))


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
