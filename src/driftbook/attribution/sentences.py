"""A cause, and the one sentence that tells it.

The sentence names the leading column and what it did, for whom, since when, what moves along, and what it means for
the score, or without a model for what tells the rows apart. It is rendered from the figures, so that it cannot
contradict them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from driftbook.attribution.effects import Effect
from driftbook.attribution.phrases import listed, percent, since_when
from driftbook.attribution.segments import Segment

UNTOUCHED = 0.01  # of a change: a smaller part is none
MORE_THAN_ALL = 1.005


@dataclass(frozen=True)
class Cause:
    """Columns that drift together, the leading one first, and what is known of it.

    ``segment`` holds most of it, None where it is spread over all rows; ``effect`` is the leading column's change,
    there or everywhere. ``domain_share`` and ``score_share`` add up over the columns; null where there is no
    classifier, no model or no change of the score beyond chance. ``row_ids`` are examples.
    """

    columns: tuple[str, ...]
    since: str | date | None
    effect: Effect
    segment: Segment | None
    domain_share: float | None
    score_share: float | None
    row_ids: tuple[str, ...]
    sentence: str

    @property
    def lead(self) -> str:
        """The column that tells the cause."""
        return self.columns[0]


def write_sentence(
    effect: Effect, *, others: Sequence[str], segment: Segment | None, since: str | date | None, weight: str
) -> str:
    """One plain sentence.

    Parameters
    ----------
    effect
        Of the leading column.
    others
        Columns that move with it.
    weight
        What it means, from :func:`weigh`.

    Examples
    --------
    >>> effect = Effect("fee", "mean", "higher", 50.0, 59.0, 1.2, "`fee` is 18 % higher")
    >>> write_sentence(effect, others=["tax"], segment=None, since="2026-05-12", weight="")
    'Since 12 May, `fee` is 18 % higher, and `tax` moves with it.'
    """
    when = since_when(since)
    told = effect.text
    if segment is not None and segment.change == "within":
        told += f" for `{segment.text}` ({percent(min(segment.share, 1.0))} of its shift)"
    if others:
        told += f", and {listed(others)} {'moves' if len(others) == 1 else 'move'} with it"
    own = {effect.column, *others} if effect.aspect in ("mean", "spread") else {effect.column}
    if segment is not None and segment.change == "frequency" and not set(segment.columns) <= own:
        told += f"; rows with `{segment.text}` went from {percent(segment.before)} to {percent(segment.after)}"
    told = f"{when}, {told}" if when else told
    return f"{told[0].upper()}{told[1:]}{f'; {weight}' if weight else ''}."


def joint_sentence(columns: Sequence[str], *, segment: Segment | None, since: str | date | None) -> str:
    """For a change that no single column shows.

    Examples
    --------
    >>> joint_sentence(["a", "b"], segment=None, since=None)
    'No single column drifted, but how `a` and `b` go together changed.'
    """
    when = since_when(since)
    told = f"no single column drifted{f' {when}' if when else ''}, but how {listed(columns)} go together changed"
    if segment is not None:
        told += f"; rows with `{segment.text}` went from {percent(segment.before)} to {percent(segment.after)}"
    return f"{told[0].upper()}{told[1:]}."


def weigh(columns: int, *, score_share: float | None, has_model: bool, domain_share: float | None) -> str:
    """What a cause means for the score, else for what tells the rows apart.

    Examples
    --------
    >>> weigh(1, score_share=0.71, has_model=True, domain_share=0.5)
    'it explains 71 % of the change of the score'
    >>> weigh(2, score_share=None, has_model=True, domain_share=0.5)
    'the score has hardly changed'
    >>> weigh(2, score_share=None, has_model=False, domain_share=0.5)
    'they make up 50 % of what tells the rows from the reference'
    """
    alone = columns == 1
    if not has_model:
        if domain_share is None or domain_share < UNTOUCHED:
            return ""
        made = "it makes up" if alone else "they make up"
        return f"{made} {percent(domain_share)} of what tells the rows from the reference"
    if score_share is None:
        return "the score has hardly changed"
    if abs(score_share) < UNTOUCHED:
        return f"{'it hardly touches' if alone else 'they hardly touch'} the score"
    if score_share < 0:
        return f"{'it works' if alone else 'they work'} against the change of the score"
    explained = f"{'it explains' if alone else 'they explain'} {percent(score_share)} of the change of the score"
    return f"{explained}, and others counter it" if score_share > MORE_THAN_ALL else explained
