"""A small use case and stream for the tests of drift: two features, ten batches of 40 rows and more."""

from __future__ import annotations

import numpy as np
import polars as pl

from driftbook.config import UseCase

BATCH_ROWS = 60


def use_case(
    *, numeric: tuple[str, ...] = ("age",), categorical: tuple[str, ...] = ("plan",), **changes: object
) -> UseCase:
    content: dict[str, object] = {
        "name": "demo",
        "title": "Demo",
        "task": "binary",
        "columns": {"target": "left", "positive_class": "yes", "numeric": numeric, "categorical": categorical},
        "source": {"kind": "files", "path": "demo.csv"},
        "batch": {"rows": BATCH_ROWS},
    }
    return UseCase.model_validate(content | changes)


def stream(*, batches: int, seed: int = 7, prefix: str = "2026-05", rows: int = BATCH_ROWS) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    total = batches * rows
    score = random.beta(2, 5, size=total)
    return pl.DataFrame(
        {
            "batch_id": [f"{prefix}-{place + 1:02d}" for place in range(batches) for _ in range(rows)],
            "age": random.normal(40, 10, size=total),
            "plan": random.choice(["basic", "plus", "pro"], p=[0.5, 0.3, 0.2], size=total),
            "prediction_score": score,
            "prediction": np.where(score > 0.4, "yes", "no"),
            "target": np.where(random.random(total) < score, "yes", "no"),
        }
    )
