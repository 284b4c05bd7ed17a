"""What the explanation of an alarm is made from: both sides' rows, in bins, and what classifier and model say of them.

One object holds it, so that each question (which rows, which share, which examples) is one short method on the same
figures. Segments and causes are searched on a bounded number of rows; what a sentence tells is counted on all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

import numpy as np
import polars as pl

from driftbook.attribution.coding import CodedColumn, Codes, Floats, code_columns, column_of, numbers
from driftbook.attribution.conditions import Mask
from driftbook.attribution.effects import LEAST_MEAN, Effect, describe
from driftbook.attribution.score_change import ScoreChange, score_change
from driftbook.attribution.segments import Segment, find_segment
from driftbook.attribution.weights import Weights, column_weights, value_weights
from driftbook.drift.domain import DomainResult, domain_classifier
from driftbook.drift.profile import Kind
from driftbook.errors import DriftbookError, DriftError
from driftbook.model.bundle import Bundle
from driftbook.model.splits import sample_rows

MOST_COLUMNS = 300  # that are looked at, drifted ones first
MOST_SEARCHED = 5_000  # rows of each side that segments and causes are searched on
SURE = 1e-4  # p-value of the classifier up to which a joint change is told although no column drifted
HELPS = 0.2  # share in the classifier from which on a column belongs to a joint change
EXAMPLES = 5  # rows shown per cause

Since = Mapping[str, str | date] | str | date | None


@dataclass(frozen=True)
class Alarm:
    """What is known of an alarm: which columns drifted and since when (for all, or by column).

    ``domain`` is the domain classifier's result on the same two sets of rows; without it, it is trained here.
    """

    drifted: Sequence[str]
    since: Since = None
    domain: DomainResult | None = None

    def since_of(self, columns: Sequence[str]) -> str | date | None:
        """When the first of some columns began to drift."""
        if isinstance(self.since, Mapping):
            known = [self.since[name] for name in columns if name in self.since]
            return min(known, key=str) if known else None
        return self.since


@dataclass(frozen=True, eq=False)
class Evidence:
    """Both sides' rows and what is known of them.

    ``searched`` are the columns on at most a few thousand rows, those at ``picked``. ``score_fault`` says why
    there is no ``score`` although there is a model.
    """

    reference: pl.DataFrame
    current: pl.DataFrame
    coded: Mapping[str, CodedColumn]
    searched: Mapping[str, CodedColumn]
    picked: tuple[Codes, Codes]
    alarm: Alarm
    score: ScoreChange | None
    score_fault: str | None

    @property
    def domain(self) -> DomainResult | None:
        """The domain classifier's result, if there are rows enough for one."""
        return self.alarm.domain

    def segment(self, columns: Sequence[str], *, others: Sequence[str] = ()) -> Segment | None:
        """The rows that hold most of the shift of some columns: a change within rows, else rows that came or went.

        Rows that came are not told by ``others``, which have causes of their own.
        """
        weights = column_weights([self.searched[name] for name in columns])
        own = {name: column for name, column in self.searched.items() if name not in others}
        return self.within(columns) or find_segment(own, weights, change="frequency")

    def within(self, columns: Sequence[str]) -> Segment | None:
        """The rows, named by other columns, within which some columns changed most; the first one leads."""
        if tuple(columns) not in self._found:
            others = {name: column for name, column in self.searched.items() if name not in columns}
            weights = self._moved_values(columns[0]) or column_weights([self.searched[name] for name in columns])
            self._found[tuple(columns)] = find_segment(others, weights, change="within")
        return self._found[tuple(columns)]

    @cached_property
    def _found(self) -> dict[tuple[str, ...], Segment | None]:
        return {}

    def _moved_values(self, name: str) -> Weights | None:
        """Weights by a column's values, if its mean moved and that is not all about missing ones."""
        if self.coded[name].kind != "numeric" or self.effect(name).aspect == "missing":
            return None
        before, after = (
            numbers(column_of(rows, name))[picked]
            for rows, picked in zip((self.reference, self.current), self.picked, strict=True)
        )
        weights = value_weights(before, after)
        return weights if weights is not None and weights.shift >= LEAST_MEAN * weights.spread else None

    def joint(self) -> tuple[tuple[str, ...], Segment | None]:
        """Columns whose relation changed, seen by the classifier alone, and the rows that came or went."""
        domain = self.domain
        if domain is None or domain.p_value > SURE:
            return (), None
        ordered = sorted(domain.shares, key=lambda name: (-domain.shares[name], name))
        columns = tuple(ordered[: max(2, sum(share >= HELPS for share in domain.shares.values()))])
        searched = _at(self.coded, domain.reference_rows, domain.current_rows)
        named = {name: searched[name] for name in columns if name in searched}
        weights = Weights(domain.reference_scores, domain.current_scores)
        return (columns, find_segment(named, weights, change="frequency")) if len(columns) > 1 else ((), None)

    def effect(self, name: str, segment: Segment | None = None) -> Effect:
        """What one column did, within a segment or everywhere."""
        everywhere = np.ones(self.reference.height, dtype=bool), np.ones(self.current.height, dtype=bool)
        rows = everywhere if segment is None else segment.rows(self.coded)
        return describe(self.coded[name], self.reference[name], column_of(self.current, name), rows=rows)

    def domain_share(self, columns: Sequence[str]) -> float | None:
        """Share of some columns in what tells the two sides apart."""
        return None if self.domain is None else sum(self.domain.shares.get(name, 0.0) for name in columns)

    def score_share(self, columns: Sequence[str]) -> float | None:
        """Share of some columns in the change of the score."""
        return None if self.score is None else self.score.share(columns)

    @cached_property
    def importance(self) -> dict[str, float]:
        """The mean of a column's part in the classifier (else in all shifts) and in the score's movement."""
        parts: list[dict[str, float]] = [{name: column.shift for name, column in self.coded.items()}]
        if self.domain is not None and sum(self.domain.shares.values()) > 0:
            parts = [dict(self.domain.shares)]
        if self.score is not None:
            parts.append(dict(self.score.columns.select("column", pl.col("score_change").abs()).iter_rows()))
        totals = [sum(part.values()) or 1.0 for part in parts]
        names = dict.fromkeys(name for part in (self.coded, *parts) for name in part)
        return {
            name: sum(part.get(name, 0.0) / total for part, total in zip(parts, totals, strict=True)) / len(parts)
            for name in names
        }

    def examples(self, columns: Sequence[str], segment: Segment | None) -> list[int]:
        """Positions of current rows that show a cause best: in its segment, most unlike the reference."""
        inside: Mask = np.ones(self.current.height, dtype=bool)
        if segment is not None:
            inside = segment.rows(self.coded)[1]
        known = [self.coded[name] for name in columns if name in self.coded]
        strength = column_weights(known).current if known else np.zeros(self.current.height)
        order = np.lexsort((-self._domain_scores, -np.round(strength, 9), ~inside))
        return [int(place) for place in order[: min(EXAMPLES, int(inside.sum()))]]

    @cached_property
    def row_ids(self) -> list[str]:
        """Names of the current rows: ``row_id``, else their position."""
        if "row_id" in self.current.columns:
            return [str(each) for each in self.current["row_id"].to_list()]
        return [str(place) for place in range(self.current.height)]

    @cached_property
    def _domain_scores(self) -> Floats:
        scores = np.zeros(self.current.height)
        if self.domain is not None:
            scores[self.domain.current_rows] = self.domain.current_scores
        return scores


