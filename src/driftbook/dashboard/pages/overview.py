"""Is the model well? The first page: one answer in a word and a sentence, and the few numbers behind it."""

from __future__ import annotations

from driftbook.dashboard.known import Known
from driftbook.dashboard.page import Card, Page
from driftbook.dashboard.parts import show
from driftbook.dashboard.state import Selection
from driftbook.figures import story


def _story(known: Known, selection: Selection) -> str:
    return show(story(known.entries))


PAGE = Page("overview", "Overview", cards=(Card("The story so far", _story, wide=True),))
