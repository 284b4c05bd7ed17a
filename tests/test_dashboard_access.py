"""Who may enter: by key, by the proxy's word, or as who sits at this machine; wrong keys are answered slowly."""

import asyncio
import time

import pytest

from driftbook.dashboard.access import MOST_WAITING, Door, Entry, Patience, cookie_text
from driftbook.dashboard.visitor import Visitor
from driftbook.errors import ConfigError, StateError
from driftbook.serving.security import Key, digest_of

ADA, BOB = Key("ada", frozenset({"operate"})), Key("bob", frozenset({"read"}))
SHOP = Key("shop", frozenset({"predict", "targets"}))
KEYS = {digest_of("dbk_ada"): ADA, digest_of("dbk_bob"): BOB, digest_of("dbk_shop"): SHOP}


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def door(keys, *, host="127.0.0.1", clock=None, **options):
    return Door(lambda: dict(keys), host=host, clock=clock or Clock(), **options)


def test_on_its_own_machine_without_keys_everybody_is_the_local_user(monkeypatch):
    monkeypatch.setenv("LOGNAME", "grace")
    opened = door({})
    assert opened.open_entry() == Entry(Visitor("grace", "operator"), "local")
    assert opened.lines() == (
        "keys are off: whoever is on this machine acts as grace; add one with driftbook keys add NAME --scope operate",
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org"])
def test_it_does_not_listen_to_others_without_knowing_who_they_are(host):
    with pytest.raises(ConfigError, match="driftbook keys add NAME --scope operate"):
        door({}, host=host)
    with pytest.raises(ConfigError, match="without keys"):
        door({digest_of("dbk_shop"): SHOP}, host=host)  # that one opens the service, not the dashboard
    assert door(KEYS, host=host).needs_key
    assert not door({}, host=host, header="X-Remote-User").needs_key


def test_a_key_says_who_comes_and_what_this_visitor_may():
    closed = door(KEYS)
    assert closed.open_entry() is None
    assert closed.by_key("dbk_ada").visitor == Visitor("ada", "operator")
    assert closed.by_key(" dbk_bob\n").visitor == Visitor("bob", "viewer")
    assert closed.by_key("dbk_shop") is None
    assert closed.by_key("dbk_other") is None
    assert closed.by_bearer("Bearer dbk_bob").visitor.name == "bob"
    assert closed.by_bearer("bearer dbk_bob").visitor.name == "bob", "a scheme's letters may be of either case"
    assert closed.by_bearer("dbk_bob") is None
    assert closed.lines() == ("keys are needed: 1 of operators, 1 of viewers",)


def test_a_cookie_holds_whose_key_it_was_and_not_the_key():
    closed = door(KEYS)
    entry = closed.by_key("dbk_ada")
    assert "dbk" not in cookie_text(entry)
    assert closed.by_cookie(cookie_text(entry)) == entry
    assert closed.by_cookie("0a1b nobody") is None
    assert closed.by_cookie("") is None


def test_two_logins_with_one_key_are_two_logins():
    closed = door(KEYS)
    assert closed.by_key("dbk_ada").login != closed.by_key("dbk_ada").login


def test_a_revoked_key_closes_the_door_within_seconds_also_to_who_is_inside():
    keys, clock = dict(KEYS), Clock()
    closed = door(keys, clock=clock)
    entry = closed.by_key("dbk_ada")
    keys.pop(digest_of("dbk_ada"))
    assert closed.still_open_to(entry)
    clock.now = 3.0
    assert not closed.still_open_to(entry)
    assert closed.by_cookie(cookie_text(entry)) is None


def test_once_keys_are_needed_they_stay_so():
    keys, clock = {}, Clock()
    opened = door(keys, clock=clock)
    local = opened.open_entry()
    keys.update(KEYS)
    clock.now = 3.0
    assert opened.open_entry() is None
    assert not opened.still_open_to(local)
    keys.clear()
    clock.now = 6.0
    assert opened.open_entry() is None


def test_the_last_known_keys_stay_in_force_while_their_database_is_away():
    clock, away = Clock(), []

    def load():
        if away:
            raise StateError("no database")
        return KEYS

    closed = Door(load, host="0.0.0.0", clock=clock)
    away.append(True)
    clock.now = 3.0
    assert closed.by_key("dbk_ada").visitor.name == "ada"


def test_behind_a_proxy_its_header_says_who_came():
    behind = door({}, host="0.0.0.0", header="X-Remote-User", operators=["ada"])
    assert behind.by_header(["ada"]) == Entry(Visitor("ada", "operator"), "ada")
    assert behind.by_header([" bob "]).visitor == Visitor("bob", "viewer")
    for values in ([], [""], ["ada", "bob"], ["bob,ada"], ["a" * 65], ["ada\x00"]):
        assert behind.by_header(values) is None
    assert behind.open_entry() is None
    assert "operators: ada" in behind.lines()[0]
    assert "let only the proxy reach it" in behind.lines()[1]


def test_operators_without_a_proxy_are_a_mistake_that_is_told():
    with pytest.raises(ConfigError, match="--user-header X-Remote-User"):
        door({}, operators=["ada"])


def test_wrong_keys_are_answered_one_after_another_from_each_address():
    async def tries():
        patience, began = Patience(seconds=0.05), time.monotonic()
        await asyncio.gather(*(patience.wait("10.0.0.1") for _ in range(4)), patience.wait("10.0.0.2"))
        return time.monotonic() - began

    assert 0.2 <= asyncio.run(tries()) < 2


def test_too_many_wrong_tries_at_once_are_not_even_heard():
    async def tries():
        patience = Patience(seconds=0.02)
        waiting = [asyncio.create_task(patience.wait("10.0.0.1")) for _ in range(MOST_WAITING)]
        await asyncio.sleep(0)
        assert patience.is_busy("10.0.0.1")
        assert not patience.is_busy("10.0.0.2")
        await asyncio.gather(*waiting)
        assert not patience.is_busy("10.0.0.1")

    asyncio.run(tries())
