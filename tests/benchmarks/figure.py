"""The picture of growth: CPU seconds against size, both logarithmic, beside the line that was promised."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

PROMISE = {"rows": "n log n", "columns": "linear"}


def growth_figure(records: Sequence[Mapping[str, Any]], size: str, *, exponent: float | None) -> str:
    """An SVG of CPU seconds over ``rows`` or ``columns``; the dashed line is the promise through the largest run."""
    from driftbook.figures.canvas import BLUE, GREY, Canvas
    from driftbook.figures.panel import Panel

    points = [(float(each["options"][size]), median(each["cpu_s"])) for each in records if "cpu_s" in each]
    points = [(math.log10(x), math.log10(max(y, 1e-6))) for x, y in points]
    if not points:
        return ""
    canvas = Canvas(height=330)
    slope = f", power {exponent:.2f}" if exponent is not None else ""
    canvas.heading(
        f"CPU seconds by {size}{slope}", f"Both axes logarithmic; dashed: {PROMISE[size]}, what was promised."
    )
    low, high = math.floor(min(y for _, y in points)), math.ceil(max(y for _, y in points) + 1e-9)
    panel = Panel(canvas, 64, 76, 660, 196, (points[0][0], points[-1][0]), (low, high))
    panel.y_axis("seconds", ticks=range(low, high + 1), show=lambda tick: f"{10.0**tick:g}")
    panel.base_line()
    for x, _ in points:
        canvas.text(panel.px(x), panel.bottom + 17, f"{10.0**x:,.0f}", anchor="middle", css="d")
    promised = [(panel.px(x), panel.py(y)) for x, y in _promise(points, size) if y >= low]
    canvas.path(promised, color=GREY, dash="6 4")
    canvas.path([(panel.px(x), panel.py(y)) for x, y in points], color=BLUE)
    for x, y in points:
        tip = f"{10.0**x:,.0f} {size}: {10.0**y:.3g} s"
        canvas.marker("circle", (panel.px(x), panel.py(y)), color=BLUE, tip=tip)
    words = "; ".join(f"{10.0**x:,.0f} {size} {10.0**y:.3g} s" for x, y in points)
    return canvas.figure(f"CPU seconds by {size}", words).svg


def _promise(points: Sequence[tuple[float, float]], size: str) -> list[tuple[float, float]]:
    """The promised law through the last point, in logarithms."""

    def law(x: float) -> float:
        return x + math.log10(max(x, 1e-9)) if size == "rows" else x

    shift = points[-1][1] - law(points[-1][0])
    return [(x, law(x) + shift) for x, _ in points]
