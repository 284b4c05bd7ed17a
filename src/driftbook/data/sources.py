"""Reads what a person gives us: CSV files (also compressed), Parquet files, a SQL query.

Every CSV column is read as text and cast later by ``schema.conform``: guessing types from the first rows
is how blanks in one cell of eleven, or ``1e+05``, turn a column into something else. Header names lose
their blanks and doubled ones become distinct (``Fwd Header Length``, ``Fwd Header Length_1``). Infinite
values stay: quality reports them, the model treats them as missing. What cannot be read ends in a
``DataError`` that says what to do, before anything is written.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import os
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from driftbook.config import Settings, UseCase
from driftbook.config.use_case import FilesSource, SqlSource
from driftbook.errors import ConfigError, DataError

NULL_VALUES: tuple[str, ...] = FilesSource.model_fields["null_values"].default
SEPARATORS = (",", ";", "\t", "|")
PARQUET_ENDINGS = frozenset({".parquet", ".pq"})
_DECOMPRESSORS = {b"\x1f\x8b": gzip.decompress, b"BZh": bz2.decompress, b"\xfd7zXZ": lzma.decompress}
_BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_GLOB_SIGNS = frozenset("*?[")


def load_table(case: UseCase, settings: Settings) -> pl.DataFrame:
    """The raw table of a ``files`` or ``sql`` source, in the source's order of rows.

    Parameters
    ----------
    case
        Its ``source.path`` may be a pattern (``2026-*.csv``): the files are stacked in the order of their names.

    Raises
    ------
    DataError
        If a file is missing, empty or unreadable, or the files do not have the same columns.
    ConfigError
        If the environment variable with the URL of a ``sql`` source is not set.
    """
    if isinstance(case.source, SqlSource):
        return _query(case.source)
    source = _files_source(case)
    tables = [
        read_file(
            path,
            separator=source.separator,
            encoding=source.encoding,
            header=source.header,
            null_values=source.null_values,
        )
        for path in source_files(case, settings)
    ]
    return _stack(tables, source_files(case, settings))


def source_files(case: UseCase, settings: Settings) -> list[Path]:
    """The raw files of a ``files`` source, sorted by name; an error says where to put a missing one."""
    source = _files_source(case)
    folder = settings.raw_folder(case.name)
    given = Path(source.path).expanduser()
    if given.is_absolute():
        folder, pattern = given.parent, given.name
    else:
        pattern = source.path
    found = sorted(folder.glob(pattern)) if _GLOB_SIGNS & set(pattern) else [folder / pattern]
    files = [path for path in found if path.is_file()]
    if files:
        return files
    place = folder.relative_to(settings.root) if folder.is_relative_to(settings.root) else folder
    there = sorted(path.name for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    raise DataError(
        f"expected the raw file {pattern!r} of use case {case.name!r} in {place.as_posix()}/, found "
        f"{', '.join(there) or 'no file there'}; put the file there, or correct source.path in its usecase.yaml"
    )


def read_file(
    path: Path,
    *,
    separator: str | None = None,
    encoding: str = "utf8",
    header: Sequence[str] | None = None,
    null_values: Sequence[str] = NULL_VALUES,
) -> pl.DataFrame:
    r"""Read one CSV or Parquet file; the format follows from its ending.

    Parameters
    ----------
    path
        ``.parquet`` or ``.pq`` is Parquet and keeps its types; anything else is CSV, compressed (gz, bz2, xz) or not.
    separator
        Between the fields of a CSV; a comma, or a tab for ``.tsv``, when absent.
    header
        Names of the columns of a CSV that has no header line.
    null_values
        Texts of a CSV that mean "no value".

    Raises
    ------
    DataError
        If the file is missing, empty, without rows, not in ``encoding``, not Parquet, or not cut by ``separator``.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "small.csv"
    >>> _ = path.write_text(" age,name, age\n31,Ann,\n")
    >>> read_file(path).to_dicts()
    [{'age': '31', 'name': 'Ann', 'age_1': None}]
    """
    if not path.is_file():
        raise DataError(f"expected a file at {path}, found none; check the name, or put the file there")
    if path.suffix.lower() in PARQUET_ENDINGS:
        table = _read_parquet(path)
    else:
        text = decode(path, encoding=encoding)
        default = "\t" if ".tsv" in path.suffixes else ","
        table = _parse(text, name=path.name, separator=separator or default, header=header, null_values=null_values)
    if table.is_empty():
        raise DataError(f"{path.name} has a header but no rows; expected a table with rows: export the file again")
    return table


def decode(path: Path, *, encoding: str = "utf8") -> str:
    """The text of a file, decompressed if need be; a clear ``DataError`` for bytes that are no such text."""
    content = path.read_bytes()
    for magic, decompress in _DECOMPRESSORS.items():
        if content.startswith(magic):
            try:
                content = decompress(content)
            except (OSError, EOFError, lzma.LZMAError) as error:
                raise DataError(f"{path.name} is compressed but broken ({error}); copy the file again") from error
            break
    if not content.strip():
        raise DataError(f"{path.name} is empty; expected a header line and rows: export or copy the file again")
    if content.startswith(b"PAR1"):
        raise DataError(f"{path.name} is a Parquet file by its content; rename it to {path.stem}.parquet")
    try:
        text = content.decode(encoding).removeprefix("\ufeff")
    except LookupError as error:
        raise ConfigError(f"source.encoding: no encoding {encoding!r}; try utf8, cp1252, latin-1 or utf-16") from error
    except UnicodeDecodeError as error:
        fitting = next((name for mark, name in _BYTE_ORDER_MARKS.items() if content.startswith(mark)), "cp1252")
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path.name} is not {encoding} text: byte 0x{content[error.start]:02x} at position {error.start} "
            f"(line {line}); set source.encoding in usecase.yaml "
            f"(try 'encoding: {fitting}') or save the file as UTF-8"
        ) from error
    return text.lstrip("\r\n")


def clean_names(names: Sequence[str | None]) -> list[str]:
    """Header names without blanks around, never empty, never twice.

    Examples
    --------
    >>> clean_names([" Flow", "Flow", None, "Flow_1"])
    ['Flow', 'Flow_2', 'column_3', 'Flow_1']
    """
    stripped = [(name or "").strip() or f"column_{place}" for place, name in enumerate(names, start=1)]
    taken, unique = set(stripped), list[str]()
    for name in stripped:
        candidate, count = name, 0
        while candidate in unique or (count and candidate in taken):
            count += 1
            candidate = f"{name}_{count}"
        unique.append(candidate)
    return unique


def first_fields(text: str, *, separator: str) -> list[str]:
    """The fields of the first line of a CSV text."""
    return next(csv.reader(io.StringIO(text[:1_000_000], newline=""), delimiter=separator), [])


def _files_source(case: UseCase) -> FilesSource:
    if not isinstance(case.source, FilesSource):
        raise ConfigError(f"use case {case.name!r} has source kind {case.source.kind!r}, expected 'files' or 'sql'")
    return case.source


def _read_parquet(path: Path) -> pl.DataFrame:
    with path.open("rb") as stream:
        start = stream.read(4)
    if not start:
        raise DataError(f"{path.name} is empty; expected a Parquet file: export or copy the file again")
    try:
        table = pl.read_parquet(path, hive_partitioning=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        hint = "copy the file again" if start == b"PAR1" else "if it is CSV text, rename it to end in .csv"
        raise DataError(f"{path.name} cannot be read as Parquet ({str(error).splitlines()[0]}); {hint}") from error
    return table.rename(dict(zip(table.columns, clean_names(table.columns), strict=True)))


def _parse(
    text: str, *, name: str, separator: str, header: Sequence[str] | None, null_values: Sequence[str]
) -> pl.DataFrame:
    fields = first_fields(text, separator=separator)
    if len(fields) == 1:
        widths = {each: len(first_fields(text, separator=each)) for each in SEPARATORS}
        fitting = max(widths, key=lambda each: widths[each])
        if widths[fitting] > 1:
            raise DataError(
                f"{name}: found one column with separator {separator!r}; {fitting!r} would give {widths[fitting]}: "
                f"set source.separator to {fitting!r} in usecase.yaml"
            )
    if header is not None and len(header) != len(fields):
        raise DataError(f"{name} has {len(fields)} columns, but source.header names {len(header)}; name every column")
    names = clean_names(fields if header is None else header)
    try:
        table = pl.read_csv(
            text.encode("utf-8"),
            separator=separator,
            has_header=False,
            schema=dict.fromkeys(names, pl.String()),
            null_values=list(null_values),
        )
    except pl.exceptions.PolarsError as error:
        fault = _first_fault(text, separator=separator, width=len(names))
        raise DataError(f"{name}: {fault or str(error).splitlines()[0]}; correct the file") from error
    rows = table if header is not None else table.slice(1)
    return rows.filter(~pl.all_horizontal(pl.all().is_null()))


def _first_fault(text: str, *, separator: str, width: int) -> str | None:
    """Where a CSV breaks its own form, searched only after it could not be read."""
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for fields in lines:
            if len(fields) > width:
                return f"line {lines.line_num} has {len(fields)} fields, expected {width} as in the first line"
    except csv.Error as error:
        return f"line {lines.line_num} has quotes that do not close ({error})"
    return None


def _stack(tables: list[pl.DataFrame], files: list[Path]) -> pl.DataFrame:
    first = tables[0]
    for table, path in zip(tables[1:], files[1:], strict=True):
        differing = sorted(set(first.columns) ^ set(table.columns))
        if differing:
            raise DataError(
                f"{path.name} and {files[0].name} must have the same columns, but only one of them has "
                f"{', '.join(differing[:5])}; narrow source.path or correct the file"
            )
    return pl.concat([table.select(first.columns) for table in tables], how="vertical_relaxed")


def _query(source: SqlSource) -> pl.DataFrame:
    import sqlalchemy

    url = os.environ.get(source.url_variable)
    if not url:
        raise ConfigError(
            f"the sql source needs the environment variable {source.url_variable} with the URL of its database, "
            "found none; set it (never write a URL with a password into usecase.yaml)"
        )
    try:
        with sqlalchemy.create_engine(url).connect() as connection:
            result = connection.execute(sqlalchemy.text(source.query))
            names = clean_names(list(result.keys()))
            rows = [tuple(row) for row in result]
    except (sqlalchemy.exc.SQLAlchemyError, ImportError) as error:
        cause = str(getattr(error, "orig", None) or type(error).__name__).splitlines()[0]
        where = f"the database of {source.url_variable}"
        raise DataError(f"the query of the sql source failed on {where}: {cause}; check source.query") from None
    if not rows:
        raise DataError("the query of the sql source gives no rows; expected a table with rows: check source.query")
    return pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None)
