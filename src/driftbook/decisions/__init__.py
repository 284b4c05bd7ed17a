"""Decisions are values: evidence and policy in, :class:`Decision` out, from a pure function.

Nothing here reads a file, a clock or a database, so that any past decision can be derived again from its
record, and another policy be tried on it. Evidence is rounded as a record rounds it before it is judged
(``from_json(to_json())``): a replay decides from exactly the numbers that decided then.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Decision:
    """What to do, why, and the numbers that say so.

    Parameters
    ----------
    action
        One word: ``retrain`` or ``wait``; ``promote``, ``keep`` or ``continue``; ``rollback``.
    reasons
        Plain sentences with numbers, the decisive one first.
    evidence
        JSON-able: what was known (``given``), the policy, and what was computed from them.

    Examples
    --------
    >>> print(Decision("wait", ("No batch alarmed.",), {}).summary())
    **wait**
    <BLANKLINE>
    * No batch alarmed.
    """

    action: str
    reasons: tuple[str, ...]
    evidence: dict[str, Any]

    def summary(self) -> str:
        """The decision as Markdown, for notebooks and reports."""
        return "\n".join([f"**{self.action}**", "", *(f"* {reason}" for reason in self.reasons)])

    def to_json(self) -> dict[str, Any]:
        """The decision as a JSON-able mapping.

        Examples
        --------
        >>> Decision("wait", ("No batch alarmed.",), {"alarmed_batches": 0}).to_json()
        {'action': 'wait', 'reasons': ['No batch alarmed.'], 'evidence': {'alarmed_batches': 0}}
        """
        return {**asdict(self), "reasons": list(self.reasons)}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Decision:
        """The decision that :meth:`to_json` wrote."""
        return cls(content["action"], tuple(content["reasons"]), content["evidence"])
