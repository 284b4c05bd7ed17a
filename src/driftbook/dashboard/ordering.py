"""What an operator may order on the page of champion and challenger: promote, keep, roll back, each with a reason.

The same orders as the command line gives, under the visitor's name. Everything that comes from the browser is checked
against what is offered now, and once more by the order itself. MLflow's aliases follow where that is done at once;
where only MLflow itself could do it, the next build does, because MLflow would make every visitor's kernel four times
as large.
"""

from __future__ import annotations

import polars as pl

from driftbook.dashboard.known import Known
from driftbook.dashboard.page import Action, Options
from driftbook.dashboard.state import Selection
from driftbook.dashboard.visitor import Visitor, require_operator
from driftbook.errors import StateError
from driftbook.timeline import orders
from driftbook.timeline.orders import ENTHRONED, Ordered


def promotable(known: Known, selection: Selection) -> Options:
    """Versions that passed their gate and are not in office: the challenger first, then the newest."""
    found = []
    for number in sorted(known.versions - {known.office["champion"]}, reverse=True):
        try:
            training = known.training(number)
        except StateError:
            continue
        if training["gate"]["passed"]:
            role = ", the challenger" if number == known.office["challenger"] else ""
            found.append((f"version {number}{role}, trained until {training['trained_until'][:10]}", str(number)))
    challenger = str(known.office["challenger"])
    return sorted(found, key=lambda each: each[1] != challenger)


def former_champions(known: Known, selection: Selection) -> Options:
    """Versions that were champion once, the one before first; after a rollback, what was taken out comes last."""
    reigns = known.history().filter(pl.col("action").is_in(ENTHRONED) & pl.col("version").is_not_null())
    first = dict(reigns.select("version", "day").iter_rows())
    undone = reigns.height > 0 and reigns["action"][-1] == "rollback"
    before = known.office["previous"]
    order = sorted(first, key=lambda number: ((number == before) == undone, -number))
    return [
        (f"version {number}, in office from {first[number]}", str(number))
        for number in order
        if number != known.office["champion"]
    ]


def retirable(known: Known, selection: Selection) -> Options:
    """The challenger, if there is one: named, so that nobody retires one they did not see."""
    number = known.office["challenger"]
    return [] if number is None else [(f"version {number}, the challenger", str(number))]


def _promote(known: Known, selection: Selection, visitor: Visitor, text: str, chosen: str) -> str:
    version = _checked(visitor, chosen, promotable(known, selection))
    return _told(
        orders.promote(known.case.name, version, reason=text, actor=visitor.name, settings=known.settings), known
    )


def _keep(known: Known, selection: Selection, visitor: Visitor, text: str, chosen: str) -> str:
    version = _checked(visitor, chosen, retirable(known, selection))
    return _told(
        orders.keep(known.case.name, version=version, reason=text, actor=visitor.name, settings=known.settings), known
    )


def _roll_back(known: Known, selection: Selection, visitor: Visitor, text: str, chosen: str) -> str:
    version = _checked(visitor, chosen, former_champions(known, selection))
    return _told(
        orders.rollback(known.case.name, to=version, reason=text, actor=visitor.name, settings=known.settings), known
    )


def _checked(visitor: Visitor, chosen: str, options: Options) -> int:
    """The chosen version, if this visitor may order and it is offered."""
    require_operator(visitor)
    if chosen not in [value for _, value in options]:
        offered = ", ".join(value for _, value in options) or "none"
        raise StateError(
            f"expected one of the versions offered now ({offered}), found {chosen!r}; look again and choose"
        )
    return int(chosen)


def _told(ordered: Ordered, known: Known) -> str:
    """What was done, and what is left to the next build."""
    fault = orders.follow(ordered, settings=known.settings, with_mlflow=False)
    return ordered.sentence if fault is None else f"{ordered.sentence} MLflow's aliases follow with the next build."


def _if_any(options: Options, why: str) -> str:
    return "" if options else why


ACTIONS = (
    Action(
        "promote",
        "Promote",
        asks="Reason",
        run=_promote,
        objects=promotable,
        available=lambda known, selection: _if_any(
            promotable(known, selection), "No other version has passed its gate."
        ),
    ),
    Action(
        "keep",
        "Keep the champion, retire the challenger",
        asks="Reason",
        run=_keep,
        objects=retirable,
        available=lambda known, selection: _if_any(retirable(known, selection), "There is no challenger to retire."),
    ),
    Action(
        "rollback",
        "Roll back",
        asks="Reason",
        run=_roll_back,
        objects=former_champions,
        available=lambda known, selection: _if_any(
            former_champions(known, selection), "No other version was ever champion."
        ),
    ),
)
