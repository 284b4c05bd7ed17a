"""From "it drifted" to why: causes, the rows that hold them, and one plain sentence for each.

Everything here is counted from two sets of rows, so that it works on any two tables; a model adds what the drift does
to its score. The same rows give the same answer, and no row can make it fail: what cannot be explained says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from driftbook.attribution.causes import came_together, group_columns, merge, sit_in_the_same_rows
from driftbook.attribution.coding import column_of, texts
from driftbook.attribution.effects import Effect
from driftbook.attribution.evidence import Alarm, Evidence, gather
from driftbook.attribution.phrases import listed, number
from driftbook.attribution.score_change import ScoreChange
from driftbook.attribution.segments import Segment
from driftbook.attribution.sentences import Cause, joint_sentence, weigh, write_sentence
from driftbook.drift.domain import DomainResult
from driftbook.drift.profile import Kind
from driftbook.model.bundle import Bundle

SHOWN = 5  # causes in a summary
MOST_MERGED = 8  # groups of columns that are compared with each other
LOCATED = 8  # causes whose rows are searched for
RANKED_SCHEMA: dict[str, pl.DataType] = {
    "column": pl.String(),
    "drifted": pl.Boolean(),
    "cause": pl.Int64(),
    "domain_share": pl.Float64(),
    "score_change": pl.Float64(),
    "score_share": pl.Float64(),
    "shift": pl.Float64(),
    "effect": pl.Float64(),
    "direction": pl.String(),
    "text": pl.String(),
}


@dataclass(frozen=True, eq=False)
class Attribution:
    """Why an alarm.

    ``ranked`` has a row per column, what matters most first: ``column``, ``drifted``, ``cause`` (1 is the first),
    ``domain_share`` (of what tells current from reference rows), ``score_change`` and ``score_share`` (of the mean
    score's change, null within chance or without a model), ``shift`` (0 to 1), ``effect`` (signed, in the unit of its
    aspect), ``direction`` and ``text``. ``examples`` has some current rows of each cause. ``score_fault`` says why a
    model has no say.
    """

    ranked: pl.DataFrame
    causes: tuple[Cause, ...]
    examples: pl.DataFrame
    score: ScoreChange | None
    score_fault: str | None
    domain: DomainResult | None
    sentence: str

    @property
    def segment(self) -> Segment | None:
        """The rows that hold most of the first cause, if it is not spread over all."""
        return self.causes[0].segment if self.causes else None

    def summary(self) -> list[str]:
        """What to tell a person: how clear it is, what the score did, then a sentence per cause."""
        if not self.causes:
            return [self.sentence]
        lines = [cause.sentence for cause in self.causes[:SHOWN]]
        if len(self.causes) > SHOWN:
            lines.append(f"{len(self.causes) - SHOWN} smaller causes are not told.")
        if self.score is not None:
            verb = "rose" if self.score.after > self.score.before else "fell"
            told = f"from {number(self.score.before)} to {number(self.score.after)}"
            moved = f"{verb} {told}" if self.score.is_certain else f"hardly changed ({told})"
            lines.append(f"The mean score of `{self.score.of}` {moved}.")
        if self.score_fault is not None:
            lines.append(f"What it means for the score cannot be told: {self.score_fault}.")
        if self.domain is not None:
            low, high = number(self.domain.low), number(self.domain.high)
            lines.append(
                f"A classifier tells current from reference rows with an AUC of {number(self.domain.auc)} "
                f"({low} to {high}); 0.5 would be chance."
            )
        return lines


def attribute(
    reference: pl.DataFrame,
    current: pl.DataFrame,
    *,
    kinds: Mapping[str, Kind],
    alarm: Alarm,
    bundle: Bundle | None = None,
) -> Attribution:
    """Explain an alarm.

    Parameters
    ----------
    reference, current
        Rows to compare; ``row_id`` names the examples if there is one, else their position does.
    kinds
        Columns to look at, and how to read them.
    bundle
        The model whose score is to be explained, if there is one.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> def rows(number, factor):
    ...     plan = random.choice(["monthly", "yearly"], number)
    ...     fee = random.normal(50, 5, number) * np.where(plan == "monthly", factor, 1.0)
    ...     return pl.DataFrame({"fee": fee, "plan": plan, "age": random.normal(40, 9, number)})
    >>> found = attribute(rows(3000, 1.0), rows(1500, 1.25), alarm=Alarm(["fee"], since="2026-05-12"),
    ...     kinds={"fee": "numeric", "plan": "categorical", "age": "numeric"})
    >>> found.segment.text, found.causes[0].columns, found.ranked["column"][0]
    ('plan = monthly', ('fee',), 'fee')
    >>> found.sentence
    'Since 12 May, `fee` is 24.4 % higher for `plan = monthly` (... of its shift); ...'
    """
    if not reference.height or not current.height:
        side = "current" if reference.height else "reference"
        told = f"Nothing to explain: there are no {side} rows."
        return Attribution(pl.DataFrame(schema=RANKED_SCHEMA), (), pl.DataFrame(), None, None, None, told)
    evidence = gather(reference, current, kinds=kinds, alarm=alarm, bundle=bundle)
    drifted = [name for name in dict.fromkeys(alarm.drifted) if name in evidence.coded]
    causes = _causes(evidence, [name for name in drifted if evidence.coded[name].shift > 0]) or _joint(evidence)
    return Attribution(
        ranked=_ranked(evidence, drifted, causes),
        causes=causes,
        examples=_examples(evidence, causes),
        score=evidence.score,
        score_fault=evidence.score_fault,
        domain=evidence.domain,
        sentence=causes[0].sentence if causes else _nothing_found(alarm.drifted, drifted),
    )


def _causes(evidence: Evidence, drifted: Sequence[str]) -> tuple[Cause, ...]:
    """Causes of single columns' drift, what matters most first."""
    groups = group_columns(evidence.searched, drifted)
    compared = set(groups[:MOST_MERGED])
    groups = merge(groups, lambda one, other: {one, other} <= compared and _are_one(evidence, one, other))
    groups.sort(key=lambda group: -sum(evidence.importance[name] for name in group))
    told = []
    for place, group in enumerate(groups):
        others = [name for name in drifted if name not in group]
        segment = evidence.segment(group, others=others) if place < LOCATED else None
        told.append(_cause(evidence, group, segment))
    return tuple(told)


