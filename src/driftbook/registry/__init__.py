"""MLflow as a mirror: every model version with its run, its data's digest and its office, for people and other tools.

The truth lies elsewhere (models in their folders, offices in ``deployment``), so that each call here may be killed and
simply made again: a version is a run, then a logged model, then a registered version, and what is there already is
not made twice. Runs left open by a killed build are closed. Importing MLflow costs seconds of processor time, so a
note of what the mirror holds answers calls that would change nothing, and aliases are compared, and set, in MLflow's
own SQLite file where there is one (``mlflow_aliases``); ``repair=True`` asks MLflow itself.

MLflow numbers versions itself; ours is the tag ``driftbook_version``. Its aliases have neither history nor
compare-and-swap, and its stages are deprecated: aliases ``champion``, ``challenger``, ``previous`` are set, and the
tag ``driftbook_state`` says ``archived`` for all others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from driftbook.config import Settings, UseCase
from driftbook.errors import StateError
from driftbook.model.footprint import LATENCY_FILE
from driftbook.registry.description import described_metrics, described_params
from driftbook.registry.mlflow_aliases import alias_rows, set_alias_rows
from driftbook.storage import canonical_json, load_json, locked, sha256_file, sha256_text, write_json

WAIT_SECONDS = 120.0
OFFICES = ("champion", "challenger", "previous")


class Offices(Protocol):
    """Anything that names our version numbers in office, such as ``deployment.Office``."""

    @property
    def champion(self) -> int | None: ...  # noqa: D102
    @property
    def challenger(self) -> int | None: ...  # noqa: D102
    @property
    def previous(self) -> int | None: ...  # noqa: D102


@dataclass(frozen=True)
class Registration:
    """Where a version of ours is found in MLflow."""

    name: str
    registry_version: str
    run_id: str
    digest: str

    @property
    def model_uri(self) -> str:
        """For ``mlflow.pyfunc.load_model``."""
        return f"models:/{self.name}/{self.registry_version}"


def register(
    settings: Settings,
    case: UseCase,
    version: int,
    folder: Path,
    report: Mapping[str, Any],
    *,
    lineage: Mapping[str, Any],
    repair: bool = False,
) -> Registration:
    """Make sure that MLflow holds a version of ours; the same again changes nothing.

    Parameters
    ----------
    version
        Our number of it.
    folder
        Bundle and drift reference, as saved; all of it becomes the model's artefact.
    report
        Of training: plain values become parameters; ``params``, ``metrics`` and ``baselines`` are spread out.
    lineage
        Where it came from (plain values, shown as tags); ``data_sha256``, the digest of the training rows, must be
        among them. MLflow's own digest sees only the first 10,000 rows.

    Raises
    ------
    StateError
        If MLflow's store cannot be used, or the lineage lacks the data's digest.
    """
    if "data_sha256" not in lineage:
        raise StateError(f"lineage needs data_sha256, the digest of the training rows; found {', '.join(lineage)}")
    digest = _digest(folder, report, lineage)
    noted = _note(settings, case)["versions"].get(str(version))
    if noted and noted["digest"] == digest and not repair:
        return Registration(**noted)
    from driftbook.registry.mlflow_store import ensure_version, opened

    tags = {"driftbook_version": str(version), "driftbook_digest": digest, "driftbook_use_case": case.name}
    tags |= {f"driftbook.{key}": str(value) for key, value in sorted(lineage.items()) if value is not None}
    with _held(settings), opened(settings) as client:
        registry_version, run_id = ensure_version(
            client,
            settings=settings,
            case=case,
            folder=folder,
            tags=tags,
            params=described_params(report),
            metrics=described_metrics(report),
            report=dict(report),
        )
        found = Registration(case.name, registry_version, run_id, digest)
        note = _note(settings, case)
        note["versions"][str(version)] = asdict(found)
        _write_note(settings, case, note)
    return found


def mirror_aliases(
    settings: Settings, case: UseCase, offices: Offices, *, repair: bool = False, with_mlflow: bool = True
) -> dict[str, str]:
    """Make MLflow's aliases say who is in office; what differs, by whoever's hand, is corrected.

    Parameters
    ----------
    repair
        Ask MLflow itself, whatever our note says.
    with_mlflow
        Whether MLflow may be imported, which takes seconds and 200 MB, where its file cannot be written without.

    Returns
    -------
    Alias → MLflow's version number.

    Raises
    ------
    StateError
        If a version in office was not registered, or MLflow's store cannot be used: without MLflow, or at all.
    """
    wanted = {name: getattr(offices, name) for name in OFFICES if getattr(offices, name) is not None}
    note = _note(settings, case)
    told = {"offices": wanted, "versions": {key: each["digest"] for key, each in note["versions"].items()}}
    if not repair:
        numbers = {name: note["versions"].get(str(number)) for name, number in wanted.items()}
        aliases = {name: str(each["registry_version"]) for name, each in numbers.items() if each is not None}
        if set(aliases) == set(wanted):
            mirrored = {"told": told, "aliases": aliases}
            if note["mirrored"] == mirrored and alias_rows(settings, case.name) == aliases:
                return aliases
            if set_alias_rows(settings, case.name, aliases):
                _write_note(settings, case, {**note, "mirrored": mirrored})
                return aliases
    if not with_mlflow:
        raise StateError("only MLflow itself could set them, and it is not loaded here")
    from driftbook.registry.mlflow_store import opened, set_aliases

    with _held(settings), opened(settings) as client:
        note = _note(settings, case)
        known = {int(key): str(each["registry_version"]) for key, each in note["versions"].items()}
        aliases = set_aliases(client, case.name, wanted, known=known)
        _write_note(settings, case, {**note, "mirrored": {"told": told, "aliases": aliases}})
    return aliases


def aliases_differ(settings: Settings, case: UseCase, offices: Offices) -> bool | None:
    """Whether MLflow's aliases say otherwise than ``offices``; ``None`` where only MLflow itself could tell."""
    present, note = alias_rows(settings, case.name), _note(settings, case)
    if present is None:
        return None
    ours = {str(each["registry_version"]): int(number) for number, each in note["versions"].items()}
    told = {alias: ours.get(version) for alias, version in present.items()}
    return told != {name: getattr(offices, name) for name in OFFICES if getattr(offices, name) is not None}


