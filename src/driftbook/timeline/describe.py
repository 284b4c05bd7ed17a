"""Small tables for people, made from records and frames: what the notebooks show beside their one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from driftbook.data.batches import load_batches
from driftbook.decisions import Decision
from driftbook.decisions.promotion import PromotionEvidence, daily_comparison
from driftbook.drift.engine import excess
from driftbook.timeline.evidence import Reign
from driftbook.timeline.journal import Entry, Story
from driftbook.timeline.models import load_versions
from driftbook.timeline.run import Run
from driftbook.words import CHANGES, plain

REFERENCE_ROWS = 20_000
SHOWN_SIGNALS = 12


def drifted_rows(table: pl.DataFrame) -> pl.DataFrame:
    """The newest batch's strongest signals in plain words, as multiples of their thresholds."""
    newest = table.filter(pl.col("batch_id") == pl.col("batch_id").max()).with_columns(excess())
    ranked = newest.sort("drifted", "excess", descending=True, nulls_last=True).head(SHOWN_SIGNALS)
    own = pl.when(pl.col("role") == "feature").then("column")
    shown = ranked.select(
        own.otherwise(pl.col("column").map_elements(plain, return_dtype=pl.String)).alias("column"),
        pl.col("method").map_elements(plain, return_dtype=pl.String),
        "statistic",
        "threshold",
        pl.col("excess").alias("times the threshold"),
        "band",
        "note",
    )
    return shown if shown["note"].count() else shown.drop("note")


def reference_and_current(run: Run, reign: Reign) -> tuple[str, pl.DataFrame, pl.DataFrame]:
    """The feature that moved most in the newest batch, rows of the reference (a bounded sample) and of that batch."""
    features = reign.table.filter((pl.col("role") == "feature") & (pl.col("batch_id") == pl.col("batch_id").max()))
    order = [pl.col("drifted"), pl.col("statistic") / pl.col("threshold")]
    ranked = features.sort(order, descending=True, nulls_last=True)
    training = reign.version.training
    until = date.fromisoformat(training["trained_until"][:10])
    since = date.fromisoformat(training["trained_from"][:10])
    reference = load_batches(run.case, run.settings, as_of=until, since=since)
    if reference.height > REFERENCE_ROWS:
        reference = reference.sample(REFERENCE_ROWS, seed=run.case.seed)
    stream = load_batches(run.case, run.settings, as_of=run.as_of, part="stream")
    current = stream.filter(pl.col("batch_id") == pl.col("batch_id").max())
    return ranked["column"][0], reference, current


def changes_table(entries: Sequence[Entry]) -> pl.DataFrame:
    """What changed on which day, and why, in plain words."""
    rows = [
        {
            "day": entry["day"],
            "action": CHANGES[change["action"]],
            "version": change["version"],
            "reason": change["reason"],
        }
        for entry in entries
        for change in entry["changes"]
    ]
    return pl.DataFrame(rows, schema={"day": pl.String, "action": pl.String, "version": pl.Int64, "reason": pl.String})


@dataclass(frozen=True)
class Duel:
    """The latest comparison of two versions: its days, its confidence sequence, its decision."""

    title: str
    action: str
    reasons: tuple[str, ...]
    days: pl.DataFrame
    sequence: pl.DataFrame
    record: dict[str, Any]


def served_reign(run: Run, story: Story) -> Reign:
    """The drift of the batches that the champion of the last day has served."""
    champion = story.entries[-1]["during"]["champion"]
    served = [entry["day"] for entry in story.entries if entry["during"]["champion"] == champion]
    return Reign.of(run, load_versions(run)[champion], since=date.fromisoformat(served[0]))


def last_comparison(run: Run, story: Story) -> Duel:
    """The newest comparison of the story (empty if there was none)."""
    compared = [entry for entry in story.entries if entry["decision"]["kind"] == "promotion"]
    if not compared:
        last = story.entries[-1]
        reasons = ("There is no challenger to compare.",)
        return Duel("No comparison", "not_needed", reasons, pl.DataFrame(), pl.DataFrame(), _record(last))
    entry = compared[-1]
    decision = Decision(entry["decision"]["action"], tuple(entry["decision"]["reasons"]), entry["decision"]["evidence"])
    evidence = PromotionEvidence.from_json(decision.evidence["given"])
    frame = daily_comparison(evidence, run.policy.promotion)
    return Duel(
        title=f"Version {evidence.challenger} against version {evidence.champion}, decided for {entry['day']}",
        action=decision.action,
        reasons=decision.reasons,
        days=pl.DataFrame([_day(day) for day in evidence.days]),
        sequence=frame.select("batch_id", mean="mean_difference", low="low", high="high"),
        record=_record(entry),
    )


def _record(entry: Entry) -> dict[str, Any]:
    return {"schema": 1, **entry}


def _day(day: Any) -> dict[str, Any]:
    return {
        "batch_id": day.batch_id,
        "rows": day.rows,
        "champion_correct": day.champion_correct,
        "challenger_correct": day.challenger_correct,
    }
