"""The served artefact: everything that turns a row into a calibrated probability, in two readable files.

``model.ubj`` is XGBoost's own format, ``schema.json`` holds encoder, classes and calibration. No pickle, so that
loading a model runs no foreign code and survives other versions of Python; no mlflow and no scikit-learn, so that a
service starts fast. ``schema.json`` is written last and names the digest of ``model.ubj``: a bundle that was cut
short or tampered with is refused, never half used.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from driftbook import storage
from driftbook.errors import ModelError, StateError
from driftbook.model.calibration import Array, Calibration
from driftbook.model.features import Encoder, Matrix

if TYPE_CHECKING:
    import xgboost

FORMAT = 1
MODEL_FILE = "model.ubj"
SCHEMA_FILE = "schema.json"
SCORE_SCHEMA = pl.Schema(
    {
        "row_id": pl.String(),
        "prediction": pl.String(),
        "prediction_score": pl.Float64(),
        "probabilities": pl.List(pl.Float64()),
    }
)


_importing = threading.Lock()


def load_xgboost() -> Any:
    """XGBoost, imported when first used and without scikit-learn.

    On import XGBoost looks for scikit-learn, for wrappers that are not used here; that takes 1.9 of its 2.4 s and every
    notebook that scores would pay it. So it is told that there is none, unless it was imported before.
    """
    with _importing:
        if "xgboost" not in sys.modules and "sklearn" not in sys.modules:
            sys.modules["sklearn"] = None  # type: ignore[assignment]  # Python's way to say: not to be imported
            try:
                importlib.import_module("xgboost")
            finally:
                del sys.modules["sklearn"]
        return importlib.import_module("xgboost")


@dataclass(frozen=True, eq=False)
class Bundle:
    """A fitted model with its encoder and calibration; the second of two classes is the positive one."""

    booster: xgboost.Booster
    encoder: Encoder
    calibration: Calibration
    classes: tuple[str, ...]
    task: str

    @property
    def positive(self) -> str | None:
        """The positive class of a binary task."""
        return self.classes[1] if self.task == "binary" else None

    def save(self, folder: Path) -> Path:
        """Write both files, the model first; the same bundle gives the same bytes."""
        raw = bytes(self.booster.save_raw(raw_format="ubj"))
        with storage.writing(folder / MODEL_FILE) as beside:
            beside.write_bytes(raw)
        content = {
            "format": FORMAT,
            "task": self.task,
            "classes": list(self.classes),
            "encoder": self.encoder.to_json(),
            "calibration": self.calibration.to_json(),
            "model_sha256": hashlib.sha256(raw).hexdigest(),
        }
        storage.write_json(folder / SCHEMA_FILE, content)
        return folder

    @classmethod
    def load(cls, folder: Path, *, threads: int = 1) -> Bundle:
        """Read a bundle; ``threads`` is how many cores :meth:`score` may use.

        Raises
        ------
        ModelError
            If a file is missing, was changed, or is of another format.
        """
        xgboost = load_xgboost()
        content = _schema(folder)
        booster = xgboost.Booster({"nthread": threads})
        booster.load_model(bytearray(_model(folder, content)))
        booster.set_param({"nthread": threads})
        try:
            return cls(
                booster=booster,
                encoder=Encoder.from_json(content["encoder"]),
                calibration=Calibration.from_json(content["calibration"]),
                classes=tuple(content["classes"]),
                task=str(content["task"]),
            )
        except KeyError as error:
            raise ModelError(f"{SCHEMA_FILE} in {folder} lacks the key {error}; train the model again") from error

    def margins(self, matrix: Matrix) -> Array:
        """Uncalibrated margins, shape (rows,) for two classes, else (rows, classes)."""
        if not len(matrix):
            shape = (0,) if self.task == "binary" else (0, len(self.classes))
            return np.empty(shape, dtype=np.float64)
        margins = self.booster.inplace_predict(matrix, predict_type="margin", validate_features=False)
        return np.asarray(margins, dtype=np.float64)

    def probabilities(self, rows: pl.DataFrame) -> Array:
        """Calibrated probabilities, shape (rows, classes)."""
        return self.calibration.probabilities(self.margins(self.encoder.matrix(rows)))

    def score(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Predictions in the order of ``rows``: row_id, prediction, prediction_score, probabilities.

        ``prediction`` is the most probable class (of a tie, the first); ``prediction_score`` the probability of the
        positive class in a binary task, else of the predicted class.
        """
        return as_predictions(rows["row_id"], self.probabilities(rows), classes=self.classes, task=self.task)


def check_bundle(folder: Path) -> None:
    """Make sure that the bundle in ``folder`` is whole, as it was saved, without loading it.

    Raises
    ------
    ModelError
        If a file is missing, was changed, or is of another format.
    """
    _model(folder, _schema(folder))


def as_predictions(row_ids: pl.Series, probabilities: Array, *, classes: tuple[str, ...], task: str) -> pl.DataFrame:
    """Decide a class for each row and lay probabilities out as a frame.

    Examples
    --------
    >>> as_predictions(pl.Series(["a"]), np.array([[0.25, 0.75]]), classes=("no", "yes"), task="binary").row(0)
    ('a', 'yes', 0.75, [0.25, 0.75])
    """
    decided = probabilities.argmax(axis=1)
    score = probabilities[:, 1] if task == "binary" else probabilities[np.arange(len(decided)), decided]
    lists = pl.Series(probabilities, dtype=pl.Array(pl.Float64, len(classes))).cast(pl.List(pl.Float64))
    names = pl.Series(classes, dtype=pl.String)
    columns = {
        "row_id": row_ids.cast(pl.String),
        "prediction": names.gather(decided),
        "prediction_score": score,
        "probabilities": lists,
    }
    return pl.DataFrame(columns, schema=SCORE_SCHEMA)


def _schema(folder: Path) -> dict[str, Any]:
    try:
        content = storage.load_json(folder / SCHEMA_FILE)
    except StateError as error:
        raise ModelError(f"no usable bundle in {folder}: {error}") from error
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT:
        raise ModelError(f"expected a bundle of format {FORMAT} in {folder}, found {found!r}; train the model again")
    return dict(content)


def _model(folder: Path, content: dict[str, Any]) -> bytes:
    path = folder / MODEL_FILE
    if not path.is_file():
        raise ModelError(f"expected {MODEL_FILE} in {folder}, found none; restore it or train the model again")
    raw = path.read_bytes()
    if hashlib.sha256(raw).hexdigest() != content.get("model_sha256"):
        raise ModelError(
            f"{MODEL_FILE} in {folder} is not the one {SCHEMA_FILE} was written for (digests differ); "
            "restore it or train the model again"
        )
    return raw
