"""The models in memory: follows the deployment, so that a promotion or rollback takes effect within seconds.

Who is in office is one immutable value. A request takes it once and is answered from it, whatever happens meanwhile;
a change puts another in its place, after its models were read and tried, aside from the event loop. A model that cannot
be read changes nothing: the one before goes on answering, and the fault is told until it is put right.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from driftbook.config import Settings, UseCase
from driftbook.database import Database
from driftbook.deployment import Office, history, load_office
from driftbook.errors import DriftbookError, ModelError
from driftbook.serving.logged import Role
from driftbook.serving.panel import Panel
from driftbook.serving.scorer import ServedModel
from driftbook.storage import load_json

RETRY_SECONDS = 15.0  # until a model that could not be read is tried again though its files did not change
_DESCRIBED = ("trained_from", "trained_until", "rows", "cutoff", "window", "drift_since", "metrics", "gate", "key")
_LOGGER = logging.getLogger(__name__)

Identity = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class LoadedVersion:
    """A version that is ready to score, with its training record and how long it took to load."""

    number: int
    folder: Path
    model: ServedModel
    training: Mapping[str, Any]
    load_seconds: float
    identity: Identity | None = None

    def describe(self) -> dict[str, Any]:
        """What a caller may know of it, from its training record."""
        known = {name: self.training[name] for name in _DESCRIBED if name in self.training}
        return {"version": self.number, "classes": list(self.model.classes), "training": known}


@dataclass(frozen=True)
class OnDuty:
    """Who answers: the champion and, if there is one, the challenger; ``since`` is when each took office.

    ``panel`` is the models of ``versions``, in that order.
    """

    champion: LoadedVersion
    challenger: LoadedVersion | None
    panel: Panel
    revision: int
    since: Mapping[int, str]

    @property
    def versions(self) -> dict[Role, LoadedVersion]:
        """By role."""
        found: dict[Role, LoadedVersion] = {"champion": self.champion}
        if self.challenger is not None:
            found["challenger"] = self.challenger
        return found


class Following:
    """Keeps the models of one use case in step with its deployment.

    Attributes
    ----------
    on_duty
        Who answers now; ``None`` before there was a champion that could be read. Replaced as a whole, so that it can be
        read from any thread.
    faults
        What is not as the deployment says, in a sentence by its subject; empty while all is well.
    """

    def __init__(self, case: UseCase, settings: Settings, database: Database) -> None:
        self.on_duty: OnDuty | None = None
        self.faults: dict[str, str] = {}
        self.loads = 0
        self._case = case.name
        self._folder = settings.models_folder(case.name)
        self._database = database
        self._failed: dict[int, tuple[Identity | None, float, str]] = {}

    def refresh(self) -> bool:
        """Look at the deployment, load what is new, and put it on duty; whether anything changed.

        Called every few seconds, by one thread at a time; it costs one row of the database as long as nothing changes.
        """
        faults: dict[str, str] = {}
        try:
            office = load_office(self._database, self._case)
            changed = self._follow(office, faults)
        except DriftbookError as error:
            faults["deployment"] = f"the deployment cannot be read: {error}"
            changed = False
        for subject, told in faults.items():
            if self.faults.get(subject) != told:
                _LOGGER.error("%s", told)
        self.faults = faults
        return changed

    def _follow(self, office: Office, faults: dict[str, str]) -> bool:
        before = self.on_duty
        if office.champion is None:
            faults["champion"] = f"{self._case} has no champion; make one: driftbook build --use-case {self._case}"
            return False
        champion = self._version(office.champion, faults, "champion")
        if champion is None:
            return False
        challenger = None
        if office.challenger is not None:
            challenger = self._version(office.challenger, faults, "challenger")
        if before is not None and (before.champion, before.challenger) == (champion, challenger):
            if before.revision != office.revision:
                self.on_duty = replace(before, revision=office.revision, since=self._since(office))
            return False
        panel = Panel([version.model for version in (champion, challenger) if version is not None])
        self.on_duty = OnDuty(champion, challenger, panel, office.revision, self._since(office))
        told = f" with challenger {challenger.number}" if challenger else ""
        _LOGGER.info("version %d of %s is on duty%s", champion.number, self._case, told)
        return True

    def _version(self, number: int, faults: dict[str, str], role: Role) -> LoadedVersion | None:
        """The version as it is on disk, or as it is in memory where the disk has none; ``None`` if neither has."""
        folder = self._folder / f"v{number}"
        identity = _identity(folder)
        loaded = self._in_memory(number)
        if loaded is not None and loaded.identity == identity:
            return loaded
        failed = self._failed.get(number)
        if failed is None or failed[0] != identity or time.monotonic() - failed[1] > RETRY_SECONDS:
            try:
                version = load_version(number, folder)
            except Exception as error:  # whatever is in the folder, what is in memory goes on answering
                self._failed[number] = (identity, time.monotonic(), f"{error}")
            else:
                self._failed.pop(number, None)
                self.loads += 1
                return version
        faults[role] = f"version {number} cannot be loaded as {role}: {self._failed[number][2]}"
        return loaded

    def _in_memory(self, number: int) -> LoadedVersion | None:
        versions = self.on_duty.versions.values() if self.on_duty is not None else ()
        return next((version for version in versions if version.number == number), None)

    def _since(self, office: Office) -> dict[int, str]:
        """When the versions in office came into it: the latest change that named each."""
        changes = history(self._database, self._case).select("version", "at").drop_nulls()
        wanted = {office.champion, office.challenger}
        return {number: at.isoformat() for number, at in changes.iter_rows() if number in wanted}


def load_version(number: int, folder: Path) -> LoadedVersion:
    """Read a version from its folder, ready to score.

    Raises
    ------
    ModelError
        If it is not there, was changed, or is of another format.
    """
    began = time.perf_counter()
    identity = _identity(folder)
    if identity is None:
        raise ModelError(f"expected a model in {folder}, found none; restore it, or build again")
    model = ServedModel.load(folder)
    training = load_json(folder / "training.json")
    return LoadedVersion(number, folder, model, training, time.perf_counter() - began, identity)


def _identity(folder: Path) -> Identity | None:
    """Changes when the version's files are written anew; ``None`` where there are none."""
    try:
        found = os.stat(folder / "schema.json")
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
