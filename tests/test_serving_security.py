"""Keys of the service: what is kept of them, what they open, how often."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from stores import KINDS, empty_store

from driftbook.database import Database, open_database
from driftbook.errors import ConfigError, StateError, UnknownNameError
from driftbook.serving.security import (
    Gate,
    Key,
    RefusalError,
    add_key,
    check_binding,
    digest_of,
    list_keys,
    load_keys,
    revoke_key,
)


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with empty_store(request.param, tmp_path) as url, open_database(url) as opened:
        yield opened


def refusal(gate: Gate, authorization: str | None, scope: str = "predict") -> tuple[int, str]:
    with pytest.raises(RefusalError) as caught:
        gate.check(authorization, scope)
    return caught.value.status, caught.value.detail


def test_a_key_is_kept_as_its_digest_only(database: Database) -> None:
    key = add_key(database, "shop", ["predict", "read"])
    [kept] = database.rows("SELECT * FROM api_key")
    assert len(key) > 40
    assert key not in str(kept)
    assert kept["sha256"] == digest_of(key)
    assert load_keys(database) == {digest_of(key): Key("shop", frozenset({"predict", "read"}))}


def test_two_keys_differ_and_a_name_is_given_once(database: Database) -> None:
    assert add_key(database, "shop", ["predict"]) != add_key(database, "till", ["predict"])
    revoke_key(database, "shop")
    with pytest.raises(StateError, match="there is a key 'shop' already"):
        add_key(database, "shop", ["predict"])


def test_a_revoked_key_is_listed_and_opens_nothing(database: Database) -> None:
    add_key(database, "shop", ["predict"])
    revoke_key(database, "shop")
    assert load_keys(database) == {}
    assert [(key["name"], key["revoked_at"] is None) for key in list_keys(database)] == [("shop", False)]
    with pytest.raises(UnknownNameError, match="no key 'shop'"):
        revoke_key(database, "shop")


@pytest.mark.parametrize(
    ("name", "scopes", "told"),
    [
        ("shop", ["predikt"], "no scope 'predikt'; did you mean 'predict'"),
        ("shop", [], "at least one scope of predict, targets, read"),
        ("shop\nfloor", ["read"], "expected a name"),
        ("", ["read"], "expected a name"),
    ],
)
def test_a_key_that_cannot_be_is_refused(database: Database, name: str, scopes: list[str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        add_key(database, name, scopes)
    assert list_keys(database) == []


def test_without_keys_everybody_passes_and_only_this_machine_is_listened_to() -> None:
    assert Gate({}, rate_limit=1).check(None, "predict") is None
    for host in ("127.0.0.1", "::1", "localhost"):
        check_binding(host, {})
    for host in ("0.0.0.0", "::", "192.168.1.5", ""):
        with pytest.raises(ConfigError, match="add a key first"):
            check_binding(host, {})
    check_binding("0.0.0.0", {"digest": Key("shop", frozenset({"predict"}))})


def test_with_keys_only_a_key_with_the_scope_passes() -> None:
    gate = Gate({digest_of("dbk_1"): Key("shop", frozenset({"predict"}))}, rate_limit=100)
    assert gate.check("Bearer dbk_1", "predict") == Key("shop", frozenset({"predict"}))
    assert gate.check("bearer dbk_1", "predict") == gate.check("BEARER  dbk_1", "predict") is not None
    for nothing in (None, "", "Bearer", "Bearer ", "dbk_1", "Basic dbk_1"):
        assert refusal(gate, nothing)[0] == 401
    assert refusal(gate, "Bearer dbk_2") == (401, "no such key, or it was revoked")
    assert refusal(gate, "Bearer dbk_1", "targets") == (
        403,
        "the key 'shop' does not open this: expected scope targets",
    )


def test_once_keys_were_needed_they_stay_so() -> None:
    gate = Gate({}, rate_limit=1)
    gate.replace({digest_of("dbk_1"): Key("shop", frozenset({"read"}))})
    gate.replace({})
    assert refusal(gate, None)[0] == 401


def test_where_others_are_listened_to_a_key_is_needed_also_while_there_is_none() -> None:
    assert refusal(Gate({}, rate_limit=1, required=True), None)[0] == 401


def test_a_key_that_asks_too_often_waits_for_its_bucket_to_fill() -> None:
    now = [0.0]
    key = {digest_of(f"dbk_{name}"): Key(name, frozenset({"predict"})) for name in "ab"}
    gate = Gate(key, rate_limit=2, clock=lambda: now[0])
    passed = [gate.check("Bearer dbk_a", "predict") for _ in range(2)]
    assert [each.name for each in passed if each] == ["a", "a"]
    assert refusal(gate, "Bearer dbk_a")[0] == 429
    assert gate.check("Bearer dbk_b", "predict") is not None  # another's bucket
    now[0] = 0.5
    assert gate.check("Bearer dbk_a", "predict") is not None
    assert refusal(gate, "Bearer dbk_a")[0] == 429
    now[0] = 100.0  # never more than a second's worth at once
    assert [gate.check("Bearer dbk_a", "predict") is not None for _ in range(2)] == [True, True]
    assert refusal(gate, "Bearer dbk_a")[0] == 429
