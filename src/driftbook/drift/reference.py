"""The reference: what a model was trained on, profiled once, with what chance alone does to it.

It is stored beside the model, so that every version is judged against its own training data. All methods on columns
are calibrated, not only those of today's policy, so that another policy can be tried on all of history; of the slower
ones on whole batches, those of the use case's policy.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from driftbook.config import UseCase, load_policy
from driftbook.drift.batches import stack_batches
from driftbook.drift.calibration import (
    FEWEST_CHUNKS,
    FEWEST_ROWS,
    LARGEST_SHARE,
    MOST_CHUNKS,
    Basis,
    chunks_missing,
    null_amounts,
)
from driftbook.drift.joint import JOINT_METHODS, JointReference, joint_amounts, joint_deviations
from driftbook.drift.profile import ColumnProfile, Floats, Integers, Kind, Profile, profile, readable
from driftbook.drift.profile_file import load_profile, save_profile
from driftbook.drift.seasons import Season, season_of
from driftbook.errors import DriftError
from driftbook.storage import load_json, read_parquet, write_json, write_parquet

Role = Literal["feature", "prediction", "outlier", "target"]
OF_THE_MODEL: Mapping[str, tuple[Kind, Role]] = {
    "prediction_score": ("numeric", "prediction"),
    "prediction": ("categorical", "prediction"),
    "outlier": ("categorical", "outlier"),
}
BATCHES_PER_DAY = {"day": 1, "hour": 24, None: 1}
FORMAT = 2
SAMPLE_ROWS = 5_000  # joint rows kept for methods that look at all columns together


@dataclass(frozen=True, eq=False)
class Reference:
    """Profiles of all monitored columns, their roles, and the basis of calibrated thresholds.

    ``batch_rows`` are the rows of the reference's own batches, in order. ``sample`` holds some of its rows as they
    were (at most 5,000, drawn by chance), for methods that look at all columns together, and ``deviations`` what those
    say of its own chunks. ``seasons`` holds the profile of each season, if the use case has any.
    """

    profile: Profile
    roles: Mapping[str, Role]
    basis: Basis
    batches_per_day: int
    batch_rows: tuple[int, ...] = ()
    sample: pl.DataFrame = field(default_factory=pl.DataFrame)
    deviations: Mapping[str, Floats] = field(default_factory=dict)
    season: Season = "none"
    seasons: Mapping[str, Profile] = field(default_factory=dict)

    def profile_for(self, batch_id: str) -> Profile:
        """What a batch is compared with: the part of its season, or all where there is none."""
        return self.seasons.get(season_of(batch_id, self.season) or "", self.profile)

    @property
    def joint(self) -> JointReference:
        """What whole batches are compared with."""
        features = {name: self.profile[name].kind for name, role in self.roles.items() if role == "feature"}
        return JointReference(self.sample, self.batch_rows, features)

    def save(self, folder: Path) -> Path:
        """Write ``reference.npz``, ``reference.json`` and ``reference_rows.parquet`` into a folder."""
        save_profile(folder / "reference.npz", self.profile)
        write_parquet(folder / "reference_rows.parquet", self.sample)
        amounts = [[column, method, values.tolist()] for (column, method), values in self.basis.amounts.items()]
        basis = {"origin": self.basis.origin, "chunk_rows": self.basis.chunk_rows, "note": self.basis.note}
        record = {"format": FORMAT, "roles": dict(self.roles), "batches_per_day": self.batches_per_day}
        record["batch_rows"] = list(self.batch_rows)
        record["deviations"] = {name: values.tolist() for name, values in self.deviations.items()}
        record |= {"season": self.season, "seasons": sorted(self.seasons)}
        for name, part in self.seasons.items():
            save_profile(_season_file(folder, name), part)
        write_json(folder / "reference.json", {**record, "basis": {**basis, "amounts": amounts}})
        return folder

    @classmethod
    def load(cls, folder: Path) -> Reference:
        """Read what :meth:`save` wrote.

        Raises
        ------
        DriftError
            If a file cannot be read or is of another format.
        """
        record = load_json(folder / "reference.json")
        if not isinstance(record, dict) or record.get("format") != FORMAT:
            raise DriftError(f"reference.json in {folder.name}: expected format {FORMAT}; train the model again")
        profile = load_profile(folder / "reference.npz")
        basis = dict(record["basis"])
        amounts = {
            (column, method): np.array(values, dtype=np.float64) for column, method, values in basis.pop("amounts")
        }
        roles = {name: record["roles"][name] for name in profile}
        return cls(
            profile,
            roles,
            Basis(amounts=amounts, **basis),
            record["batches_per_day"],
            tuple(record["batch_rows"]),
            read_parquet(folder / "reference_rows.parquet"),
            {name: np.array(values, dtype=np.float64) for name, values in record["deviations"].items()},
            record["season"],
            {name: load_profile(_season_file(folder, name)) for name in record["seasons"]},
        )


def _season_file(folder: Path, name: str) -> Path:
    return folder / f"reference_{name.replace(' ', '_')}.npz"


def build_reference(rows: pl.DataFrame, *, case: UseCase, seed: int) -> Reference:
    """Profile the rows a model was trained on, and learn what chance does to them.

    Parameters
    ----------
    rows
        Features, ``batch_id``, and as far as known ``target``, and out of sample ``prediction``, ``prediction_score``
        and ``outlier``.
    seed
        Of the random rows drawn where the reference has too few batches of its own.
    """
    kinds, roles = _monitored(case, rows)
    rows = readable(rows, kinds).sort("batch_id", maintain_order=True)
    chunks = _chunks(rows["batch_id"], batch_rows=case.batch.rows, seed=seed)
    whole = profile(rows, kinds)
    seasons = _seasons(rows, case.batch.season, kinds) if chunks.origin == "batches" else {}
    references = [seasons.get(season_of(each, case.batch.season) or "", whole) for each in chunks.batch_ids]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as threads:
        found = threads.map(
            lambda name: _amounts(rows[name], kinds[name], chunks, [each[name] for each in references]), kinds
        )
        amounts = {(name, by): each for name, column in zip(kinds, found, strict=True) for by, each in column.items()}
    features = {name: kind for name, kind in kinds.items() if roles[name] == "feature"}
    sample, sizes, deviations = _together(rows, chunks, case=case, features=features, seed=seed)
    amounts.update(joint_amounts(deviations))
    basis = Basis(chunks.origin, chunks.rows, {pair: _rounded(each) for pair, each in amounts.items()}, chunks.note)
    per_day = BATCHES_PER_DAY[case.batch.period]
    return Reference(whole, roles, basis, per_day, sizes, sample, deviations, case.batch.season, seasons)


def _amounts(series: pl.Series, kind: Kind, chunks: _Chunks, references: Sequence[ColumnProfile]) -> dict[str, Floats]:
    """Amounts of a column's chunks by method, each against the rest of what its batch is compared with."""
    found: dict[str, Floats] = {}
    for reference in dict.fromkeys(references):
        numbers = [number for number, each in enumerate(references) if each is reference]
        bounds = [(chunks.offsets[number], chunks.offsets[number + 1]) for number in numbers]
        places = np.concatenate([chunks.places[first:last] for first, last in bounds])
        offsets = np.asarray(_offsets(np.array([last - first for first, last in bounds])))
        parts = stack_batches(series.gather(places), offsets, kind=kind)
        for name, values in null_amounts(reference, parts).items():
            found.setdefault(name, np.full(len(references), np.nan))[numbers] = values
    return found


