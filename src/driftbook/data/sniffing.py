"""How a text file is written: encoding, separator, and whether its first line is a header.

Looked at once, by ``driftbook init``; what is found goes into ``usecase.yaml``, so that a build never guesses.
A first line is a header when the target's name stands in it; else when none of its fields is a number and no field
occurs below it in its own column. Columns of a file without header are called ``column_1``, ``column_2``, and so on.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from driftbook.data.sources import PARQUET_ENDINGS, SEPARATORS, clean_names, decode
from driftbook.errors import DataError

ENCODINGS = ("utf8", "cp1252", "latin-1")
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
SAMPLE_LINES = 200
_GENERATED = re.compile(r"column_[1-9][0-9]*")


@dataclass(frozen=True)
class Form:
    """How a file is written; ``header`` holds generated names where the file has none."""

    encoding: str = "utf8"
    separator: str = ","
    header: tuple[str, ...] | None = None
    is_parquet: bool = False


def sniff(path: Path, *, target: str) -> Form:
    r"""Find out how a file is written.

    Raises
    ------
    DataError
        If the file is missing, empty, no text, or of one column only.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "credit.csv"
    >>> _ = path.write_text("A11;6;1\nA12;48;2\n")
    >>> sniff(path, target="column_3")
    Form(encoding='utf8', separator=';', header=('column_1', 'column_2', 'column_3'), is_parquet=False)
    """
    if not path.is_file():
        found = "a folder" if path.is_dir() else "none there"
        raise DataError(f"expected a CSV or Parquet file at '{path}', found {found}; check the path")
    if path.suffix.lower() in PARQUET_ENDINGS:
        return Form(is_parquet=True)
    encoding, text = _decode(path)
    sample = text[:1_000_000].splitlines(keepends=True)[:SAMPLE_LINES]
    separator = _separator(sample, name=path.name)
    rows = list(csv.reader(io.StringIO("".join(sample), newline=""), delimiter=separator))
    header = None if _has_header(rows, target) else tuple(f"column_{n}" for n in range(1, len(rows[0]) + 1))
    return Form(encoding=encoding, separator=separator, header=header)


def _decode(path: Path) -> tuple[str, str]:
    """The first encoding that reads the file; UTF-16 only where the file is marked as such."""
    with path.open("rb") as stream:
        is_marked = stream.read(2) in UTF_16_MARKS
    for encoding in ("utf-16",) if is_marked else ENCODINGS[:-1]:
        try:
            text = decode(path, encoding=encoding)
        except DataError as error:
            if not isinstance(error.__cause__, UnicodeDecodeError):
                raise
            continue
        break
    else:
        encoding, text = ENCODINGS[-1], decode(path, encoding=ENCODINGS[-1])
    if "\0" in text[:100_000]:
        raise DataError(f"{path.name} holds zero bytes, so it is no text; expected CSV or Parquet: export it as one")
    return encoding, text


def _separator(sample: list[str], *, name: str) -> str:
    """The separator that cuts most lines into the same number of fields, the larger number where two agree."""
    found = {}
    for separator in SEPARATORS:
        widths = [len(fields) for fields in csv.reader(io.StringIO("".join(sample), newline=""), delimiter=separator)]
        usual = max(set(widths), key=widths.count)
        found[separator] = (widths.count(usual) / len(widths), usual) if usual > 1 else (0.0, 1)
    best = max(found, key=lambda each: found[each])
    if found[best][1] < 2:
        tried = ", ".join(repr(each) for each in SEPARATORS)
        raise DataError(
            f"{name} has one column with any of the separators {tried}; expected a table of several columns"
        )
    return best


def _has_header(rows: list[list[str]], target: str) -> bool:
    first = clean_names(rows[0])
    if target in first:
        return True
    if _GENERATED.fullmatch(target):
        return False
    if any(_is_number(field) for field in rows[0]):
        return False
    return not any(field in below for field, *below in zip(*rows, strict=False))


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
