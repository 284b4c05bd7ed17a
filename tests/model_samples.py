"""Small labelled tables with a known law, for the tests of the model modules."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl

from driftbook.config import UseCase
from driftbook.config.base import parse


def binary_case(**changes: object) -> UseCase:
    """Two numeric columns, one category, one date, a ratio and a month; two cheap trials."""
    content = {
        "name": "sample",
        "title": "Sample",
        "task": "binary",
        "columns": {
            "target": "left",
            "positive_class": "yes",
            "event_time": "at",
            "numeric": ["age", "spend"],
            "categorical": ["plan"],
            "dates": ["joined"],
        },
        "source": {"kind": "simulate", "stream_start": date(2026, 5, 17)},
        "batch": {"period": "day"},
        "derived": {
            "spend_per_year": {"kind": "ratio", "of": ["spend", "age"]},
            "joined_month": {"kind": "date_part", "of": ["joined"], "part": "month"},
        },
        "model": {"trials": 2, "folds": 3, "max_rounds": 20, "search_rows": 400},
    }
    return parse(UseCase, {**content, **changes}, source="sample")


def multiclass_case() -> UseCase:
    columns = {"target": "left", "event_time": "at", "numeric": ["age", "spend"], "categorical": ["plan"]}
    return binary_case(task="multiclass", columns=columns, derived={})


def labelled_rows(rows: int = 600, *, days: int = 12, seed: int = 1) -> pl.DataFrame:
    """Rows over ``days`` days whose target depends on age and plan; a few values are missing."""
    rng = np.random.default_rng(seed)
    age = rng.uniform(20, 70, rows)
    plan = rng.choice(["basic", "plus", "pro"], rows)
    chance = 1 / (1 + np.exp(-(age - 45) / 4 - (plan == "pro") * 2))
    start = datetime(2026, 4, 1)
    day = np.sort(np.arange(rows) * days // rows)
    times = [start + timedelta(days=int(each), minutes=at % 1440) for at, each in enumerate(day)]
    return pl.DataFrame(
        {
            "row_id": [f"r{at:05d}" for at in range(rows)],
            "batch_id": [f"{each:%Y-%m-%d}" for each in times],
            "event_time": pl.Series(times, dtype=pl.Datetime("us")),
            "age": [None if at % 50 == 0 else float(each) for at, each in enumerate(age)],
            "spend": rng.lognormal(3, 1, rows),
            "plan": plan.tolist(),
            "joined": pl.Series([each - timedelta(days=100) for each in times], dtype=pl.Datetime("us")),
            "target": np.where(rng.random(rows) < chance, "yes", "no").tolist(),
        }
    )
