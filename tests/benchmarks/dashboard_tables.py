"""The day tables of the made-up year: the same days, versions and sums as its journal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta

import numpy as np
import polars as pl

from benchmarks.dashboard_story import (
    CATEGORICAL,
    COLUMNS,
    DELAY,
    HOURS,
    LINES,
    MANY,
    NUMERIC,
    POSITIVE_SHARE,
    ROWS,
    SITES,
    Year,
)
from driftbook.model.estimation import ESTIMATED
from driftbook.timeline.closing import evidence_of_alerts
from driftbook.timeline.day_tables import DAY_TABLES
from driftbook.timeline.days.alerts import alerts_by_day
from driftbook.timeline.days.offices import Offices

LIMIT = 0.1
BINS, LABELS = 30, ("a", "b", "c", "d", "e")
DAY_ROWS = HOURS * ROWS
SEGMENTS = {"site": SITES, "line": LINES}


def made_up_tables(year: Year, findings: pl.DataFrame, raised: Sequence[dict[str, object]]) -> dict[str, pl.DataFrame]:
    """Every day table of the year."""
    offices = Offices.of(year.entries)
    makers: dict[str, Callable[[Year, Offices], pl.DataFrame]] = {
        "drift_days": _drift_days,
        "distributions": _distributions,
        "outcomes": _outcomes,
        "score_outcomes": _score_outcomes,
        "segment_outcomes": _segment_outcomes,
        "estimates": _estimates,
        "volumes": _volumes,
        "predicted": _predicted,
    }
    tables = {name: make(year, offices) for name, make in makers.items()}
    evidence, days = evidence_of_alerts(year.entries, findings), list(offices.days)
    tables["alerts_days"] = alerts_by_day(evidence, use_case="plant", days=days, raised=raised, causes={})
    return {
        name: tables[name].select(pl.col(key).cast(kind) for key, kind in DAY_TABLES[name].items()) for name in tables
    }


def _frame(name: str, rows: list[dict[str, object]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=DAY_TABLES[name])


def counts_of(year: Year, day: date, version: int) -> dict[tuple[str, str], int]:
    """Decisions of a day by decided and true class."""
    number = (day - year.day(0)).days
    positive = int(year.random(number, 6).binomial(DAY_ROWS, POSITIVE_SHARE))
    wrong = DAY_ROWS - year.correct(number, version)
    missed = min(round(0.6 * wrong), positive)
    false = wrong - missed
    yes, no = positive - missed, DAY_ROWS - positive - false
    return {("yes", "yes"): yes, ("no", "yes"): missed, ("yes", "no"): false, ("no", "no"): no}


def _counted(year: Year, offices: Offices) -> list[tuple[date, date, int]]:
    """Day of events, day on which the targets are known, version: of all that is known by the last day."""
    trained = {version: year.trained_until(version) for version in offices.versions}
    found = []
    for day in offices.days:
        known = day + timedelta(days=DELAY)
        if known <= max(offices.days):
            found += [(day, known, version) for version in offices.counted(day, trained)]
    return found


def _drift_days(year: Year, offices: Offices) -> pl.DataFrame:
    model = ("prediction", "prediction_score")
    kinds = ["numeric"] * len(NUMERIC) + ["categorical"] * (len(CATEGORICAL) + 1) + ["numeric"]
    roles = ["feature"] * len(COLUMNS) + ["prediction"] * len(model)
    frames = []
    for number, (day, (champion, _)) in enumerate(offices.days.items()):
        excess = year.excess(number, champion)
        decided = np.where((excess > 1).sum(axis=1) > MANY, 1.6, 0.4)
        excess = np.column_stack([excess, decided, decided])
        sizes = {"excess": excess.max(axis=0), "drifted_batches": (excess > 1).sum(axis=0)}
        frame = pl.DataFrame({"column": [*COLUMNS, *model], "kind": kinds, "role": roles, **sizes})
        frames.append(frame.with_columns(day=pl.lit(day), version=pl.lit(champion)))
    same = {"method": "psi", "on": "statistic", "threshold": LIMIT, "matters": True, "batches": HOURS}
    known = pl.concat(frames).with_columns(
        *(pl.lit(value).alias(name) for name, value in {**same, "p_value": None, "note": None}.items()),
        statistic=pl.col("excess") * LIMIT,
        drift_score=pl.col("excess") * LIMIT,
        drifted=pl.col("excess") > 1,
        band=pl.when(pl.col("excess") > 1).then(pl.lit("drifted")).otherwise(pl.lit("stable")),
        importance=pl.col("column").replace_strict(year.importance, default=None),
    )
    return known.sort("day", "role", "column")


def _distributions(year: Year, offices: Offices) -> pl.DataFrame:
    edges, shape = np.linspace(-1.5, 1.5, BINS + 1).tolist(), np.exp(-(np.linspace(-3, 3, BINS) ** 2) / 2)
    known: dict[int, date] = {}
    rows: list[dict[str, object]] = []
    columns = {**dict.fromkeys(NUMERIC, "numeric"), **dict.fromkeys(CATEGORICAL, "categorical")}
    for number, (day, (champion, _)) in enumerate(offices.days.items()):
        moved = (year.excess(number, champion) > 1).any(axis=0)
        random = year.random(number, 8)
        for place, (column, kind) in enumerate(columns.items()):
            weights = np.roll(shape, 4 if moved[place] else 0) if kind == "numeric" else np.array([5.0, 4, 3, 2, 1])
            line = _line(column, kind, random.multinomial(DAY_ROWS, weights / weights.sum()), edges)
            if champion not in known:
                sizes = random.multinomial(40_000, shape / shape.sum()) if kind == "numeric" else [14, 10, 8, 5, 3]
                since = {"known_on": day, "day": None, "version": champion}
                rows.append(since | _line(column, kind, np.asarray(sizes), edges))
            rows.append({"known_on": day, "day": day, "version": champion} | line)
        rows += _of_the_model(year, day, champion, since=champion not in known)
        known.setdefault(champion, day)
    return _frame("distributions", rows)


def _line(column: str, kind: str, counts: np.ndarray, edges: list[float]) -> dict[str, object]:
    shown = {"edges": edges, "labels": None} if kind == "numeric" else {"edges": None, "labels": list(LABELS)}
    outside = dict.fromkeys(("below", "above", "others", "unseen", "missing"), 0)
    line = {"column": column, "kind": kind, **shown, "counts": counts.tolist(), **outside}
    return {**line, "rows": int(counts.sum())}


def _of_the_model(year: Year, day: date, version: int, *, since: bool) -> list[dict[str, object]]:
    """The lines of the prediction and its score, and the reference's where the version is new."""
    counts = counts_of(year, day, version)
    yes = counts["yes", "yes"] + counts["yes", "no"]
    scores = np.linspace(0, 1, 21).tolist()
    weights = np.repeat([DAY_ROWS - yes, yes], 10) / 10
    lines = [_line("prediction_score", "numeric", weights.astype(int), scores)]
    lines.append(_line("prediction", "categorical", np.array([DAY_ROWS - yes, yes]), []) | {"labels": ["no", "yes"]})
    days: list[date | None] = [None, day] if since else [day]
    return [{"known_on": day, "day": each, "version": version, **line} for each in days for line in lines]


