"""Standing and history as lines of text for a terminal: aligned, the newest last, the answer first."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from driftbook.tables import NOTHING, SHAPES, TONES, format_value
from driftbook.timeline.standing import Standing
from driftbook.timeline.verdict import WORDS, describe_watch
from driftbook.words import CHANGES

WIDTH = 110
LABEL = 12
LEAST_REASON = 30
SHOWN_ALERTS = 5
SHOWN_DIGEST = 12


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]], *, width: int = WIDTH) -> list[str]:
    """Rows under a header, every column as wide as its widest text; the last column is wrapped to ``width``.

    Examples
    --------
    >>> for line in aligned(["day", "reason"], [["Monday", "because it was asked for"]], width=20):
    ...     print(line)
    day     reason
    Monday  because it was asked for
    """
    table = [list(header), *map(list, rows)]
    widths = [max(len(row[place]) for row in table) for place in range(len(header) - 1)]
    room = max(width - sum(widths) - 2 * len(widths), LEAST_REASON)
    lines = []
    for row in table:
        first = "".join(f"{text:<{size}}  " for text, size in zip(row[:-1], widths, strict=True))
        told = textwrap.wrap(row[-1], room) or [""]
        lines += [(first + told[0]).rstrip(), *(" " * len(first) + each for each in told[1:])]
    return lines


def status_of_one(standing: Standing) -> str:
    """Everything about one use case, a line or two a fact."""
    facts = [
        ("status", _status(standing)),
        ("champion", _champion(standing)),
        ("how good", _how_good(standing)),
        ("challenger", _version(standing.office.challenger)),
        ("previous", _version(standing.office.previous)),
        ("decided", _decided(standing)),
        *(("watched", told) for told in describe_watch(standing.last or {})),
        ("drift", standing.drift.removeprefix("Drift: ")),
        ("open", _open(standing)),
        *(("ordered", f"{order}; the next build takes it over") for order in standing.orders),
    ]
    if standing.mirror_differs:
        facts.append(("MLflow", "its aliases say otherwise; the next build or order sets them right"))
    lines = [f"{standing.use_case}: {standing.title}"]
    for name, told in facts:
        indent = " " * (LABEL + 2)
        lines += textwrap.wrap(told, WIDTH, initial_indent=f"  {name:<{LABEL}}", subsequent_indent=indent)
    return "\n".join(lines)


def status_of_all(standings: Sequence[Standing]) -> str:
    """Use cases side by side, a line each."""
    header = (
        "use case",
        "status",
        "as of",
        "champion",
        "since",
        "accuracy",
        "limit",
        "challenger",
        "alerts",
        "decided",
    )
    return "\n".join(aligned(header, [_line(each) for each in standings]))


def history_of_all(histories: Mapping[str, pl.DataFrame]) -> str:
    """All changes, newest last; with the use case in front where there are several."""
    rows = [
        (row["at"], row["revision"], [name, *_change(row)])
        for name, changes in histories.items()
        for row in changes.iter_rows(named=True)
    ]
    header = ["use case", "revision", "when (UTC)", "for day", "change", "by", "record", "reason"]
    start = 0 if len(histories) != 1 else 1
    shown = [texts[start:] for _, _, texts in sorted(rows, key=lambda row: row[:2])]
    return "\n".join(aligned(header[start:], shown)) if shown else "no use case was ever built: driftbook build"


def alerts_as_lines(alerts: pl.DataFrame, states: pl.DataFrame) -> str:
    """Alerts, the newest last: key, severity, what it is about, and who said what of it."""
    if alerts.is_empty():
        return "no alerts stand open"
    said = {row["key"]: row for row in states.iter_rows(named=True)}
    rows = [
        [
            *(row[name] for name in ("key", "severity", "first_batch", "last_batch", "state")),
            _said(said.get(row["key"])),
        ]
        for row in alerts.iter_rows(named=True)
    ]
    return "\n".join(aligned(("alert", "severity", "first batch", "last batch", "state", "said"), rows))


def _said(change: Mapping[str, Any] | None) -> str:
    return f"{change['at'][:10]} {change['actor']}: {change['note']}" if change else NOTHING


def _change(row: Mapping[str, Any]) -> list[str]:
    action = CHANGES.get(row["action"], row["action"])
    what = f"version {row['version']} {action}" if row["version"] is not None else action
    record = (row["record_sha256"] or NOTHING)[:SHOWN_DIGEST]
    when = f"{row['at']:%Y-%m-%d %H:%M:%S}"
    return [str(row["revision"]), when, row["day"].isoformat(), what, row["actor"], record, row["reason"]]


def _line(standing: Standing) -> tuple[str, ...]:
    if standing.last is None:
        return (standing.use_case, "never built", *([NOTHING] * 8))
    seen = standing.last.get("accuracy") or {}
    return (
        standing.use_case,
        _badge(standing.status),
        str(standing.as_of),
        _version(standing.office.champion),
        standing.since["day"].isoformat() if standing.since else NOTHING,
        format_value(seen.get("value"), format="percent") + (" !" if seen.get("fell") else ""),
        format_value(seen.get("limit"), format="percent"),
        _version(standing.office.challenger),
        str(len(standing.open_alerts)),
        standing.last["decision"]["action"] if not standing.orders else "; ".join(standing.orders),
    )


def _badge(status: str | None) -> str:
    return f"{SHAPES[TONES[status]]} {status}" if status else "not reported"


def _status(standing: Standing) -> str:
    words = f", {WORDS[standing.status]}" if standing.status else ""
    return f"{_badge(standing.status)}{words} (as of {standing.as_of})"


def _version(number: int | None) -> str:
    return "none" if number is None else f"version {number}"


def _champion(standing: Standing) -> str:
    told, since = _version(standing.office.champion), standing.since
    if since is None:
        return told
    return f"{told} since {since['day']}, {CHANGES[since['action']]} by {since['actor']}: {since['reason']}"


def _how_good(standing: Standing) -> str:
    told = []
    assert standing.last is not None
    seen = standing.last.get("accuracy")
    if seen:
        value, limit = (format_value(seen[name], format="percent") for name in ("value", "limit"))
        who = _version(standing.last["during"]["champion"])
        verdict = "below" if seen["fell"] else "not below"
        told.append(
            f"{who} accuracy {value} on the latest {seen['rows']:,} rows with known targets, "
            f"{verdict} {limit} beyond doubt"
        )
    if standing.tested:
        value = format_value(standing.tested["accuracy"]["value"], format="percent")
        told.append(f"{_version(standing.office.champion)} in training, on held-out rows: {value}")
    return "; ".join(told) or "no targets are known yet"


def _decided(standing: Standing) -> str:
    assert standing.last is not None
    decision = standing.last["decision"]
    return f"{decision['action']}, for {standing.last['day']}: {' '.join(decision['reasons'])}"


def _open(standing: Standing) -> str:
    alerts = standing.open_alerts
    told = [f"{each['severity']}: {each['subject']}" for each in alerts[:SHOWN_ALERTS]]
    more = len(alerts) - len(told)
    told += [f"{more} more"] if more > 0 else []
    ended = f" ({standing.ended_alerts} earlier ended, not closed)" if standing.ended_alerts else ""
    return ("; ".join(told) or "nothing") + ended
