"""The confusion matrix: what is taken for what, for one model or for two side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from driftbook.figures.canvas import BLUE, ROSE, Canvas, Figure, notice
from driftbook.figures.letters import shorten
from driftbook.figures.sheet import current_sheet

MAX_CLASSES = 10
SIDE = 176.0
WIDEST = 62.0
NARROWEST = 34.0  # a field too narrow for its numbers shows them as a tip only
SPACE = "\u00a0"
ROOM = 104.0  # for the names of the classes
BESIDE = 690.0  # a sheet so wide has room for two


def confusion_pair(
    confusion: Mapping[str, Sequence[Sequence[int]]],
    classes: Sequence[str],
    *,
    names: tuple[str, str] = ("champion", "challenger"),
) -> Figure:
    """Two confusion matrices of the same rows, side by side.

    Parameters
    ----------
    confusion
        ``champion`` and ``challenger``: rows per true class (down) and decided class (across); a last line may count
        targets outside the classes.
    classes
        Names, in the order of the counts.
    names
        How to call the two.

    Examples
    --------
    >>> confusion_pair({"champion": [[8, 2], [1, 4]], "challenger": [[9, 1], [1, 4]]}, ["no", "yes"])
    Figure: What is taken for what. Decided rightly: champion 12, challenger 13 of 15.
    """
    title = "What is taken for what"
    both = [[list(line) for line in confusion[who]] for who in ("champion", "challenger")]
    total = sum(map(sum, both[0]))
    if not total:
        return notice(title, "No labelled row yet that both models have scored.")
    unknown = sum(map(sum, both[0][len(classes) :]))
    below = _below(len(classes), SIDE)
    beside = current_sheet().width >= BESIDE
    canvas = Canvas(height=(below if beside else 2 * below - 40) + 16 * bool(unknown))
    canvas.heading(title, "The same rows, each model. Down: the target; across: decided. Blue right, rose wrong.")
    rights = []
    places = ((120.0, 66.0), (490.0, 66.0)) if beside else ((120.0, 66.0), (120.0, below + 26))
    for counts, name, (left, top) in zip(both, names, places, strict=True):
        rights.append(sum(counts[place][place] for place in range(len(classes))))
        right = f"{name.capitalize()}: {100 * rights[-1] / total:.1f}{SPACE}% right"
        draw_confusion(canvas, list(classes), counts[: len(classes)], left=left, room=ROOM, heading=right, top=top)
    if unknown:
        canvas.text(
            canvas.sheet.room(120, 16),
            canvas.height - 12,
            f"{unknown:,} rows have a target that neither model knows",
            css="d",
        )
    words = f"{names[0]} {rights[0]:,}, {names[1]} {rights[1]:,} of {total:,}"
    return canvas.figure(title, f"Decided rightly: {words}.")


def confusion_matrix(confusion: Sequence[Sequence[int]], classes: Sequence[str]) -> Figure:
    """One confusion matrix.

    Parameters
    ----------
    confusion
        Rows per true class (down) and decided class (across); a last line may count targets outside the classes.
    classes
        Names, in the order of the counts.

    Examples
    --------
    >>> confusion_matrix([[8, 2], [1, 4]], ["no", "yes"])
    Figure: What is taken for what. 12 of 15 decided rightly.
    """
    title = "What is taken for what"
    counts = [list(line) for line in confusion]
    total, unknown = sum(map(sum, counts)), sum(map(sum, counts[len(classes) :]))
    if not total:
        return notice(title, "No target is known yet.")
    right = sum(counts[place][place] for place in range(len(classes)))
    side = current_sheet().room(250, 200)
    canvas = Canvas(height=_below(len(classes), side) + 16 * bool(unknown))
    canvas.heading(title, "Down: what it turned out to be; across: what was decided. Blue right, rose wrong.")
    heading = f"{100 * right / total:.1f}{SPACE}% right"
    draw_confusion(canvas, list(classes), counts[: len(classes)], left=ROOM + 16, room=ROOM, heading=heading, side=side)
    if unknown:
        canvas.text(16, canvas.height - 12, f"{unknown:,} rows have a target that the model does not know", css="d")
    return canvas.figure(title, f"{right:,} of {total:,} decided rightly.")


def draw_confusion(
    canvas: Canvas,
    classes: list[str],
    counts: list[list[int]],
    *,
    left: float,
    room: float,
    heading: str,
    top: float = 66,
    side: float = SIDE,
) -> None:
    """The classes with the most rows; many of them are numbered, for names would not fit below."""
    common = sorted(range(len(counts)), key=lambda each: (-sum(counts[each]), each))[:MAX_CLASSES]
    drawn, shown = sorted(common), len(common)
    canvas.text(left, top, heading, css="b")
    if room:
        canvas.text(left - 6, top, "target", anchor="end", css="d")
    first = top + 10
    size = _size(shown, side)
    numbered = size < NARROWEST
    for place, row in enumerate(drawn):
        total, middle = sum(counts[row]) or 1, first + size * (place + 0.5)
        name = (
            f"{shorten(classes[row], width=room - 20)}  {place + 1}" if numbered else shorten(classes[row], width=room)
        )
        canvas.text(left - 6, middle + 4, name, anchor="end", css="d", tip=classes[row])
        below = str(place + 1) if numbered else shorten(classes[row], width=size + 4)
        across = left + size * (place + 0.5)
        canvas.text(across, first + size * shown + 15, below, anchor="middle", css="d", tip=classes[row])
        for other, column in enumerate(drawn):
            count, share, right = counts[row][column], counts[row][column] / total, row == column
            corner = (left + size * other, first + size * place)
            tip = f"target {classes[row]}, decided {classes[column]}: {count:,} ({100 * share:.1f}{SPACE}%)"
            fill, opacity = BLUE if right else ROSE, round(0.06 + 0.5 * share, 3)
            canvas.rect(corner, (size - 2, size - 2), fill=fill, opacity=opacity, tip=tip)
            if not numbered:
                center = corner[0] + size / 2 - 1
                canvas.text(center, middle, f"{count:,}", anchor="middle", css="b")
                canvas.text(center, middle + 14, f"{100 * share:.0f}{SPACE}%", anchor="middle")
    canvas.text(left + size * shown / 2, first + size * shown + 32, "decided", anchor="middle", css="d")
    if len(counts) > shown:
        canvas.text(left, first + size * shown + 48, f"{len(counts) - shown} rarer classes are not drawn", css="d")


def _size(shown: int, side: float) -> float:
    """Width and height of one field of a matrix."""
    return min(side / max(shown, 1), WIDEST * side / SIDE)


def _below(classes: int, side: float) -> float:
    """Height of a figure of one matrix."""
    shown = min(classes, MAX_CLASSES)
    return 76 + shown * _size(shown, side) + 44 + 16 * (classes > shown)
