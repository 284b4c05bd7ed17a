"""An empty operational store of either kind, for the tests of what is kept in it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

POSTGRES = os.environ.get("DRIFTBOOK_TEST_POSTGRES_URL") or "postgresql://postgres@127.0.0.1:5432/postgres"
KINDS = ("sqlite", "postgresql")


@contextmanager
def empty_store(kind: str, folder: Path, *, encoding: str = "UTF8") -> Iterator[str]:
    """The URL of a store that nothing was written to; a PostgreSQL one is dropped afterwards."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'state' / 'driftbook.db'}"
        return
    try:
        server = psycopg.connect(POSTGRES, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError as error:
        told = f"no PostgreSQL server answers ({error}); name one in DRIFTBOOK_TEST_POSTGRES_URL"
        pytest.fail(told) if os.environ.get("CI") else pytest.skip(told)
    name = f"driftbook_test_{uuid.uuid4().hex[:12]}"
    with server:
        server.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
        try:
            yield POSTGRES.rpartition("/")[0] + f"/{name}"
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")
