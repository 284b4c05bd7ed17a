"""The manifest of a run: what went in, what came out, with which code, as digests.

An auditor compares digests, so they cover the bytes of every product and input and nothing volatile: no
clock, no paths of a machine.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import driftbook
from driftbook.config import Policy, Settings, UseCase
from driftbook.storage import canonical_json, sha256_file, sha256_text

PACKAGE = Path(driftbook.__file__).parent


def build_manifest(
    *,
    case: UseCase,
    policy: Policy,
    settings: Settings,
    as_of: date,
    inputs: Mapping[str, str],
    models: Mapping[int, Path],
    folder: Path,
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
    """
    products = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
    unfinished = ("manifest.json", "summary.json", "alerts.json", "08_write_audit.ipynb", "08_write_audit.html")
    return {
        "schema": 1,
        "driftbook": driftbook.__version__,
        "use_case": case.name,
        "as_of": as_of,
        "seed": case.seed,
        "declaration_sha256": sha256_text(canonical_json(case.model_dump(mode="json"))),
        "policy": policy.name,
        "policy_sha256": sha256_text(canonical_json(policy.model_dump(mode="json"))),
        "source_sha256": source_digest(),
        "lock_sha256": _digest_if_there(settings.root / "requirements.lock"),
        "git": git_state(settings.root),
        "batches": dict(inputs),
        "models": {f"v{number}": _folder_digests(path) for number, path in models.items()},
        "products": {path.name: sha256_file(path) for path in products if path.name not in unfinished},
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


def _digest_if_there(path: Path) -> str | None:
    return sha256_file(path) if path.exists() else None


def _folder_digests(folder: Path) -> dict[str, str]:
    return {path.name: sha256_file(path) for path in sorted(folder.iterdir()) if path.is_file()}
