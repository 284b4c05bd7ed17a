"""How MLflow serves a registered bundle: raw columns in, decided class and probabilities out.

MLflow imports this module by name and calls :func:`_load_pyfunc` (its "loader module" way of storing a model): the
model is our bundle as it is, no pickle, and the code beside it is a copy of the package as of training. So a model
loads where driftbook is not installed, and scores as the pipeline does, because it is the same code.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from driftbook.model.bundle import Bundle

if TYPE_CHECKING:
    import pandas


class Scorer:
    """A bundle behind the interface of an MLflow model."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    def predict(self, model_input: pandas.DataFrame, params: dict[str, Any] | None = None) -> pandas.DataFrame:
        """Score rows of raw columns, in their order: prediction, prediction_score, probabilities."""
        rows = pl.from_pandas(model_input.reset_index(drop=True)).with_row_index("row_id")
        scored = self._bundle.score(rows).drop("row_id")
        return scored.to_pandas().set_index(model_input.index)


def _load_pyfunc(path: str) -> Scorer:
    return Scorer(Bundle.load(Path(path)))
