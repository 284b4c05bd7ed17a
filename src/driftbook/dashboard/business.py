"""What the model costs, how restless it is, and when there is something to judge again.

Costs count where the use case declares them, on predictions whose outcome was known by the day, made by whichever
version decided on the day of the event. An incident is a run of alarmed days; a single quiet day does not end one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from driftbook.config.use_case import ServiceSource, SimulateSource, UseCase
from driftbook.dashboard.known import Known
from driftbook.dashboard.parts import Tile
from driftbook.decisions.costs import row_costs
from driftbook.timeline.journal import Entry
from driftbook.timeline.verdict import drift_spells

RECENT_DAYS = 30
STREAM_ENDED = "none"  # when the next run is, of a stream that has no further day
DAYS_PER_MONTH = 365.25 / 12
MONTHS_SCHEMA = {
    "month": pl.String(),
    "days": pl.Int64(),
    "incidents": pl.Int64(),
    "retrained": pl.Int64(),
    "promoted": pl.Int64(),
    "rolled_back": pl.Int64(),
}


def months(entries: Sequence[Entry]) -> pl.DataFrame:
    """A row per calendar month, newest first: judged days, drift incidents that began, what was done about them.

    Examples
    --------
    >>> quiet = {"day": "2026-06-01", "drift": {"alarmed": False}, "trained": None, "changes": []}
    >>> months([quiet]).row(0)
    ('2026-06', 1, 0, 0, 0, 0)
    """
    begun = [spell[0]["day"][:7] for spell in drift_spells(entries)]
    rows = []
    for month in sorted({entry["day"][:7] for entry in entries}, reverse=True):
        inside = [entry for entry in entries if entry["day"].startswith(month)]
        actions = [change["action"] for entry in inside for change in entry["changes"]]
        trained = sum(1 for entry in inside if entry["trained"])
        rows.append(
            (month, len(inside), begun.count(month), trained, actions.count("promote"), actions.count("rollback"))
        )
    return pl.DataFrame(rows, schema=MONTHS_SCHEMA, orient="row")


def restless(entries: Sequence[Entry]) -> list[Tile]:
    """Retrainings and drift incidents a month, over all judged days."""
    length = max(len(entries) / DAYS_PER_MONTH, 1.0)
    trained = sum(1 for entry in entries if entry["trained"])
    spells = len(drift_spells(entries))
    span = f"in {len(entries)} day{'' if len(entries) == 1 else 's'}"
    return [
        Tile("Retrainings a month", round(trained / length, 1), note=f"{trained} {span}"),
        Tile("Drift incidents a month", round(spells / length, 1), note=f"{spells} {span}"),
    ]


def cost_tile(known: Known) -> Tile | None:
    """Cost per prediction of the last 30 days with outcomes, beside that of all days; None where none is declared."""
    if not known.case.costs:
        return None
    daily = daily_costs(known)
    rows = int(daily["rows"].sum())
    if not rows:
        return Tile("Cost per prediction", None, note="no outcomes are known yet")
    newest = daily["day"].max()
    assert isinstance(newest, date)
    recent = daily.filter(pl.col("day") > newest - timedelta(days=RECENT_DAYS))
    whole = float(daily["cost"].sum()) / rows
    value = float(recent["cost"].sum()) / int(recent["rows"].sum())
    note = f"on {int(recent['rows'].sum()):,} predictions of the last {RECENT_DAYS} days; {whole:.3g} on all"
    return Tile("Cost per prediction", value, note=note)


def daily_costs(known: Known) -> pl.DataFrame:
    """``day``, ``rows`` and ``cost`` of what the champion of each day decided, as far as outcomes were known."""
    office = pl.DataFrame(
        {
            "day": [date.fromisoformat(entry["day"]) for entry in known.entries],
            "version": [entry["during"]["champion"] for entry in known.entries],
        },
        schema={"day": pl.Date, "version": pl.Int64},
    )
    decided = known.table("outcomes").join(office, on=["day", "version"], how="semi")
    costs = row_costs(decided, known.case.costs) * decided["rows"]
    return decided.with_columns(cost=costs).group_by("day").agg(pl.col("rows", "cost").sum()).sort("day")


def next_run(case: UseCase, day: date) -> Tile:
    """When the next batch can be judged, and why so.

    Nobody knows who will start it; what is known is when there is something to judge.
    """
    source, following = case.source, day + timedelta(days=1)
    if isinstance(source, SimulateSource):
        if day >= source.stream_start + timedelta(days=source.stream_days - 1):
            return Tile("Next run", STREAM_ENDED, note="the simulated stream ends here")
        return Tile("Next run", following, note="the next simulated day, at any time")
    if isinstance(source, ServiceSource):
        hours = source.closes_after_hours
        wait = f"{hours:,} hour{'' if hours == 1 else 's'}"
        return Tile("Next run", following, note=f"expected {wait} after that day has ended (UTC)")
    if case.batch.rows is not None:
        return Tile("Next run", "next batch", note=f"expected once {case.batch.rows:,} more rows have come")
    return Tile("Next run", following, note="expected once the rows of that day have come")
