"""What stands around every page: when it was refreshed, that it shows the past, how far a build has come, what to do
where nothing was built yet. Pure functions to HTML.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from html import escape

from driftbook.dashboard.known import Found, Known
from driftbook.dashboard.parts import card, note
from driftbook.dashboard.visitor import NOBODY, Visitor
from driftbook.tables import prose
from driftbook.workflow.progress import Progress, TaskProgress

SHOWN_AFTER = timedelta(minutes=5)  # a build that ended well is told of for so long
STEPS = {"waiting": "○", "running": "▶", "done": "✓", "failed": "■", "skipped": "✓"}
# an error nobody foresaw may name a file of this machine: its name will do
_PATH, FILE_NAME = re.compile(r"(?<![\w.])/(?:[\w.@+-]+/)+([\w.@+-]+)"), r"\1"
ENDS = {"done": "✓", "failed": "■", "interrupted": "■"}


def refreshed(now: datetime, visitor: Visitor, *, seconds: float) -> str:
    """When the page was last looked after, and who looks.

    Examples
    --------
    >>> shown = refreshed(datetime(2026, 7, 1, 8, 30, tzinfo=UTC), Visitor("ada", "viewer"), seconds=60)
    >>> "Refreshed 08:30 UTC" in shown, "ada, who may look" in shown
    (True, True)
    """
    who = "" if visitor == NOBODY else f" · {visitor.name}, who may {'act' if visitor.is_operator else 'look'}"
    stamp = f'data-stamp="{now.isoformat(timespec="seconds")}" data-refresh="{seconds:g}"'
    return f'<span class="dash-stamp" {stamp}>Refreshed {now:%H:%M} UTC{escape(who)}</span>'


def banner(known: Known | None) -> str:
    """What is to be known of the day that is shown; empty for the newest one with its report."""
    if known is None:
        return ""
    if not known.is_newest:
        return past_banner(known.day, known.days[-1])
    return report_banner(known.report_day, known.day) if known.report_day != known.day else ""


def past_banner(day: date, newest: date) -> str:
    """A calm word that this is the past.

    Examples
    --------
    >>> past_banner(date(2026, 6, 8), date(2026, 6, 30)).count("2026-06-08")
    1
    """
    words = f"<strong>As known at the end of {day}</strong>: later data and targets are left out. The newest day is"
    return f'<p role="status">{words} {newest}.</p>'


def report_banner(report: date, newest: date) -> str:
    """That the newest days have no complete report yet."""
    return (
        f'<p role="status">The days up to {newest} are judged, but the report of {newest} is not '
        f"complete yet: tables and figures reach to {report}.</p>"
    )


def work_bar(progress: Progress | None, *, now: datetime) -> str:
    """How far a build has come; of one that has ended what came of it, for a while, and of a failed one until the next.

    Examples
    --------
    >>> tasks = (TaskProgress("check_quality", "Check quality", "done"), TaskProgress("write_audit", "Write audit"))
    >>> progress = Progress("churn", by="ann", reason="", started="2026-07-01T06:30:00", pid=4711, tasks=tasks)
    >>> shown = work_bar(progress, now=datetime(2026, 7, 1, 6, 31, tzinfo=UTC))
    >>> 'role="progressbar"' in shown, 'aria-valuenow="50"' in shown
    (True, True)
    >>> work_bar(None, now=datetime(2026, 7, 1, tzinfo=UTC))
    ''
    """
    if progress is None:
        return ""
    if progress.state == "running":
        share = round(100 * progress.share)
        bar = (
            f'<div class="dash-bar" role="progressbar" aria-label="Build of {escape(progress.use_case)}" '
            f'aria-valuemin="0" aria-valuemax="100" aria-valuenow="{share}" aria-valuetext="{escape(progress.step)}">'
            f'<i style="width:{max(share, 2)}%"></i></div>'
        )
        return f'<div class="dash-work"><p>{prose(progress.sentence)}</p>{bar}{_steps(progress.tasks)}</div>'
    if progress.state == "done" and not _lately(progress.ended, now):
        return ""
    tone = "good" if progress.state == "done" else "bad"
    words = f"{ENDS[progress.state]} {_PATH.sub(FILE_NAME, progress.sentence)}"
    return f'<div class="dash-work dash-over dash-is-{tone}" role="status"><p>{prose(words)}</p></div>'


def nothing_built(use_cases: Sequence[Found]) -> str:
    """The page of an empty workbench: the command that fills it."""
    if not use_cases:
        words = "There is no use case yet. `driftbook init FILE --target COLUMN` writes one from a table of yours."
        return f'<div class="dash-grid">{card("Nothing to show yet", note(words), wide=True)}</div>'
    rows = "".join(
        f"<li>{escape(each.title)}: {prose(each.fault or f'`driftbook build --use-case {each.name}`')}</li>"
        for each in use_cases
    )
    words = "No use case was built yet. Run one of these in the workbench; this page fills by itself when it has ended."
    body = f'{note(words)}<ul class="dash-said">{rows}</ul>'
    return f'<div class="dash-grid">{card("Nothing to show yet", body, wide=True)}</div>'


def _steps(tasks: Sequence[TaskProgress]) -> str:
    return f'<ol class="dash-steps">{"".join(map(_step, tasks))}</ol>' if tasks else ""


def _step(task: TaskProgress) -> str:
    css = ' class="dash-now"' if task.state == "running" else ""
    took = f" {task.seconds:.0f} s" if task.seconds is not None and task.state != "skipped" else ""
    return f"<li{css}>{STEPS[task.state]} {escape(task.title)}{took}</li>"


def _lately(ended: str | None, now: datetime) -> bool:
    if ended is None:
        return False
    moment = datetime.fromisoformat(ended)
    return now - (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) < SHOWN_AFTER
