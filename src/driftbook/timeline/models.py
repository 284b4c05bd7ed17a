"""Model versions: trained once for what they are trained on, numbered in order, kept for ever.

A version is a folder ``v<number>`` that holds the bundle, the detector of outliers, the drift reference,
``estimation.json`` (what estimates of its performance rest on), ``latency.json`` (the measured time of a row) and
``training.json``. Its key is a digest of everything that determines it (rows, declared columns and settings, seed, code
of training), so that a repeated build finds its model instead of training it again, and a killed build leaves no half
model.
The folder is the truth; MLflow's registry is a mirror of it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from driftbook.data.batches import first_stream_day, labelled_rows
from driftbook.decisions.costs import check_costs
from driftbook.drift.engine import Reference, build_reference
from driftbook.drift.reference import OF_THE_MODEL
from driftbook.errors import ModelError, StateError
from driftbook.model.bundle import Bundle
from driftbook.model.estimation import fit_estimation
from driftbook.model.footprint import load_latency, model_size_mb, write_latency
from driftbook.model.isotonic import Recalibration
from driftbook.model.outliers import OutlierDetector
from driftbook.model.training import Training, train
from driftbook.storage import canonical_json, load_json, sha256_file, sha256_text, write_json, writing
from driftbook.timeline.run import Run, version_label
from driftbook.timeline.window import choose_window

PACKAGE = Path(__file__).parents[1]
TRAINING_ROOMS = ("model", "drift")
ESTIMATION_FILE = "estimation.json"


@dataclass(frozen=True)
class Version:
    """One trained model with its reference and its training record."""

    number: int
    folder: Path

    @cached_property
    def training(self) -> dict[str, Any]:
        """The training record: metrics, gate, lineage."""
        record: dict[str, Any] = load_json(self.folder / "training.json")
        return record

    @cached_property
    def bundle(self) -> Bundle:
        """The model, ready to score."""
        return Bundle.load(self.folder)

    @cached_property
    def detector(self) -> OutlierDetector | None:
        """What tells suspicious rows; none beside a model that was trained before there were detectors."""
        return OutlierDetector.load(self.folder)

    def score(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Predictions of the bundle, and outlier_score and outlier where there is a detector."""
        scored = self.bundle.score(rows)
        if self.detector is None:
            return scored
        return scored.hstack(self.detector.columns(self.detector.scores(self.bundle.encoder.matrix(rows))))

    @cached_property
    def reference(self) -> Reference:
        """What the model's inputs and scores looked like in training."""
        return Reference.load(self.folder)

    @cached_property
    def recalibration(self) -> Recalibration:
        """What puts its probabilities right for estimates."""
        path = self.folder / ESTIMATION_FILE
        if not path.exists():
            note = "the model was trained before its probabilities were compared with its targets: they are taken as is"
            return Recalibration(note=note)
        return Recalibration.from_json(load_json(path))

    @cached_property
    def latency_ms(self) -> float | None:
        """Median time of scoring one row when it was trained; ``None``: never measured."""
        return load_latency(self.folder)

    @cached_property
    def size_mb(self) -> float:
        """Megabytes that a service loads."""
        return model_size_mb(self.folder)

    @property
    def label(self) -> str:
        """Name of the folder that holds what it says of batches."""
        return version_label(self.number, self.training)

    @property
    def passed(self) -> bool:
        """Whether the model met its gate."""
        return bool(self.training["gate"]["passed"])

    @property
    def trained_until(self) -> str:
        """Last event time the model has seen, ISO."""
        return str(self.training["trained_until"])


class Versions(dict[int, Version]):
    """Versions by number; one that the records name but nobody finds is asked for in vain, and that is said."""

    def __init__(self, found: dict[int, Version], *, folder: Path) -> None:
        super().__init__(sorted(found.items()))
        self.folder = folder

    def __missing__(self, number: int) -> Version:
        raise StateError(
            f"the records name model version {number}, expected at {self.folder / f'v{number}'}, found no such folder; "
            f"restore it from a backup, or begin anew: driftbook reset --use-case {self.folder.name}"
        )


def load_versions(run: Run) -> Versions:
    """All versions of the use case by number."""
    found = {}
    for folder in run.model_folders:
        for path in folder.glob("v*"):
            if re.fullmatch(r"v\d+", path.name):
                found[int(path.name[1:])] = Version(int(path.name[1:]), path)
    return Versions(found, folder=run.model_folders[0])


