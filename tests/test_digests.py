"""A digest finds a change, the digests of its parts say where, and a move is told from an edit."""

import json

import pytest

from driftbook.audit.digests import compare_with, digest_file, parts_of
from driftbook.storage import write_json


@pytest.fixture
def record(tmp_path):
    path = write_json(tmp_path / "promotion.json", {"action": "keep", "figures": {"low": 0.01}, "reasons": ["a", "b"]})
    return path, digest_file(path, parts=True)


def compare(path, recorded, known=None):
    return compare_with(path, recorded, name=path.name, line=3, known=known or {})


def test_an_unchanged_file_gives_no_finding(record):
    assert compare(*record) is None


def test_the_key_of_a_changed_record_is_named(record):
    path, recorded = record
    path.write_text(path.read_text().replace("0.01", "0.02"))
    assert str(compare(path, recorded)) == "changed: promotion.json, figures: differs from ledger line 3"
    write_json(path, {"action": "promote", "reasons": ["a", "b"], "extra": 1})
    assert compare(path, recorded).where == "action, figures, extra"


def test_the_cell_of_a_changed_notebook_is_named(tmp_path):
    path = tmp_path / "05.ipynb"
    cells = [{"cell_type": "code", "source": f"x = {number}", "outputs": []} for number in range(4)]
    path.write_text(json.dumps({"cells": cells, "metadata": {}}))
    recorded = digest_file(path, parts=True)
    cells[2]["outputs"] = [{"text": "forged"}]
    path.write_text(json.dumps({"cells": cells, "metadata": {}}))
    assert compare(path, recorded).where == "cell 3"


def test_a_change_of_layout_alone_is_told_from_a_change_of_a_value(record):
    path, recorded = record
    path.write_text(path.read_text() + " ")
    assert compare(path, recorded).where == "its layout, no value"


def test_broken_json_is_located_by_line_and_column_and_broken_text_by_byte(record):
    path, recorded = record
    path.write_text(path.read_text().replace('"action":', '"action";'))
    assert compare(path, recorded).where == "line 2, column 10 is no JSON"
    path.write_bytes(b'{"action": "\xff' + path.read_bytes())
    assert compare(path, recorded).where == "byte 13 is no text"


def test_a_cut_file_is_truncated_a_missing_one_deleted(record):
    path, recorded = record
    path.write_bytes(path.read_bytes()[:30])
    assert compare(path, recorded).kind == "truncated"
    assert compare(path, recorded).what == f"differs from ledger line 3: 30 of {recorded['bytes']} bytes"
    path.unlink()
    assert compare(path, recorded).kind == "deleted"


def test_content_that_belongs_elsewhere_was_moved(record):
    path, recorded = record
    path.write_text("something else")
    finding = compare(path, recorded, known={digest_file(path)["sha256"]: "retraining.json"})
    assert finding.kind == "reordered"
    assert finding.what.endswith("it holds what retraining.json held")


def test_parts_of_a_list_are_named_by_their_day():
    assert list(parts_of([{"day": "2026-06-01"}, {"day": "2026-06-02"}, 3])) == [
        "entry 1 (2026-06-01)",
        "entry 2 (2026-06-02)",
        "entry 3",
    ]
    assert list(parts_of("text")) == ["value"]
