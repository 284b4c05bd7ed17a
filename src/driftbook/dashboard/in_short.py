"""Performance in a few large numbers: what came true, what is promised, and how much of it nobody can know yet."""

from __future__ import annotations

from typing import Any

import polars as pl

from driftbook.dashboard.known import Known
from driftbook.dashboard.parts import Tile, sentences, tiles
from driftbook.dashboard.served import targets_out
from driftbook.tables import format_value


def performance_in_short(known: Known) -> str:
    """Accuracy realised and estimated, and how many targets are known, still out and overdue."""
    days = targets_out(known)
    scored, found = int(days["scored"].sum()), int(days["known"].sum())
    late = days.filter(pl.col("expected_on") <= known.day)
    overdue = int((late["scored"] - late["known"]).sum())
    waiting = days.filter(pl.col("scored") > pl.col("known"))
    expected = waiting["expected_on"].max()
    last = known.entries[-1]
    share = found / scored if scored else None
    numbers = [
        _realised_tile(last.get("accuracy"), version=last["during"]["champion"]),
        _estimate_tile(last.get("estimate")),
        Tile("targets known", share, format="percent", note=f"{found:,} of {scored:,} rows scored in office"),
        Tile("targets still out", scored - found, note=_expected(known, waiting.height, expected)),
    ]
    if overdue:
        said = f"rows whose target should have come after {known.case.label_delay_days} days"
        numbers.append(Tile("targets overdue", overdue, note=said, tone="watch"))
    return tiles(numbers) + sentences(_withdrawn_words(last))


def _realised_tile(seen: dict[str, Any] | None, *, version: int) -> Tile:
    if seen is None:
        return Tile("accuracy, realised", None, note=f"no target of champion version {version} is known yet")
    between = f"version {version}, {_between(seen)} on the latest {seen['rows']:,} rows with targets"
    limit = f"; limit {format_value(seen['limit'], format='percent')}"
    said = f"{between}{limit}"
    return Tile(
        "accuracy, realised", seen["value"], format="percent", note=said, tone="bad" if seen["fell"] else "good"
    )


def _estimate_tile(seen: dict[str, Any] | None) -> Tile:
    if seen is None:
        return Tile("accuracy, estimated", None, note="every batch has targets, or nothing can be estimated")
    if seen["withdrawn"]:
        return Tile("accuracy, estimated", None, note="withdrawn: targets contradict it", tone="watch")
    told = f"{_between(seen)} on {seen['rows']:,} rows whose targets are still out"
    return Tile(
        "accuracy, estimated", seen["value"], format="percent", note=told, tone="bad" if seen["fell"] else "calm"
    )


def _withdrawn_words(last: dict[str, Any]) -> list[str]:
    gone = (last.get("estimate") or {}).get("withdrawn")
    if not gone:
        return []
    promised, found = (format_value(gone[name], format="percent") for name in ("promised", "found"))
    return [
        f"Since {gone['since']} targets contradict the estimates: of {gone['rows']:,} decisions {promised} were "
        f"expected to be right, {found} were. Known since {gone['known_on']}."
    ]


def _expected(known: Known, days: int, newest: Any) -> str:
    if newest is None:
        return "every target is known"
    delay = known.case.label_delay_days
    late = "" if newest > known.day else ", and were due by now"
    count = f"of {days} day{'' if days == 1 else 's'}"
    return f"{count}; the newest are expected by {format_value(newest)}, {delay} days after their day{late}"


def _between(seen: dict[str, Any]) -> str:
    return f"{format_value(seen['low'], format='percent')} to {format_value(seen['high'], format='percent')}"
