"""A column's two distributions in one small picture: grey area the reference, blue line the current table.

Hand-written SVG of about a kilobyte, because a page holds one for every column: whole coordinates, one path a side,
colours and sizes from the page's style sheet. Missing values have bars of their own at the right.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from driftbook.comparison.shapes import Shape, value_text
from driftbook.figures.canvas import BLUE, GREY
from driftbook.figures.letters import shorten
from driftbook.tables import format_value

WIDTH, HEIGHT = 340, 104
TOP, BASE = 12, 84
LOST_WIDTH = 46  # at the right, where values are missing
ROW, LABEL, TEXT = 17, 112, 96

OVERLAY_STYLE = f"""
.dbo{{display:block;width:100%;height:auto;font:10.5px system-ui,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;
font-variant-numeric:tabular-nums;overflow:visible}}
.dbo text{{fill:currentColor;opacity:.75}}.dbo .n{{font-weight:600;opacity:1}}
.dbo .r{{fill:{GREY};fill-opacity:.55}}.dbo .c{{fill:none;stroke:{BLUE};stroke-width:1.8;stroke-linejoin:round}}
.dbo .c.f{{fill:{BLUE};fill-opacity:.12}}.dbo .x{{stroke:currentColor;stroke-opacity:.35}}
"""


def overlay(shape: Shape, *, name: str) -> str:
    r"""The picture of one column as SVG; the style is :data:`OVERLAY_STYLE`.

    Examples
    --------
    >>> shape = Shape("categorical", "text", (0.5, 0.5), (1.0, 0.0), (0.0, 0.0), labels=("b", "a"))
    >>> overlay(shape, name="plan")[:67]
    '<svg class="dbo" viewBox="0 0 340 34" role="img" aria-label="plan: '
    """
    return _histogram(shape, name) if shape.kind == "numeric" else _bars(shape, name)


def _histogram(shape: Shape, name: str) -> str:
    lost = any(shape.missing)
    width = WIDTH - (LOST_WIDTH + 12 if lost else 0)
    top = max([*shape.reference, *shape.current, *shape.missing, 1e-9])
    area = f'<path class="r" d="{_steps(shape.reference, width, top)}Z"/>'
    line = f'<path class="c" d="{_steps(shape.current, width, top)}"/>'
    middle = (shape.edges[0] + shape.edges[-1]) / 2
    marks = [
        _text(0, HEIGHT - 6, value_text(_end(shape, 0), shape.family)),
        _text(width // 2, HEIGHT - 6, value_text(_near(middle, shape), shape.family), anchor="middle"),
        _text(width, HEIGHT - 6, value_text(_end(shape, -1), shape.family), anchor="end"),
        _text(0, 8, _percent(top)),
        f'<path class="x" d="M0 {BASE}H{width}"/>',
    ]
    if lost:
        marks.append(_lost(shape.missing, top))
    return _svg(HEIGHT, f"{name}: {shape.change}", area + line + "".join(marks))


def _end(shape: Shape, place: int) -> float:
    """The first or last value; a bin of a single whole number is named by it."""
    edges = shape.edges
    return edges[place] + (0.5 if place == 0 else -0.5) if _has_whole_bins(shape) else edges[place]


def _near(value: float, shape: Shape) -> float:
    return float(round(value)) if _has_whole_bins(shape) else value


def _has_whole_bins(shape: Shape) -> bool:
    return shape.edges[1] - shape.edges[0] == 1 and shape.edges[0] % 1 == 0.5


def _steps(shares: Sequence[float], width: int, top: float) -> str:
    """A step function along the base line, in whole pixels."""
    route, last = f"M0 {BASE}", BASE
    for place, share in enumerate(shares, start=1):
        height = round(BASE - (BASE - TOP) * min(share / top, 1))
        route += (f"V{height}" if height != last else "") + f"H{round(width * place / len(shares))}"
        last = height
    return f"{route}V{BASE}"


def _lost(missing: tuple[float, float], top: float) -> str:
    left = WIDTH - LOST_WIDTH
    marks = [f'<path class="x" d="M{left} {BASE}H{WIDTH}"/>', _text(left + 23, HEIGHT - 6, "missing", anchor="middle")]
    for place, (share, css) in enumerate(zip(missing, ("r", "c f"), strict=True)):
        height = round((BASE - TOP) * min(share / top, 1))
        marks.append(
            f'<rect class="{css}" x="{left + 3 + 22 * place}" y="{BASE - height}" width="18" height="{height}"/>'
        )
    words = _percent(missing[1]) if missing[1] >= missing[0] else _percent(missing[0])
    highest = round((BASE - TOP) * min(max(missing) / top, 1))
    return "".join(marks) + _text(left + 23, BASE - highest - 4, words, anchor="middle")


def _bars(shape: Shape, name: str) -> str:
    lines = list(zip(shape.labels, shape.reference, shape.current, strict=True))
    if any(shape.missing):
        lines.append(("missing", *shape.missing))
    longest = max([*shape.reference, *shape.current, *shape.missing, 1e-9])
    room = WIDTH - LABEL - TEXT
    marks = []
    for place, (label, before, after) in enumerate(lines):
        top = ROW * place
        is_new = before == 0 and not label.endswith("others")
        css = ' class="n"' if is_new else ""
        shown = shorten(f"{label} (new)" if is_new else label, width=LABEL)
        marks.append(f'<text{css} x="{LABEL - 8}" y="{top + 12}" text-anchor="end">{escape(shown)}</text>')
        for share, kind, shift, height in ((before, "r", 2, 12), (after, "c f", 4, 8)):
            width = round(room * share / longest)
            marks.append(f'<rect class="{kind}" x="{LABEL}" y="{top + shift}" width="{width}" height="{height}"/>')
        end = LABEL + round(room * max(before, after) / longest) + 6
        marks.append(_text(end, top + 12, f"{_percent(before)} → {_percent(after)}"))
    words = ", ".join(f"{label} {_percent(before)} → {_percent(after)}" for label, before, after in lines[:3])
    return _svg(ROW * max(len(lines), 1), f"{name}: {words}", "".join(marks))


def _svg(height: int, words: str, marks: str) -> str:
    return f'<svg class="dbo" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(words)}">{marks}</svg>'


def _text(x: int, y: int, text: str, *, anchor: str = "") -> str:
    place = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text x="{x}" y="{y}"{place}>{escape(text)}</text>'


def _percent(share: float) -> str:
    return format_value(share, format="percent")
