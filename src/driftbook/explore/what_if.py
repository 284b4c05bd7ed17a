"""What if a batch had drifted: the engine's own answer to drift that somebody puts in, free of widgets.

The reference is that of the first champion; before there is one, it is learned from the history right here, and then
nothing is said of predictions. Everything else is what a build does: the same functions, policy and limits.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import polars as pl

from driftbook.config import Settings
from driftbook.config.use_case import DECLARED_SCENARIO
from driftbook.data.batches import first_stream_day, load_batches
from driftbook.drift.engine import Reference, analyse_drift, batch_verdicts, build_reference
from driftbook.drift.excess import excess
from driftbook.drift.power import Change, column_power
from driftbook.drift.profile import Kind
from driftbook.explore.data import Exploration, open_exploration
from driftbook.explore.injection import Injection, distort
from driftbook.figures import Figure, drift_bars, reference_vs_current
from driftbook.figures.canvas import batch_label
from driftbook.tables import format_value
from driftbook.timeline.describe import effect_words
from driftbook.timeline.evidence import silent_columns
from driftbook.timeline.models import Version, load_versions
from driftbook.words import plain

SHORT_DAYS = 3
NAMES = ("as it came", "with drift")


@dataclass(frozen=True, eq=False)
class Workshop:
    """Where drift is put into batches of one use case: ``reference`` is of ``version``, if a model was trained yet."""

    exploration: Exploration
    reference: Reference
    version: Version | None

    @cached_property
    def batches(self) -> list[str]:
        """Batches of the stream, in order."""
        return self.exploration.index.filter(part="stream")["batch_id"].sort().to_list()

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        """Features that can be changed."""
        return {
            name: self.reference.profile[name].kind for name, role in self.reference.roles.items() if role == "feature"
        }

    @cached_property
    def silent(self) -> frozenset[str]:
        """Features that cannot matter to the model."""
        return silent_columns(self.exploration.run, self.version) if self.version else frozenset()

    def rows(self, batch_id: str) -> pl.DataFrame:
        """A batch as it came."""
        run, day = self.exploration.run, date.fromisoformat(batch_id[:10])
        rows = load_batches(run.case, run.settings, as_of=day, since=day, part="stream")
        return rows.filter(pl.col("batch_id") == batch_id)

    def judged(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The long table of a batch, predictions included where there is a model."""
        if self.version is not None:
            rows = rows.hstack(self.version.score(rows).drop("row_id"))
        table = analyse_drift(self.reference, rows, policy=self.exploration.run.policy, silent=self.silent)
        return table.filter(pl.col("role") != "target")


@dataclass(frozen=True)
class WhatIf:
    """What the engine says: whether the batch would alarm, in sentences, numbers and pictures."""

    alarmed: bool
    sentences: list[str]
    signals: pl.DataFrame
    distribution: Figure
    columns: Figure

    @property
    def title(self) -> str:
        """The answer in one line."""
        return "This batch would raise an alarm" if self.alarmed else "This batch would pass"


def open_workshop(
    use_case: str,
    *,
    scenario: str = DECLARED_SCENARIO,
    as_of: str | date | None = None,
    settings: Settings | None = None,
) -> Workshop:
    """Open a use case to put drift into its batches, bringing them onto the disk first where they are not there yet.

    Raises
    ------
    DriftbookError
        If there is no such use case, its source cannot be read, or its history is too short to compare with.
    """
    exploration = open_exploration(use_case, scenario=scenario, as_of=as_of, settings=settings)
    run = exploration.run
    version = next((each for each in load_versions(run).values() if each.passed), None)
    if version is not None:
        return Workshop(exploration, version.reference, version)
    eve = first_stream_day(run.case, run.settings)
    history = load_batches(run.case, run.settings, as_of=eve, part="history")
    return Workshop(exploration, build_reference(history, case=run.case, seed=run.case.seed), None)


def what_if(workshop: Workshop, batch_id: str, injection: Injection, *, before: pl.DataFrame | None = None) -> WhatIf:
    """Put drift into a batch and ask the engine.

    Parameters
    ----------
    before
        The long table of the batch as it came, where somebody kept it.
    """
    run, column = workshop.exploration.run, injection.column
    rows = workshop.rows(batch_id)
    changed = distort(rows, injection, std=workshop.reference.profile[column].std, seed=run.case.seed)
    table = workshop.judged(changed)
    verdict = batch_verdicts(table, run.policy).row(0, named=True)
    before = workshop.judged(rows) if before is None else before
    return WhatIf(
        alarmed=bool(verdict["alarmed"]),
        sentences=[*_found(table, injection), *_together(rows, changed, injection), *_power(workshop, injection)],
        signals=_signals(before, table, column),
        distribution=reference_vs_current(
            rows[column], changed[column], column=column, names=NAMES, effect=_effect(table, column)
        ),
        columns=drift_bars(table, batch_id, title=f"All columns of {batch_label(batch_id)}, with drift"),
    )


