"""What is kept of a column: its sorted finite values, or its category counts, and what is missing.

Sorting a float64 column costs less than binning or sketching it, and from two sorted columns every method gets its
exact answer by binary search. So the profile is exact: the reference is sorted once and stored with the model, a
batch is sorted once per column. Missing and infinite values are counted apart, as bins of their own.

A file of profiles is one ``.npz`` without pickle; the same profile gives the same bytes.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from driftbook.errors import DriftError
from driftbook.storage import writing

Kind = Literal["numeric", "categorical"]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

QUANTILE_BINS = 10
FEW_VALUES = 20  # a numeric column with no more distinct values gets a bin for each
FORMAT = 1
EPOCH = (1980, 1, 1, 0, 0, 0)  # a fixed time in the archive, so that bytes depend on the content alone


@dataclass(frozen=True, eq=False)
class ColumnProfile:
    """One column: ``rows`` in all, of which ``missing`` (null or NaN) and ``infinite``.

    ``values`` are the finite numbers in ascending order (numeric), ``categories`` the count of each text in
    ascending order (categorical); the other one is empty.
    """

    kind: Kind
    rows: int
    missing: int
    infinite: int = 0
    values: Floats = field(default_factory=lambda: np.empty(0))
    categories: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def mean(self) -> float:
        """Mean of the finite values; NaN if there is none."""
        return float(self.values.mean()) if self.values.size else float("nan")

    @cached_property
    def std(self) -> float:
        """Standard deviation of the finite values (ddof 0); NaN if there is none."""
        return float(self.values.std()) if self.values.size else float("nan")

    @cached_property
    def centred_sums(self) -> Floats:
        """Running sums of the values less their mean, from 0: integrals of the quantile function."""
        return np.concatenate([[0.0], np.cumsum(self.values - self.mean)]) if self.values.size else np.zeros(1)

    @cached_property
    def edges(self) -> Floats:
        """Upper edges of the bins: every distinct value if few, else the inner quantiles."""
        values = self.values
        if not values.size:
            return values
        distinct = _few_distinct(values)
        if distinct is not None:
            return distinct
        places = (np.arange(1, QUANTILE_BINS) * values.size) // QUANTILE_BINS
        return np.unique(values[places])

    @cached_property
    def own_counts(self) -> Integers:
        """Rows per bin of its own binning."""
        return self.counts(self)

    def counts(self, other: ColumnProfile) -> Integers:
        """Rows of ``other`` per bin of this column.

        Numeric: up to each edge, above the last one, infinite, missing. Categorical: each category of this
        column, unseen ones together, missing.

        Examples
        --------
        >>> reference = column_profile(pl.Series(["a", "a", "b", None]), kind="categorical")
        >>> reference.counts(column_profile(pl.Series(["a", "c"]), kind="categorical")).tolist()
        [1, 0, 1, 0]
        """
        if self.kind == "numeric":
            upto = other.values.searchsorted(self.edges, side="right")
            inside = np.diff(upto, prepend=0, append=other.values.size)
            return np.append(inside, [other.infinite, other.missing]).astype(np.int64)
        seen = [other.categories.get(label, 0) for label in self.categories]
        unseen = other.rows - other.missing - sum(seen)
        return np.array([*seen, unseen, other.missing], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Profile(Mapping[str, ColumnProfile]):
    """Column profiles by name, in order."""

    columns: Mapping[str, ColumnProfile]

    def __getitem__(self, name: str) -> ColumnProfile:
        return self.columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def save(self, path: Path) -> Path:
        """Write all columns to one ``.npz`` file, atomically and without pickle."""
        arrays: dict[str, NDArray[np.generic]] = {}
        about: list[dict[str, Any]] = []
        for position, (name, column) in enumerate(self.columns.items()):
            counts = {"rows": column.rows, "missing": column.missing, "infinite": column.infinite}
            about.append({"name": name, "kind": column.kind, **counts, "categories": list(column.categories.items())})
            if column.kind == "numeric":
                arrays.update(_packed(position, column.values))
        header = json.dumps({"format": FORMAT, "columns": about}, ensure_ascii=False).encode()
        arrays["about"] = np.frombuffer(header, dtype=np.uint8)
        with writing(path) as beside:
            _write_archive(beside, arrays)
        return path

    @classmethod
    def load(cls, path: Path) -> Profile:
        """Read what :meth:`save` wrote.

        Raises
        ------
        DriftError
            If the file is missing, broken or of another format.
        """
        try:
            with np.load(path, allow_pickle=False) as archive:
                about = json.loads(archive["about"].tobytes())
                if about["format"] != FORMAT:
                    raise DriftError(f"{path.name}: expected profile format {FORMAT}, found {about['format']}")
                columns = {each["name"]: _unpacked(place, each, archive) for place, each in enumerate(about["columns"])}
        except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise DriftError(
                f"expected column profiles in {path.name}, found none that can be read ({type(error).__name__}); "
                "train the model again, or restore the file"
            ) from error
        return cls(columns)


def profile(frame: pl.DataFrame, kinds: Mapping[str, Kind]) -> Profile:
    """Profile the named columns of a frame.

    Parameters
    ----------
    frame
        Any frame that holds the columns.
    kinds
        Which columns, and how each is to be read: ``numeric`` or ``categorical``.

    Raises
    ------
    DriftError
        If a column is not there, or holds what is neither a number nor a text.

    Examples
    --------
    >>> frame = pl.DataFrame({"age": [41.0, None, 33.0], "plan": ["b", "a", "b"]})
    >>> profiles = profile(frame, {"age": "numeric", "plan": "categorical"})
    >>> profiles["age"].values.tolist(), profiles["age"].missing, dict(profiles["plan"].categories)
    ([33.0, 41.0], 1, {'a': 1, 'b': 2})
    """
    missing = [name for name in kinds if name not in frame.columns]
    if missing:
        raise DriftError(f"expected columns {', '.join(missing)}, found only {', '.join(frame.columns) or 'none'}")
    return Profile({name: column_profile(frame[name], kind=kind) for name, kind in kinds.items()})


def column_profile(series: pl.Series, *, kind: Kind) -> ColumnProfile:
    """Profile one column; see :func:`profile`."""
    return slice_profiles(series, [0, series.len()], kind=kind)[0]


def slice_profiles(series: pl.Series, offsets: Sequence[int], *, kind: Kind) -> list[ColumnProfile]:
    """Profile each slice ``offsets[i]:offsets[i + 1]`` of a column: the batches of a stream, or chunks.

    Examples
    --------
    >>> [each.values.tolist() for each in slice_profiles(pl.Series([2, 1, 3]), [0, 2, 3], kind="numeric")]
    [[1.0, 2.0], [3.0]]
    """
    bounds = list(pairwise(offsets))
    if kind == "numeric":
        numbers = _as_numbers(series)
        return [_numeric(numbers[first:last]) for first, last in bounds]
    return _categorical(_as_text(series), bounds)


def _as_numbers(series: pl.Series) -> Floats:
    dtype = series.dtype
    try:
        if isinstance(dtype, pl.Categorical | pl.Enum):
            series = series.cast(pl.String)
        if dtype.is_temporal():
            series = series.to_physical()
        return series.cast(pl.Float64, strict=False).to_numpy()
    except pl.exceptions.PolarsError as error:
        raise DriftError(f"column {series.name!r}: expected numbers, found {dtype}") from error


def _as_text(series: pl.Series) -> pl.Series:
    try:
        return series.cast(pl.String)
    except pl.exceptions.PolarsError as error:
        raise DriftError(f"column {series.name!r}: expected categories, found {series.dtype}") from error


def _numeric(numbers: Floats) -> ColumnProfile:
    finite = numbers[np.isfinite(numbers)]
    missing = int(np.isnan(numbers).sum()) if finite.size < numbers.size else 0
    infinite = numbers.size - finite.size - missing
    finite = np.sort(finite) + 0.0  # -0.0 and 0.0 are one number: one sign, so that bytes are the same
    return ColumnProfile(kind="numeric", rows=numbers.size, missing=missing, infinite=infinite, values=finite)


def _categorical(text: pl.Series, bounds: Sequence[tuple[int, int]]) -> list[ColumnProfile]:
    if not bounds:
        return []
    lengths = [last - first for first, last in bounds]
    part = np.repeat(np.arange(len(bounds)), lengths)
    frame = pl.DataFrame({"part": part, "label": text.slice(bounds[0][0], sum(lengths))})
    counts: list[dict[str, int]] = [{} for _ in bounds]
    missing = [0] * len(bounds)
    for place, label, rows in frame.group_by("part", "label").len().sort("part", "label").iter_rows():
        if label is None:
            missing[place] = rows
        else:
            counts[place][label] = rows
    return [
        ColumnProfile(kind="categorical", rows=length, missing=absent, categories=each)
        for length, absent, each in zip(lengths, missing, counts, strict=True)
    ]


def _few_distinct(values: Floats) -> Floats | None:
    """Distinct values of a sorted array, found by jumping from one to the next; None if more than a few."""
    distinct: list[float] = []
    place = 0
    while place < values.size:
        if len(distinct) == FEW_VALUES:
            return None
        distinct.append(float(values[place]))
        place = int(values.searchsorted(values[place], side="right"))
    return np.array(distinct)


def _packed(position: int, values: Floats) -> dict[str, NDArray[np.generic]]:
    """A sorted column as distinct values and counts where that is shorter."""
    distinct, counts = np.unique(values, return_counts=True)
    if distinct.size * 3 > values.size * 2:
        return {f"values_{position}": values}
    return {f"distinct_{position}": distinct, f"counts_{position}": counts.astype(np.uint32)}


def _unpacked(position: int, about: Mapping[str, Any], archive: Mapping[str, NDArray[Any]]) -> ColumnProfile:
    values = np.empty(0)
    if f"values_{position}" in archive:
        values = archive[f"values_{position}"]
    elif f"distinct_{position}" in archive:
        values = np.repeat(archive[f"distinct_{position}"], archive[f"counts_{position}"].astype(np.int64))
    counts = {key: int(about[key]) for key in ("rows", "missing", "infinite")}
    return ColumnProfile(kind=about["kind"], values=values, categories=dict(about["categories"]), **counts)


def _write_archive(path: Path, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            stream = io.BytesIO()
            np.lib.format.write_array(stream, array, allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, stream.getvalue(), compresslevel=1)
