"""Seasons: a Sunday is compared with Sundays, an hour with the same hour.

Where days or hours differ by rule, a reference of all of them together is wide, and a shift has to be larger to be
seen. With ``batch.season`` each batch is held against the part of the reference of its own season.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

Season = Literal["none", "weekday", "hour"]
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
HOUR_PLACE = slice(11, 13)  # of an hourly batch's id, such as 2026-06-01T05


def season_of(batch_id: str, season: Season) -> str | None:
    """The season of a batch; None where its id names no time or no season is asked for.

    Examples
    --------
    >>> season_of("2026-06-01", "weekday"), season_of("2026-06-01T05", "hour"), season_of("2026-06-01", "none")
    ('monday', 'hour 05', None)
    >>> season_of("2026-06-01", "hour") is None, season_of("batch 7", "weekday") is None
    (True, True)
    """
    try:
        day = date.fromisoformat(batch_id[:10])
    except ValueError:
        return None
    if season == "weekday":
        return WEEKDAYS[day.weekday()]
    hour = batch_id[HOUR_PLACE]
    return f"hour {hour}" if season == "hour" and hour.isdigit() else None
