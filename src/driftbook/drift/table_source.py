"""Any table a person has, as named columns that are read one at a time.

A comparison needs one column of each side at any moment, so that is what is held: from Parquet and lazy scans only
the asked column is read, whatever the size of the table. Names lose blanks around them and doubled ones become
distinct (``Flow``, ``Flow_1``), for every source alike, so that a table gives the same answer as CSV, as Parquet and
as a frame. A CSV has no types: a column is numeric, a time or a truth value where its values are.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import polars.selectors as cs
from numpy.typing import NDArray

from driftbook.data.sniffing import Form, sniff
from driftbook.data.sources import PARQUET_ENDINGS, SEPARATORS, clean_names, decode, read_file
from driftbook.drift.plain_series import REFUSALS, plain_series
from driftbook.drift.typed_texts import Reading, typed
from driftbook.errors import DataError, UnknownNameError

KINDS = "a polars, pandas or Arrow table, a numpy array, a dict of columns, or the path of a CSV or Parquet file"


@dataclass(frozen=True, eq=False)
class Table:
    """Columns by name, each read when it is asked for; nothing is kept, and threads may read at the same time."""

    title: str
    rows: int
    readers: Mapping[str, Callable[[], Reading]]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(self.readers)

    def read(self, name: str) -> Reading:
        """The values of one column, and what a person should know of how it was read.

        Raises
        ------
        UnknownNameError
            If there is no such column.
        DataError
            If it cannot be read.
        """
        if name not in self.readers:
            raise UnknownNameError("column", name, self.readers)
        try:
            reading = self.readers[name]()
        except (pl.exceptions.PolarsError, OSError) as error:
            why = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise DataError(f"column {name!r} of {self.title} cannot be read ({why}); write the table anew") from error
        return Reading(reading.values.alias(name), reading.remark)

    def column(self, name: str) -> pl.Series:
        """The values alone; see :meth:`read`."""
        return self.read(name).values


def open_table(source: Any, *, title: str = "the table") -> Table:
    """Any table as a :class:`Table`.

    Parameters
    ----------
    source
        A polars DataFrame or LazyFrame, a path of a Parquet or CSV file (also compressed), an Arrow table, record
        batch or data set, a pandas frame, a numpy array of two dimensions or with fields, a mapping of columns.
    title
        What to call it in messages; a file is called by its name.

    Raises
    ------
    DataError
        If the source is no table, or a file cannot be read.

    Examples
    --------
    >>> table = open_table({" age": [41, 33], "plan": ["a", None]})
    >>> table.names, table.rows, table.column("age").dtype
    (('age', 'plan'), 2, Int64)
    """
    if isinstance(source, Table):
        return source
    if isinstance(source, str | Path):
        return _file(Path(source).expanduser())
    if isinstance(source, pl.LazyFrame):
        return _lazy(source, title)
    if isinstance(source, np.ndarray):
        return _array(source, title)
    return _mapping(source, title) if isinstance(source, Mapping) else _foreign(source, title)


def _columns(title: str, names: Sequence[Any], reads: Sequence[Callable[[], Any]], rows: int) -> Table:
    """A table of columns that are there already, or cheap to get by their place."""
    cleaned = clean_names([None if name is None else str(name) for name in names])

    def reader(name: str, read: Callable[[], Any]) -> Callable[[], Reading]:
        return lambda: Reading(plain_series(name, read()))

    if not cleaned:
        raise DataError(f"{title} has no columns; expected a table with at least one")
    return Table(title, rows, {name: reader(name, read) for name, read in zip(cleaned, reads, strict=True)})


def _file(path: Path) -> Table:
    title = path.name
    if path.is_dir():
        if not any(path.rglob("*.parquet")):
            raise DataError(f"expected a CSV or Parquet file at '{path}', found a folder without Parquet files")
        return _lazy(pl.scan_parquet(path / "**/*.parquet", hive_partitioning=False), title)
    if not path.is_file():
        raise DataError(f"expected a CSV or Parquet file at '{path}', found none there; check the path")
    with path.open("rb") as stream:
        is_parquet = stream.read(4) == b"PAR1"
    if is_parquet:
        return _parquet(path)
    if path.suffix.lower() in PARQUET_ENDINGS:
        raise DataError(f"{title} is no Parquet file by its content; if it is CSV text, rename it to end in .csv")
    form = _form(path)
    frame = read_file(path, separator=form.separator, encoding=form.encoding, header=form.header)
    return Table(title, frame.height, {name: partial(_typed, frame, name) for name in frame.columns})


def _form(path: Path) -> Form:
    """How a CSV is written; a file of one column has no separator to be found."""
    try:
        return sniff(path, target="")
    except DataError:
        first = next(iter(decode(path, encoding="latin-1").splitlines()), "")
        if any(each in first for each in SEPARATORS):
            raise
        return Form()


def _parquet(path: Path) -> Table:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        file = ParquetFile(path)
        names, rows = file.schema_arrow.names, file.metadata.num_rows
        if len(set(names)) < len(names):  # by their places, as names are not their own
            return _columns(path.name, names, [partial(_read_place, path, place) for place in range(len(names))], rows)
        table = _lazy(pl.scan_parquet(path, glob=False, hive_partitioning=False), path.name)
    except (ArrowException, pl.exceptions.PolarsError, OSError) as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(f"{path.name} cannot be read as Parquet ({why}); copy the file again") from error
    if file.metadata.num_columns > len(names):  # of nested columns, each part of which is one
        return table
    quick = _QuickNumbers(path)
    readers = [
        quick.reader(place) if _is_plain_number(field.type) else usual
        for place, (field, usual) in enumerate(zip(file.schema_arrow, table.readers.values(), strict=True))
    ]
    return Table(path.name, rows, dict(zip(table.names, readers, strict=True)))


def _read_place(path: Path, place: int) -> Any:
    from pyarrow.parquet import ParquetFile

    return ParquetFile(path).reader.read_all(column_indices=[place]).column(0)


def _is_plain_number(dtype: Any) -> bool:
    from pyarrow import types

    return bool(types.is_integer(dtype) or types.is_float32(dtype) or types.is_float64(dtype))


class _QuickNumbers:
    """Columns of numbers of a Parquet file: each thread reads the footer once, then only the pages it needs."""

    def __init__(self, path: Path) -> None:
        self._path, self._own = path, threading.local()

    def reader(self, place: int) -> Callable[[], Reading]:
        return lambda: Reading(self._read(place))

    def _read(self, place: int) -> pl.Series:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile

        try:
            if not hasattr(self._own, "file"):
                self._own.file = ParquetFile(self._path, pre_buffer=False)
            found = self._own.file.reader.read_all(column_indices=[place], use_threads=False)
        except ArrowException as error:
            raise OSError(str(error)) from error
        return plain_series("", found.column(0))


def _lazy(frame: pl.LazyFrame, title: str) -> Table:
    try:
        names = frame.collect_schema().names()
        rows = int(frame.select(pl.len()).collect().item())
    except (pl.exceptions.PolarsError, OSError) as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(f"{title} cannot be read ({why}); correct the query or write the file anew") from error

    def read(name: str) -> pl.Series:  # by a selector, because pl.col reads '*' and '^…$' as patterns
        return frame.select(cs.by_name(name)).collect().to_series()

    return _columns(title, names, [partial(read, name) for name in names], rows)


def _array(array: NDArray[Any], title: str) -> Table:
    names = array.dtype.names
    if names is not None and array.ndim == 1:
        return _columns(title, names, [partial(array.__getitem__, name) for name in names], array.shape[0])
    if names is not None or array.ndim not in (1, 2):
        raise DataError(f"{title} is an array of {array.ndim} dimensions; expected two: rows and columns")
    flat = array if array.ndim == 2 else array[:, None]
    places = range(flat.shape[1])
    reads = [partial(flat.__getitem__, (slice(None), place)) for place in places]
    return _columns(title, [f"column_{place + 1}" for place in places], reads, flat.shape[0])


def _mapping(columns: Mapping[Any, Any], title: str) -> Table:
    try:
        lengths = {str(name): len(values) for name, values in columns.items()}
    except TypeError as error:
        raise DataError(f"{title} is a mapping with values that are no columns; expected one array per name") from error
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name}: {length}" for name, length in list(lengths.items())[:5])
        raise DataError(f"{title} has columns of different lengths ({found}); expected as many values in each")
    return _columns(
        title, list(columns), [partial(columns.__getitem__, name) for name in columns], next(iter(lengths.values()), 0)
    )


def _foreign(source: Any, title: str) -> Table:
    """Tables of other libraries, known by what they can do, so that none of them need be imported here."""
    owner, kind = type(source).__module__.partition(".")[0], type(source).__name__
    if owner == "polars" and kind == "Series":
        source, kind = source.to_frame(), "DataFrame"
    if owner == "polars" and kind == "DataFrame":
        reads = [partial(source.get_column, name) for name in source.columns]
        return _columns(title, source.columns, reads, source.height)
    if owner == "pandas" and kind in ("DataFrame", "Series"):
        frame = source if kind == "DataFrame" else source.to_frame()
        reads = [partial(frame.iloc.__getitem__, (slice(None), place)) for place in range(frame.shape[1])]
        return _columns(title, list(frame.columns), reads, frame.shape[0])
    if owner == "pyarrow":
        return _arrow(source, title)
    if hasattr(source, "__arrow_c_stream__") or hasattr(source, "__dataframe__"):
        try:
            return open_table(_interchanged(source), title=title)
        except REFUSALS as error:
            raise DataError(f"{title} cannot be read ({str(error).splitlines()[0]}); expected {KINDS}") from error
    raise DataError(f"{title} is of type {kind}, which is no table; expected {KINDS}")


def _arrow(source: Any, title: str) -> Table:
    """A table, record batch, reader of batches, or data set; of a data set one column at a time is loaded."""
    if hasattr(source, "count_rows"):
        names = source.schema.names

        def read(name: str) -> Any:
            return source.to_table(columns=[name]).column(0)

        return _columns(title, names, [partial(read, name) for name in names], source.count_rows())
    if hasattr(source, "read_all"):
        source = source.read_all()
    if not hasattr(source, "num_columns"):
        raise DataError(f"{title} is an Arrow {type(source).__name__}, which is no table; expected {KINDS}")
    reads = [partial(source.column, place) for place in range(source.num_columns)]
    return _columns(title, source.schema.names, reads, source.num_rows)


def _interchanged(source: Any) -> pl.DataFrame:
    if hasattr(source, "__arrow_c_stream__"):
        return pl.DataFrame(source)
    return pl.from_dataframe(source)


def _typed(frame: pl.DataFrame, name: str) -> Reading:
    return typed(frame[name])