def champion_version(run: Run) -> Version:
    """The first champion: trained on what was known on the eve of the stream."""
    return ensure_model(run, cutoff=first_stream_day(run.case, run.settings) - timedelta(days=1), refit=False)


def ensure_model(run: Run, *, cutoff: date, drift_since: date | None = None, refit: bool = True) -> Version:
    """The model trained on the rows labelled by the end of ``cutoff``; trained now unless it exists.

    Parameters
    ----------
    drift_since
        First day of the drift that called for it. The training window (all rows, those since then, or the policy's
        last so many days) is chosen by time-aware validation.
    refit
        As for a challenger: choose a window, and fit once more on all its rows after the test, because the newest carry
        what a challenger has to learn.
    """
    rows = labelled_rows(run.case, run.settings, as_of=cutoff)
    if rows.is_empty():
        raise ModelError(
            f"{run.case.name}: no rows are labelled by {cutoff}, so nothing can be trained; "
            "check the source, label_delay_days and how much history lies before stream_start"
        )
    windows = run.policy.retraining.windows_days if refit else ()
    key = _key(run, rows, cutoff=cutoff, drift_since=drift_since, windows_days=windows)
    versions = load_versions(run)
    for version in versions.values():
        if version.training["key"] == key:
            return version
    check_costs(run.case.costs, rows["target"].drop_nulls().unique())
    window = choose_window(run.case, rows, since=drift_since, windows_days=windows, seed=run.case.seed)
    rows = window.rows
    training = train(run.case, rows, seed=run.case.seed, refit=refit)
    reference = build_reference(
        rows.join(training.scores.select("row_id", *OF_THE_MODEL), on="row_id", how="left"),
        case=run.case,
        seed=run.case.seed,
    )
    number = max(versions, default=0) + 1
    record = {"version": number, "key": key, "cutoff": cutoff, "drift_since": drift_since}
    record |= {"window": window.name, "window_losses": window.losses}
    folder = run.model_folders[-1] / f"v{number}"
    with writing(folder) as beside:
        beside.mkdir()
        training.bundle.save(beside)
        training.detector.save(beside)
        reference.save(beside)
        write_latency(beside, rows)
        write_json(beside / ESTIMATION_FILE, _recalibration(training, rows).to_json())
        write_json(beside / "training.json", {**training.report, **record, "data_sha256": _digest(rows)})
    return Version(number, folder)


def train_challenger(run: Run, *, cutoff: date, drift_since: date | None) -> tuple[Version | None, list[str]]:
    """A challenger and the reasons of its gate; no version where the rows allow none, with that as the reason."""
    try:
        version = ensure_model(run, cutoff=cutoff, drift_since=drift_since)
    except ModelError as error:
        return None, [str(error)]
    return version, list(version.training["gate"]["reasons"])


def _recalibration(training: Training, rows: pl.DataFrame) -> Recalibration:
    """Learned from the scores that the training rows got by models that had not seen them."""
    scored = training.scores.join(rows.select("row_id", "event_time", "target"), on="row_id", maintain_order="left")
    bundle, days = training.bundle, scored["event_time"].dt.date()
    return fit_estimation(scored, classes=bundle.classes, positive=bundle.positive, days=days)


def _key(run: Run, rows: pl.DataFrame, *, cutoff: date, drift_since: date | None, windows_days: tuple[int, ...]) -> str:
    declared = run.case.model_dump(mode="json", include={"batch", "columns", "derived", "model", "task", "seed"})
    files = [path for room in TRAINING_ROOMS for path in sorted((PACKAGE / room).glob("*.py"))]
    return sha256_text(
        canonical_json(
            {
                "case": declared,
                "code": [sha256_file(path) for path in files],
                "cutoff": cutoff,
                "drift_since": drift_since,
                "rows": _digest(rows),
                "windows_days": windows_days,
            }
        )
    )


def _digest(rows: pl.DataFrame) -> str:
    """Digest of a frame's values, the same whatever wrote or read it."""
    digest = hashlib.sha256()
    for name in sorted(rows.columns):
        values = rows[name]
        digest.update(name.encode())
        if values.dtype == pl.String:
            digest.update("\x1f".join(values.fill_null("\x1e").to_list()).encode())
        else:
            digest.update(values.cast(pl.Float64 if values.dtype.is_float() else pl.Int64).to_numpy().tobytes())
    return digest.hexdigest()
