"""Who looks: read from the file the server keeps for a kernel, nothing a browser sends."""

import json

import pytest

from driftbook.dashboard.visitor import (
    FILE_VARIABLE,
    NOBODY,
    NotAllowedError,
    Visitor,
    current_visitor,
    require_operator,
)


@pytest.fixture
def card(tmp_path, monkeypatch):
    path = tmp_path / "visitor.json"
    monkeypatch.setenv(FILE_VARIABLE, str(path))
    return path


def test_a_kernel_no_one_has_come_to_belongs_to_nobody_who_may_only_look(card):
    assert current_visitor() == NOBODY
    assert not NOBODY.is_operator


def test_the_role_is_read_anew_each_time(card):
    card.write_text(json.dumps({"name": "ada", "role": "operator"}))
    assert current_visitor() == Visitor("ada", "operator")
    card.write_text(json.dumps({"name": "ada", "role": "viewer"}))
    assert current_visitor() == Visitor("ada", "viewer")


@pytest.mark.parametrize(
    "text", ["", "{", "{}", '["ada"]', '{"name": "ada", "role": "root"}', '{"name": 1, "role": "viewer"}']
)
def test_a_card_that_is_none_makes_nobody_an_operator(card, text):
    card.write_text(text)
    assert current_visitor() == NOBODY


def test_without_a_server_in_between_it_is_the_person_who_runs_the_kernel(monkeypatch):
    monkeypatch.delenv(FILE_VARIABLE, raising=False)
    monkeypatch.setenv("LOGNAME", "grace")
    assert current_visitor() == Visitor("grace", "operator")


def test_only_operators_act():
    require_operator(Visitor("ada", "operator"))
    with pytest.raises(NotAllowedError, match="bob may look but not act"):
        require_operator(Visitor("bob", "viewer"))
