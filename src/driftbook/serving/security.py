"""Who may ask what: keys with scopes, and how often.

A key is 256 random bits. What is kept of it is its SHA-256, so that a stolen database opens nothing. A slow hash with
salt (scrypt, Argon2) protects passwords, which can be guessed; nobody guesses 256 random bits at any speed, and it
would cost every request what it should cost an attacker. A key is found by its digest, so that how long the search
takes tells nothing about keys that are close.

Without keys the service answers to its own machine only; as soon as there is one, everybody needs one.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from driftbook.database import Database, utc_text
from driftbook.errors import ConfigError, DriftbookError, StateError, UnknownNameError

Scope = Literal["predict", "targets", "read", "operate"]  # the last one is for the dashboard alone
SCOPES: tuple[str, ...] = get_args(Scope)
PREFIX = "dbk_"  # so that a key is known for one where it was pasted by mistake
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@-]{0,63}")


@dataclass(frozen=True, slots=True)
class Key:
    """Whose key it is, and what it opens."""

    name: str
    scopes: frozenset[str]


class RefusalError(DriftbookError):
    """Why a request is not answered, as HTTP says it: ``status``, ``detail``, ``headers``."""

    def __init__(self, status: int, detail: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})


def bearer_token(authorization: str) -> str | None:
    """The key in the text of an ``Authorization`` header; ``None`` where it brings none.

    Examples
    --------
    >>> bearer_token("bearer  dbk_1"), bearer_token("Basic dXNlcg=="), bearer_token("Bearer ")
    ('dbk_1', None, None)
    """
    scheme, _, token = authorization.partition(" ")
    return (token.strip() or None) if scheme.lower() == "bearer" else None


def add_key(database: Database, name: str, scopes: Iterable[str], *, now: datetime | None = None) -> str:
    """Make a key and keep its digest; the key itself, which is shown this once.

    Raises
    ------
    ConfigError
        If the name is none, or a scope is unknown or missing.
    StateError
        If the name is taken, also by a revoked key: the log names the keys that asked.

    Examples
    --------
    >>> from driftbook.database import open_database
    >>> database = open_database("sqlite://")
    >>> key = add_key(database, "shop", ["predict"])
    >>> load_keys(database)[digest_of(key)]
    Key(name='shop', scopes=frozenset({'predict'}))
    """
    chosen = set(scopes)
    if not _NAME.fullmatch(name):
        raise ConfigError(f"expected a name of letters, digits, blanks or ._@- (at most 64), found {name!r}")
    for scope in chosen - set(SCOPES):
        raise UnknownNameError("scope", scope, SCOPES)
    if not chosen:
        raise ConfigError(f"a key opens something: give at least one scope of {', '.join(SCOPES)}")
    key = PREFIX + secrets.token_urlsafe(32)
    with database.transaction() as work:
        if work.rows("SELECT name FROM api_key WHERE name = :name", name=name):
            raise StateError(f"there is a key {name!r} already; choose another name (driftbook keys list)")
        work.execute(
            "INSERT INTO api_key (name, sha256, scopes, added_at) VALUES (:name, :digest, :scopes, :at)",
            name=name,
            digest=digest_of(key),
            scopes=" ".join(sorted(chosen)),
            at=utc_text(now or datetime.now(UTC)),
        )
    return key


def revoke_key(database: Database, name: str, *, now: datetime | None = None) -> None:
    """Close a key for good; a running service knows within seconds.

    Raises
    ------
    UnknownNameError
        If no key that is in force has this name.
    """
    with database.transaction() as work:
        touched = work.execute(
            "UPDATE api_key SET revoked_at = :at WHERE name = :name AND revoked_at IS NULL",
            at=utc_text(now or datetime.now(UTC)),
            name=name,
        )
        if not touched:
            found = work.rows("SELECT name FROM api_key WHERE revoked_at IS NULL")
            raise UnknownNameError("key", name, [row["name"] for row in found])


def list_keys(database: Database) -> list[dict[str, Any]]:
    """Every key there was: name, scopes, added_at, revoked_at (``None`` while it is in force); by name."""
    return database.rows("SELECT name, scopes, added_at, revoked_at FROM api_key ORDER BY name")


def load_keys(database: Database) -> dict[str, Key]:
    """The keys in force by their digests."""
    found = database.rows("SELECT name, sha256, scopes FROM api_key WHERE revoked_at IS NULL")
    return {row["sha256"]: Key(row["name"], frozenset(row["scopes"].split())) for row in found}


def digest_of(key: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(key.encode("utf-8")).hexdigest()


def check_binding(host: str, keys: Mapping[str, Key]) -> None:
    """Refuse to listen to others while everybody may ask.

    Raises
    ------
    ConfigError
        If ``host`` is not this machine's own and no key is in force.

    Examples
    --------
    >>> check_binding("127.0.0.1", {})
    >>> check_binding("0.0.0.0", {})
    Traceback (most recent call last):
    ...
    driftbook.errors.ConfigError: without keys the service listens on 127.0.0.1, ::1, localhost only, found 0.0.0.0; \
