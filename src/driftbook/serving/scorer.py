"""A model as the service holds it: rows of plain values in, calibrated probabilities out.

It gives the same bits as :meth:`driftbook.model.bundle.Bundle.score` and the detector of outliers beside it (tested on
random rows), so what was answered online is what the pipeline scores later.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from driftbook.model.bundle import SCHEMA_FILE, Bundle
from driftbook.model.calibration import Array, Calibration
from driftbook.model.explain import BASE, decided_contributions
from driftbook.model.features import Matrix
from driftbook.model.outliers import THRESHOLD_FILE, OutlierDetector, as_scores
from driftbook.serving.encoding import Flags, Row, RowEncoder
from driftbook.serving.margins import quick_margins


@dataclass(frozen=True, slots=True)
class Scored:
    """What a model says of some rows, each field in their order.

    ``probabilities`` has one entry per class and row; ``prediction`` and ``prediction_score`` are those of
    :meth:`driftbook.model.bundle.Bundle.score`; ``outlier_score`` is ``None`` where the model has no detector, or was
    not asked.
    """

    probabilities: list[list[float]]
    prediction: list[str]
    prediction_score: list[float]
    flags: list[Flags]
    outlier_score: list[float | None]


class ServedModel:
    """A bundle ready to score rows of plain values; safe to use from several threads.

    ``digest`` stands for the files it was loaded from: the same digest, the same scores. ``encoder`` reads its rows.
    ``trees`` are the boosters it asks, each with its number of outputs: of the model itself and, if it has one, of its
    detector.
    """

    def __init__(self, bundle: Bundle, detector: OutlierDetector | None = None, *, digest: bytes = b"") -> None:
        self.digest = digest
        self._bundle, self._detector = bundle, detector
        self.encoder = RowEncoder(bundle.encoder)
        self.trees = [(bundle.booster, 1 if len(bundle.classes) == 2 else len(bundle.classes))]
        if detector is not None:
            self.trees.append((detector.booster, 1))
        self._margins = [quick_margins(booster, width=self.width, outputs=outputs) for booster, outputs in self.trees]
        self._explaining = threading.Lock()

    @classmethod
    def load(cls, folder: Path) -> ServedModel:
        """Read a bundle and the detector beside it, if there is one.

        It checks that they score, so that nothing is left to do at the first request.

        Raises
        ------
        ModelError
            If a file is missing, was changed, or is of another format.
        """
        bundle, detector = Bundle.load(folder), OutlierDetector.load(folder)
        about = [folder / SCHEMA_FILE] + ([folder / THRESHOLD_FILE] if detector else [])  # with the models' digests
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in about)).digest()
        model = cls(bundle, detector, digest=digest)
        model.score([{}])
        return model

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes in the order of the probabilities."""
        return self._bundle.classes

    @property
    def task(self) -> str:
        """``binary`` or ``multiclass``."""
        return self._bundle.task

    @property
    def width(self) -> int:
        """Features of an encoded row."""
        return len(self._bundle.encoder.features)

    @property
    def reading(self) -> Hashable:
        """How rows are encoded: models of which this is equal see the same."""
        encoder = self._bundle.encoder
        return encoder.numeric, tuple(encoder.derived.items()), tuple(encoder.categories.items())

    @property
    def calibration(self) -> Calibration:
        """From margins to probabilities."""
        return self._bundle.calibration

    @property
    def columns(self) -> tuple[str, ...]:
        """Raw columns the model reads; others in a row are ignored."""
        return self.encoder.columns

    def score(self, rows: Sequence[Row], *, outliers: bool = True) -> Scored:
        """Predictions of ``rows``; what the model does not know is scored and flagged.

        Parameters
        ----------
        rows
            Numbers, texts and times (or ISO 8601 texts) by raw column; ``None``, or no such key, is missing.
        outliers
            Look for suspicious rows too; of two models that score the same rows, one needs to.

        Raises
        ------
        SchemaError
            If a value is of the wrong type, naming its field.
        """
        matrix = self.encoder.matrix(rows)
        return self.tell(rows, matrix, self.compute(matrix, outliers=outliers))

    def compute(self, matrix: Matrix, *, outliers: bool = True) -> Array:
        """Probabilities of encoded rows, and last their outlier score (NaN without one), shape (rows, classes + 1)."""
        if not len(matrix):
            return np.empty((0, len(self.classes) + 1))
        margins = [margins(matrix) for margins in self._margins[: 1 + outliers]]
        found = np.full((len(matrix), len(self.classes) + 1), np.nan)
        found[:, :-1] = self.calibration.probabilities(margins[0])
        if len(margins) > 1:
            found[:, -1] = as_scores(margins[1])
        return found

    def tell(self, rows: Sequence[Row], matrix: Matrix, numbers: Array) -> Scored:
        """What :meth:`compute` found of ``rows``, in words."""
        oddness = [None if math.isnan(each) else each for each in numbers[:, -1].tolist()]
        flags = [self.encoder.flags(row, encoded) for row, encoded in zip(rows, matrix.tolist(), strict=True)]
        return self.decide(numbers[:, :-1].tolist(), flags, oddness)

    def decide(
        self, probabilities: list[list[float]], flags: Sequence[Flags], outlier_score: Sequence[float | None]
    ) -> Scored:
        """The decisions that follow from what was found of some rows, each given in their order."""
        decided = [each.index(max(each)) for each in probabilities]
        shown = decided if self.task == "multiclass" else [1] * len(decided)
        threshold = self._detector.threshold if self._detector else 1.0
        return Scored(
            probabilities=probabilities,
            prediction=[self.classes[at] for at in decided],
            prediction_score=[each[at] for each, at in zip(probabilities, shown, strict=True)],
            flags=[
                replace(each, outlier=True) if odd is not None and odd > threshold else each
                for each, odd in zip(flags, outlier_score, strict=True)
            ],
            outlier_score=list(outlier_score),
        )

    def contributions(self, row: Row) -> dict[str, float]:
        """Contribution of each feature to the calibrated log-odds of the positive, else of the predicted class.

        Exact TreeSHAP, as :func:`driftbook.model.explain.contributions`; the key ``(base)`` holds the base value.
        """
        matrix = self.encoder.matrix([row])
        with self._explaining:
            values = decided_contributions(self._bundle, matrix)[0].tolist()
        return dict(zip((*self._bundle.encoder.features, BASE), values, strict=True))
