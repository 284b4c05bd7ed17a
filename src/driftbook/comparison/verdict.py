"""The answer of a comparison in one word and a few sentences, the most important first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from driftbook.comparison.shapes import Shape
from driftbook.config import Policy
from driftbook.config.policy import CalibratedThreshold
from driftbook.drift.engine import batch_verdicts
from driftbook.drift.excess import excess
from driftbook.tables import format_value

Status = Literal["drifted", "stable", "cannot_tell"]
SMALL = {"numeric": 0.1, "categorical": 0.02}  # standard deviations; points of a category's share
NAMED = 3
BANDS = ("drifted", "moderate", "stable", "cannot_tell")


@dataclass(frozen=True)
class Verdict:
    """``status`` in a word, whether anything ``drifted``, and ``sentences`` that say it.

    Examples
    --------
    >>> print(Verdict("stable", ("No drift in 3 columns.",)))
    No drift in 3 columns.
    """

    status: Status
    sentences: tuple[str, ...]

    @property
    def drifted(self) -> bool:
        """Whether the tables differ by more than chance."""
        return self.status == "drifted"

    @property
    def sentence(self) -> str:
        """The first sentence."""
        return self.sentences[0]

    def __str__(self) -> str:
        return " ".join(self.sentences)


def column_summary(table: pl.DataFrame, shapes: Mapping[str, Shape]) -> pl.DataFrame:
    """One row per judged column, the farthest beyond its limit first.

    Returns
    -------
    ``column, kind, band, method, statistic, threshold, excess, effect_size`` of the method that says most,
    ``change`` in words, ``reference_missing`` and ``current_missing`` shares, ``note``.
    """
    rank = pl.col("band").replace_strict({band: place for place, band in enumerate(BANDS)}, return_dtype=pl.Int64)
    marked = table.with_columns(excess(), rank=rank, place=pl.int_range(pl.len()))
    ordered = marked.sort("rank", -pl.col("excess").fill_null(-1.0), "place")
    worst = ordered.unique("column", keep="first", maintain_order=True)
    known = [shapes.get(name) for name in worst["column"]]
    return worst.select(
        "column", "kind", "band", "method", "statistic", "threshold", "excess", "effect_size", "note"
    ).with_columns(
        pl.Series("change", [each.change if each else "" for each in known], dtype=pl.String),
        pl.Series("reference_missing", [each.missing[0] if each else None for each in known], dtype=pl.Float64),
        pl.Series("current_missing", [each.missing[1] if each else None for each in known], dtype=pl.Float64),
    )


def decide(table: pl.DataFrame, columns: pl.DataFrame, findings: pl.DataFrame, *, policy: Policy) -> Verdict:
    """The verdict of the long table, its summary by column, and the findings."""
    drifted = columns.filter(pl.col("band") == "drifted")
    judged = columns.filter(pl.col("band") != "cannot_tell").height
    together = table.filter((pl.col("role") == "table") & pl.col("drifted"))
    alarmed = bool(batch_verdicts(table, policy)["alarmed"].any()) if judged else False
    status: Status = "drifted" if alarmed or together.height else "stable" if judged else "cannot_tell"
    sentences = [_first(drifted, columns, alarmed=alarmed, policy=policy)]
    if together.height and drifted.is_empty():
        auc = format_value(together["statistic"][0])
        sentences.append(f"Yet together they drifted: a classifier tells the two apart (AUC {auc}, chance is 0.5).")
    if drifted.height and all(_is_small(row) for row in drifted.iter_rows(named=True)):
        sentences.append("All of these changes are small; so many rows show what may not matter.")
    untold = columns.height - judged
    if judged and untold:
        sentences.append(f"{untold} column{'s' * (untold != 1)} cannot be judged.")
    return Verdict(status, (*sentences, *_structure(findings)))


def _first(drifted: pl.DataFrame, columns: pl.DataFrame, *, alarmed: bool, policy: Policy) -> str:
    judged = columns.filter(pl.col("band") != "cannot_tell").height
    if not judged:
        why = columns["note"].drop_nulls().head(1).to_list()
        return f"Cannot tell: {why[0] if why else 'no column could be judged'}."
    if drifted.is_empty():
        return f"No drift: {_none(judged)} beyond {_what_limits(policy)}."
    few = "" if alarmed else f", no more than the {100 * policy.drift.alarm_share:.0f} % that the policy allows"
    return f"{drifted.height} of {judged} column{'s' * (judged != 1)} drifted{few}: {_named(drifted)}."


def _none(judged: int) -> str:
    return "the only column judged does not differ" if judged == 1 else f"none of {judged} columns differs"


def _what_limits(policy: Policy) -> str:
    threshold = policy.drift.threshold
    if isinstance(threshold, CalibratedThreshold):
        return "what chance allows"
    return f"the limits of policy {policy.name}"


def _named(drifted: pl.DataFrame) -> str:
    rows = drifted.head(NAMED).iter_rows(named=True)
    named = [f"{row['column']} ({row['change']})" if row["change"] else str(row["column"]) for row in rows]
    rest = drifted.height - len(named)
    return ", ".join(named) + (f" and {rest} more" if rest else "")


def _is_small(row: Mapping[str, object]) -> bool:
    effect = row["effect_size"]
    return isinstance(effect, float) and abs(effect) < SMALL[str(row["kind"])]


def _structure(findings: pl.DataFrame) -> Sequence[str]:
    """Sentences on columns that one side lacks or holds in another type."""
    phrases = {
        "only_in_reference": ("is missing in the current table", "are missing in the current table"),
        "only_in_current": ("is new in the current table", "are new in the current table"),
        "type_changed": ("changed its type", "changed their type"),
    }
    sentences = []
    for code, (one, many) in phrases.items():
        names = findings.filter(pl.col("finding") == code)["column"].to_list()
        if names:
            shown = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
            sentences.append(f"{shown} {one if len(names) == 1 else many}.")
    return sentences
