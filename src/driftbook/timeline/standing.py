"""How a use case stands right now: who is in office since when, how good, what is open.

Read from the database, the last report's summary and the training records: nothing is computed from data, so that
the answer is there at once and says what the reports say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from driftbook.config import Settings, load_use_case, use_case_names
from driftbook.database import Database, open_database
from driftbook.deployment import Office, history, latest_as_of, latest_entries, load_alerts, load_office, load_orders
from driftbook.errors import StateError
from driftbook.registry import aliases_differ
from driftbook.storage import load_json
from driftbook.timeline.journal import Entry
from driftbook.timeline.orders import ENTHRONED
from driftbook.timeline.verdict import describe_drift, describe_order


@dataclass(frozen=True)
class Standing:
    """One use case as it stands; without ``last``, the last judged day, it was never built."""

    use_case: str
    title: str
    status: str | None = None
    as_of: str | None = None
    office: Office = field(default_factory=Office)
    since: dict[str, Any] | None = None
    last: Entry | None = None
    drift: str = ""
    tested: dict[str, Any] | None = None
    open_alerts: tuple[dict[str, Any], ...] = ()
    ended_alerts: int = 0
    orders: tuple[str, ...] = ()
    mirror_differs: bool | None = None


def find_standings(use_case: str | None, *, settings: Settings) -> list[Standing]:
    """How one use case stands, or all that are declared or were built, by name.

    Raises
    ------
    StateError
        If the one asked for was never built.
    """
    with open_database(settings.database_url) as database:
        if use_case is None:
            return [_standing(database, name, settings) for name in _known(database, settings)]
        standing = _standing(database, load_use_case(use_case, settings=settings).name, settings)
    if standing.last is None:
        raise never_built(standing.use_case)
    return [standing]


def find_histories(use_case: str | None, *, settings: Settings) -> dict[str, pl.DataFrame]:
    """All changes of one use case, or of every one that was built.

    Raises
    ------
    StateError
        If the one asked for was never built.
    """
    with open_database(settings.database_url) as database:
        if use_case is None:
            found = {name: history(database, name) for name in _known(database, settings)}
            return {name: changes for name, changes in found.items() if changes.height}
        name = load_use_case(use_case, settings=settings).name
        changes = history(database, name)
    if changes.is_empty():
        raise never_built(name)
    return {name: changes}


def never_built(use_case: str) -> StateError:
    """The error for a use case that has no state yet."""
    return StateError(
        f"{use_case} was never built, so nobody is in office; build it: driftbook build --use-case {use_case}"
    )


def _known(database: Database, settings: Settings) -> list[str]:
    built = {row["use_case"] for row in database.rows("SELECT use_case FROM deployment")}
    return sorted(built | set(use_case_names(settings)))


def _standing(database: Database, name: str, settings: Settings) -> Standing:
    case = load_use_case(name, settings=settings)
    entries, as_of = latest_entries(database, name), latest_as_of(database, name)
    if not entries or as_of is None:
        return Standing(name, case.title)
    last, office = entries[-1], load_office(database, name)
    alerts = load_alerts(database, name).filter(state="open")
    newest = max((batch["batch_id"] for batch in last["drift"]["batches"]), default=last["batch_id"])
    standing = alerts.filter(pl.col("last_batch") >= newest)
    summary = settings.report_folder(name, as_of) / "summary.json"
    orders = [order for order in load_orders(database, name) if order["day"] >= last["day"]]
    return Standing(
        use_case=name,
        title=case.title,
        status=load_json(summary)["status"] if summary.is_file() else None,
        as_of=as_of.isoformat(),
        office=office,
        since=_since(history(database, name), office),
        last=last,
        drift=describe_drift(entries),
        tested=_tested(settings.models_folder(name) / f"v{office.champion}"),
        open_alerts=tuple(standing.to_dicts()),
        ended_alerts=alerts.height - standing.height,
        orders=tuple(map(describe_order, orders)),
        mirror_differs=aliases_differ(settings, case, office),
    )


def _since(changes: pl.DataFrame, office: Office) -> dict[str, Any] | None:
    """The change that put the champion in office."""
    crowned = changes.filter(pl.col("action").is_in(ENTHRONED) & (pl.col("version") == office.champion))
    return crowned.row(-1, named=True) if crowned.height else None


def _tested(folder: Path) -> dict[str, Any] | None:
    """The version's figures on the rows held out in training."""
    path = folder / "training.json"
    if not path.is_file():
        return None
    metrics: dict[str, Any] = load_json(path)["metrics"]
    return metrics
