"""The drawing surface of all figures: SVG written in Python, one palette, one set of markers.

SVG because it needs no JavaScript, prints sharply, is the same bytes for the same numbers, and appears in
JupyterLab, in exported pages and in the dashboard alike. Ink takes the colour of the text around it, so a
figure follows light and dark; the palette (blue, orange, rose, teal, grey) has contrast on both and stays apart
for colour-blind readers. Every difference is also one of shape, dash, hatching or a label.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape

from driftbook.figures.letters import shorten
from driftbook.figures.sheet import WIDTH, current_sheet

BLUE, ORANGE, ROSE, TEAL, GREY = "#3a7bd5", "#d9790f", "#d1495b", "#1f9e89", "#8a94a6"
INK = "currentColor"
PAPER = "var(--jp-layout-color0,var(--vscode-editor-background,Canvas))"
HATCH = "url(#HATCH)"
CHARACTER = 6.6
HEAD, LINE = 26, 16  # heights of a title and of a line below it
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_STYLE = (
    ".dbf{display:block;width:100%;height:auto;font:12px system-ui,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;"
    "color:var(--jp-content-font-color1,inherit);font-variant-numeric:tabular-nums}"
    ".dbf text{fill:currentColor}.dbf .t{font-size:15px;font-weight:600}.dbf .d{opacity:.72}.dbf .b{font-weight:600}"
    ".dbf .h{paint-order:stroke;stroke-linejoin:round;stroke-width:4px;"
    f"stroke:{PAPER}}}.db-untrusted{{display:none}}.db-drawing{{display:block!important}}"
)
# JupyterLab strips pictures, but not their texts, and style sheets from notebooks it does not trust. So the words are
# there to be seen and the picture is hidden; the style sheet within the picture, where it counts, turns that round.
_UNTRUSTED = (
    "Figures are not shown, because this notebook is not trusted here: choose Trust Notebook in JupyterLab's command "
    "palette, or open its .html page. "
)
_FRAME = "margin:.6em 0 1.1em;max-width:{width:g}px;overflow-x:auto"


@dataclass(frozen=True, repr=False)
class Figure:
    """A finished figure: shows itself in a notebook, describes itself in words elsewhere.

    ``how_to_read`` are the lines of a heading that the page is to tell (:mod:`driftbook.figures.sheet`).
    """

    title: str
    description: str
    svg: str
    drawn: bool = True
    how_to_read: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Figure: {self.title}. {self.description}".rstrip()

    def _repr_html_(self) -> str:
        if not self.drawn:
            words = f"<strong>{escape(self.title)}</strong>: {escape(self.description)}"
            return f'<p style="font:14px/1.5 var(--jp-ui-font-family,system-ui,sans-serif)">{words}</p>'
        frame = _FRAME.format(width=WIDTH)
        untrusted = f'<p class="db-untrusted">{_UNTRUSTED}{escape(repr(self))}</p>'
        drawing = f'<div class="db-drawing" style="min-width:540px;display:none">{self.svg}</div>'
        return f'<div class="db-figure" style="{frame}">{untrusted}{drawing}</div>'


class Canvas:
    """Collects marks, then becomes a :class:`Figure`.

    Examples
    --------
    >>> canvas = Canvas(height=80)
    >>> canvas.text(10, 60, "a < b")
    >>> canvas.figure("Example", "One text.")
    Figure: Example. One text.
    """

    def __init__(self, *, height: float) -> None:
        self.sheet = current_sheet()
        self.width = self.sheet.width
        self.height = height
        self._top = 0.0
        self._how_to_read: tuple[str, ...] = ()
        self._marks: list[str] = []

    def line(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        *,
        color: str = INK,
        width: float = 1,
        dash: str = "",
        opacity: float = 1,
        tip: str = "",
    ) -> None:
        """A straight line."""
        place = f'x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}"'
        self._add("line", f'{place} stroke="{color}" stroke-width="{width:g}"', dash=dash, opacity=opacity, tip=tip)

    def path(
        self, points: Sequence[tuple[float, float]], *, color: str, width: float = 2, dash: str = "", opacity: float = 1
    ) -> None:
        """A line through points."""
        if points:
            shape = (
                f'd="{_route(points)}" fill="none" stroke="{color}" stroke-width="{width:g}" stroke-linejoin="round"'
            )
            self._add("path", shape, dash=dash, opacity=opacity)

    def area(self, points: Sequence[tuple[float, float]], *, fill: str, opacity: float = 1) -> None:
        """A filled polygon."""
        if points:
            self._add("path", f'd="{_route(points)}Z" fill="{fill}"', opacity=opacity)

    def rect(
        self,
        corner: tuple[float, float],
        size: tuple[float, float],
        *,
        fill: str = "none",
        stroke: str = "none",
        opacity: float = 1,
        round_by: float = 0,
        tip: str = "",
    ) -> None:
        """A rectangle from its upper left corner."""
        place = f'x="{corner[0]:.1f}" y="{corner[1]:.1f}" width="{max(size[0], 0):.1f}" height="{max(size[1], 0):.1f}"'
        corners = f' rx="{round_by:g}"' if round_by else ""
        border = f' stroke="{stroke}"' if stroke != "none" else ""
        self._add("rect", f'{place}{corners} fill="{fill}"{border}', opacity=opacity, tip=tip)

    def rects(
        self, corners: Sequence[tuple[float, float]], size: tuple[float, float], *, fill: str, opacity: float
    ) -> None:
        """Many rectangles of one size and colour as a single mark."""
        around = f"h{size[0]:.1f}v{size[1]:.1f}h{-size[0]:.1f}z"
        shape = "".join(f"M{x:.1f} {y:.1f}{around}" for x, y in corners)
        self._add("path", f'd="{shape}" fill="{fill}"', opacity=opacity)

    def marker(
        self,
        shape: str,
        center: tuple[float, float],
        *,
        color: str,
        size: float = 4.5,
        hollow: bool = False,
        tip: str = "",
    ) -> None:
        """A ``circle``, ``square``, ``diamond``, ``triangle`` or ``cross`` around a point."""
        x, y = center
        paint = f'fill="{PAPER if hollow else color}" stroke="{color}" stroke-width="1.6"'
        if shape == "circle":
            self._add("circle", f'cx="{x:.1f}" cy="{y:.1f}" r="{size * 0.9:g}" {paint}', tip=tip)
            return
        if shape == "cross":
            a = size * 0.8
            route = f"M{x - a:.1f} {y - a:.1f}L{x + a:.1f} {y + a:.1f}M{x - a:.1f} {y + a:.1f}L{x + a:.1f} {y - a:.1f}"
            self._add("path", f'd="{route}" fill="none" stroke="{color}" stroke-width="2"', tip=tip)
            return
        corners = {
            "square": ((-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)),
            "diamond": ((0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)),
            "triangle": ((0, -1.15), (1.1, 0.85), (-1.1, 0.85)),
        }[shape]
        route = _route([(x + size * a, y + size * b) for a, b in corners])
        self._add("path", f'd="{route}Z" {paint}', tip=tip)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        anchor: str = "start",
        css: str = "",
        color: str = "",
        turn: float = 0,
        tip: str = "",
    ) -> None:
        """One line of text; ``css``: ``t`` title, ``d`` dim, ``b`` bold, ``h`` with a halo."""
        attributes = f'x="{x:.1f}" y="{y:.1f}"'
        attributes += f' text-anchor="{anchor}"' if anchor != "start" else ""
        attributes += f' class="{css}"' if css else ""
        attributes += f' style="fill:{color}"' if color else ""
        attributes += f' transform="rotate({turn:g} {x:.1f} {y:.1f})"' if turn else ""
        title = f"<title>{escape(tip)}</title>" if tip and self.sheet.tips else ""
        self._marks.append(f"<text {attributes}>{escape(text)}{title}</text>")

    def heading(self, title: str, *how_to_read: str, strong: bool = False) -> None:
        """The title line, and below it how to read the figure; nothing on a sheet whose page tells it.

        ``strong``: the first line below is what the figure finds. Further lines are cut where they do not fit.
        """
        lines = tuple(filter(None, how_to_read))
        if not self.sheet.headed:
            self._top, self._how_to_read = HEAD + LINE * max(len(lines), 1), lines
            return
        self.text(8, 20, title, css="t")
        for number, line in enumerate(lines):
            text = shorten(line, width=self.width) if number else line
            css = "b" if strong and not number else "d"
            self.text(8, 38 + LINE * number, text, css=css, tip="" if text == line else line)

    def figure(self, title: str, description: str) -> Figure:
        """The finished figure; ``description`` says in words what it shows."""
        marks = "".join(self._marks)
        hatch = f"hatch-{hashlib.sha256((title + marks).encode()).hexdigest()[:10]}"
        pattern = (
            f'<defs><pattern id="{hatch}" width="6" height="6" patternUnits="userSpaceOnUse" '
            'patternTransform="rotate(45)">'
            f'<line x1="0" y1="0" x2="0" y2="6" stroke="{GREY}" stroke-width="2.4"/></pattern></defs>'
        )
        svg = (
            '<svg xmlns="http://www.w3.org/2000/svg" class="dbf" role="img" '
            f'viewBox="0 {self._top:g} {self.width:g} {self.height - self._top:g}" '
            f'aria-label="{escape(f"{title}. {description}")}"><style>{_STYLE}</style>'
            f"{pattern if HATCH in marks else ''}{marks.replace(HATCH, f'url(#{hatch})')}</svg>"
        )
        return Figure(title, description, svg, how_to_read=self._how_to_read)

    def _add(self, tag: str, attributes: str, *, dash: str = "", opacity: float = 1, tip: str = "") -> None:
        extra = f' stroke-dasharray="{dash}"' if dash else ""
        extra += f' opacity="{opacity:g}"' if opacity != 1 else ""
        self._marks.append(
            f"<{tag} {attributes}{extra}><title>{escape(tip)}</title></{tag}>"
            if tip and self.sheet.tips
            else f"<{tag} {attributes}{extra}/>"
        )


def notice(title: str, message: str) -> Figure:
    """What stands in for a figure where there is nothing to draw: in a page a sentence, not an empty picture."""
    canvas = Canvas(height=92)
    canvas.heading(title)
    canvas.rect((8, 36), (canvas.width - 16, 40), fill=GREY, opacity=0.12, round_by=5)
    canvas.text(24, 61, message)
    return replace(canvas.figure(title, message), drawn=False)


def round_ticks(low: float, high: float, *, count: int = 5) -> list[float]:
    """Round numbers between ``low`` and ``high``, about ``count`` of them.

    Examples
    --------
    >>> round_ticks(0, 0.93)
    [0.0, 0.2, 0.4, 0.6, 0.8]
    """
    if not high > low:
        return [low]
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = min((power * factor for factor in (1, 2, 2.5, 5, 10)), key=lambda each: abs(each - raw))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(index * step, 12) + 0.0 for index in range(first, last + 1)]


def batch_label(batch_id: str) -> str:
    """A batch's day (and hour) as short as a chart's axis needs it.

    Examples
    --------
    >>> batch_label("2026-05-17"), batch_label("2026-05-17T13")
    ('17 May', '17 May 13h')
    """
    day, _, hour = batch_id.partition("T")
    parts = day.split("-")
    if len(parts) != 3 or not parts[1].isdigit() or not 1 <= int(parts[1]) <= 12:
        return batch_id
    return f"{int(parts[2])} {_MONTHS[int(parts[1]) - 1]}" + (f" {hour}h" if hour else "")


def counted(count: int, unit: str) -> str:
    """How many of what is drawn.

    Examples
    --------
    >>> counted(1, "week"), counted(45, "batch")
    ('1 week', '45 batches')
    """
    plural = "es" if unit.endswith("tch") else "s"
    return f"{count} {unit}{'' if count == 1 else plural}"


def _route(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
