"""Why a spell of alarms: found out on its first days, and kept beside the version's predictions.

The first days alone, so that what is told of a spell soon stays as it is, and is the same whether the days were judged
one by one or all at once: nothing later than the spell's batches is looked at. Notebook 05 shows it, the alert tells
it and ``drift_status.json`` lists it. It takes a second or two, so it is kept like predictions are, under a name that
holds a digest of the code that found it out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from driftbook.attribution import Alarm, Attribution, attribute
from driftbook.attribution.phrases import number, percent, since_when
from driftbook.data.batches import load_batches
from driftbook.decisions.alerts import alarm_spells
from driftbook.storage import canonical_json, load_json, sha256_file, sha256_text, write_json
from driftbook.timeline.evidence import Reign
from driftbook.timeline.journal import Entry
from driftbook.timeline.models import PACKAGE, Version, load_versions
from driftbook.timeline.run import Run

FIRST_DAYS = 3
REFERENCE_ROWS = 5_000
SHOWN_EXAMPLES = 10  # of all causes together, and 2 to 5 of each
SHOWN_COLUMNS = 5  # of an example
NAMED_RATIO = 1.25  # of the rows of a batch to the usual number: a smaller change is not told
RANKED = ("column", "cause", "domain_share", "score_share", "text")


@dataclass(frozen=True)
class Spell:
    """The first days of a spell of alarms: its batches, and what drifted in them.

    ``drifted`` has the features that drifted and matter, each with the first day on which it did; ``as_a_whole`` says
    whether a batch as a whole drifted, too.
    """

    batches: tuple[str, ...]
    drifted: Mapping[str, str]
    as_a_whole: bool = False


@dataclass(frozen=True)
class Explanation:
    """Why a spell alarmed, as plain data.

    ``sentences`` has one per cause; ``summary`` says besides what the score did and how clear it is. ``causes`` has
    their columns, segment and shares, ``ranked`` a row per column, ``examples`` some rows of each cause.
    """

    batches: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()
    summary: tuple[str, ...] = ("No batch alarmed, so there is nothing to explain.",)
    causes: tuple[dict[str, Any], ...] = ()
    ranked: tuple[dict[str, Any], ...] = field(default=(), repr=False)
    examples: tuple[dict[str, Any], ...] = field(default=(), repr=False)

    @property
    def state(self) -> str:
        """The word for it: something drifted, or nothing alarmed."""
        return "drifted" if self.batches else "no alarm"

    @property
    def period(self) -> str:
        """What it explains."""
        return f"the alarms that began on {self.batches[0]}" if self.batches else "nothing to explain"


def reference_rows(run: Run, version: Version, *, most: int) -> pl.DataFrame:
    """Rows of the days a version was trained on, at most so many and always the same."""
    since, until = (date.fromisoformat(version.training[key][:10]) for key in ("trained_from", "trained_until"))
    rows = load_batches(run.case, run.settings, as_of=until, since=since)
    return rows.sample(most, seed=run.case.seed) if rows.height > most else rows


def first_days(days: Mapping[str, Mapping[str, Any]], batches: Sequence[str], *, features: Iterable[str]) -> Spell:
    """What is known of a spell of alarmed ``batches`` from the drift of each day, as a journal entry holds it.

    Examples
    --------
    >>> drift = {"drifted_columns": ["age", "prediction"], "batches": [{"batch_id": "2026-06-01", "table_drifted": 1}]}
    >>> first_days({"2026-06-01": drift}, ["2026-06-01"], features=["age", "fee"])
    Spell(batches=('2026-06-01',), drifted={'age': '2026-06-01'}, as_a_whole=True)
    """
    last = (date.fromisoformat(batches[0][:10]) + timedelta(days=FIRST_DAYS - 1)).isoformat()
    early = tuple(each for each in batches if each[:10] <= last and each[:10] in days)
    known, drifted, whole = set(features), dict[str, str](), False
    for day in sorted({each[:10] for each in early}):
        for column in days[day]["drifted_columns"]:
            if column in known:
                drifted.setdefault(column, day)
        whole |= any(row.get("table_drifted") for row in days[day]["batches"] if row["batch_id"] in early)
    return Spell(early, drifted, whole)


def explain(run: Run, version: Version, spell: Spell) -> Explanation:
    """Why a spell alarmed; looked up where it was found out before."""
    if not spell.batches:
        return Explanation()
    path = _path(run, version, spell)
    if not path.exists():
        write_json(path, asdict(_found_out(run, version, spell)))
    record = load_json(path)
    return Explanation(**{name: tuple(values) for name, values in record.items()})


def explain_reign(run: Run, reign: Reign) -> Explanation:
    """Why the newest spell of a champion's reign alarmed, also when it is over."""
    spells = alarm_spells(reign.verdicts)
    if not spells:
        return Explanation()
    days = {each[:10]: reign.verdict(date.fromisoformat(each[:10])) for each in spells[-1]}
    return explain(run, reign.version, first_days(days, spells[-1], features=run.case.columns.features))


