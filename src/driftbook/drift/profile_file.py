"""A file of column profiles: one ``.npz`` without pickle; the same profiles give the same bytes.

Long columns lie in it as they are, so that one can be read by itself as fast as the disk gives it: a table larger
than memory is compared with a stored reference column by column (:func:`open_profile`).
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftbook.drift.profile import ColumnProfile, Profile
from driftbook.errors import DriftError
from driftbook.storage import writing

FORMAT = 2
EPOCH = (1980, 1, 1, 0, 0, 0)  # a fixed time in the archive, so that bytes depend on the content alone
LONG = 2**16  # bytes of an array from which on reading it fast is worth more than a shorter file
HEADER = 30  # bytes of a zip entry before its name
FAULTS = (OSError, KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile, zlib.error)


def save_profile(path: Path, profile: Mapping[str, ColumnProfile]) -> Path:
    """Write all columns to one ``.npz`` file, atomically and without pickle; one column at a time."""
    about: list[dict[str, Any]] = []

    def arrays() -> Iterator[tuple[str, NDArray[np.generic]]]:
        for position, (name, column) in enumerate(profile.items()):
            counts = {"rows": column.rows, "missing": column.missing, "infinite": column.infinite}
            labels = list(column.categories.items())
            about.append(
                {"name": name, "kind": column.kind, **counts, "grid_error": column.grid_error, "categories": labels}
            )
            if column.kind == "numeric":
                yield from _packed(position, column).items()
        header = json.dumps({"format": FORMAT, "columns": about}, ensure_ascii=False).encode()
        yield "about", np.frombuffer(header, dtype=np.uint8)

    with writing(path) as beside:
        write_archive(beside, arrays())
    return path


def load_profile(path: Path) -> Profile:
    """Read what :func:`save_profile` wrote, all columns into memory.

    Raises
    ------
    DriftError
        If the file is missing, broken or of another format.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            columns = {
                each["name"]: _unpacked(place, each, archive) for place, each in enumerate(_about(path, archive))
            }
    except FAULTS as error:
        raise _unreadable(path, error) from error
    return Profile(columns)


def open_profile(path: Path) -> Profile:
    """The same, but each column is read whenever it is asked for, and not kept: for references larger than memory.

    The file must stay where it is; threads may read at the same time. Long columns are read without the checksum
    that :func:`load_profile` looks at.

    Raises
    ------
    DriftError
        If the file is missing, broken or of another format; also when a column is read.

    Examples
    --------
    >>> import tempfile
    >>> import polars as pl
    >>> from driftbook.drift.profile import profile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     frame = pl.DataFrame({"age": [41.0, 33.0], "plan": ["b", "a"]})
    ...     path = save_profile(Path(folder) / "p.npz", profile(frame, {"age": "numeric", "plan": "categorical"}))
    ...     stored = open_profile(path)
    ...     list(stored), stored["age"].values.tolist()
    (['age', 'plan'], [33.0, 41.0])
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            about = {each["name"]: (place, each) for place, each in enumerate(_about(path, archive))}
        with zipfile.ZipFile(path) as names:
            entries = {each.filename.removesuffix(".npy"): each for each in names.infolist()}
    except FAULTS as error:
        raise _unreadable(path, error) from error
    return Profile(_Stored(path, about, _Entries(path, entries)))


class _Stored(Mapping[str, ColumnProfile]):
    """Columns read from a file when they are asked for."""

    def __init__(self, path: Path, about: Mapping[str, tuple[int, Mapping[str, Any]]], entries: _Entries) -> None:
        self._path, self._about, self._entries = path, about, entries

    def __getitem__(self, name: str) -> ColumnProfile:
        place, about = self._about[name]
        try:
            return _unpacked(place, about, self._entries)
        except FAULTS as error:
            raise _unreadable(self._path, error) from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._about)

    def __len__(self) -> int:
        return len(self._about)


class _Entries(Mapping[str, NDArray[Any]]):
    """Arrays of an ``.npz``, each read alone, without going through the archive's directory again."""

    def __init__(self, path: Path, entries: Mapping[str, zipfile.ZipInfo]) -> None:
        self._path, self._entries = path, entries

    def __getitem__(self, name: str) -> NDArray[Any]:
        entry = self._entries[name]
        with self._path.open("rb") as stream:
            stream.seek(entry.header_offset)
            header = stream.read(HEADER)
            stream.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), 1)
            if entry.compress_type == zipfile.ZIP_STORED:
                return _array(stream)
            return _array(io.BytesIO(zlib.decompress(stream.read(entry.compress_size), -zlib.MAX_WBITS)))

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def _array(stream: Any) -> NDArray[Any]:
    found: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    return found


def _about(path: Path, archive: Mapping[str, NDArray[Any]]) -> list[dict[str, Any]]:
    about: dict[str, Any] = json.loads(archive["about"].tobytes())
    if about["format"] != FORMAT:
        raise DriftError(
            f"{path.name}: expected profile format {FORMAT}, found {about['format']}; train the model again"
        )
    columns: list[dict[str, Any]] = about["columns"]
    return columns


def _unreadable(path: Path, error: Exception) -> DriftError:
    return DriftError(
        f"expected column profiles in {path.name}, found none that can be read ({type(error).__name__}); "
        "train the model again, or restore the file"
    )


def _packed(position: int, column: ColumnProfile) -> dict[str, NDArray[np.generic]]:
    """A sorted column as distinct values and counts where that is shorter."""
    values, counts = column.values + 0.0, column.weights  # -0.0 and 0.0 are one number: one sign, the same bytes
    if counts is None:
        distinct, counts = np.unique(values, return_counts=True)
        if distinct.size * 3 > values.size * 2:
            return {f"values_{position}": values}
        return {f"distinct_{position}": distinct, f"counts_{position}": counts.astype(np.uint32)}
    return {f"weighted_{position}": values, f"upto_{position}": np.cumsum(counts)}


def _unpacked(position: int, about: Mapping[str, Any], archive: Mapping[str, NDArray[Any]]) -> ColumnProfile:
    values, upto = np.empty(0), None
    if f"values_{position}" in archive:
        values = archive[f"values_{position}"]
    elif f"distinct_{position}" in archive:
        values = np.repeat(archive[f"distinct_{position}"], archive[f"counts_{position}"].astype(np.int64))
    elif f"weighted_{position}" in archive:
        values, upto = archive[f"weighted_{position}"], archive[f"upto_{position}"].astype(np.int64)
    counts = {key: int(about[key]) for key in ("rows", "missing", "infinite")}
    return ColumnProfile(
        kind=about["kind"],
        values=values,
        upto=upto,
        categories=dict(about["categories"]),
        grid_error=float(about["grid_error"]),
        **counts,
    )


def write_archive(path: Path, arrays: Iterable[tuple[str, NDArray[np.generic]]]) -> None:
    """Write named arrays as ``.npz`` of which the bytes depend on the content alone; long ones not deflated."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays:
            stream = io.BytesIO()
            np.lib.format.write_array(stream, array, allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=EPOCH)
            entry.compress_type = zipfile.ZIP_STORED if array.nbytes >= LONG else zipfile.ZIP_DEFLATED
            archive.writestr(entry, stream.getbuffer(), compresslevel=1)
