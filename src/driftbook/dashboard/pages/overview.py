"""Is the model well? The first page: one answer in a word and a sentence, and the few numbers behind it.

Written for somebody who never saw a notebook and has ten seconds. Below it stand what was found and decided in the
report's words, the story so far, what the model costs, and how the other use cases stand.
"""

from __future__ import annotations

from html import escape

from driftbook.dashboard.answer import STATUS_TONES, Answer
from driftbook.dashboard.business import STREAM_ENDED, cost_tile, months, next_run, restless
from driftbook.dashboard.known import Found, Known, find_use_cases, load_known
from driftbook.dashboard.page import Action, Card, Page
from driftbook.dashboard.parts import note, sentences, show, tiles
from driftbook.dashboard.pictures import picture
from driftbook.dashboard.state import Selection
from driftbook.dashboard.visitor import Visitor
from driftbook.errors import DriftbookError
from driftbook.figures import story
from driftbook.tables import badge, prose, table
from driftbook.timeline.verdict import verdict_sentences
from driftbook.workflow.background import start_build
from driftbook.workflow.progress import load_progress

HEADINGS = {"incidents": "drift", "retrained": "trained", "rolled_back": "put back"}
SHOWN_MONTHS = 6
DECLARE_COSTS = "Declare what a wrong prediction costs under `costs` in `usecase.yaml`, and its cost appears here."


def _answer(known: Known, selection: Selection) -> str:
    answer = Answer(known)
    tone = STATUS_TONES[answer.status]
    return (
        f'<div class="dash-answer dash-is-{tone}"><p class="dash-word">{badge(answer.status)} '
        f"<strong>{escape(answer.word)}</strong></p>"
        f'<p class="dash-lead">{prose(answer.sentence)}</p></div>{tiles(answer.tiles)}'
    )


def _decided(known: Known, selection: Selection) -> str:
    return sentences(verdict_sentences(known.entries, orders=known.orders()))


def _story(known: Known, selection: Selection) -> str:
    return picture(lambda: story(known.entries), wide=True)


def _business(known: Known, selection: Selection) -> str:
    cost = cost_tile(known)
    numbers = tiles([*([cost] if cost else []), *restless(known.entries)])
    by_month = table(months(known.entries).drop("days"), caption="By month", labels=HEADINGS, max_rows=SHOWN_MONTHS)
    return numbers + show(by_month) + ("" if cost else note(DECLARE_COSTS))


def _others(known: Known, selection: Selection) -> str:
    """How the other use cases stand that were built, beside each other."""
    built = [each for each in _found(known) if each.built]
    return f'<div class="dash-cases">{"".join(_other(each, known) for each in built)}</div>' if built else ""


def _waiting(known: Known, selection: Selection) -> str:
    """The use cases that are declared and nobody built, with the command that does."""
    told = [each.fault or f"`driftbook build --use-case {each.name}`" for each in _found(known) if not each.built]
    names = [each.title for each in _found(known) if not each.built]
    return sentences([f"{name}: {words}" for name, words in zip(names, told, strict=True)])


def _found(known: Known) -> list[Found]:
    """The use cases there are but the chosen one."""
    found = find_use_cases(known.settings, mark=known.mark)
    return [each for each in found if each.name != known.case.name]


def _other(found: Found, known: Known) -> str:
    """How another use case stands, on the same day if this is the past; what is wrong with it stays in its box."""
    try:
        body = _standing(found, known)
    except DriftbookError as error:
        body = note(f"■ {str(error).replace(f'{known.settings.root}/', '')}", tone="bad")
    return (
        f'<section class="dash-case" aria-label="{escape(found.title)}"><h3>{escape(found.title)}</h3>{body}</section>'
    )


def _standing(found: Found, known: Known) -> str:
    other = load_known(known.settings, found.name, mark=known.mark)
    if not known.is_newest:
        before = [day for day in other.days if day <= known.day]
        if not before:
            return note(f"No day was judged by {known.day}.")
        other = load_known(known.settings, found.name, before[-1], mark=known.mark)
    answer = Answer(other)
    lead = f"<p>{badge(answer.status)} <strong>{escape(answer.word)}</strong>, as of {other.day}</p>"
    return f"{lead}<p>{prose(answer.sentence)}</p>{tiles(answer.tiles)}"


def _retrain(known: Known, selection: Selection, visitor: Visitor, text: str, chosen: str) -> str:
    return start_build(known.settings, known.case.name, reason=text, by=visitor.name)


def _idle(known: Known, selection: Selection) -> str:
    """Why nobody can start a build now."""
    running = load_progress(known.settings)
    if running is not None and running.state == "running":
        return "A build is running."
    if next_run(known.case, known.day).value == STREAM_ENDED:
        return "The simulated stream ends here: no day is left on which a build could train."
    return ""


PAGE = Page(
    "overview",
    "Overview",
    cards=(
        Card("Is the model well?", _answer, wide=True),
        Card("Other use cases", _others, wide=True),
        Card("The story so far", _story, wide=True),
        Card("What was found and decided", _decided),
        Card("Business figures", _business),
        Card("Not built yet", _waiting, wide=True),
    ),
    actions=(Action("retrain", "Retrain now", "Reason", run=_retrain, available=_idle),),
)
