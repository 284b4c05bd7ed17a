"""The familiar views of the latest comparison: the rows that decided, loaded again, for table, figures and record.

They are no part of the decision and of its record, so they have a file of their own beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from driftbook.data.batches import load_targets
from driftbook.data.served import load_answers
from driftbook.decisions.familiar import FamiliarViews, familiar_views, pair_rows
from driftbook.decisions.outcomes import Contender
from driftbook.tables import format_value
from driftbook.timeline.duel import Duel
from driftbook.timeline.models import Version, load_versions
from driftbook.timeline.run import Run
from driftbook.timeline.scoring import ensure_predictions
from driftbook.words import plain

RECORD_SCHEMA = 1
DECIDES = "Decides: holds on all days at once, however often one looks; a day weighs what its rows are worth together."


@dataclass(frozen=True)
class Familiar:
    """What is shown beside a decision: ``lines`` for the figure, ``table``, the confusion matrices, the ``record``."""

    rows: int
    days: int
    lines: list[dict[str, Any]]
    table: pl.DataFrame
    confusion: dict[str, list[list[int]]]
    classes: tuple[str, ...]
    record: dict[str, Any]


def familiar(run: Run, duel: Duel) -> Familiar:
    """The views of a comparison, from the rows known when it was decided; empty where nobody was compared."""
    if duel.evidence is None:
        record = {"schema": RECORD_SCHEMA, "status": "not_needed"}
        return Familiar(0, 0, [], _table([]), {"champion": [], "challenger": []}, (), record)
    found = _views(run, duel)
    content = found.to_json()
    lines = [*_decisive(duel), *(_line(each, content["split"]) for each in content["views"])]
    record = {
        "schema": RECORD_SCHEMA,
        "status": "shown",
        "as_of": duel.as_of,
        "champion": duel.evidence.champion,
        "challenger": duel.evidence.challenger,
        **content,
    }
    return Familiar(found.rows, found.days, lines, _table(lines), dict(found.confusion), found.classes, record)


def _views(run: Run, duel: Duel) -> FamiliarViews:
    assert duel.evidence is not None
    versions = load_versions(run)
    day = date.fromisoformat(duel.as_of)
    targets = load_targets(run.case, run.settings, as_of=day)
    answers = load_answers(run.case, run.settings, as_of=day)
    rows = pair_rows(
        _contender(run, versions[duel.evidence.champion]),
        _contender(run, versions[duel.evidence.challenger]),
        targets,
        trained_until=duel.evidence.trained_until,
        costs=run.case.costs,
        answered=None if answers.is_empty() else answers,
    )
    positive = run.case.columns.positive_class if run.case.task == "binary" else None
    return familiar_views(rows, metric=duel.metric, positive=positive, seed=run.case.seed)


def _contender(run: Run, version: Version) -> Contender:
    return Contender(version.number, version.bundle.classes, ensure_predictions(run, version))


def _decisive(duel: Duel) -> list[dict[str, Any]]:
    """The confidence sequence as of the last labelled day, as a view among the others."""
    if duel.days.is_empty():
        return []
    last = duel.days.row(-1, named=True)
    numbers = {"difference": last["mean"], "low": last["low"], "high": last["high"], "p_value": None}
    return [{"view": "confidence_sequence", "metric": duel.metric, **numbers, "reading": DECIDES, "decides": True}]


def _line(view: dict[str, Any], split: dict[str, Any] | None) -> dict[str, Any]:
    expected = view["view"] == "split" and split is not None and not split["routed"]
    return {**view, "decides": False, "expected": expected}


def _table(lines: list[dict[str, Any]]) -> pl.DataFrame:
    rows = [
        (plain(line["view"]), plain(line["metric"]), _amount(line), line["p_value"], line["reading"]) for line in lines
    ]
    texts = dict.fromkeys(("view", "of", "difference"), pl.String)
    schema = {**texts, "p_value": pl.Float64, "how to read it": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _amount(line: dict[str, Any]) -> str:
    """A difference with its interval, as people say it: points of accuracy, else four decimals."""
    value, *ends = (_signed(line[name], line["metric"]) for name in ("difference", "low", "high"))
    return f"{value} ({ends[0]} to {ends[1]})" if line["low"] is not None else value


def _signed(value: float | None, metric: str) -> str:
    if value is None:
        return format_value(None)
    text = f"{100 * value:+.2f}" if metric == "accuracy" else f"{value:+.4f}"
    return text.replace("-", "−")