def _found(table: pl.DataFrame, injection: Injection) -> list[str]:
    """What fires, and what comes nearest."""
    column = injection.column
    judged = table.with_columns(excess()).filter(pl.col("matters") & pl.col("excess").is_not_null())
    if judged.is_empty():
        return ["Nothing can be told: the batch, or the reference, is too small."]
    top = judged.sort("excess", descending=True, maintain_order=True).row(0, named=True)
    name = f"`{top['column']}`" if top["role"] == "feature" else plain(top["column"])
    said = ["Nothing was changed: this is the batch as it came."] if injection.is_nothing else []
    said += [f"Strongest signal: {name}, {plain(top['method'])} at {format_value(top['excess'])} times its limit."]
    fired = table.filter(pl.col("drifted"))
    mine = [plain(method) for method in fired.filter(column=column)["method"]]
    said += [f"On `{column}` {_listed(mine)} {'fire' if len(mine) > 1 else 'fires'}."]
    if fired.height and fired["role"].eq("table").all():
        said.append("No column shows it by itself; the batch as a whole does.")
    if not table.filter(column=column)["matters"].all():
        said.append(f"`{column}` hardly matters to the model: its drift is shown and wakes nobody.")
    if fired["role"].eq("prediction").any():
        said.append("The predictions drifted with it.")
    return said


def _listed(methods: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(methods[:-1]), *methods[-1:]])) or "no method"


def _together(before: pl.DataFrame, after: pl.DataFrame, injection: Injection) -> list[str]:
    """How the column and its partner go together, as a rank correlation."""
    if not (injection.partner and injection.together) or injection.partner == injection.column:
        return []
    pair = [pl.col(name).rank() for name in (injection.column, injection.partner)]
    values = [format_value(rows.select(pl.corr(*pair)).item()) for rows in (before, after)]
    return [f"Rank correlation with `{injection.partner}`: {values[0]} as it came, {values[1]} with drift."]


def _power(workshop: Workshop, injection: Injection) -> list[str]:
    """How probably such a change would be seen, whatever the batch."""
    sizes: dict[Change, float] = {"shift": abs(injection.shift), "missing": injection.missing}
    sizes = {change: size for change, size in sizes.items() if size > 0}
    policy, column = workshop.exploration.run.policy, injection.column
    found = column_power(workshop.reference, policy, column, sizes=sizes, days=SHORT_DAYS) if sizes else pl.DataFrame()
    words = {"shift": "A shift of {} standard deviations", "missing": "A loss of {} of the values"}
    said = []
    for row in found.iter_rows(named=True):
        size = format_value(row["size"], format="percent" if row["change"] == "missing" else "auto")
        once, soon = (_probability(row[name]) for name in ("per_batch_probability", "within_days_probability"))
        what = words[row["change"]].format(size)
        said.append(
            f"{what} raises an alarm with probability {once} in a single batch, {soon} within {SHORT_DAYS} days."
        )
    return said


def _probability(value: float) -> str:
    return "above 0.99" if value > 0.99 else "below 0.01" if value < 0.01 else f"{value:.2f}"


def _signals(before: pl.DataFrame, after: pl.DataFrame, column: str) -> pl.DataFrame:
    """Every method on the column and on the batch as a whole, before and after."""
    shown = (pl.col("column") == column) | (pl.col("role") == "table")
    mine = after.filter(shown).with_columns(excess().alias("times now"))
    was = before.filter(shown).select("column", "method", excess().alias("times before"))
    joined = mine.join(was, on=["column", "method"], how="left", maintain_order="left")
    methods = pl.col("method").map_elements(plain, return_dtype=pl.String)
    return joined.select("column", methods, "statistic", "threshold", "times before", "times now", "chance", "band")


def _effect(table: pl.DataFrame, column: str) -> str:
    words = effect_words(table.filter(column=column).row(0, named=True), in_full=True)
    return f"{words}, against the reference." if words else ""
