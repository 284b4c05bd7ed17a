"""What a page is: cards that turn what was known into HTML, choices that vary them, and actions that change something.

A page is a value. Its cards are pure functions from what was known on the day and what was chosen; each one is drawn
on its own, so that a broken record costs its card and nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftbook.dashboard.parts import card, error_card
from driftbook.dashboard.state import Selection, offered
from driftbook.errors import DriftbookError

if TYPE_CHECKING:
    from driftbook.dashboard.known import Known
    from driftbook.dashboard.visitor import Visitor

logger = logging.getLogger(__name__)

Options = Sequence[tuple[str, str]]  # what is shown, and the value it stands for
Render = Callable[["Known", Selection], str]


@dataclass(frozen=True)
class Card:
    """One piece of a page; ``render`` gives HTML, and an empty text leaves the card out. ``wide`` takes a whole row."""

    title: str
    render: Render
    wide: bool = False


@dataclass(frozen=True)
class Choice:
    """Something a visitor may vary: ``options`` gives what is offered, the default first."""

    name: str
    label: str
    options: Callable[[Known, Selection], Options]

    def value(self, known: Known, selection: Selection) -> str:
        """What is chosen, or the default where that is not offered; empty where nothing is."""
        return offered(selection.chosen.get(self.name), (value for _, value in self.options(known, selection)))


def nothing(known: Known, selection: Selection) -> str:
    """Of an action: nothing speaks against it. Of a page: nothing changes but by the stamp."""
    return ""


@dataclass(frozen=True)
class Action:
    """Something an operator may do, on the newest day only.

    Parameters
    ----------
    asks
        Label of the text field (``Reason``); the text is not empty when ``run`` is called.
    run
        Takes what is known, the selection, the visitor, the text and the chosen object; gives the sentence to show.
        A ``DriftbookError`` is shown as it is.
    objects
        What it can be done to; None: there is nothing to choose.
    available
        Why it cannot be done now, in a sentence; empty when it can.
    """

    name: str
    label: str
    asks: str
    run: Callable[[Known, Selection, Visitor, str, str], str]
    objects: Callable[[Known, Selection], Options] | None = None
    available: Callable[[Known, Selection], str] = nothing


@dataclass(frozen=True)
class Page:
    """A page of the dashboard, in the order of its cards.

    Parameters
    ----------
    live
        A text that changes when something shown changed of which no build tells (a check that has ended, a service
        that was asked anew). Asked every second while the page is open, so it returns at once.
    """

    name: str
    title: str
    cards: tuple[Card, ...]
    choices: tuple[Choice, ...] = ()
    actions: tuple[Action, ...] = ()
    live: Callable[[Known, Selection], str] = nothing


def render_page(page: Page, known: Known, selection: Selection) -> str:
    """All cards of a page; one that fails says why, and the others live."""
    return f'<div class="dash-grid">{"".join(_drawn(each, known, selection) for each in page.cards)}</div>'


def _drawn(each: Card, known: Known, selection: Selection) -> str:
    try:
        body = each.render(known, selection)
    except DriftbookError as error:
        return error_card(each.title, str(error), wide=each.wide)
    except Exception:
        logger.exception("the card %r of %s cannot be drawn", each.title, known.case.name)
        message = "This cannot be shown: what was recorded has a form this card does not know. The log says more."
        return error_card(each.title, message, wide=each.wide)
    return card(each.title, body, wide=each.wide) if body else ""
