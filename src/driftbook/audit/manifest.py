"""The manifest of a run: what went in, what came out, with which code, as digests.

An auditor compares digests, so they cover the bytes of every product and input and nothing volatile: no
clock, no paths of a machine, no name of a person. The same run gives the same manifest, byte for byte; who ran it and
when stands in the ledger's line about it, which also covers the manifest itself and the products that come after it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import driftbook
from driftbook.config import Policy, Settings, UseCase
from driftbook.data.dealing import before_service
from driftbook.data.ingestion import partition_files
from driftbook.data.sources import source_files
from driftbook.model.footprint import LATENCY_FILE
from driftbook.storage import canonical_json, sha256_file, sha256_text

PACKAGE = Path(driftbook.__file__).parent
SCHEMA = 3
UNFINISHED = ("manifest.json", "summary.json", "alerts.json", "08_write_audit.ipynb", "08_write_audit.html")
# what determined a run in a few values; the rest of a manifest are lists of files
DETERMINANTS = (
    *("driftbook", "parameters", "seed", "declaration_sha256", "policy", "policy_sha256"),
    *("source_sha256", "lock_sha256", "git"),
)


def build_manifest(
    *,
    case: UseCase,
    policy: Policy,
    settings: Settings,
    as_of: date,
    inputs: Mapping[str, str],
    models: Mapping[int, Path],
    folder: Path,
    later: Sequence[str] = (),
) -> dict[str, Any]:
    """Everything that determines a run, and everything it produced so far, by digest.

    Parameters
    ----------
    inputs
        sha256 of every batch by its id.
    models
        Folder of every version in play.
    folder
        The report's folder; hidden files, the manifest and the last notebook, which is still running, are left out.
    later
        Names of other files that the last notebook is still to write.
    """
    products = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
    base, _, variant = case.name.partition("-")
    return {
        "schema": SCHEMA,
        "driftbook": driftbook.__version__,
        "use_case": case.name,
        "as_of": as_of,
        "parameters": {"use_case": base, "scenario": variant or "declared", "as_of": as_of},
        "seed": case.seed,
        "declaration": case.model_dump(mode="json"),
        "declaration_sha256": sha256_text(canonical_json(case.model_dump(mode="json"))),
        "policy": policy.name,
        "policy_sha256": sha256_text(canonical_json(policy.model_dump(mode="json"))),
        "source_sha256": source_digest(),
        "lock_sha256": _digest_if_there(settings.root / "requirements.lock"),
        "git": git_state(settings.root),
        "raw": _raw_digests(case, settings),
        "batches": dict(inputs),
        "targets": _target_digests(case, settings, as_of=as_of),
        "models": {f"v{number}": folder_digests(path) for number, path in models.items()},
        "products": {path.name: sha256_file(path) for path in products if path.name not in {*UNFINISHED, *later}},
    }


def source_digest() -> str:
    """Digest of all of driftbook's own code and policies."""
    files = sorted([*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.yaml")])
    return sha256_text("\n".join(f"{path.relative_to(PACKAGE)} {sha256_file(path)}" for path in files))


def git_state(root: Path) -> dict[str, Any]:
    """Commit and whether the tree differs from it; empty outside a repository."""
    commands = {"commit": ["rev-parse", "HEAD"], "changes": ["status", "--porcelain", "--untracked-files=no"]}
    told = {}
    for name, arguments in commands.items():
        try:
            done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)
        except FileNotFoundError:
            return {}
        if done.returncode != 0:
            return {}
        told[name] = done.stdout.strip()
    return {"commit": told["commit"], "dirty": bool(told["changes"])}


def folder_digests(folder: Path) -> dict[str, str]:
    """sha256 of every file of a model's folder, by name; not of the measured time, which is no two times the same."""
    files = (path for path in sorted(folder.iterdir()) if path.is_file() and path.name != LATENCY_FILE)
    return {path.name: sha256_file(path) for path in files}


def _raw_digests(case: UseCase, settings: Settings) -> dict[str, str]:
    """Of the files a person dropped in; a database is known by the batches that were made of it."""
    case = before_service(case)
    if case.source.kind != "files":
        return {}
    return {path.name: sha256_file(path) for path in source_files(case, settings)}


def _target_digests(case: UseCase, settings: Settings, *, as_of: date) -> dict[str, str]:
    """Of the target files that were there by the end of ``as_of``."""
    folder = settings.data_folder(case.name)
    paths = partition_files(folder, "targets", until=as_of)
    return {path.relative_to(folder / "targets").as_posix(): sha256_file(path) for path in paths}


def _digest_if_there(path: Path) -> str | None:
    return sha256_file(path) if path.exists() else None
