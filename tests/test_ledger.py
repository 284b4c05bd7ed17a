"""The ledger grows by whole lines only, and says of itself what was changed, removed, moved or cut."""

import json
import multiprocessing
import os
import random
import signal
import time
from datetime import UTC, datetime

import pytest

from driftbook.audit.ledger import append_line, head_path, ledger_path, read_ledger
from driftbook.config import Settings

NOW = datetime(2026, 6, 30, 18, 5, tzinfo=UTC)
KILLS = 30


@pytest.fixture
def desk(tmp_path):
    settings = Settings(root=tmp_path)
    for number in range(1, 6):
        append(settings, number)
    return settings


def append(settings, number):
    return append_line(settings, "churn", {"kind": "run", "as_of": f"2026-06-{number:02}"}, by="me", now=NOW)


def texts(settings):
    return ledger_path(settings, "churn").read_bytes().splitlines(keepends=True)


def rewrite(settings, lines):
    ledger_path(settings, "churn").write_bytes(b"".join(lines))
    return [str(finding) for finding in read_ledger(settings, "churn").findings]


def test_each_line_holds_the_digest_of_the_one_before(desk):
    lines = [json.loads(text) for text in texts(desk)]
    assert [line["number"] for line in lines] == [1, 2, 3, 4, 5]
    assert [line["before"] for line in lines] == ["", *(line["sha256"] for line in lines[:-1])]
    assert lines[0]["by"] == "me"
    assert lines[0]["at"] == "2026-06-30T18:05:00"
    assert read_ledger(desk, "churn").findings == ()


def test_the_line_in_force_is_the_last_one_of_its_day_and_none_is_removed(desk):
    append(desk, 2)
    ledger = read_ledger(desk, "churn")
    assert ledger.runs()["2026-06-02"]["number"] == 6
    assert len(ledger.lines) == 6


def test_a_changed_line_is_named(desk):
    lines = texts(desk)
    lines[2] = lines[2].replace(b'"me"', b'"you"')
    found = rewrite(desk, lines)
    assert found == [
        "changed: reports/churn/ledger.jsonl, line 3: it does not have the digest it was written with",
    ]


def test_a_line_written_anew_with_a_fitting_digest_does_not_fit_the_next(desk, tmp_path_factory):
    other = Settings(root=tmp_path_factory.mktemp("other"))
    for number in (1, 2, 30):
        append(other, number)
    lines = texts(desk)
    lines[2] = texts(other)[2]
    assert rewrite(desk, lines) == [
        "changed: reports/churn/ledger.jsonl, line 4: it does not follow on the line before it"
    ]


def test_removed_lines_are_counted(desk):
    lines = texts(desk)
    found = rewrite(desk, [lines[0], *lines[3:]])
    assert found == ["deleted: reports/churn/ledger.jsonl, line 2: lines 2 to 3 are missing"]


def test_swapped_lines_are_out_of_order(desk):
    lines = texts(desk)
    lines[1], lines[3] = lines[3], lines[1]
    assert rewrite(desk, lines)[0] == "reordered: reports/churn/ledger.jsonl, line 2: expected line 2, found line 4"


def test_a_cut_at_the_end_is_seen_because_the_length_is_remembered_elsewhere(desk):
    lines = texts(desk)
    assert rewrite(desk, lines[:3]) == [
        "truncated: reports/churn/ledger.jsonl, line 4: lines 4 to 5 are missing at its end"
    ]
    assert rewrite(desk, [])[0] == "truncated: reports/churn/ledger.jsonl, line 1: lines 1 to 5 are missing at its end"
    assert rewrite(desk, [*lines[:4], lines[4][:-1]])[0].startswith("truncated: reports/churn/ledger.jsonl, line 5")


def test_a_removed_ledger_and_a_removed_or_changed_head_are_seen(desk):
    head = head_path(desk, "churn")
    text = head.read_text()
    head.write_text(text.replace('"number": 5', '"number": 4'))
    assert "does not remember the last line" in str(read_ledger(desk, "churn").findings[0])
    head.unlink()
    assert read_ledger(desk, "churn").findings[0].path == "data/state/ledger/churn/head.json"
    head.write_text(text)
    ledger_path(desk, "churn").unlink()
    assert "expected 5 lines" in str(read_ledger(desk, "churn").findings[0])


def test_what_is_damaged_can_be_appended_to_and_stays_damaged(desk):
    rewrite(desk, texts(desk)[:3])
    line = append(desk, 6)
    assert line["number"] == 6
    assert "lines 4 to 5 are missing" in str(read_ledger(desk, "churn").findings[0])


def test_a_build_killed_before_it_remembered_the_line_damages_nothing(desk):
    head = head_path(desk, "churn")
    before = head.read_text()
    append(desk, 6)
    head.write_text(before)
    assert read_ledger(desk, "churn").findings == ()
    assert append(desk, 7)["number"] == 7
    assert read_ledger(desk, "churn").findings == ()


def append_for_ever(root):
    number = 0
    while True:
        number += 1
        append_line(Settings(root=root), "churn", {"kind": "run", "as_of": "x" * 5000}, by="me", now=NOW)


def test_a_killed_writer_leaves_no_half_line(tmp_path):
    desk, chance, context = Settings(root=tmp_path), random.Random(20260630), multiprocessing.get_context("fork")
    for _ in range(KILLS):
        writer = context.Process(target=append_for_ever, args=(tmp_path,))
        writer.start()
        time.sleep(chance.uniform(0.01, 0.12))
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        assert read_ledger(desk, "churn").findings == ()
    assert read_ledger(desk, "churn").lines, "the writers were killed before they wrote anything"
