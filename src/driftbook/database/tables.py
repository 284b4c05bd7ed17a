"""The tables of the operational store, alike in SQLite and PostgreSQL.

Days and times are ISO text. A store from before a table was added is given it when it is opened next; a change of a
table that is there already needs a new ``SCHEMA_VERSION``.
"""

from __future__ import annotations

import sqlalchemy as sa

TABLES = sa.MetaData()
sa.Table("schema_version", TABLES, sa.Column("version", sa.Integer, primary_key=True))
sa.Table(
    "deployment",
    TABLES,
    sa.Column("use_case", sa.Text, primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("champion", sa.Integer),
    sa.Column("challenger", sa.Integer),
    sa.Column("previous", sa.Integer),
)
sa.Table(
    "deployment_change",
    TABLES,
    sa.Column("use_case", sa.Text, primary_key=True),
    sa.Column("revision", sa.Integer, primary_key=True),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("day", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("version", sa.Integer),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("record_sha256", sa.Text),
)
sa.Table(
    "journal",
    TABLES,
    sa.Column("use_case", sa.Text, primary_key=True),
    sa.Column("batch_id", sa.Text, primary_key=True),
    *(sa.Column(name, sa.Text, nullable=False) for name in ("as_of", "entry", "sha256")),
)
sa.Table(
    "deployment_order",
    TABLES,
    sa.Column("use_case", sa.Text, primary_key=True),
    sa.Column("revision", sa.Integer, primary_key=True),
    *(sa.Column(name, sa.Text, nullable=False) for name in ("day", "entry", "sha256")),
)
sa.Table(
    "alert",
    TABLES,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("use_case", sa.Text, nullable=False, index=True),
    *(sa.Column(name, sa.Text, nullable=False) for name in ("severity", "subject", "message")),
    *(sa.Column(name, sa.Text, nullable=False) for name in ("first_batch", "last_batch", "state")),
    sa.Column("note", sa.Text),
    sa.Column("at", sa.Text, nullable=False),
)
sa.Table(
    "alert_change",
    TABLES,
    sa.Column("alert_key", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("use_case", sa.Text, nullable=False, index=True),
    *(sa.Column(name, sa.Text, nullable=False) for name in ("state", "actor", "note", "batch", "at")),
)
sa.Table(
    "notification",
    TABLES,
    sa.Column("alert_key", sa.Text, primary_key=True),
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("at", sa.Text, nullable=False),
)
sa.Table(
    "api_key",
    TABLES,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("sha256", sa.Text, nullable=False, unique=True),
    *(sa.Column(name, sa.Text, nullable=False) for name in ("scopes", "added_at")),
    sa.Column("revoked_at", sa.Text),
)
