"""A file of compact columns: how a machine hands over what it has counted.

One ``.npz`` without pickle; the same profiles give the same bytes.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftbook.drift.compact import CompactColumn, CompactProfile
from driftbook.drift.grid import Grid
from driftbook.drift.profile_file import write_archive
from driftbook.drift.summaries import FrequentItems, Moments
from driftbook.errors import DriftError
from driftbook.storage import writing

FORMAT = 1


def save_compact(path: Path, profile: CompactProfile) -> Path:
    """Write all columns to one ``.npz`` file, atomically.

    Examples
    --------
    >>> import tempfile
    >>> from driftbook.drift.compact import compact_profile
    >>> import polars as pl
    >>> profile = compact_profile([pl.DataFrame({"age": [1.0, 3.0]})], {"age": Grid("numeric", np.array([2.0]))})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = load_compact(save_compact(Path(folder) / "monday.npz", profile))
    >>> found["age"].counts.tolist()
    [1, 0, 1]
    """
    arrays: dict[str, NDArray[np.generic]] = {}
    about: list[dict[str, Any]] = []
    for position, (name, column) in enumerate(profile.items()):
        grid, moments = column.grid, column.moments
        rows = {"rows": column.rows, "missing": column.missing, "infinite": column.infinite, "finite": moments.count}
        others = asdict(column.others)
        about.append({"name": name, "kind": grid.kind, "labels": grid.labels, "others": others, **rows})
        arrays[f"points_{position}"] = grid.points
        arrays[f"counts_{position}"] = column.counts
        arrays[f"sums_{position}"] = column.sums + 0.0  # -0.0 and 0.0 are one number: one sign, the same bytes
        arrays[f"moments_{position}"] = np.array([moments.mean, moments.squares, moments.low, moments.high]) + 0.0
    header = json.dumps({"compact": FORMAT, "columns": about}, ensure_ascii=False).encode()
    arrays["about"] = np.frombuffer(header, dtype=np.uint8)
    with writing(path) as beside:
        write_archive(beside, arrays.items())
    return path


def load_compact(path: Path) -> CompactProfile:
    """Read what :func:`save_compact` wrote.

    Raises
    ------
    DriftError
        If the file is missing, broken or of another format.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            about = json.loads(archive["about"].tobytes())
            if about["compact"] != FORMAT:
                raise DriftError(
                    f"{path.name}: expected compact format {FORMAT}, found {about['compact']}; count again"
                )
            columns = {each["name"]: _column(place, each, archive) for place, each in enumerate(about["columns"])}
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise DriftError(
            f"expected compact profiles in {path.name}, found none that can be read ({type(error).__name__}); "
            "count the rows again, or restore the file"
        ) from error
    return CompactProfile(columns)


def _column(position: int, about: Mapping[str, Any], archive: Mapping[str, NDArray[Any]]) -> CompactColumn:
    points, counts, sums, moments = (
        archive[f"{name}_{position}"] for name in ("points", "counts", "sums", "moments")
    )  # fmt: skip
    mean, squares, low, high = moments.tolist()
    return CompactColumn(
        Grid(about["kind"], points, tuple(about["labels"])),
        about["rows"],
        about["missing"],
        about["infinite"],
        counts,
        sums,
        Moments(about["finite"], mean, squares, low, high),
        FrequentItems(**about["others"]),
    )