def _seasons(rows: pl.DataFrame, season: Season, kinds: Mapping[str, Kind]) -> dict[str, Profile]:
    """A profile of the rows of each season."""
    ids = rows["batch_id"].unique()
    named = pl.DataFrame({"batch_id": ids, "season": [season_of(each, season) for each in ids]})
    parts = rows.join(named, on="batch_id").filter(pl.col("season").is_not_null()).partition_by("season", as_dict=True)
    return {str(name): profile(part, kinds) for (name,), part in sorted(parts.items())}


def _monitored(case: UseCase, rows: pl.DataFrame) -> tuple[dict[str, Kind], dict[str, Role]]:
    """The columns that are watched, how each is read, and what it is."""
    kinds: dict[str, Kind] = dict.fromkeys(case.columns.numeric, "numeric")
    kinds.update((name, "categorical") for name in case.columns.categorical)
    roles: dict[str, Role] = dict.fromkeys(kinds, "feature")
    for name, (kind, role) in OF_THE_MODEL.items():
        if name in rows.columns:
            kinds[name], roles[name] = kind, role
    if "target" in rows.columns:
        kinds["target"], roles["target"] = "categorical", "target"
    lacking = [name for name in (*kinds, "batch_id") if name not in rows.columns]
    if lacking or rows.is_empty():
        found = f"none of {', '.join(lacking)}" if lacking else "no rows"
        raise DriftError(f"expected the rows a model was trained on, found {found}")
    return kinds, roles