def _outcomes(year: Year, offices: Offices) -> pl.DataFrame:
    rows = []
    for day, known, version in _counted(year, offices):
        for (prediction, target), count in counts_of(year, day, version).items():
            line = {"version": version, "day": day, "known_on": known, "prediction": prediction, "target": target}
            rows.append({**line, "rows": count, "brier_sum": count * (0.04 if prediction == target else 0.45)})
    return _frame("outcomes", rows)


def _score_outcomes(year: Year, offices: Offices) -> pl.DataFrame:
    rows = []
    fall = np.exp(-np.arange(50) / 12)
    for day, known, version in _counted(year, offices):
        random = year.random((day - year.day(0)).days, 40 + version)
        for (prediction, target), count in counts_of(year, day, version).items():
            sure = fall if prediction == target else np.ones(50)
            spread = random.multinomial(count, sure / sure.sum())
            places = range(99, 49, -1) if prediction == "yes" else range(50)
            line = {"version": version, "known_on": known, "positive": target == "yes"}
            rows += [
                {**line, "score_bin": place, "rows": int(size)}
                for place, size in zip(places, spread, strict=True)
                if size
            ]
    return _frame("score_outcomes", rows)


def _segment_outcomes(year: Year, offices: Offices) -> pl.DataFrame:
    rows = []
    for day, known, version in _counted(year, offices):
        number = (day - year.day(0)).days
        random, right = year.random(number, 60 + version), year.correct(number, version)
        for column, values in SEGMENTS.items():
            sizes = random.multinomial(DAY_ROWS, [1 / len(values)] * len(values))
            hits = random.multivariate_hypergeometric(sizes, right)
            for value, size, hit in zip(values, sizes, hits, strict=True):
                line = {"version": version, "known_on": known, "column": column, "value": value}
                rows.append({**line, "rows": int(size), "correct": int(hit)})
    return _frame("segment_outcomes", rows)


def _estimates(year: Year, offices: Offices) -> pl.DataFrame:
    rows = []
    for number, (day, office) in enumerate(offices.days.items()):
        for version in filter(None, office):
            for place, metric in enumerate(ESTIMATED):
                value = 0.87 - 0.03 * place + float(year.random(number, 70 + place).normal(0.0, 0.004))
                line = {"day": day, "version": version, "metric": metric, "value": value}
                rows.append({**line, "low": value - 0.012, "high": value + 0.012, "rows": DAY_ROWS})
    return _frame("estimates", rows)


def _volumes(year: Year, offices: Offices) -> pl.DataFrame:
    rows = []
    for number, day in enumerate(offices.days):
        missing, unseen, odd, aside = year.random(number, 9).poisson([900, 4, 75, 3]).tolist()
        line = {"day": day, "batches": HOURS, "rows": DAY_ROWS, "quarantined": aside, "missing_cells": missing}
        cells = {"cells": DAY_ROWS * len(COLUMNS), "unseen": unseen, "outliers": odd, "scored": DAY_ROWS}
        rows.append({**line, **cells})
    return _frame("volumes", rows)


def _predicted(year: Year, offices: Offices) -> pl.DataFrame:
    rows = []
    for day, (champion, _) in offices.days.items():
        counts = counts_of(year, day, champion)
        for decided, score in (("no", 0.11), ("yes", 0.83)):
            size = counts[decided, "yes"] + counts[decided, "no"]
            rows.append({"day": day, "version": champion, "prediction": decided, "rows": size, "mean_score": score})
    return _frame("predicted", rows)