def explain_alerts(run: Run, entries: Sequence[Entry], verdicts: pl.DataFrame) -> dict[str, tuple[str, ...]]:
    """Sentences of every spell of a story by its first batch, as ``raise_alerts`` takes them.

    Each is told against the champion of its first day; one whose model is no longer there is left unexplained.
    """
    versions, told = load_versions(run), {}
    days = {entry["day"]: entry for entry in entries}
    for batches in alarm_spells(verdicts):
        champion = days[batches[0][:10]]["during"]["champion"]
        served = {day: entry["drift"] for day, entry in days.items() if entry["during"]["champion"] == champion}
        if champion in versions:
            spell = first_days(served, batches, features=run.case.columns.features)
            told[batches[0]] = explain(run, versions[champion], spell).sentences
    return told


def ranked_table(explanation: Explanation) -> pl.DataFrame:
    """Columns by importance, each with its share in what tells the rows apart and in the change of the score."""
    schema = {name: pl.Float64 if name.endswith("share") else pl.String for name in RANKED} | {"cause": pl.Int64}
    ranked = pl.DataFrame([{name: row[name] for name in RANKED} for row in explanation.ranked], schema=schema)
    return ranked.filter(pl.col("cause").is_not_null() | (pl.max_horizontal("domain_share", "score_share") > 0.01))


def example_rows(explanation: Explanation) -> pl.DataFrame:
    """One line per example, each row once: its name, the causes that it shows, and the columns that these speak of."""
    if not explanation.examples:
        return pl.DataFrame()
    shown = pl.DataFrame(explanation.examples, infer_schema_length=None)
    shown = shown.group_by("cause", maintain_order=True).head(max(SHOWN_EXAMPLES // len(explanation.causes), 2))
    leads = [column for cause in explanation.causes for column in cause["columns"] if column in shown.columns]
    names = [*dict.fromkeys([*leads, *shown.columns[1:]])]
    values = [pl.col(name).first() for name in names if name not in ("cause", "row_id")][:SHOWN_COLUMNS]
    causes = pl.col("cause").cast(pl.String).unique(maintain_order=True).str.join(", ")  # a row may show several
    grouped = shown.group_by("row_id", maintain_order=True).agg(causes.alias("cause"), *values)
    numbers = [name for name in grouped.columns[2:] if _numeric(grouped[name])]
    return grouped.with_columns(pl.col(numbers).cast(pl.Float64))


def _numeric(column: pl.Series) -> bool:
    return column.cast(pl.Float64, strict=False).null_count() == column.null_count() < column.len()


def _path(run: Run, version: Version, spell: Spell) -> Path:
    code = [sha256_file(path) for path in (*sorted((PACKAGE / "attribution").glob("*.py")), Path(__file__))]
    digest = sha256_text(canonical_json({"spell": asdict(spell), "code": code}))[:12]
    folder = run.settings.data_folder(run.case.name) / "predictions" / version.label / "causes"
    return folder / f"{spell.batches[0]}_{len(spell.batches)}_{digest}.json"


def _found_out(run: Run, version: Version, spell: Spell) -> Explanation:
    first, last = (date.fromisoformat(spell.batches[place][:10]) for place in (0, -1))
    current = load_batches(run.case, run.settings, as_of=last, since=first, part="stream")
    current = current.filter(pl.col("batch_id").is_in(spell.batches))
    profile = version.reference.profile
    found = attribute(
        reference_rows(run, version, most=REFERENCE_ROWS),
        current,
        kinds={name: profile[name].kind for name in run.case.columns.features if name in profile},
        alarm=Alarm(tuple(spell.drifted), since=dict(spell.drifted) or spell.batches[0]),
        bundle=version.bundle,
    )
    size = _size(version, spell, rows=current.height)
    nothing = "No column drifted by itself, and the rows cannot be told from the reference's."
    summary = found.summary() if found.causes or spell.drifted else [nothing] if not size else []
    return Explanation(
        batches=spell.batches,
        sentences=(*size, *(cause.sentence for cause in found.causes)),
        summary=(*size, *summary),
        causes=_causes(found),
        ranked=tuple(found.ranked.to_dicts()),
        examples=tuple(found.examples.to_dicts()),
    )


def _size(version: Version, spell: Spell, *, rows: int) -> tuple[str, ...]:
    """That far more or fewer rows came than usual, where a batch as a whole drifted."""
    usual = pl.Series(version.reference.batch_rows, dtype=pl.Float64).median()
    each = rows / len(spell.batches)
    if not spell.as_a_whole or not isinstance(usual, float) or 1 / NAMED_RATIO < each / usual < NAMED_RATIO:
        return ()
    when, change = since_when(spell.batches[0]), "more" if each > usual else "fewer"
    told = f"{when}, batches have {percent(abs(each / usual - 1))} {change} rows ({number(round(each))} on average)"
    return (f"{told[0].upper()}{told[1:]}, where {number(round(usual))} are usual.",)


def _causes(found: Attribution) -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            "columns": list(cause.columns),
            "since": cause.since,
            "sentence": cause.sentence,
            "segment": None
            if cause.segment is None
            else {key: getattr(cause.segment, key) for key in ("text", "change", "share", "before", "after")},
            "domain_share": cause.domain_share,
            "score_share": cause.score_share,
        }
        for cause in found.causes
    )
