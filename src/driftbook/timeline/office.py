"""Between the walk and what lasts: the journal it starts from, the commit it ends with, the mirror in MLflow.

The commit is one transaction and changes nothing when repeated; a sandbox run never commits.
"""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import Any

from driftbook.database import open_database
from driftbook.deployment import Outcome, commit_story, journal_before, load_office, load_orders
from driftbook.errors import ModelError
from driftbook.timeline.journal import Journal, Story
from driftbook.timeline.models import Version, champion_version, load_versions
from driftbook.timeline.run import Run

OUTCOMES = {
    "committed": "The story is recorded, and who is in office with it.",
    "unchanged": "The story is recorded, and who is in office with it.",
    "historic": "A later day has been judged already: this report is made anew, and nobody's office changes.",
    "sandbox": "Run by hand: nothing is recorded.",
}


def open_journal(run: Run) -> Journal:
    """The days that builds of an earlier day judged, taken as they stand, orders given since, and the revision.

    The revision is read first: what changes while the rest is read makes it outdated, and the commit is refused.
    """
    with open_database(run.settings.database_url) as database:
        revision = load_office(database, run.case.name).revision
        entries = journal_before(database, run.case.name, run.as_of)
        orders = load_orders(database, run.case.name)
    until, last = run.as_of.isoformat(), entries[-1]["day"] if entries else ""
    return Journal(tuple(entries), revision, tuple(order for order in orders if last <= order["day"] <= until))


def orders_since(run: Run, day: str) -> list[dict[str, Any]]:
    """Orders given after ``day`` was judged and before the next one was: they count from then on."""
    with open_database(run.settings.database_url) as database:
        orders = load_orders(database, run.case.name)
    return [order for order in orders if day <= order["day"] <= run.as_of.isoformat()]


def champion_in_office(run: Run) -> Version:
    """The champion at the start of this build: the last one in office, or the first one, trained now.

    Raises
    ------
    ModelError
        If the first champion does not pass its gate: nothing may be deployed then.
    """
    office = open_journal(run).office
    if office is not None and office["champion"] is not None:
        return load_versions(run)[office["champion"]]
    version = champion_version(run)
    if not version.passed:
        reasons = " ".join(version.training["gate"]["reasons"])
        raise ModelError(
            f"no model of {run.case.name} passes its gate, so nothing is deployed. {reasons} "
            f"Look at the features, or set model.minimum in data/{run.case.name.partition('-')[0]}/usecase.yaml"
        )
    return version


def versions_in_office(run: Run) -> list[Version]:
    """Champion and, if there is one, challenger at the start of this build, in this order."""
    office = open_journal(run).office
    number = office["challenger"] if office else None
    return [champion_in_office(run), *([load_versions(run)[number]] if number is not None else [])]


def commit(run: Run, story: Story) -> Outcome | str:
    """Record the story's new days and put its choices in office, in one transaction; the sandbox only looks."""
    if run.sandbox:
        return "sandbox"
    with open_database(run.settings.database_url) as database:
        return commit_story(
            database,
            run.case.name,
            as_of=run.as_of,
            entries=story.new,
            expected_revision=story.revision,
            actor=f"build by {getpass.getuser()}",
            now=datetime.now(UTC),
        )


def mirror(run: Run) -> dict[str, Any]:
    """Bring MLflow's registry up to the versions and offices of the deployment; the sandbox only looks."""
    if run.sandbox:
        return {"mirrored": False}
    from driftbook.registry import mirror_aliases, register

    with open_database(run.settings.database_url) as database:
        office = load_office(database, run.case.name)
    in_office = {office.champion, office.challenger, office.previous}  # by force also one that failed its gate
    found = load_versions(run).items()
    versions = {number: version for number, version in found if version.passed or number in in_office}
    for number, version in versions.items():
        register(run.settings, run.case, number, version.folder, version.training, lineage=lineage(version))
    mirror_aliases(run.settings, run.case, office)
    return {"mirrored": True, "versions": sorted(versions)}


def lineage(version: Version) -> dict[str, Any]:
    """Where a version comes from, as tags."""
    keys = ("cutoff", "window", "drift_since", "trained_from", "trained_until", "data_sha256", "key")
    return {key: version.training[key] for key in keys}
