"""All day tables of a story, in one pass over its days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import polars as pl

from driftbook.storage import write_parquet
from driftbook.timeline.closing import Closing, evidence_of_alerts
from driftbook.timeline.day_tables import DAY_TABLES
from driftbook.timeline.days.alerts import alerts_by_day
from driftbook.timeline.days.drift import drift_by_day
from driftbook.timeline.days.offices import Offices
from driftbook.timeline.days.outcomes import Outcomes
from driftbook.timeline.days.rows import Served, days_of, predictions_of_day
from driftbook.timeline.journal import Entry
from driftbook.timeline.models import Version, load_versions
from driftbook.timeline.run import Run


def measure_days(
    run: Run, entries: Sequence[Entry], closing: Closing, *, findings: pl.DataFrame, drift: pl.DataFrame
) -> dict[str, pl.DataFrame]:
    """Every day table by its name.

    Parameters
    ----------
    entries
        ``story.json``: one entry a day.
    closing
        The run's alerts and why batches drifted.
    findings
        ``findings.parquet``: quality findings of all batches.
    drift
        ``drift.parquet``: the long drift table of the reign that this build found.
    """
    offices, versions = Offices.of(entries), load_versions(run)
    alerts = alerts_by_day(
        evidence_of_alerts(entries, findings),
        use_case=run.case.name,
        days=list(offices.days),
        raised=closing.alerts,
        causes=closing.causes,
    )
    tables = {"drift_days": drift_by_day(run, offices, versions, drift), "alerts_days": alerts}
    tables |= _from_rows(run, offices, versions)
    return {name: tables[name].select(list(schema)) for name, schema in DAY_TABLES.items()}


def write_days(run: Run, tables: Mapping[str, pl.DataFrame]) -> None:
    """Write each table to the product of its name."""
    for name, table in tables.items():
        write_parquet(run.products[name], table)


def sizes(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Rows and columns of each table, for a page."""
    rows = [{"table": name, "rows": table.height, "columns": table.width} for name, table in tables.items()]
    return pl.DataFrame(rows)


def _from_rows(run: Run, offices: Offices, versions: Mapping[int, Version]) -> dict[str, pl.DataFrame]:
    """What rows, predictions and targets say, one day after another."""
    trained = {number: datetime.fromisoformat(versions[number].trained_until).date() for number in offices.versions}
    served, outcomes = Served(run), Outcomes(run.case.columns.segments)
    for day in days_of(run, list(offices.days)):
        in_office = offices.days[day.day]
        for number in offices.counted(day.day, trained):
            version = versions[number]
            predictions = predictions_of_day(run, day, version)
            outcomes.add(day, version, predictions, first_day=offices.first_day(number))
            if number in in_office:
                outcomes.estimate(day, version, predictions)
            if number == in_office[0]:
                served.add(day, version, predictions)
    return {**served.tables(), **outcomes.tables()}
