"""Numbers and days as a sentence says them: three significant digits, a percent sign, a day without its year."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
HUGE, TINY = 1e15, 1e-4
NAMED = 3  # of a longer list


def number(value: float) -> str:
    """A number with three significant digits; whole ones below a thousand million in full.

    Examples
    --------
    >>> number(0.12345), number(12345.0), number(999), number(-2.5e-7), number(12345.678)
    ('0.123', '12,345', '999', '-2.5e-07', '12,346')
    """
    if not math.isfinite(value) or abs(value) >= HUGE or 0 < abs(value) < TINY:
        return f"{value:.3g}"
    if value == round(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{float(f'{value:.3g}'):.10g}"


def percent(share: float) -> str:
    """A share with three significant digits and a percent sign.

    Examples
    --------
    >>> percent(0.18234), percent(0.05), percent(1.0), percent(0.00004)
    ('18.2 %', '5 %', '100 %', '< 0.01 %')
    """
    if 0 < share < TINY:
        return "< 0.01 %"
    if 0.9995 <= share < 1:
        return "> 99.9 %"
    return f"{number(100 * share)} %"


def since_when(since: str | date | None) -> str:
    """``since 12 May`` from a day, a time, or a batch's name; empty where nothing is known.

    Examples
    --------
    >>> since_when("2026-05-12"), since_when(date(2026, 5, 12)), since_when("2026-05-12T07"), since_when("b7")
    ('since 12 May', 'since 12 May', 'since 12 May 07:00', 'since batch b7')
    """
    if since is None or since == "":
        return ""
    try:
        moment = datetime.fromisoformat(str(since))
    except ValueError:
        return f"since batch {since}"
    hour = "" if (moment.hour, moment.minute) == (0, 0) else f" {moment:%H:%M}"
    return f"since {moment.day} {MONTHS[moment.month - 1]}{hour}"


def listed(names: Sequence[str]) -> str:
    """Names in backticks; of a long list the first ones and how many more.

    Examples
    --------
    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c", "d", "e"])
    ('`a`', '`a` and `b`', '`a`, `b`, `c` and 2 more')
    """
    shown = [f"`{name}`" for name in names[:NAMED]]
    if len(names) > NAMED:
        return f"{', '.join(shown)} and {len(names) - NAMED} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
