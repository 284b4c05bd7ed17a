"""MLflow's aliases without MLflow: read, and set, in milliseconds where its store is a SQLite file of known shape.

Importing MLflow costs four seconds of processor time, too much for a rollback in a hurry and for a look at whether the
mirror still is one. Two small tables of its store hold what matters. Where they are not exactly as expected (another
version of MLflow, a server), every function here says so by ``None`` or ``False``, and its client does the work.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from driftbook.config import Settings

BUSY_SECONDS = 5.0
SHAPE = {
    "registered_model_aliases": ("alias", "version", "name", "workspace"),
    "model_version_tags": ("key", "value", "name", "version", "workspace"),
}
NUMBER, STATE = "driftbook_version", "driftbook_state"
_OURS = """
SELECT tag.version FROM model_version_tags AS tag
JOIN model_versions AS each ON each.name = tag.name AND each.version = tag.version
WHERE tag.name = ? AND tag.key = ? AND each.current_stage <> 'Deleted_Internal'
"""


def alias_rows(settings: Settings, name: str) -> dict[str, str] | None:
    """Alias → MLflow's version number, as MLflow would answer; ``None`` if its store cannot be read this way."""
    with _opened(settings, mode="ro") as store:
        if store is None:
            return None
        rows = store.execute("SELECT alias, version FROM registered_model_aliases WHERE name = ?", (name,)).fetchall()
    return {str(alias): str(version) for alias, version in rows}


def set_alias_rows(settings: Settings, name: str, aliases: Mapping[str, str]) -> bool:
    """Give each alias to that version of MLflow's and to no other, and tag who is in office; whether it was done.

    Parameters
    ----------
    aliases
        Alias → MLflow's version number; every one of them must be a version of ours.
    """
    try:
        with _opened(settings, mode="rw") as store:
            return store is not None and _set(store, name, aliases)
    except sqlite3.Error:  # nothing was committed
        return False


def _set(store: sqlite3.Connection, name: str, aliases: Mapping[str, str]) -> bool:
    store.execute("BEGIN IMMEDIATE")
    versions = [str(row[0]) for row in store.execute(_OURS, (name, NUMBER))]
    if set(aliases.values()) - set(versions):
        return False
    store.execute("DELETE FROM registered_model_aliases WHERE name = ?", (name,))
    rows = [(alias, int(version), name) for alias, version in aliases.items()]
    store.executemany("INSERT INTO registered_model_aliases (alias, version, name) VALUES (?, ?, ?)", rows)
    states = {version: alias for alias, version in aliases.items()}
    tags = [(STATE, states.get(version, "archived"), name, int(version)) for version in versions]
    store.executemany(
        "INSERT INTO model_version_tags (key, value, name, version) VALUES (?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET value = excluded.value",
        tags,
    )
    store.execute("COMMIT")
    return True


@contextmanager
def _opened(settings: Settings, *, mode: str) -> Iterator[sqlite3.Connection | None]:
    """The store, if it is a file that has the expected tables; an error of SQLite's ends the look, not the program."""
    kind, _, place = settings.mlflow_url.partition(":///")
    if kind != "sqlite" or not Path(place).is_file():
        yield None
        return
    address = f"file:{quote(str(Path(place).resolve()))}?mode={mode}"
    with closing(sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None)) as store:
        yield store if _has_shape(store) else None


def _has_shape(store: sqlite3.Connection) -> bool:
    try:
        return all(
            tuple(row[1] for row in store.execute(f"PRAGMA table_info({table})")) == columns
            for table, columns in SHAPE.items()
        )
    except sqlite3.Error:
        return False
