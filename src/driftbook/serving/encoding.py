"""One plain row, as a request brings it, to a model row: what :class:`driftbook.model.features.Encoder` does to frames.

Encoding a row by way of a data frame costs eighty times what encoding its values does (measured), so none is made.
A test holds the two to the same bits. Texts are read as :func:`driftbook.schema.conform` reads them (outer blanks go,
an empty text is missing), so that a logged row scores the same when the pipeline reads it again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from driftbook.errors import SchemaError
from driftbook.model.features import Encoder, Matrix

NAN = math.nan
LARGEST = 3.4028235677973366e38  # what is nearer to it than to the largest number of 32 bits has none
ISO_TIME = re.compile(r"\d{4}[-/]\d\d[-/]\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?( ?(Z|[+-]\d\d:?\d\d))?)?")
# what Unicode calls white space, as polars strips it; Python's own str.strip takes 0x1c to 0x1f too
BLANKS = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Flags:
    """What is odd about a row that was scored all the same."""

    unseen: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    outlier: bool = False


PLAIN = Flags()


class RowEncoder:
    """Encodes rows of plain values: numbers, texts, times; ``None``, or no such key, is missing.

    Examples
    --------
    >>> encoder = RowEncoder(Encoder(numeric=("age",), derived={}, categories={"plan": ("basic", "pro")}))
    >>> rows = [{"age": 31, "plan": "pro"}, {"age": None, "plan": "never seen"}]
    >>> matrix = encoder.matrix(rows)
    >>> matrix
    array([[31.,  1.],
           [nan, nan]], dtype=float32)
    >>> encoder.flags(rows[1], encoder.values(rows[1]))
    Flags(unseen=('plan',), missing=('age',), outlier=False)
    """

    def __init__(self, encoder: Encoder) -> None:
        self._numeric = encoder.numeric
        self._derived = tuple(encoder.derived.values())
        self._codes = tuple(
            (name, {text: float(code) for code, text in enumerate(known)}) for name, known in encoder.categories.items()
        )
        self._dates = tuple(dict.fromkeys(each.of[0] for each in self._derived if each.kind == "date_part"))
        self._first_code = len(self._numeric) + len(self._derived)

    @property
    def columns(self) -> tuple[str, ...]:
        """Raw columns that are read."""
        return (*self._numeric, *self._dates, *(name for name, _ in self._codes))

    def matrix(self, rows: Sequence[Row]) -> Matrix:
        """Encode ``rows`` as float32, shape (rows, features); missing is NaN.

        Raises
        ------
        SchemaError
            If a value is of the wrong type, naming its field.
        """
        if not rows:
            return np.empty((0, self._first_code + len(self._codes)), dtype=np.float32)
        return np.array([self.values(row) for row in rows], dtype=np.float32)

    def values(self, row: Row) -> list[float]:
        """One row as in :meth:`matrix`, in 64 bits still, a number per feature; raises what that raises."""
        return [value if -LARGEST < value < LARGEST else NAN for value in self._read(row)]

    def flags(self, row: Row, encoded: Sequence[float]) -> Flags:
        """Values of ``row`` that the model does not know or does not have, by the encoded ones."""
        lacking = [math.isnan(value) for value in encoded]
        if True not in lacking:
            return PLAIN
        missing = [name for name, lacks in zip(self._numeric, lacking, strict=False) if lacks]
        missing += [name for name in self._dates if read_time(name, row.get(name)) is None]
        unseen: list[str] = []
        for (name, _), lacks in zip(self._codes, lacking[self._first_code :], strict=True):
            if lacks:
                (missing if read_text(row.get(name)) is None else unseen).append(name)
        return Flags(unseen=tuple(unseen), missing=tuple(missing))

    def _read(self, row: Row) -> list[float]:
        get = row.get
        values = [read_number(name, get(name)) for name in self._numeric]
        for derived in self._derived:
            if derived.kind == "date_part":
                values.append(_date_part(read_time(derived.of[0], get(derived.of[0])), derived.part or "day"))
            else:
                values.append(_derive(derived.kind, [read_number(name, get(name)) for name in derived.of]))
        for name, codes in self._codes:
            value = get(name)
            # a dictionary takes 1 and True for the same key: only texts are looked up as they are
            code = codes.get(value) if type(value) is str else None
            if code is None and value is not None:
                code = codes.get(read_text(value) or "")
            values.append(NAN if code is None else code)
        return values


def read_number(name: str, value: Any) -> float:
    """A number of a request as a float, NaN where it is missing or too large for one.

    Examples
    --------
    >>> read_number("age", 31), read_number("age", None)
    (31.0, nan)
    >>> read_number("age", "old")
    Traceback (most recent call last):
    ...
    driftbook.errors.SchemaError: age: expected a number, found 'old'; send a number, or null where it is missing
    """
    if type(value) is float:
        return value
    if value is None:
        return NAN
    if isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError:
            return NAN
    raise SchemaError(f"{name}: expected a number, found {value!r:.60}; send a number, or null where it is missing")


def read_text(value: Any) -> str | None:
    """A category of a request as text; None where it is missing.

    Examples
    --------
    >>> read_text(" pro "), read_text(3.0), read_text(True), read_text("  ")
    ('pro', '3', 'true', None)
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip(BLANKS) or None


def read_time(name: str, value: Any) -> datetime | None:
    """A time of a request, zoned ones in UTC; None where it is missing.

    Examples
    --------
    >>> read_time("joined", "2026-06-01T02:00:00+02:00")
    datetime.datetime(2026, 6, 1, 0, 0)
    >>> read_time("joined", "June")
    Traceback (most recent call last):
    ...
    driftbook.errors.SchemaError: joined: expected a time in ISO 8601, found 'June'; send one like 2026-06-01T12:30:00
    """
    time = _parse(value) if isinstance(value, str) else value
    if time is None:
        return None
    if not isinstance(time, datetime):
        raise SchemaError(
            f"{name}: expected a time in ISO 8601, found {value!r:.60}; send one like 2026-06-01T12:30:00"
        )
    return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time


def _parse(text: str) -> datetime | str | None:
    """A text as a time, nothing where it is empty, or as it is where it is none."""
    text = text.strip(BLANKS)
    if not ISO_TIME.fullmatch(text):
        return text or None
    try:
        return datetime.fromisoformat(text[:11].replace("/", "-") + text[11:].replace(" ", ""))
    except ValueError:
        return text


def _derive(kind: str, numbers: Sequence[float]) -> float:
    """What has no finite value is missing; a comparison with NaN is false."""
    if kind == "ratio":
        return numbers[0] / numbers[1] if numbers[1] != 0 else NAN
    if kind == "difference":
        return numbers[0] - numbers[1]
    return math.log1p(numbers[0]) if numbers[0] > -1 else NAN


def _date_part(time: datetime | None, part: str) -> float:
    if time is None:
        return NAN
    return float(time.isoweekday() if part == "weekday" else getattr(time, part))
