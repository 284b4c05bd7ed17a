"""What a visitor chose to see: use case, page, day and the values of the page's choices.

Everything that comes from a browser is untrusted: a value that is not among those offered becomes the default, and no
error. A selection is a value, so it can be a key of a cache and the start of another one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from types import MappingProxyType
from typing import Any

FIRST_PAGE = "overview"


@dataclass(frozen=True)
class Selection:
    """What is shown; ``day`` None is the newest judged day, ``chosen`` holds the values of a page's choices.

    Examples
    --------
    >>> Selection("churn").choosing("column", "age").chosen["column"]
    'age'
    """

    use_case: str
    page: str = FIRST_PAGE
    day: date | None = None
    chosen: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def key(self) -> tuple[Any, ...]:
        """The selection as a key of a cache."""
        return self.use_case, self.page, self.day, tuple(sorted(self.chosen.items()))

    def choosing(self, name: str, value: str) -> Selection:
        """The same with another value of one choice."""
        return replace(self, chosen=MappingProxyType({**self.chosen, name: value}))


def offered(value: Any, options: Iterable[str], default: str = "") -> str:
    """A value if it is offered, else the default, else the first option; empty where nothing is offered.

    Examples
    --------
    >>> offered("drift", ["overview", "drift"]), offered(3, ["overview", "drift"])
    ('drift', 'overview')
    """
    known = list(options)
    if isinstance(value, str) and value in known:
        return value
    return default if default in known else next(iter(known), "")


def offered_day(value: Any, days: Sequence[date]) -> date | None:
    """A judged day from its ISO text; None, the newest, for the newest and for anything else.

    Examples
    --------
    >>> days = [date(2026, 6, 1), date(2026, 6, 2)]
    >>> offered_day("2026-06-01", days), offered_day("2026-06-02", days), offered_day("../etc", days)
    (datetime.date(2026, 6, 1), None, None)
    """
    found = next((day for day in days if value in (day, day.isoformat())), None)
    return None if not days or found == days[-1] else found
