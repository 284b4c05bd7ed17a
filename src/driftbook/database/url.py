"""The URL of a database of ours: SQLite or PostgreSQL, nothing else, and never shown in a message."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import exc

from driftbook.errors import ConfigError


def parse_url(url: str) -> sa.URL:
    """A database's URL in parts; PostgreSQL's names its driver.

    Raises
    ------
    ConfigError
        If it is none, or names a kind of database that driftbook does not keep its state in.

    Examples
    --------
    >>> parse_url("postgresql://somebody@localhost/driftbook").drivername
    'postgresql+psycopg'
    """
    try:
        parsed = sa.make_url(url)
    except exc.ArgumentError:
        raise ConfigError(
            "DRIFTBOOK_DATABASE_URL is no database URL; expected sqlite:///path/to/file.db or "
            "postgresql://user:password@host/name (the value is not shown, it may hold a password)"
        ) from None
    kind = parsed.get_backend_name()
    if kind in ("postgres", "postgresql"):
        return parsed.set(drivername="postgresql+psycopg")
    if kind == "sqlite":
        return parsed
    raise ConfigError(
        f"driftbook keeps its state in sqlite or postgresql, not in {kind!r}; change DRIFTBOOK_DATABASE_URL"
    )