def mirror_was_moved(settings: Settings, case: UseCase) -> bool:
    """Whether somebody else changed the aliases since they were mirrored, as far as our own note and a glance tell."""
    mirrored, present = _note(settings, case)["mirrored"], alias_rows(settings, case.name)
    return mirrored is not None and present is not None and present != mirrored["aliases"]


@contextmanager
def _held(settings: Settings) -> Iterator[None]:
    """One process at a time: MLflow's first use and its copies of files do not stand company."""
    with locked(settings.state_folder / "mlflow.lock", wait_seconds=WAIT_SECONDS):
        yield


def _digest(folder: Path, report: Mapping[str, Any], lineage: Mapping[str, Any]) -> str:
    there = (path for path in sorted(folder.iterdir()) if path.is_file() and path.name != LATENCY_FILE)
    files = {path.name: sha256_file(path) for path in there}
    if not files:
        raise StateError(f"expected a saved bundle in {folder}, found no file; train the model again")
    return sha256_text(canonical_json({"files": files, "report": dict(report), "lineage": dict(lineage)}))


def _note_path(settings: Settings, case: UseCase) -> Path:
    return settings.state_folder / "mlflow_mirror" / f"{case.name}.json"


def _note(settings: Settings, case: UseCase) -> dict[str, Any]:
    """What the mirror holds by our own note; nothing if MLflow's store was changed for another or removed."""
    empty: dict[str, Any] = {"store": _store_mark(settings), "versions": {}, "mirrored": None}
    path = _note_path(settings, case)
    if not path.exists():
        return empty
    note = load_json(path)
    return dict(note) if note.get("store") == empty["store"] and _store_is_there(settings) else empty


def _write_note(settings: Settings, case: UseCase, note: Mapping[str, Any]) -> None:
    write_json(_note_path(settings, case), dict(note))


def _store_mark(settings: Settings) -> str:
    return sha256_text(settings.mlflow_url)


def _store_is_there(settings: Settings) -> bool:
    kind, _, place = settings.mlflow_url.partition(":///")
    return kind != "sqlite" or Path(place).is_file()