def _are_one(evidence: Evidence, one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether two groups of columns moved in the same rows, or came with the same rows."""
    places = evidence.within(one), evidence.within(other)
    return sit_in_the_same_rows(*places, evidence.searched) or came_together(one, other, evidence.searched)


def _cause(evidence: Evidence, columns: tuple[str, ...], segment: Segment | None) -> Cause:
    since = evidence.alarm.since_of(columns)
    inside = segment is not None and segment.change == "within"
    effect = evidence.effect(columns[0], segment if inside else None)
    domain_share, score_share = evidence.domain_share(columns), evidence.score_share(columns)
    has_model = evidence.score is not None
    weight = weigh(len(columns), score_share=score_share, has_model=has_model, domain_share=domain_share)
    return Cause(
        columns=columns,
        since=since,
        effect=effect,
        segment=segment,
        domain_share=domain_share,
        score_share=score_share,
        row_ids=tuple(evidence.row_ids[place] for place in evidence.examples(columns, segment)),
        sentence=write_sentence(effect, others=columns[1:], segment=segment, since=since, weight=weight),
    )


def _joint(evidence: Evidence) -> tuple[Cause, ...]:
    """The cause that only the domain classifier sees, if it is sure of one."""
    columns, segment = evidence.joint()
    if not columns:
        return ()
    since = evidence.alarm.since_of(columns)
    cause = Cause(
        columns=columns,
        since=since,
        effect=Effect(columns[0], "none", "changed", 0.0, 0.0, 0.0, f"`{columns[0]}` did not change by itself"),
        segment=segment,
        domain_share=evidence.domain_share(columns),
        score_share=evidence.score_share(columns),
        row_ids=tuple(evidence.row_ids[place] for place in evidence.examples(columns, segment)),
        sentence=joint_sentence(columns, segment=segment, since=since),
    )
    return (cause,)


def _ranked(evidence: Evidence, drifted: Sequence[str], causes: Sequence[Cause]) -> pl.DataFrame:
    """One row per column, by importance; drifted ones before others that matter as much."""
    place = {name: at for at, cause in enumerate(causes, start=1) for name in cause.columns}
    score = {} if evidence.score is None else {row["column"]: row for row in evidence.score.columns.to_dicts()}
    rows = []
    for name in sorted(evidence.coded, key=lambda name: (-round(evidence.importance[name], 12), name)):
        effect, by_score = evidence.effect(name), score.get(name, {})
        rows.append(
            {
                "column": name,
                "drifted": name in drifted,
                "cause": place.get(name),
                "domain_share": evidence.domain_share([name]),
                "score_change": by_score.get("score_change", None if evidence.score is None else 0.0),
                "score_share": by_score.get("score_share"),
                "shift": evidence.coded[name].shift,
                "effect": effect.size,
                "direction": effect.direction,
                "text": effect.text,
            }
        )
    return pl.DataFrame(rows, schema=RANKED_SCHEMA)


def _examples(evidence: Evidence, causes: Sequence[Cause]) -> pl.DataFrame:
    """Some current rows of each cause: cause, row_id and the columns that causes speak of, as text."""
    spoken: dict[str, None] = {}
    for cause in causes:
        spoken |= dict.fromkeys((*cause.columns, *(cause.segment.columns if cause.segment is not None else ())))
    names = [name for name in spoken if name not in ("cause", "row_id")]
    places = [evidence.examples(cause.columns, cause.segment) for cause in causes]
    numbers = np.repeat(np.arange(1, len(causes) + 1), [len(each) for each in places])
    chosen = [place for each in places for place in each]
    columns = {name: texts(column_of(evidence.current, name).gather(chosen)) for name in names}
    ids = pl.Series([evidence.row_ids[place] for place in chosen], dtype=pl.String)
    return pl.DataFrame({"cause": pl.Series(numbers, dtype=pl.Int64), "row_id": ids, **columns})


def _nothing_found(asked: Sequence[str], drifted: Sequence[str]) -> str:
    if not asked:
        return "Nothing to explain: no column drifted."
    if not drifted:
        return f"Nothing to explain: {listed(list(asked))} drifted, but is not among the columns to look at."
    return f"Nothing to explain: {listed(list(drifted))} looks the same on both sides when cut into bins."
