"""Who was in office on which day of a story, and which versions' decisions of a day are counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from driftbook.timeline.journal import Entry


@dataclass(frozen=True)
class Spell:
    """Days without a break on which one version was the champion."""

    version: int
    since: date
    until: date


@dataclass(frozen=True)
class Offices:
    """Champion and challenger of each day, oldest day first."""

    days: Mapping[date, tuple[int, int | None]]

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Offices:
        """As the journal's entries say it.

        Examples
        --------
        >>> office = {"champion": 1, "challenger": 2, "previous": None}
        >>> Offices.of([{"day": "2026-06-01", "during": office}]).days
        {datetime.date(2026, 6, 1): (1, 2)}
        """
        return cls(
            {
                date.fromisoformat(entry["day"]): (entry["during"]["champion"], entry["during"]["challenger"])
                for entry in entries
            }
        )

    @property
    def spells(self) -> list[Spell]:
        """The champions in order, each with its days.

        Examples
        --------
        >>> days = [date(2026, 6, day) for day in (1, 2, 3)]
        >>> [each.version for each in Offices(dict(zip(days, [(1, None), (2, 1), (2, None)]))).spells]
        [1, 2]
        """
        runs = [list(run) for _, run in groupby(self.days, key=lambda day: self.days[day][0])]
        return [Spell(self.days[run[0]][0], run[0], run[-1]) for run in runs]

    @property
    def versions(self) -> list[int]:
        """Every version that was champion or challenger."""
        return sorted({version for office in self.days.values() for version in office if version is not None})

    def first_day(self, version: int) -> date:
        """The first day on which a version was in office."""
        return next(day for day, office in self.days.items() if version in office)

    def counted(self, day: date, trained_until: Mapping[int, date]) -> list[int]:
        """The versions whose decisions of a day are counted: those in office, and those that soon were.

        What a version says of days between its training and its first day in office is as honest as what comes
        later: it had not learned from them.

        Parameters
        ----------
        trained_until
            Day of the newest row that each version has learned from.

        Examples
        --------
        >>> offices = Offices({date(2026, 6, 9): (1, None), date(2026, 6, 10): (1, 2)})
        >>> trained = {1: date(2026, 6, 8), 2: date(2026, 6, 7)}
        >>> offices.counted(date(2026, 6, 9), trained), offices.counted(date(2026, 6, 7), trained)
        ([1, 2], [])
        """
        in_office = {version for version in self.days.get(day, ()) if version is not None}
        soon = {each for each in self.versions if trained_until[each] < day < self.first_day(each)}
        return sorted(in_office | soon)