add a key first: driftbook keys add NAME --scope predict
    """
    if host not in LOOPBACK and not keys:
        raise ConfigError(
            f"without keys the service listens on {', '.join(sorted(LOOPBACK))} only, found {host}; "
            "add a key first: driftbook keys add NAME --scope predict"
        )


class Gate:
    """Lets a request pass by its key, its scope and how often the key asked; not safe from threads.

    ``rate_limit`` is per key: so many requests a second on average, and as many at once (a token bucket). Requests
    without keys, on the machine itself, are not counted: there is nobody to tell apart. ``required``: a key is needed
    also while there is none, as where others are listened to.

    Examples
    --------
    >>> gate = Gate({digest_of("dbk_1"): Key("shop", frozenset({"predict"}))}, rate_limit=1)
    >>> gate.check("Bearer dbk_1", "predict")
    Key(name='shop', scopes=frozenset({'predict'}))
    >>> gate.check("Bearer dbk_1", "read")
    Traceback (most recent call last):
    ...
    driftbook.serving.security.RefusalError: the key 'shop' does not open this: expected scope read
    """

    def __init__(
        self,
        keys: Mapping[str, Key],
        *,
        rate_limit: int,
        required: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate = float(rate_limit)
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}
        self.required = required
        self.replace(keys)

    def replace(self, keys: Mapping[str, Key]) -> None:
        """The keys in force from now on; once keys were needed they stay so, also after the last was revoked."""
        self._keys = dict(keys)
        self.required = self.required or bool(keys)
        names = {key.name for key in keys.values()}
        self._buckets = {name: bucket for name, bucket in self._buckets.items() if name in names}

    def check(self, authorization: str | None, scope: Scope) -> Key | None:
        """The key of a request's ``Authorization`` header; ``None`` where none is needed.

        Raises
        ------
        RefusalError
            401 without a key in force, 403 if it lacks the scope, 429 if it asked too often.
        """
        if not self.required:
            return None
        token = bearer_token(authorization or "")
        if token is None:
            raise RefusalError(401, "expected a header 'Authorization: Bearer KEY'", {"WWW-Authenticate": "Bearer"})
        key = self._keys.get(digest_of(token))
        if key is None:
            raise RefusalError(401, "no such key, or it was revoked", {"WWW-Authenticate": "Bearer"})
        if scope not in key.scopes:
            raise RefusalError(403, f"the key {key.name!r} does not open this: expected scope {scope}")
        self._count(key.name)
        return key

    def _count(self, name: str) -> None:
        now = self._clock()
        left, since = self._buckets.get(name, (self._rate, now))
        left = min(self._rate, left + (now - since) * self._rate)
        if left < 1.0:
            self._buckets[name] = (left, now)
            told = f"more than {self._rate:g} requests a second; wait, or send more rows in one request"
            raise RefusalError(429, told, {"Retry-After": "1"})
        self._buckets[name] = (left - 1.0, now)
