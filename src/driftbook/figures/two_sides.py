"""Drawing two distributions over each other: the filled one is compared with, the outlined one is looked at."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from driftbook.figures.canvas import BLUE, GREY, Canvas, Figure
from driftbook.figures.letters import shorten
from driftbook.figures.panel import Panel
from driftbook.tables import format_value

MAX_CATEGORIES = 12
PAIR = 36  # height of the bars of one value


@dataclass(frozen=True)
class Words:
    """What a figure of two sides says: its title, their names, how large the change is, and the description."""

    title: str
    names: tuple[str, str]
    effect: str
    description: str

    @classmethod
    def of(
        cls, column: str, names: tuple[str, str], rows: Sequence[int], missing: Sequence[float], *, effect: str
    ) -> Words:
        """The words for so many rows on each side, of which such a share is missing."""
        told = "; ".join(
            f"{name}: {format_value(count)} rows, {format_value(share, format='percent')} missing"
            for name, count, share in zip(names, rows, missing, strict=True)
        ).replace("\u00a0", " ")
        return cls(f"{column}: {names[0]} and {names[1]}", names, effect, f"{told}. {effect}".rstrip())

    def heading(self, canvas: Canvas) -> float:
        """Draws it; gives where the figure may begin."""
        how = f"Filled grey: {self.names[0]}. Blue outline: {self.names[1]}."
        if not self.effect:
            canvas.heading(self.title, f"{how} Where the outline leaves the grey, the column has moved.")
            return 56.0
        canvas.heading(self.title, self.effect, how, strong=True)
        return 72.0


def draw_histogram(
    edges: Sequence[float],
    shares: Sequence[Sequence[float]],
    missing: Sequence[float],
    *,
    column: str,
    words: Words,
    outer: tuple[bool, bool] = (False, False),
) -> Figure:
    """Shares of rows per bin of equal width on both sides.

    Parameters
    ----------
    edges
        One more than there are bins.
    shares
        Of each side, per bin; where ``outer`` says so, with those below the first edge or above the last.
    missing
        Share of rows without a value, of each side.
    """
    most = max(*(max(each) for each in shares), *missing, 1e-9) * 1.08
    canvas = Canvas(height=318 if words.effect else 302)
    left, margin = canvas.sheet.room(64, 52), canvas.sheet.room(120, 116)
    width, bin_width = canvas.width - left - margin, (edges[-1] - edges[0]) / (len(edges) - 1)
    ends = (edges[0] - bin_width * outer[0], edges[-1] + bin_width * outer[1])
    panel = Panel(canvas, left, words.heading(canvas) + 20, width, 172, x=ends, y=(0, most))
    panel.y_axis("share of rows", format="percent")
    step = panel.width / len(shares[0])
    for index, span in enumerate(_spans(edges, outer)):
        place, height = panel.left + index * step, panel.py(shares[0][index])
        parts = [
            f"{name} {format_value(each[index], format='percent')}"
            for name, each in zip(words.names, shares, strict=True)
        ]
        canvas.rect((place, height), (step, panel.bottom - height), fill=GREY, opacity=0.5)
        canvas.rect((place, panel.top), (step, panel.height), fill="transparent", tip=f"{span}: {', '.join(parts)}")
    corners = [(panel.left + (i + side) * step, panel.py(v)) for i, v in enumerate(shares[1]) for side in (0, 1)]
    canvas.path([(panel.left, panel.bottom), *corners, (panel.right, panel.bottom)], color=BLUE, width=2.2)
    panel.x_axis(column, within=(edges[0], edges[-1]))
    _missing_bars(panel, missing, names=words.names)
    return canvas.figure(words.title, words.description)


def draw_bars(shares: Mapping[str, Sequence[float]], *, words: Words) -> Figure:
    """Shares of the rows of each side, value by value; the most frequent ones, and the others together."""
    values = sorted(shares, key=lambda value: (-sum(shares[value]), value))
    lines = [(value, list(shares[value])) for value in values[:MAX_CATEGORIES]]
    rest = [shares[value] for value in values[MAX_CATEGORIES:]]
    if rest:
        lines.append((f"{len(rest)} other values", [sum(each[side] for each in rest) for side in (0, 1)]))
    canvas = Canvas(height=(86 if words.effect else 70) + PAIR * max(len(lines), 1))
    upper, names = words.heading(canvas), words.names
    longest = max((max(each) for _, each in lines), default=1.0) or 1.0
    left, margin = canvas.sheet.room(200, 112), canvas.sheet.room(130, 122)
    for place, (value, each) in enumerate(lines):
        top = upper + PAIR * place
        unseen = " (new)" if each[0] == 0 and not value.startswith("(") else ""
        bold = each[0] == 0
        label, css = shorten(value + unseen, width=left - 16, bold=bold), "b" if bold else ""
        canvas.text(left - 12, top + 17, label, anchor="end", css=css, tip=value)
        text = [format_value(share, format="percent") for share in each]
        tip = f"{value}: {names[0]} {text[0]}, {names[1]} {text[1]}"
        widths = [(canvas.width - left - margin) * share / longest for share in each]
        canvas.rect((left, top), (widths[0], 12), fill=GREY, opacity=0.7, tip=tip)
        canvas.rect((left, top + 13), (widths[1], 11), fill="transparent", stroke=BLUE, tip=tip)
        canvas.text(left + max(widths) + 8, top + 17, f"{text[0]} → {text[1]}", css="d")
    return canvas.figure(words.title, words.description)


def _spans(edges: Sequence[float], outer: tuple[bool, bool]) -> list[str]:
    """Each bin in words."""
    texts = [format_value(float(edge)) for edge in edges]
    inner = [f"{low} to {high}" for low, high in itertools.pairwise(texts)]
    return [*[f"below {texts[0]}"] * outer[0], *inner, *[f"above {texts[-1]}"] * outer[1]]


def _missing_bars(panel: Panel, missing: Sequence[float], *, names: tuple[str, str]) -> None:
    canvas, left = panel.canvas, panel.right + 40
    canvas.line((left - 8, panel.bottom), (left + 58, panel.bottom), opacity=0.45)
    canvas.text(left + 25, panel.bottom + 17, "missing", anchor="middle", css="d")
    if not any(missing):
        canvas.text(left + 25, panel.bottom - 6, "none", anchor="middle", css="d")
        return
    for place, (share, name) in enumerate(zip(missing, names, strict=True)):
        top, tip = panel.py(share), f"missing, {name}: {format_value(share, format='percent')}"
        corner, size = (left + 27 * place, top), (23, panel.bottom - top)
        canvas.rect(corner, size, fill=GREY if place == 0 else "transparent", stroke=(GREY, BLUE)[place], tip=tip)
        edge, anchor = ((left + 23, "end"), (left + 27, "start"))[place]  # so that the two do not meet
        canvas.text(edge, top - 5, format_value(share, format="percent"), anchor=anchor, css="d")
