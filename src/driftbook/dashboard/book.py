"""Everything that was read of a use case at one moment, and the stamp that says when to read again.

A kernel of the dashboard reads the database once, then answers from memory. ``stamp`` is cheap and changes when
anything shown has changed: a day was judged, somebody ordered something or closed an alert, a report was completed, a
build began or went on. What was read at an earlier stamp is forgotten then, but for the days of the journal, which are
large and rarely change: each is parsed once, and those that :func:`read_ahead` parsed are shared with every kernel that
is forked afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import polars as pl

from driftbook.config import Policy, Settings, UseCase, load_policy, load_use_case, use_case_names
from driftbook.database import Database, open_database
from driftbook.deployment import (
    Office,
    history,
    latest_entries,
    load_alert_changes,
    load_office,
    load_orders,
    states_at,
)
from driftbook.errors import DriftbookError, StateError
from driftbook.storage import sha256_text
from driftbook.timeline.journal import Entry

OPEN_BOOKS = 12
_P = ParamSpec("_P")
_T = TypeVar("_T")
_Reading = Callable[Concatenate[Settings, str, _P], _T]
_parsed: dict[tuple[str, str], dict[str, Entry]] = {}  # the journals' entries by their digests
_MARKS = {
    "journal": "SELECT use_case, count(*) AS n, max(as_of) AS a, max(sha256) AS d FROM journal GROUP BY use_case",
    "deployment": "SELECT use_case, revision FROM deployment",
    "alert": "SELECT use_case, state, count(*) AS n, max(last_batch) AS l FROM alert GROUP BY use_case, state",
    "alert_change": "SELECT count(*) AS n, max(at) AS l FROM alert_change",
}


@dataclass(frozen=True, eq=False)
class Book:
    """What was read of one use case; ``reports`` are the days of complete reports, ``tables`` fill as they are read."""

    case: UseCase
    policy: Policy
    entries: tuple[Entry, ...]
    office: Office
    history: pl.DataFrame
    orders: tuple[Entry, ...]
    reports: tuple[date, ...]
    alert_changes: pl.DataFrame
    tables: dict[tuple[str, str | None], pl.DataFrame] = field(default_factory=dict)

    @property
    def days(self) -> tuple[date, ...]:
        """All judged days, oldest first."""
        return tuple(date.fromisoformat(entry["day"]) for entry in self.entries)

    def alert_states(self, *, until: datetime | None) -> pl.DataFrame:
        """What was said last of each alert by a moment; None: until now. An alert that is not there was open."""
        return states_at(self.alert_changes, until).select("key", "state", "note", "actor", changed_at="at")


@dataclass(frozen=True)
class Found:
    """A use case there is: whether it was built, and what is wrong with its declaration."""

    name: str
    title: str
    built: bool
    fault: str = ""


def of_one_stamp(size: int) -> Callable[[_Reading[_P, _T]], _Reading[_P, _T]]:
    """Let a reading remember its last ``size`` results, as long as it is asked for with the same stamp.

    Examples
    --------
    >>> @of_one_stamp(2)
    ... def read(settings, mark):
    ...     return object()
    >>> settings = Settings(root=Path("x"))
    >>> first = read(settings, "a")
    >>> read(settings, "a") is first, read(settings, "b") is first, read(settings, "a") is first
    (True, False, False)
    """

    def remembering(read: _Reading[_P, _T]) -> _Reading[_P, _T]:
        remembered: Any = lru_cache(maxsize=size)(read)
        newest = ""

        @wraps(read)
        def reading(settings: Settings, mark: str, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
            nonlocal newest
            if mark != newest:
                remembered.cache_clear()
                newest = mark
            found: _T = remembered(settings, mark, *args, **kwargs)
            return found

        return reading

    return remembering


def find_use_cases(settings: Settings, *, mark: str = "") -> tuple[Found, ...]:
    """All use cases that are declared or were built, built ones first, then by name.

    Parameters
    ----------
    mark
        A :func:`stamp` taken just before, to save taking another one.
    """
    return _find_use_cases(settings, mark or stamp(settings))


@of_one_stamp(1)
def _find_use_cases(settings: Settings, mark: str) -> tuple[Found, ...]:
    with open_database(settings.database_url) as database:
        built = {row["use_case"] for row in database.rows("SELECT DISTINCT use_case FROM journal")}
    found = [_found(name, settings, built=name in built) for name in sorted(built | set(use_case_names(settings)))]
    return tuple(sorted(found, key=lambda each: not each.built))


def stamp(settings: Settings) -> str:
    """A text that changes when anything the dashboard shows has changed.

    Two readings may give different texts although nothing changed, never the same although something did.
    """
    with open_database(settings.database_url) as database:
        marks: list[Any] = [database.rows(sql) for sql in _MARKS.values()]
    files = [*sorted(settings.reports_folder.glob("*/*/summary.json")), settings.state_folder / "progress.json"]
    files += sorted(settings.root.glob("data/*/usecase.yaml"))
    return sha256_text(repr([*marks, *map(_mark, files)]))[:16]


@of_one_stamp(OPEN_BOOKS)
def read_book(settings: Settings, mark: str, use_case: str) -> Book:
    """What is known of a use case at the stamp ``mark``."""
    case = load_use_case(use_case, settings=settings)
    with open_database(settings.database_url) as database:
        entries = _journal(database, settings, case.name)
        if not entries:
            raise never_built(case.name)
        return _read(database, case, entries, settings)


def read_ahead(settings: Settings) -> None:
    """Parse all journals, for the kernels that are forked from this process."""
    with open_database(settings.database_url) as database:
        for row in database.rows("SELECT DISTINCT use_case FROM journal"):
            _journal(database, settings, row["use_case"])


def never_built(use_case: str) -> StateError:
    """The error for a use case without a judged day."""
    return StateError(
        f"{use_case} was never built, so there is nothing to show yet. `driftbook build --use-case {use_case}` "
        "fills this page."
    )


def _journal(database: Database, settings: Settings, use_case: str) -> tuple[Entry, ...]:
    parsed = _parsed.setdefault((settings.database_url, use_case), {})
    return tuple(latest_entries(database, use_case, parsed=parsed))


def _read(database: Database, case: UseCase, entries: tuple[Entry, ...], settings: Settings) -> Book:
    return Book(
        case=case,
        policy=load_policy(case.policy),
        entries=entries,
        office=load_office(database, case.name),
        history=history(database, case.name),
        orders=tuple(load_orders(database, case.name)),
        reports=_reports(settings, case.name, until=date.fromisoformat(entries[-1]["day"])),
        alert_changes=load_alert_changes(database, case.name),
    )


def _reports(settings: Settings, use_case: str, *, until: date) -> tuple[date, ...]:
    """Days of the reports that were completed, oldest first; what a later build left unfinished does not count."""
    folders = [path.parent.name for path in (settings.reports_folder / use_case).glob("*/summary.json")]
    days = sorted(date.fromisoformat(name) for name in folders if _is_day(name))
    return tuple(day for day in days if day <= until)


def _is_day(name: str) -> bool:
    try:
        return date.fromisoformat(name).isoformat() == name
    except ValueError:
        return False


def _found(name: str, settings: Settings, *, built: bool) -> Found:
    try:
        case = load_use_case(name, settings=settings)
    except DriftbookError as error:
        return Found(name, name, built, str(error).replace(str(settings.root), "."))
    return Found(name, case.title, built)


def _mark(path: Path) -> tuple[str, int, int]:
    try:
        found = path.stat()
    except OSError:
        return path.name, 0, 0
    return str(path), found.st_size, found.st_mtime_ns
