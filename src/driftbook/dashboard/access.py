"""Who may enter the dashboard, and as what.

There are three ways, and a server has one of them: *open*, where whoever sits at this machine is an operator, which is
allowed on the loopback address only; *by key*, with the keys of ``driftbook keys`` (scope ``operate`` makes an
operator, ``read`` a viewer); and *by proxy*, where a proxy in front says in a header who came. Keys are read anew every
few seconds, so that a revoked one closes the door also to who is inside.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from driftbook.dashboard.visitor import Role, Visitor, local_user
from driftbook.errors import ConfigError, DriftbookError
from driftbook.serving.security import LOOPBACK, Key, bearer_token, digest_of

FRESH_SECONDS = 2.0  # keys are read anew when they are older
SLOW_SECONDS = 1.0  # a wrong key costs this long, one after another from an address
MOST_WAITING = 10  # wrong tries of an address that may wait at once
MOST_ADDRESSES = 1_000  # remembered
ADD_A_KEY = "driftbook keys add NAME --scope operate"
_NAME = re.compile(r"[^\x00-\x1f\x7f,]{1,64}")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token, as HTTP calls it
_LOGGER = logging.getLogger(__name__)

Keys = Mapping[str, Key]


@dataclass(frozen=True, slots=True)
class Entry:
    """A visitor who was let in, and the login by which: its kernels end with it."""

    visitor: Visitor
    login: str


def role_of(scopes: Collection[str]) -> Role | None:
    """What a key makes of its bearer on the dashboard; ``None``: it does not open it.

    Examples
    --------
    >>> role_of({"operate"}), role_of({"read", "predict"}), role_of({"predict"})
    ('operator', 'viewer', None)
    """
    return "operator" if "operate" in scopes else "viewer" if "read" in scopes else None


class Door:
    """Lets visitors in; ``header`` is the proxy's, ``operators`` the names that may act behind it.

    Examples
    --------
    >>> door = Door(dict, host="127.0.0.1", header="X-Remote-User", operators=["ada"])
    >>> door.by_header(["ada"]).visitor
    Visitor(name='ada', role='operator')
    >>> door.by_header(["bob"]).visitor.role
    'viewer'
    >>> door.by_header(["bob", "ada"]) is None  # two values: one of them is not the proxy's
    True
    """

    def __init__(
        self,
        load: Callable[[], Keys],
        *,
        host: str,
        header: str | None = None,
        operators: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if header is not None and not _HEADER.fullmatch(header):
            raise ConfigError(f"expected the name of a header such as X-Remote-User, found {header!r}")
        self._load, self._clock = load, clock
        self.header, self._operators = header, frozenset(operators)
        if operators and header is None:
            raise ConfigError("operators are named for a proxy: give its header too, e.g. --user-header X-Remote-User")
        self._keys: dict[str, Key] = _opening(load())
        self._read_at = clock()
        self.needs_key = header is None and (bool(self._keys) or host not in LOOPBACK)
        if self.needs_key and not self._keys:
            raise ConfigError(
                f"without keys the dashboard listens on {', '.join(sorted(LOOPBACK))} only, found {host}; add a key "
                f"first ({ADD_A_KEY}), or put a proxy in front that says who came (--user-header X-Remote-User)"
            )

    @property
    def is_open(self) -> bool:
        """Whether whoever reaches it is let in as the local user."""
        self._refresh()
        return self.header is None and not self.needs_key

    def open_entry(self) -> Entry | None:
        """The local user, where no key is needed."""
        return Entry(Visitor(local_user(), "operator"), "local") if self.is_open else None

    def by_header(self, values: Sequence[str]) -> Entry | None:
        """Who the proxy says came; nobody unless it says exactly one proper name."""
        names = [value.strip() for value in values]
        if len(names) != 1 or not _NAME.fullmatch(names[0]):
            return None
        return Entry(Visitor(names[0], "operator" if names[0] in self._operators else "viewer"), names[0])

    def by_key(self, key: str) -> Entry | None:
        """Who brings a key; its login is new."""
        self._refresh()
        found = self._keys.get(digest_of(key.strip()))
        return None if found is None else _entry(found, secrets.token_hex(8))

    def by_bearer(self, authorization: str) -> Entry | None:
        """Who brings a key in the ``Authorization`` header, anew with each request."""
        self._refresh()
        token = bearer_token(authorization)
        found = None if token is None else self._keys.get(digest_of(token))
        return None if found is None else _entry(found, f"key {found.name}")

    def by_cookie(self, text: str) -> Entry | None:
        """Who logged in before, if the key that was brought then is still in force."""
        self._refresh()
        login, _, name = text.partition(" ")
        found = next((key for key in self._keys.values() if key.name == name), None)
        return None if found is None else _entry(found, login)

    def still_open_to(self, entry: Entry) -> bool:
        """Whether who was let in may stay: the key is in force and makes the same of its bearer."""
        if self.header is not None:
            return True
        if not self.needs_key:
            return self.is_open
        self._refresh()
        return any(_entry(key, entry.login) == entry for key in self._keys.values())

    def lines(self) -> tuple[str, ...]:
        """What is said at the start: who may do what."""
        if self.header is not None:
            named = ", ".join(sorted(self._operators)) or "nobody (name them with --operators)"
            return (
                f"visitors are whom the proxy names in {self.header}; operators: {named}",
                "whoever reaches this port past the proxy can give any name: let only the proxy reach it",
            )
        if self.needs_key:
            counted = [role_of(key.scopes) for key in self._keys.values()]
            return (f"keys are needed: {counted.count('operator')} of operators, {counted.count('viewer')} of viewers",)
        return (f"keys are off: whoever is on this machine acts as {local_user()}; add one with {ADD_A_KEY}",)

    def _refresh(self) -> None:
        """Read the keys anew when they are old; the last known stay in force while their database is away."""
        now = self._clock()
        if self.header is not None or now - self._read_at < FRESH_SECONDS:
            return
        self._read_at = now
        try:
            self._keys = _opening(self._load())
        except (DriftbookError, OSError) as error:
            _LOGGER.warning("the keys cannot be read, the last known stay in force: %s", error)
        self.needs_key = self.needs_key or bool(self._keys)  # once needed, always: a revoked last key opens nothing


class Patience:
    """Answers wrong keys slowly, one after another from each address, so that trying many takes forever."""

    def __init__(self, seconds: float = SLOW_SECONDS) -> None:
        self._seconds = seconds
        self._queues: OrderedDict[str, tuple[asyncio.Lock, list[None]]] = OrderedDict()

    def is_busy(self, address: str) -> bool:
        """Whether too many tries of an address wait already."""
        return address in self._queues and len(self._queues[address][1]) >= MOST_WAITING

    async def wait(self, address: str) -> None:
        """Take the time a wrong try costs."""
        lock, waiting = self._queues.setdefault(address, (asyncio.Lock(), []))
        self._queues.move_to_end(address)
        while len(self._queues) > MOST_ADDRESSES:
            self._queues.popitem(last=False)
        waiting.append(None)
        try:
            async with lock:
                await asyncio.sleep(self._seconds)
        finally:
            waiting.pop()


def cookie_text(entry: Entry) -> str:
    """What a login cookie holds: which login, and whose key; not the key.

    Examples
    --------
    >>> cookie_text(Entry(Visitor("ada", "viewer"), "0a1b"))
    '0a1b ada'
    """
    return f"{entry.login} {entry.visitor.name}"


def _opening(keys: Keys) -> dict[str, Key]:
    return {digest: key for digest, key in keys.items() if role_of(key.scopes) is not None}


def _entry(key: Key, login: str) -> Entry:
    role = role_of(key.scopes)
    assert role is not None
    return Entry(Visitor(key.name, role), login)
