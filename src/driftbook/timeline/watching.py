"""Whom a promotion has put under watch: the champion in office, the one before it, and since when.

A watch begins with a promotion, by a build or by a person's order, and ends when it is over, when the champion is
taken back, or when another comes into office. Whoever was put back is not watched: a rollback is not rolled back.

The evidence is summed by the day the rows happened, not by the day their targets became known. Where targets come
late, a day of arrivals mixes many days of events: a turn for the worse would be diluted, and what moves the rows of one
day together would look like days that agree (``tests/simulations/rollbacks.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, time, timedelta
from typing import Any

import polars as pl

from driftbook.decisions.comparison import Contender, LabelledDay, PromotionEvidence, compare_models
from driftbook.decisions.costs import Costs, largest_cost
from driftbook.timeline.journal import Entry

INSTANT = timedelta(microseconds=1)
# what a watch needs of a day; segments and other guardrails of a promotion are left out
SUMS = tuple(field.name for field in fields(LabelledDay) if field.type in ("int", "float"))


@dataclass(frozen=True)
class Watch:
    """A promoted champion, the version it took over from, and the first day it served.

    Examples
    --------
    >>> Watch(champion=2, previous=1, since=date(2026, 6, 10)).last_moment_before
    datetime.datetime(2026, 6, 9, 23, 59, 59, 999999)
    """

    champion: int
    previous: int
    since: date

    @property
    def last_moment_before(self) -> datetime:
        """Rows up to then were decided by the champion before, and are left out."""
        return datetime.combine(self.since, time.min) - INSTANT

    def compared(
        self, champion: Contender, previous: Contender, targets: pl.DataFrame, *, costs: Costs
    ) -> tuple[LabelledDay, ...]:
        """Both on the rows since the promotion: sums for each day of events and each day on which targets of it came.

        Parameters
        ----------
        champion, previous
            With their predictions.
        targets
            ``row_id, batch_id, known_time, target``.
        costs
            Of the use case, empty where it declares none.
        """
        known = targets.with_columns(
            known_on=pl.col("known_time").dt.date(),
            known_time=pl.col("batch_id").str.slice(0, 10).str.to_datetime("%Y-%m-%d", time_unit="us"),
        ).filter(pl.col("known_time") > self.last_moment_before)
        arrivals = known.select("row_id", "known_on")
        scored = [
            model.predictions.join(arrivals, on="row_id", maintain_order="left").partition_by("known_on", as_dict=True)
            for model in (champion, previous)
        ]
        found: list[LabelledDay] = []
        for (day,), part in sorted(known.partition_by("known_on", as_dict=True).items()):
            if (day,) in scored[0] and (day,) in scored[1]:
                first, second = (
                    replace(model, predictions=rows[day,])
                    for model, rows in zip((champion, previous), scored, strict=True)
                )
                evidence = compare_models(first, second, part, trained_until=self.last_moment_before, costs=costs)
                found += [LabelledDay(day, each.batch_id, **_sums(each)) for each in evidence.days]
        return tuple(found)

    def evidence(self, compared: Sequence[LabelledDay], *, until: date, costs: Costs) -> PromotionEvidence:
        """What was known at the end of ``until``: one entry a day of events, with the day its latest target came."""
        by_day: dict[str, LabelledDay] = {}
        for part in compared:
            if part.known_on <= until:
                day = part.batch_id[:10]
                by_day[day] = _together(by_day[day], part) if day in by_day else part
        days = tuple(by_day[day] for day in sorted(by_day))
        return PromotionEvidence(self.champion, self.previous, self.last_moment_before, days, largest_cost(costs))


def watch_after(entries: Sequence[Entry]) -> Watch | None:
    """Who is watched when the day after the last entry begins; None: nobody.

    Examples
    --------
    >>> promoted = {"day": "2026-06-09", "changes": [{"action": "promote", "version": 2}],
    ...     "office": {"champion": 2, "challenger": None, "previous": 1}}
    >>> watch_after([promoted])
    Watch(champion=2, previous=1, since=datetime.date(2026, 6, 10))
    >>> over = {"day": "2026-09-09", "changes": [], "watch": {"action": "keep"}, "office": promoted["office"]}
    >>> watch_after([promoted, over]) is None
    True
    """
    for entry in reversed(entries):
        for change in reversed(entry["changes"]):
            ordered = change.get("revision") is not None
            if ordered and _is_over(entry):
                return None
            if change["action"] in ("appoint", "rollback"):
                return None
            if change["action"] == "promote":
                # an order counts from the day that takes it over, a build's decision from the next one
                first = date.fromisoformat(entry["day"]) + timedelta(days=0 if ordered else 1)
                previous = entries[-1]["office"]["previous"]
                return Watch(change["version"], previous, first) if previous is not None else None
        if _is_over(entry):
            return None
    return None


def _is_over(entry: Entry) -> bool:
    watch = entry.get("watch")
    return watch is not None and watch["action"] == "keep"


def _together(first: LabelledDay, second: LabelledDay) -> LabelledDay:
    """The sums of both; ``second`` became known later."""
    one, other = _sums(first), _sums(second)
    sums = {name: one[name] + other[name] for name in SUMS}
    return LabelledDay(second.known_on, max(first.batch_id, second.batch_id), **sums)


def _sums(day: LabelledDay) -> dict[str, Any]:
    return {name: getattr(day, name) for name in SUMS}
