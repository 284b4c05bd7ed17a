"""Champion and challenger side by side: what they both need of a single row is done once.

Versions of a use case mostly read a row alike. Then it is encoded once and goes through the trees of both models and of
the detector in one pass (:mod:`driftbook.serving.grove`), two thirds of the time of one pass each. Models that read
rows differently get a pass each, and many rows at once are left to XGBoost, to the same bits.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftbook.errors import ModelError
from driftbook.serving.encoding import Row
from driftbook.serving.grove import Grove
from driftbook.serving.scorer import Scored, ServedModel

if TYPE_CHECKING:
    import xgboost

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Pass:
    """Models that read rows alike, and their trees: a grove, or none where XGBoost itself must read them."""

    models: tuple[ServedModel, ...]
    grove: Grove | None


class Panel:
    """Models that score the same rows, in this order; the first one looks for outliers too."""

    def __init__(self, models: Sequence[ServedModel]) -> None:
        self.models = tuple(models)
        alike = len({model.reading for model in models}) == 1
        parts = [self.models] if alike else [(model,) for model in models]
        self._passes = [each for part in parts for each in self._planted(part)]

    def score(self, rows: Sequence[Row]) -> list[Scored]:
        """What each model says of ``rows``, the same bits as :meth:`driftbook.serving.scorer.ServedModel.score`.

        Raises
        ------
        SchemaError
            If a value is of the wrong type, naming its field.
        """
        if len(rows) != 1:
            return [model.score(rows, outliers=model is self.models[0]) for model in self.models]
        return [scored for each in self._passes for scored in self._score_one(rows, each)]

    def _score_one(self, rows: Sequence[Row], each: _Pass) -> list[Scored]:
        matrix = each.models[0].encode(rows)
        if each.grove is None:
            found = [model.compute(matrix, outliers=model is self.models[0]) for model in each.models]
        else:
            margins = iter(each.grove.margins(matrix))
            found = [model.numbers(*(next(margins) for _ in self._trees(model))) for model in each.models]
        return [model.tell(rows, matrix, numbers) for model, numbers in zip(each.models, found, strict=True)]

    def _planted(self, models: tuple[ServedModel, ...]) -> list[_Pass]:
        """One pass, or one per model where there are too many trees for one."""
        try:
            trees = [each for model in models for each in self._trees(model)]
            return [_Pass(models, Grove(trees, width=models[0].width))]
        except (ModelError, KeyError, ValueError) as error:
            if len(models) > 1:
                return [each for model in models for each in self._planted((model,))]
            _LOGGER.warning("single rows are left to XGBoost: %s", error)
            return [_Pass(models, None)]

    def _trees(self, model: ServedModel) -> list[tuple[xgboost.Booster, int]]:
        return model.trees if model is self.models[0] else model.trees[:1]
