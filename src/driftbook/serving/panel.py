"""Champion and challenger side by side: what they both need of a single row is done once.

Versions of a use case mostly read a row alike. Then it is encoded once and goes through the trees of both models and of
the detector in one pass (:mod:`driftbook.serving.grove`), two thirds of the time of one pass each. Models that read
rows differently get a pass each, and many rows at once are left to XGBoost, to the same bits.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import numpy as np

from driftbook.model.calibration import calibrate_each
from driftbook.model.outliers import as_scores
from driftbook.serving.encoding import Row
from driftbook.serving.grove import Grove
from driftbook.serving.scorer import Scored, ServedModel

_LOGGER = logging.getLogger(__name__)


class Panel:
    """Models that score the same rows, in this order; the first one looks for outliers too."""

    def __init__(self, models: Sequence[ServedModel]) -> None:
        self.models = tuple(models)
        alike = len({(model.reading, len(model.classes)) for model in models}) == 1
        parts = [self.models] if alike else [(model,) for model in models]
        self._passes = [each for part in parts for each in self._planned(part)]

    def score(self, rows: Sequence[Row]) -> list[Scored]:
        """What each model says of ``rows``, the same bits as :meth:`driftbook.serving.scorer.ServedModel.score`.

        Raises
        ------
        SchemaError
            If a value is of the wrong type, naming its field.
        """
        if len(rows) == 1:
            return [scored for each in self._passes for scored in each(rows)]
        return [self._score(model, rows) for model in self.models]

    def _score(self, model: ServedModel, rows: Sequence[Row]) -> Scored:
        return model.score(rows, outliers=model is self.models[0])

    def _planned(self, models: tuple[ServedModel, ...]) -> list[Callable[[Sequence[Row]], list[Scored]]]:
        """One pass, or one per model where there are too many trees for one."""
        try:
            return [_Pass(models, outliers=models[0] is self.models[0])]
        except Exception as error:  # whatever is in the trees, XGBoost itself can read them
            if len(models) > 1:
                return [each for model in models for each in self._planned((model,))]
            _LOGGER.warning("single rows are left to XGBoost: %s", error)
            return [lambda rows: [self._score(models[0], rows)]]


class _Pass:
    """One row through the trees of models that read rows alike and know as many classes."""

    def __init__(self, models: tuple[ServedModel, ...], *, outliers: bool) -> None:
        trees = [model.trees[0] for model in models]
        detector = models[0].trees[1:] if outliers else []
        self._models = models
        self._grove = Grove([*trees, *detector], width=models[0].width)
        outputs = trees[0][1]
        self._lanes = [slice(at * outputs, (at + 1) * outputs) for at in range(len(models))]
        self._last = len(models) * outputs
        self._calibrations = [model.calibration for model in models]

    def __call__(self, rows: Sequence[Row]) -> list[Scored]:
        first = self._models[0]
        values = first.encoder.values(rows[0])
        margins = self._grove.margins(values)
        found = calibrate_each([margins[lanes] for lanes in self._lanes], self._calibrations)
        oddness: list[float | None] = as_scores(np.array(margins[self._last :])).tolist() or [None]
        flags = [first.encoder.flags(rows[0], values)]
        return [
            model.decide([probabilities], flags, oddness if model is first else [None])
            for model, probabilities in zip(self._models, found, strict=True)
        ]