def _together(
    rows: pl.DataFrame, chunks: _Chunks, *, case: UseCase, features: Mapping[str, Kind], seed: int
) -> tuple[pl.DataFrame, tuple[int, ...], dict[str, Floats]]:
    """Some of the rows, the sizes of the batches, and what methods on whole batches say of the chunks."""
    counted = case.batch.period is not None  # else the rows of a batch were chosen, and say nothing
    sizes = tuple(rows["batch_id"].rle().struct.field("len").to_list()) if counted else ()
    methods = [name for name in load_policy(case.policy).drift.table if name in JOINT_METHODS]
    numbered = rows.select("batch_id", *features).with_row_index("row")
    sample = numbered.sample(min(SAMPLE_ROWS, rows.height), seed=seed).sort("row")
    pieces = [numbered[chunks.places[first:last]] for first, last in pairwise(chunks.offsets)]
    own = chunks.origin == "batches" and bool(sizes)
    joint = JointReference(sample, sizes, features)
    deviations = joint_deviations(joint, pieces, methods=methods, own_batches=own)
    return sample.drop("row"), sizes, {name: _rounded(values) for name, values in deviations.items()}


@dataclass(frozen=True)
class _Chunks:
    """Rows of the chunks, one after another, and where each begins."""

    origin: Literal["batches", "random_rows", "none"]
    rows: int
    places: Integers
    offsets: Sequence[int]
    batch_ids: Sequence[str]
    note: str | None = None


def _chunks(batch_ids: pl.Series, *, batch_rows: int | None, seed: int) -> _Chunks:
    """The reference's own batches where there are enough, otherwise random rows."""
    total = batch_ids.len()
    sizes = batch_ids.rle().struct.field("len").to_numpy().astype(np.int64)
    starts = np.cumsum(sizes) - sizes
    random = np.random.default_rng(seed)
    usable = np.flatnonzero((sizes >= FEWEST_ROWS) & (sizes * LARGEST_SHARE <= total))
    if usable.size >= FEWEST_CHUNKS:
        if usable.size > MOST_CHUNKS:
            usable = np.sort(random.choice(usable, size=MOST_CHUNKS, replace=False))
        places = np.concatenate([np.arange(starts[each], starts[each] + sizes[each]) for each in usable])
        ids = batch_ids.gather(starts[usable]).to_list()
        return _Chunks("batches", int(np.median(sizes[usable])), places, _offsets(sizes[usable]), ids)
    rows = batch_rows or int(np.median(sizes[sizes >= FEWEST_ROWS])) if (sizes >= FEWEST_ROWS).any() else FEWEST_ROWS
    rows = max(min(rows, total // LARGEST_SHARE), 0)
    if rows < FEWEST_ROWS:
        needed = FEWEST_ROWS * LARGEST_SHARE
        note = f"the reference has {total} rows; to learn what chance does to a batch at least {needed} are needed"
        return _Chunks("none", 0, np.empty(0, dtype=np.int64), [0], [], note)
    places = np.concatenate([random.choice(total, size=rows, replace=False) for _ in range(MOST_CHUNKS)])
    note = f"{chunks_missing(usable.size)}; until then random rows of it stand in, which differ less than batches may"
    drawn = _offsets(np.full(MOST_CHUNKS, rows))
    return _Chunks("random_rows", rows, places, drawn, [""] * MOST_CHUNKS, note)


def _offsets(sizes: Integers) -> list[int]:
    return [0, *np.cumsum(sizes).tolist()]


def _rounded(values: Floats) -> Floats:
    """To the digits a record keeps, so that a stored reference judges exactly like a fresh one."""
    return np.array([float(f"{value:.12g}") for value in values])
