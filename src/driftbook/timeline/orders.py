"""What a person orders by hand: promote this version, roll back to that one, keep the champion, train a challenger.

Everything that could be wrong is looked at before anything is changed: that the version exists whole, passed its gate
(unless forced) or was champion before, and that there is something to go back to. Then one transaction puts it in
office; MLflow's aliases follow. The next build begins with it: nobody has to restart anything.
"""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl

from driftbook.config import Settings, UseCase, load_use_case
from driftbook.database import Database, open_database
from driftbook.deployment import Office, Order, carry_out, history, latest_entries, load_office
from driftbook.errors import DriftbookError, ModelError, StateError
from driftbook.model.bundle import check_bundle
from driftbook.storage import load_json

ENTHRONED = ("appoint", "promote", "rollback")
LONGEST_REASON = 500
KEPT = ("key", "data_sha256", "trained_from", "trained_until")


@dataclass(frozen=True)
class Ordered:
    """What an order did: the office before, and its record."""

    case: UseCase
    before: Office
    record: Mapping[str, Any]

    @property
    def sentence(self) -> str:
        """Who is in office now, and who was."""
        change, former = self.record["changes"][0], self.before.champion
        if change["action"] == "retrain":
            return (
                f"{self.case.name}: a challenger is asked for (revision {self.record['revision']}). The next judged "
                "day takes it over; it stands until one is trained, which needs targets and no challenger in place."
            )
        if change["action"] == "retire":
            return (
                f"{self.case.name}: version {former} is kept, its challenger, version {change['version']}, retired "
                f"(revision {self.record['revision']}). The next build no longer compares the two."
            )
        was = f"; before it was version {former}" if former is not None else ""
        return (
            f"{self.case.name}: version {change['version']} is in office{was} "
            f"(revision {self.record['revision']}). The next build scores with it."
        )


def promote(
    use_case: str, version: int, *, reason: str, force: bool = False, actor: str | None = None, settings: Settings
) -> Ordered:
    """Put a version in office.

    Parameters
    ----------
    reason
        Why, in a person's words: it stands in the history and in the next report.
    force
        Also a version that failed its gate; the record says so.
    actor
        Who orders it; whoever runs this process unless given.

    Raises
    ------
    StateError
        If there is no such version, it is in office already, or the deployment was changed meanwhile.
    ModelError
        If it failed its gate, or its files are not as they were saved.
    """
    case, why = load_use_case(use_case, settings=settings), _reason(reason)
    with open_database(settings.database_url) as database:
        before = _office(database, case)
        training = _training(settings, case, version)
        _require_other(case, before, version)
        if not training["gate"]["passed"] and not force:
            raise ModelError(
                f"version {version} of {case.name} failed its gate: {' '.join(training['gate']['reasons'])} "
                f"Choose another, or take it all the same with --force"
            )
        order = Order("promote", version, why, actor or _person(), _evidence(training, forced=force))
        return _carry_out(database, case, order, before)


def rollback(
    use_case: str, *, to: int | None = None, reason: str, actor: str | None = None, settings: Settings
) -> Ordered:
    """Put back the champion before, or an earlier one.

    Parameters
    ----------
    to
        A version that was champion once. It has to be named after a rollback: whoever rolls back twice in a hurry
        would otherwise bring back what was just taken out.
    actor
        Who orders it; whoever runs this process unless given.

    Raises
    ------
    StateError
        If there is nothing to roll back to, or the deployment was changed meanwhile.
    ModelError
        If the files of the version are not as they were saved.
    """
    case, why = load_use_case(use_case, settings=settings), _reason(reason)
    with open_database(settings.database_url) as database:
        before = _office(database, case)
        reigns = history(database, case.name).filter(pl.col("action").is_in(ENTHRONED))
        version = to if to is not None else _former(case, before, reigns)
        _require_other(case, before, version)
        champions = sorted(set(reigns["version"].drop_nulls().to_list()) - {before.champion})
        if version not in champions:
            there = f"these were: {', '.join(map(str, champions))}" if champions else "nobody was"
            raise StateError(
                f"version {version} of {case.name} was never champion ({there}), so it cannot be put back; "
                f"to put it in office: driftbook promote {version} --reason …"
            )
        training = _training(settings, case, version)
        order = Order("rollback", version, why, actor or _person(), _evidence(training, forced=False))
        return _carry_out(database, case, order, before)


