"""Where a visitor is, kept by the browser: a page that has to be loaded again opens there and not at its beginning.

A hidden field carries it both ways. The kernel writes what is selected into it, the page's script keeps that with the
browser's tab and writes it into the field of the next kernel. What comes back is untrusted like everything else: it is
compared with what is offered then.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from types import MappingProxyType
from typing import Any

import ipywidgets as widgets

from driftbook.dashboard.page import Page
from driftbook.dashboard.state import FIRST_PAGE, Selection, offered

LONGEST = 4_000  # characters


class Place:
    """The hidden field; ``box`` is the widget.

    Parameters
    ----------
    on_place
        Called with what a browser brought along: a selection whose page exists, and the day's text. Whether its use
        case, day and choices are offered is for the caller to see.
    pages
        The pages there are.
    """

    def __init__(self, on_place: Callable[[Selection, str], None], pages: Iterable[Page]) -> None:
        self._on_place = on_place
        self._choices = {page.name: {choice.name for choice in page.choices} for page in pages}
        self._told = ""
        self.box: Any = widgets.Text(continuous_update=False, layout=widgets.Layout(display="none"))
        self.box.add_class("dash-place")
        self.box.observe(self._come, names="value")

    def show(self, selection: Selection) -> None:
        """Tell the browser what is selected."""
        self._told = place_text(selection)
        if self.box.value != self._told:
            self.box.value = self._told

    def _come(self, change: Any) -> None:
        if change["new"] == self._told:
            return
        found = read_place(change["new"], self._choices)
        if found is not None:
            self._on_place(*found)


def place_text(selection: Selection) -> str:
    """A selection as a browser keeps it.

    Examples
    --------
    >>> place_text(Selection("churn", "drift"))
    '{"use_case": "churn", "page": "drift", "day": "", "chosen": {}}'
    """
    day = "" if selection.day is None else selection.day.isoformat()
    kept = {"use_case": selection.use_case, "page": selection.page, "day": day, "chosen": dict(selection.chosen)}
    return json.dumps(kept)


def read_place(text: Any, choices: dict[str, set[str]]) -> tuple[Selection, str] | None:
    """What a browser kept, and the day's text; None where it is nothing of ours.

    Parameters
    ----------
    text
        What came from the browser.
    choices
        The names of the choices of each page.

    Examples
    --------
    >>> read_place('{"use_case": "churn", "page": "drift", "chosen": {"column": "age"}}', {"drift": {"column"}})[0].page
    'drift'
    >>> read_place("[[[", {}) is None
    True
    """
    try:
        found = json.loads(text) if isinstance(text, str) and len(text) <= LONGEST else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    page, chosen = offered(found.get("page"), choices, FIRST_PAGE), found.get("chosen")
    names = set().union(*choices.values())
    kept = chosen.items() if isinstance(chosen, dict) else ()
    values = {name: value for name, value in kept if name in names and isinstance(value, str)}
    use_case, day = (found.get(name) if isinstance(found.get(name), str) else "" for name in ("use_case", "day"))
    return Selection(str(use_case), page, chosen=MappingProxyType(values)), str(day)
