"""The parts pages are made of: cards, tiles of large numbers, notes, columns.

Everything from data is escaped here, so a page passes plain text. What stands in backticks is code. ``show`` puts a
table or a figure into a page; their style sheet is there once, in ``style``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from driftbook.figures.canvas import Figure
from driftbook.tables import STYLE as TABLE_STYLE
from driftbook.tables import Format, Html, Tone, format_value, prose

# the name of a tone is a class of the style sheet
TONES: tuple[Tone, ...] = ("good", "watch", "bad", "calm")
FAILED = '<div role="note" data-failed>'  # what a page with a card that says why it shows nothing holds
_TEXT = re.compile(r"<svg.*?</svg>|>[^<]+", re.DOTALL)
_WHOLE = re.compile(r"\d{4}-\d\d-\d\d(?!\d)|\d[\d.,]* %")


@dataclass(frozen=True)
class Tile:
    """A number worth a large print: ``note`` says in small print what it means or is compared with."""

    label: str
    value: Any
    format: Format = "auto"
    note: str = ""
    tone: Tone = "calm"


def tiles(numbers: Sequence[Tile] | Mapping[str, Any]) -> str:
    r"""Large numbers side by side, each under its label.

    Examples
    --------
    >>> "<dd>82\xa0%" in tiles([Tile("accuracy", 0.82, format="percent", note="on 900 rows")])
    True
    >>> tiles({"open alerts": 2})
    '<dl class="dash-tiles"><div><dt>open alerts</dt><dd>2</dd></div></dl>'
    """
    given = [Tile(name, value) for name, value in numbers.items()] if isinstance(numbers, Mapping) else numbers
    return f'<dl class="dash-tiles">{"".join(map(_tile, given))}</dl>'


def columns(*pieces: str) -> str:
    """Pieces side by side where there is room, else below each other.

    Examples
    --------
    >>> columns("<p>a</p>", "", "<p>b</p>")
    '<div class="dash-columns"><div><p>a</p></div><div><p>b</p></div></div>'
    """
    return f'<div class="dash-columns">{"".join(f"<div>{piece}</div>" for piece in pieces if piece)}</div>'


def note(text: str, *, tone: Tone = "calm") -> str:
    """A sentence to the reader.

    Examples
    --------
    >>> note("Run `driftbook build`.")
    '<p class="dash-note dash-is-calm">Run <code>driftbook build</code>.</p>'
    """
    return f'<p class="dash-note dash-is-{tone}">{prose(text)}</p>'


def sentences(texts: Sequence[str]) -> str:
    """Sentences as a list; nothing for none.

    Examples
    --------
    >>> sentences(["Nothing drifted."])
    '<ul class="dash-said"><li>Nothing drifted.</li></ul>'
    """
    items = "".join(f"<li>{prose(text)}</li>" for text in texts)
    return f'<ul class="dash-said">{items}</ul>' if items else ""


def show(*pieces: Html | Figure) -> str:
    """Tables, verdict cards and figures as they stand in a page."""
    return "".join(piece._repr_html_().replace(TABLE_STYLE, "") for piece in pieces)


def fitted(shown: str, *, spare: Sequence[int] = (), unbroken: Sequence[int] = ()) -> str:
    """A table whose cells wrap, so that it stays within its card.

    Parameters
    ----------
    spare
        Columns, counted from 1, that a phone does without.
    unbroken
        Columns that keep to one line, such as dates.

    Examples
    --------
    >>> fitted("<table></table>", spare=[3])
    '<div class="dash-fit dash-spare-3"><table></table></div>'
    """
    names = [*(f"dash-spare-{number}" for number in spare), *(f"dash-unbroken-{number}" for number in unbroken)]
    return f'<div class="{" ".join(["dash-fit", *names])}">{shown}</div>'


def unbroken(html: str) -> str:
    """Markup whose dates and percentages stay in one piece at the end of a line; drawings are left as they are.

    Examples
    --------
    >>> unbroken("<p>until 2026-06-09</p>")
    '<p>until <span class="dash-unbroken">2026-06-09</span></p>'
    """
    return _TEXT.sub(_kept_whole, html)


def card(title: str, body: str, *, wide: bool = False) -> str:
    """A titled piece of a page.

    Examples
    --------
    >>> card("Alerts", "<p>none</p>").startswith('<section class="dash-card" aria-label="Alerts">')
    True
    """
    css = "dash-card dash-wide" if wide else "dash-card"
    return f'<section class="{css}" aria-label="{escape(title)}"><h2>{escape(title)}</h2>{body}</section>'


def error_card(title: str, message: str, *, wide: bool = False) -> str:
    """A card that says why it shows nothing.

    Examples
    --------
    >>> "no such file" in error_card("Story", "expected story.json, found no such file")
    True
    """
    return card(title, f"{FAILED}{note(f'■ {message}', tone='bad')}</div>", wide=wide)


def _tile(tile: Tile) -> str:
    small = f"<small>{prose(tile.note)}</small>" if tile.note else ""
    css = f' class="dash-is-{tile.tone}"' if tile.tone != "calm" else ""
    value = escape(format_value(tile.value, format=tile.format))
    return f"<div{css}><dt>{escape(tile.label)}</dt><dd>{value}{small}</dd></div>"


def _kept_whole(piece: re.Match[str]) -> str:
    text = piece[0]
    return text if text.startswith("<svg") else _WHOLE.sub(r'<span class="dash-unbroken">\g<0></span>', text)