def gather(
    reference: pl.DataFrame, current: pl.DataFrame, *, kinds: Mapping[str, Kind], alarm: Alarm, bundle: Bundle | None
) -> Evidence:
    """Cut both sides into bins, and ask classifier and model; what cannot be asked is left out."""
    held = [name for name in kinds if name in reference.columns]
    kinds = {name: kinds[name] for name in _chosen(held, alarm.drifted)}
    coded = code_columns(reference, current, kinds=kinds)
    picked = _picked(reference), _picked(current)
    alarm = replace(alarm, domain=alarm.domain or _classified(reference, current, kinds))
    score, fault = _scored(reference, current, bundle)
    return Evidence(reference, current, coded, _at(coded, *picked), picked, alarm, score, fault)


def _picked(rows: pl.DataFrame) -> Codes:
    return np.asarray(sample_rows(rows.height, most=MOST_SEARCHED, seed=0), dtype=np.int64)


def _chosen(names: Sequence[str], drifted: Sequence[str]) -> list[str]:
    """At most a few hundred columns, drifted ones first."""
    first = [name for name in dict.fromkeys(drifted) if name in names]
    most = [*first, *(name for name in names if name not in set(first))][:MOST_COLUMNS]
    return [name for name in names if name in set(most)]


def _at(coded: Mapping[str, CodedColumn], reference: Codes, current: Codes) -> dict[str, CodedColumn]:
    return {
        name: replace(column, reference=column.reference[reference], current=column.current[current])
        for name, column in coded.items()
    }


def _classified(reference: pl.DataFrame, current: pl.DataFrame, kinds: Mapping[str, Kind]) -> DomainResult | None:
    """The classifier's answer on columns that both sides hold; none if it cannot be trained."""
    shared = {name: kind for name, kind in kinds.items() if name in current.columns}
    numeric, categorical = ([name for name in shared if shared[name] == kind] for kind in ("numeric", "categorical"))
    try:
        return domain_classifier(reference, current, numeric=numeric, categorical=categorical, seed=0)
    except (DriftError, ValueError, pl.exceptions.PolarsError):
        return None


def _scored(
    reference: pl.DataFrame, current: pl.DataFrame, bundle: Bundle | None
) -> tuple[ScoreChange | None, str | None]:
    if bundle is None:
        return None, None
    try:
        return score_change(bundle, reference, current), None
    except (DriftbookError, ValueError, pl.exceptions.PolarsError) as fault:
        return None, str(fault).splitlines()[0]
