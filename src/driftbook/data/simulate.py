"""Days of a simulated customer churn, and the truth behind them.

A day depends on the use case's numbers, its seed and its date alone, so that any day can be made again, in any
order, in any process. The law is known, so a test can say how accurate the best possible model would be on a day
(:func:`best_accuracy`) and how probable each row's churn really was (:func:`true_probability`).

Order of events: customers are drawn, the scenario changes them, then the law decides who leaves; so when
features move, the relation to the target stays. A broken feed (``missing_values``) is the exception: it loses
values after the fact, the customers themselves do not change.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache

import numpy as np
import polars as pl

from driftbook.config import UseCase
from driftbook.config.use_case import SimulateSource
from driftbook.data.customers import churn_probability, draw_customers
from driftbook.data.scales import FloatArray, Scales, measure_scales
from driftbook.data.scenarios import intensity, keep_probability, relabel, scenario, shift_features
from driftbook.errors import ConfigError, DataError
from driftbook.schema import check_columns

LEFT, STAYED = "yes", "no"
WEEKEND_VOLUME = 0.94  # rows on Saturday and Sunday, relative to the mean day
WORKDAY_VOLUME = (7 - 2 * WEEKEND_VOLUME) / 5
TRUTH_ROWS = 20_000
_DAY_STREAM, _TRUTH_STREAM, _SCALES_SEED = 1, 2, 20260517


@dataclass(frozen=True)
class _Day:
    """Customers of a day before thinning, as recorded, with their true probability of leaving."""

    rows: pl.DataFrame
    probability: FloatArray


def first_day(case: UseCase) -> date:
    """The first day of the history.

    Examples
    --------
    >>> from pathlib import Path
    >>> from driftbook.config import Settings, load_use_case
    >>> first_day(load_use_case("churn", settings=Settings(root=Path()))).isoformat()
    '2026-04-07'
    """
    source = _source(case)
    return source.stream_start - timedelta(days=source.history_days)


def last_day(case: UseCase) -> date:
    """The last day of the stream."""
    source = _source(case)
    return source.stream_start + timedelta(days=source.stream_days - 1)


def simulate_day(case: UseCase, day: date) -> pl.DataFrame:
    """The raw table of one day: identifier, event time, features and target under the use case's names.

    Raises
    ------
    DataError
        If the day lies outside history and stream.
    ConfigError
        If the use case names columns or classes that the simulator does not make.

    Examples
    --------
    >>> from pathlib import Path
    >>> from driftbook.config import Settings, load_use_case
    >>> case = load_use_case("churn", settings=Settings(root=Path()))
    >>> simulate_day(case, date(2026, 6, 3)).equals(simulate_day(case, date(2026, 6, 3)))
    True
    """
    _check(case)
    recorded, rng = _recorded(case, day)
    rows, left = recorded.rows, rng.random(recorded.rows.height) < recorded.probability
    columns = case.columns
    ids, times = pl.Series(columns.id, _row_ids(day, rows.height)), _times(day, rows.height, rng)
    target = np.where(left, LEFT, STAYED).tolist()
    keys = [each for each in (ids, times.alias(columns.event_time or "")) if each.name]
    return pl.DataFrame([*keys, *rows.get_columns(), pl.Series(columns.target, target)])


def true_probability(case: UseCase, day: date) -> FloatArray:
    """The true probability of the positive class for each row of :func:`simulate_day`, in its order."""
    return _recorded(case, day)[0].probability


def best_accuracy(case: UseCase, day: date) -> float:
    """The accuracy that no model can beat on a day's law: whoever knows the truth and names the likelier class.

    Under ``missing_values`` this is the accuracy of one who still has the values the feed loses.

    Examples
    --------
    >>> from pathlib import Path
    >>> from driftbook.config import Settings, load_use_case
    >>> case = load_use_case("churn", settings=Settings(root=Path()))
    >>> 0.86 < best_accuracy(case, date(2026, 5, 20)) < 0.9
    True
    """
    rng = np.random.default_rng([abs(case.seed), day.toordinal(), _TRUTH_STREAM])
    probability = _draw(case, day, count=TRUTH_ROWS, rng=rng).probability
    other = (1.0 - probability) * keep_probability(case, day=_stream_day(case, day))
    return float(np.maximum(probability, other).sum() / (probability + other).sum())


def _recorded(case: UseCase, day: date) -> tuple[_Day, np.random.Generator]:
    """The rows of a day that are there in the end, and the generator as it stands after them."""
    rng = np.random.default_rng([abs(case.seed), day.toordinal(), _DAY_STREAM])
    volume = WEEKEND_VOLUME if day.weekday() >= 5 else WORKDAY_VOLUME
    kept_others = keep_probability(case, day=_stream_day(case, day))
    positive_share = float(_population()[1].mean())
    kept_share = positive_share + (1.0 - positive_share) * kept_others
    count = max(1, int(rng.poisson(_source(case).rows_per_day * volume / kept_share)))
    drawn = _draw(case, day, count=count, rng=rng)
    weight = drawn.probability + (1.0 - drawn.probability) * kept_others
    kept = rng.random(count) < weight
    return _Day(drawn.rows.filter(pl.Series(kept)), (drawn.probability / weight)[kept]), rng


def _draw(case: UseCase, day: date, *, count: int, rng: np.random.Generator) -> _Day:
    number = _stream_day(case, day)
    rows = draw_customers(count, weekday=day.weekday(), rng=rng)
    if intensity(case, day=number) == 0.0:
        return _Day(rows, churn_probability(rows))
    scales = _scales(case)
    recorded = shift_features(rows, case, day=number, scales=scales, rng=rng)
    probability = churn_probability(rows if scenario(case.scenario.name).missing else recorded)
    turned = relabel(recorded, case, day=number, scales=scales).probability
    return _Day(recorded, probability + (1.0 - probability) * turned)


def _stream_day(case: UseCase, day: date) -> int:
    """Number of a day of the stream, the first being 1."""
    if not first_day(case) <= day <= last_day(case):
        raise DataError(
            f"the simulator of {case.name!r} knows {first_day(case)} to {last_day(case)}, not {day}; ask for a day "
            f"in between, or raise source.stream_days in its usecase.yaml"
        )
    return (day - _source(case).stream_start).days + 1


def _check(case: UseCase) -> None:
    columns = case.columns
    keys = [name for name in (columns.id, columns.event_time) if name is not None]
    check_columns([*_population()[0].columns, *keys, columns.target], case)
    if case.task != "binary" or columns.positive_class != LEFT:
        raise ConfigError(
            f"the simulator's customers leave ({LEFT!r}) or stay ({STAYED!r}): data/{case.name}/usecase.yaml should "
            f"say task binary and positive_class {LEFT!r}, found {case.task} and {columns.positive_class!r}"
        )


def _source(case: UseCase) -> SimulateSource:
    if not isinstance(case.source, SimulateSource):
        raise ConfigError(f"use case {case.name!r} should have source.kind simulate, found {case.source.kind!r}")
    return case.source


@lru_cache(maxsize=1)
def _population() -> tuple[pl.DataFrame, FloatArray]:
    """Customers of an average day before any scenario, and their probability of leaving."""
    rows = draw_customers(TRUTH_ROWS // 2, weekday=2, rng=np.random.default_rng(_SCALES_SEED))
    return rows, churn_probability(rows)


def _scales(case: UseCase) -> Scales:
    """The yardstick of the scenarios: from the population, so that a day depends on no other day."""
    rows, probability = _population()
    left = np.random.default_rng(_SCALES_SEED).random(rows.height) < probability
    target = np.where(left, LEFT, STAYED).tolist()
    return measure_scales(rows.with_columns(pl.Series("target", target)), case)


def _row_ids(day: date, count: int) -> list[str]:
    return [f"{day:%Y%m%d}-{number:06d}" for number in range(1, count + 1)]


def _times(day: date, count: int, rng: np.random.Generator) -> pl.Series:
    """Ascending times of a day, more of them around noon than at night."""
    hours = np.where(rng.random(count) < 0.3, rng.random(count), rng.beta(3.0, 3.0, count)) * 24.0
    seconds = np.minimum(np.sort(hours) * 3600.0, 86_399.0).astype(np.int64)
    return pl.Series(seconds * 1_000_000).cast(pl.Duration("us")) + datetime.combine(day, time.min)
