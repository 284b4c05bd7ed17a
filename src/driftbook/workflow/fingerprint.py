"""What a task depends on beyond its notebook, as one digest per task.

Ploomber compares a notebook's source and parameters, but sees neither edits of imported modules nor changed
data. So each task's ``params: resources_`` names a small file with the digests of: the modules its notebook
imports (transitively), the policies if it reads them, the raw input, and the state earlier builds left.
A task runs again exactly when one of its own digests, its notebook, or a task before it changed.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from driftbook.config import Settings, UseCase
from driftbook.storage import canonical_json, load_json, sha256_file, sha256_text, write_json

PACKAGE = Path(__file__).parents[1]
STATE_TASKS = frozenset({"train_champion", "score_batches", "analyse_drift", "retrain_challenger"})
STATE_TASKS |= {"evaluate_challenger", "write_audit"}


def imported_modules(source: str) -> set[str]:
    """Names of the driftbook modules that a Python source imports, anywhere in it.

    Examples
    --------
    >>> sorted(imported_modules("from driftbook.drift.engine import analyse_drift; import polars"))
    ['driftbook.drift.engine', 'driftbook.drift.engine.analyse_drift']
    """
    names: set[str] = set()
    for node in _at_run_time(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return {name for name in names if name.split(".")[0] == "driftbook"}


def notebook_source(path: Path) -> str:
    """All code of a notebook, as one Python source."""
    cells = load_json(path)["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def modules_of(source: str) -> list[Path]:
    """Files of all driftbook modules that a source uses, transitively, sorted.

    A package whose ``__init__`` only re-exports is seen through: of ``from driftbook.figures import story`` only
    the module that defines ``story`` counts, not every figure there is.
    """
    pending, seen = imported_modules(source), set[str]()
    files: set[Path] = set()
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        for path, rest in _resolve(name):
            files.add(path)
            exports = _exports_of(path)
            if exports is None:
                pending |= _imports_of(path) - seen
            elif rest in exports:
                pending.add(exports[rest])
    return sorted(files)


def code_digest(source: str) -> str:
    """Digest of the modules a source imports, and of the policies if it reads them."""
    files = modules_of(source)
    if any(path.name == "policy.py" for path in files):
        files += sorted((PACKAGE / "policies").glob("*.yaml"))
    return sha256_text("\n".join(f"{path.relative_to(PACKAGE)} {sha256_file(path)}" for path in files))


def input_digest(case: UseCase, settings: Settings) -> str:
    """Digest of what the use case declares and of the raw data it reads.

    Files are digested once, as long as size and time of change stay. A database cannot say whether it changed, so
    the answer to the query is digested each time: a build that takes new rows for none would be worse than a slow one.
    Of a service's log the closed days count.
    """
    parts = [canonical_json(case.model_dump(mode="json", exclude={"service"}))]
    if case.source.kind == "service":
        from driftbook.data.dealing import before_service
        from driftbook.data.served import log_mark

        parts.append(log_mark(case, settings))
        case = before_service(case)
    folder = settings.raw_folder(case.name)
    if case.source.kind == "files" and folder.is_dir():
        files = sorted(path for path in folder.iterdir() if path.is_file())
        parts += [f"{path.name} {_cached_digest(path, settings)}" for path in files]
    if case.source.kind == "sql":
        from driftbook.data.ingestion import is_closed
        from driftbook.data.sources import load_table

        if not is_closed(settings.data_folder(case.name)):
            table = load_table(case, settings).write_ipc(None, compression="uncompressed")
            parts.append(hashlib.sha256(table.getbuffer()).hexdigest())
    return sha256_text("\n".join(parts))


def write_fingerprints(case: UseCase, settings: Settings, *, as_of: date, notebooks: dict[str, Path]) -> None:
    """Write the fingerprint file of every task (only when it changed, so that times of change stay put)."""
    inputs, state = input_digest(case, settings), state_digest(case, settings, as_of=as_of)
    for task, notebook in notebooks.items():
        value: dict[str, Any] = {"code": code_digest(notebook_source(notebook)), "inputs": inputs}
        if task in STATE_TASKS:
            value["state"] = state
        path = fingerprint_path(case, settings, as_of=as_of, task=task)
        if not path.exists() or load_json(path) != value:
            write_json(path, value)


def fingerprint_path(case: UseCase, settings: Settings, *, as_of: date, task: str) -> Path:
    """Where the fingerprint of a task lies."""
    return settings.state_folder / "fingerprints" / case.name / as_of.isoformat() / f"{task}.json"


def state_digest(case: UseCase, settings: Settings, *, as_of: date) -> str:
    """Digest of the days that earlier builds judged and of persons' orders: what this build takes as given."""
    from driftbook.database import open_database
    from driftbook.deployment import journal_before, load_orders

    with open_database(settings.database_url) as database:
        entries = journal_before(database, case.name, as_of)
        orders = [order for order in load_orders(database, case.name) if order["day"] <= as_of.isoformat()]
    return sha256_text(json.dumps([entries, orders], sort_keys=True, default=str))


def _at_run_time(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only type checkers see."""
    if not (isinstance(tree, ast.If) and isinstance(tree.test, ast.Name) and tree.test.id == "TYPE_CHECKING"):
        yield tree
        for child in ast.iter_child_nodes(tree):
            yield from _at_run_time(child)


def _resolve(name: str) -> list[tuple[Path, str]]:
    """Files behind a dotted name, each with what is asked of it: parent packages, then the module."""
    parts, folder = name.split(".")[1:], PACKAGE
    found: list[tuple[Path, str]] = []
    for position, part in enumerate(parts):
        rest = ".".join(parts[position + 1 :])
        if (folder / f"{part}.py").is_file():
            return [*found, (folder / f"{part}.py", rest)]
        folder = folder / part
        if not folder.is_dir():
            break
        if (folder / "__init__.py").is_file():
            found.append((folder / "__init__.py", rest))
    return found


@cache
def _imports_of(path: Path) -> frozenset[str]:
    return frozenset(imported_modules(path.read_text(encoding="utf-8")))


@cache
def _exports_of(path: Path) -> dict[str, str] | None:
    """What a package re-exports, by name; ``None`` for a module that does more than that."""
    if path.name != "__init__.py":
        return None
    exports = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            exports.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
        elif not isinstance(node, ast.Expr | ast.Assign):
            return None
    return exports


def _cached_digest(path: Path, settings: Settings) -> str:
    """sha256 of a raw file, remembered under its size and time of change: raw files can be large."""
    stat = path.stat()
    mark = f"{path.relative_to(settings.root)} {stat.st_size} {stat.st_mtime_ns}"
    name = hashlib.sha256(mark.encode()).hexdigest()[:32]
    cached = settings.state_folder / "fingerprints" / "raw" / name
    if cached.exists():
        return cached.read_text(encoding="utf-8")
    digest = sha256_file(path)
    cached.parent.mkdir(parents=True, exist_ok=True)
    cached.write_text(digest, encoding="utf-8")
    return digest
