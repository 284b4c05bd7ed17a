"""Figures in a page: drawn twice, for the place they have on a wide screen and for a phone, and told in HTML.

A page cannot know how wide the screen is; a style sheet can. So both drawings are there and one is shown, by the width
of the card it stands in: letters keep their size, and nothing scrolls within what scrolls. Heading and reading aid are
text of the page, which wraps by itself.
"""

from __future__ import annotations

from collections.abc import Callable

from driftbook.dashboard.parts import note
from driftbook.figures import Figure
from driftbook.figures.sheet import Sheet, drawn_on
from driftbook.tables import prose

HALF = Sheet(width=550, headed=False)
WHOLE = Sheet(width=1150, headed=False)
PHONE = Sheet(width=340, headed=False, tips=False)
STYLE = """
.dash-picture{container-type:inline-size;margin:0 0 .4em}
.dash-picture figcaption{font-size:13.5px;line-height:1.45;color:var(--dash-dim);margin:0 0 .6em;max-width:90ch}
.dash-picture figcaption strong{display:block;color:var(--dash-ink);font-weight:600}
.dash-picture .dash-phone{display:none;max-width:470px}
@container(max-width:430px){.dash-half .dash-large{display:none}.dash-half .dash-phone{display:block}}
@container(max-width:740px){.dash-whole .dash-large{display:none}.dash-whole .dash-phone{display:block}}
"""


def picture(draw: Callable[[], Figure], *, wide: bool = False, found: str = "", rests_on: str = "") -> str:
    """A figure as it stands in a card; where there is nothing to draw, the sentence that says so.

    Parameters
    ----------
    draw
        Draws it, on whatever sheet it is called on.
    wide
        For a card that takes a whole row.
    found
        What it shows, in a sentence in front of how it is read; its own description where none is given.
    rests_on
        Which rows it is drawn from, in a sentence.

    Examples
    --------
    >>> from driftbook.figures import story
    >>> picture(lambda: story([]))
    '<p class="dash-note dash-is-calm">No batch of the stream has been judged yet.</p>'
    """
    with drawn_on(WHOLE if wide else HALF):
        large = draw()
    if not large.drawn:
        return note(large.description)
    with drawn_on(PHONE):
        small = draw()
    lines = [prose(" ".join(filter(None, (rests_on, *each.how_to_read)))) for each in (large, small)]
    told = lines[0]
    if lines[1] != lines[0]:
        told = f'<span class="dash-large">{lines[0]}</span><span class="dash-phone">{lines[1]}</span>'
    caption = f"<figcaption><strong>{prose(found or large.description)}</strong>{told}</figcaption>"
    drawings = f'<div class="dash-large">{large.svg}</div><div class="dash-phone">{small.svg}</div>'
    return f'<figure class="dash-picture {"dash-whole" if wide else "dash-half"}">{caption}{drawings}</figure>'
