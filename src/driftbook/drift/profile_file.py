"""A file of column profiles: one ``.npz`` without pickle; the same profiles give the same bytes."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftbook.drift.profile import ColumnProfile, Profile
from driftbook.errors import DriftError
from driftbook.storage import writing

FORMAT = 2
EPOCH = (1980, 1, 1, 0, 0, 0)  # a fixed time in the archive, so that bytes depend on the content alone


def save_profile(path: Path, profile: Profile) -> Path:
    """Write all columns to one ``.npz`` file, atomically and without pickle."""
    arrays: dict[str, NDArray[np.generic]] = {}
    about: list[dict[str, Any]] = []
    for position, (name, column) in enumerate(profile.columns.items()):
        counts = {"rows": column.rows, "missing": column.missing, "infinite": column.infinite}
        labels = list(column.categories.items())
        about.append(
            {"name": name, "kind": column.kind, **counts, "grid_error": column.grid_error, "categories": labels}
        )
        if column.kind == "numeric":
            arrays.update(_packed(position, column))
    header = json.dumps({"format": FORMAT, "columns": about}, ensure_ascii=False).encode()
    arrays["about"] = np.frombuffer(header, dtype=np.uint8)
    with writing(path) as beside:
        write_archive(beside, arrays)
    return path


def load_profile(path: Path) -> Profile:
    """Read what :func:`save_profile` wrote.

    Raises
    ------
    DriftError
        If the file is missing, broken or of another format.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            about = json.loads(archive["about"].tobytes())
            if about["format"] != FORMAT:
                raise DriftError(
                    f"{path.name}: expected profile format {FORMAT}, found {about['format']}; train the model again"
                )
            columns = {each["name"]: _unpacked(place, each, archive) for place, each in enumerate(about["columns"])}
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise DriftError(
            f"expected column profiles in {path.name}, found none that can be read ({type(error).__name__}); "
            "train the model again, or restore the file"
        ) from error
    return Profile(columns)


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


def write_archive(path: Path, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    """Write arrays as ``.npz`` of which the bytes depend on the content alone."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            stream = io.BytesIO()
            np.lib.format.write_array(stream, array, allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, stream.getvalue(), compresslevel=1)
