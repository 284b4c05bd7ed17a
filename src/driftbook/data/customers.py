"""The simulated population: telecom customers, and the probability with which each of them leaves.

Features depend on each other as they do in life (fibre costs more, the young use more data, who pays by hand pays
late), because independent columns make every drift method look better than it is. The churn law is smooth, has
few interactions and reads only what a model can see: a value that was not recorded has no effect. So the best
possible accuracy is known exactly, and a good learner comes close to it. Its two constants are set so that about
a quarter of the customers leave and the best possible accuracy is about .88.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import polars as pl

from driftbook.data.scales import FloatArray

INTERCEPT = -2.5  # sets the share who leave
STEEPNESS = 2.4  # sets how surely the features tell who leaves
AGE_UNKNOWN = 0.03  # share of customers who never stated their age
BUSY_WEEKDAYS = frozenset({0, 1})  # Monday and Tuesday: a few more support calls

Weights = Mapping[str, float]

LOCATIONS: Weights = {"north": 0.24, "south": 0.21, "east": 0.17, "west": 0.16, "centre": 0.13, "coast": 0.09}
GENDERS: Weights = {"female": 0.49, "male": 0.48, "other": 0.03}
HOUSEHOLDS: Weights = {"single": 0.38, "couple": 0.34, "family": 0.28}
PAYMENTS: Weights = {"direct debit": 0.36, "card": 0.27, "electronic check": 0.23, "invoice": 0.14}
DISCOUNTS: Weights = {"0": 0.55, "5": 0.2, "10": 0.15, "20": 0.1}

# contribution of a category to the logit, before STEEPNESS; a category that is not named contributes nothing
EFFECTS: Mapping[str, Weights] = MappingProxyType(
    {
        "contract": {"month-to-month": 0.75, "one year": -0.35, "two years": -0.9},
        "payment_method": {"electronic check": 0.3, "invoice": 0.1, "direct debit": -0.15, "card": -0.1},
        "internet_service": {"fibre": 0.3, "dsl": -0.05, "none": -0.35},
        "household": {"single": 0.12, "family": -0.15},
        "location": {"coast": 0.15, "centre": -0.1},
    }
)


def draw_customers(count: int, *, weekday: int, rng: np.random.Generator) -> pl.DataFrame:
    """So many customers as they are on one weekday (Monday is 0): ten numeric and six categorical features."""
    age = np.clip(np.round(rng.normal(46.0, 16.0, count)), 18, 90)
    youth = (50.0 - age) / 32.0
    household = _choose(HOUSEHOLDS, count, rng)
    internet = _by_score(0.9 * youth + rng.normal(0, 1, count), {"none": -1.0, "dsl": 0.15, "fibre": np.inf})
    loyalty = -0.5 * youth + 0.35 * (household == "family") + rng.normal(0, 1, count)
    contract = _by_score(loyalty, {"month-to-month": 0.2, "one year": 0.85, "two years": np.inf})
    tenure = np.clip(np.ceil(rng.gamma(1.6, 13.0 + 9.0 * np.clip(loyalty + 1.0, 0.0, 3.0))), 1, 120)
    usage = np.exp(rng.normal(3.1, 0.5, count) + 0.35 * youth + 0.5 * (internet == "fibre"))
    usage = np.where(internet == "none", np.nan, np.round(usage, 1))
    monthly = _monthly_charges(internet, usage, rng)
    payment = _choose(PAYMENTS, count, rng)
    by_hand = np.isin(payment, ["invoice", "electronic check"])
    dropped = rng.poisson(1.6 + 0.5 * (internet == "fibre"), count)
    busy = 1.03 if weekday in BUSY_WEEKDAYS else 1.0
    calls = rng.poisson(busy * (0.7 + 0.3 * dropped), count)
    discount = _choose(DISCOUNTS, count, rng).astype(np.float64)
    numeric = {
        "monthly_charges": np.round(monthly, 2),
        "support_calls": calls,
        "late_payments": rng.poisson(np.where(by_hand, 1.3, 0.45)),
        "data_usage_gb": usage,
        "age": np.where(rng.random(count) < AGE_UNKNOWN, np.nan, age),
        "dropped_calls": dropped,
        "discount_percent": discount,
        "days_since_login": np.floor(rng.exponential(6.0 + 3.0 * (age > 60), count)),
        "total_charges": np.round(tenure * monthly * rng.uniform(0.88, 1.02, count), 2),
        "tenure_months": tenure,
    }
    categorical = {
        "contract": contract,
        "payment_method": payment,
        "household": household,
        "location": _choose(LOCATIONS, count, rng),
        "gender": _choose(GENDERS, count, rng),
        "internet_service": internet,
    }
    numbers = {name: pl.Series(values, dtype=pl.Float64).fill_nan(None) for name, values in numeric.items()}
    return pl.DataFrame({**numbers, **{name: values.tolist() for name, values in categorical.items()}})


def churn_probability(customers: pl.DataFrame) -> FloatArray:
    """The probability that each customer leaves, given everything recorded about them.

    Examples
    --------
    >>> loyal = draw_customers(2000, weekday=2, rng=np.random.default_rng(1)).filter(pl.col("tenure_months") > 60)
    >>> bool(churn_probability(loyal).mean() < 0.2)
    True
    """
    month_to_month = (pl.col("contract") == "month-to-month").fill_null(False).cast(pl.Float64)
    price = _bend("monthly_charges", centre=60.0, width=25.0)
    terms = [
        0.45 * price + 0.35 * price * month_to_month,
        0.75 * _bend("support_calls", centre=1.4, width=1.6),
        0.55 * _bend("late_payments", centre=0.8, width=1.2),
        0.35 * _bend("dropped_calls", centre=1.8, width=1.8),
        -0.9 * _bend("tenure_months", centre=30.0, width=26.0),
        -0.25 * _bend("age", centre=46.0, width=20.0),
        0.2 * _bend("days_since_login", centre=7.0, width=8.0),
        -0.2 * _bend("discount_percent", centre=4.0, width=8.0),
        -0.15 * _bend("data_usage_gb", centre=32.0, width=20.0),
        *(
            pl.col(name).replace_strict(effect, default=0.0, return_dtype=pl.Float64)
            for name, effect in EFFECTS.items()
        ),
    ]
    score = customers.select(pl.sum_horizontal(terms).alias("score"))["score"].to_numpy()
    return 1.0 / (1.0 + np.exp(-(INTERCEPT + STEEPNESS * score)))


def _bend(name: str, *, centre: float, width: float) -> pl.Expr:
    """A smooth effect between -1 and 1 that levels off at both ends; nothing where the value is missing."""
    return ((pl.col(name) - centre) / width).tanh().fill_null(0.0)


def _monthly_charges(internet: np.ndarray, usage: FloatArray, rng: np.random.Generator) -> FloatArray:
    base = np.select([internet == "fibre", internet == "dsl"], [62.0, 44.0], 22.0)
    return np.maximum(base + 0.18 * np.nan_to_num(usage) + rng.normal(0, 7.0, usage.size), 12.0)


def _choose(weights: Weights, count: int, rng: np.random.Generator) -> np.ndarray:
    values = np.array(list(weights))
    edges = np.cumsum(list(weights.values()))
    return values[np.searchsorted(edges[:-1], rng.random(count), side="right")]


def _by_score(score: FloatArray, upper: Mapping[str, float]) -> np.ndarray:
    """The first category whose upper limit the score stays below."""
    return np.array(list(upper))[np.searchsorted(list(upper.values())[:-1], score, side="right")]