def keep(
    use_case: str, *, version: int | None = None, reason: str, actor: str | None = None, settings: Settings
) -> Ordered:
    """Keep the champion: retire the challenger, whatever the comparison would have said in the end.

    Parameters
    ----------
    version
        The challenger the person looked at; whoever it is, if not given.

    Raises
    ------
    StateError
        If there is no challenger, it is another one by now, or the deployment was changed meanwhile.
    """
    case, why = load_use_case(use_case, settings=settings), _reason(reason)
    with open_database(settings.database_url) as database:
        before = _office(database, case)
        if before.challenger is None:
            raise StateError(f"{case.name} has no challenger, so there is nobody to retire; nothing was changed")
        if version not in (None, before.challenger):
            raise StateError(
                f"version {version} of {case.name} is not its challenger, version {before.challenger} is; look at "
                f"'driftbook status --use-case {case.name}' and decide anew"
            )
        order = Order("keep", before.challenger, why, actor or _person(), _decided(database, case, before))
        return _carry_out(database, case, order, before)


def ask_for_challenger(use_case: str, *, reason: str, actor: str | None = None, settings: Settings) -> Ordered:
    """Have a challenger trained, whether or not anything else calls for it.

    The request waits for no cool-down, but for enough targets, and for a challenger in place to be judged.

    Raises
    ------
    StateError
        If the use case was never built, or the deployment was changed meanwhile.
    """
    case, why = load_use_case(use_case, settings=settings), _reason(reason)
    with open_database(settings.database_url) as database:
        before = _office(database, case)
        order = Order("retrain", None, why, actor or _person(), _decided(database, case, before))
        return _carry_out(database, case, order, before)


def follow(ordered: Ordered, *, settings: Settings, with_mlflow: bool = True) -> str | None:
    """Have MLflow's aliases follow; what kept them from it, if anything did: the next build tries again.

    Parameters
    ----------
    with_mlflow
        Whether MLflow may be imported where its own file cannot be written at once; a dashboard stays light without.
    """
    from driftbook.registry import mirror_aliases

    with open_database(settings.database_url) as database:
        office = load_office(database, ordered.case.name)
    try:
        mirror_aliases(settings, ordered.case, office, with_mlflow=with_mlflow)
    except DriftbookError as error:
        return f"MLflow's aliases do not follow yet, the next build sets them: {error}"
    return None


def _carry_out(database: Database, case: UseCase, order: Order, before: Office) -> Ordered:
    now = datetime.now(UTC)
    record = carry_out(database, case.name, order, expected_revision=before.revision, now=now)
    return Ordered(case, before, record)


def _office(database: Database, case: UseCase) -> Office:
    office = load_office(database, case.name)
    if office.champion is None:
        raise StateError(
            f"{case.name} was never built, so nobody is in office; build it: driftbook build --use-case {case.name}"
        )
    return office


def _former(case: UseCase, before: Office, reigns: pl.DataFrame) -> int:
    last = reigns.row(-1, named=True) if reigns.height else None
    if last is not None and last["action"] == "rollback":
        raise StateError(
            f"version {before.champion} of {case.name} was put back by a rollback (revision {last['revision']}, "
            f"by {last['actor']}); to go further, or forward again, name the version: driftbook rollback --to VERSION"
        )
    if before.previous is None:
        raise StateError(
            f"nothing to roll back to: version {before.champion} of {case.name} is its first champion; "
            "to put another version in office: driftbook promote VERSION --reason …"
        )
    return before.previous


def _require_other(case: UseCase, before: Office, version: int) -> None:
    if version == before.champion:
        raise StateError(f"version {version} of {case.name} is in office already; nothing was changed")


def _training(settings: Settings, case: UseCase, version: int) -> dict[str, Any]:
    """The training record of a version whose files are whole."""
    folder = settings.models_folder(case.name) / f"v{version}"
    if not folder.is_dir():
        numbers = sorted(int(path.name[1:]) for path in folder.parent.glob("v*") if path.name[1:].isdigit())
        raise StateError(
            f"no version {version} of {case.name}; there are {', '.join(map(str, numbers)) or 'none'} "
            f"(driftbook history --use-case {case.name})"
        )
    check_bundle(folder)
    record: dict[str, Any] = load_json(folder / "training.json")
    return record


def _decided(database: Database, case: UseCase, before: Office) -> dict[str, Any]:
    """What a person could know who moves no champion: who is in office, and what was decided last."""
    last = latest_entries(database, case.name)[-1]["decision"]
    decided = {name: last[name] for name in ("kind", "action", "reasons")}
    return {"champion": before.champion, "challenger": before.challenger, "decided": decided}


def _evidence(training: Mapping[str, Any], *, forced: bool) -> dict[str, Any]:
    facts = {name: training[name] for name in KEPT}
    return {**facts, "gate": training["gate"], "accuracy": training["metrics"]["accuracy"], "forced": forced}


def _reason(reason: str) -> str:
    told = " ".join(reason.split())
    if not told or len(told) > LONGEST_REASON:
        found = f"{len(told):,} characters" if told else "nothing"
        raise StateError(f"expected a reason of 1 to {LONGEST_REASON} characters, found {found}; say why")
    return told


def _person() -> str:
    return getpass.getuser()
