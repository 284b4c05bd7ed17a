"""Fingerprints see what a task depends on beyond its notebook."""

import sqlite3
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml

from driftbook.config import Settings, load_use_case
from driftbook.workflow.build import _last_day
from driftbook.workflow.fingerprint import input_digest

FIRST = date(2026, 1, 1)
USE_CASE = {
    "title": "Orders",
    "task": "binary",
    "columns": {"event_time": "at", "target": "paid", "positive_class": "yes", "numeric": ["amount"]},
    "source": {"kind": "sql", "query": "SELECT * FROM orders ORDER BY at", "stream_start": date(2026, 1, 4)},
    "batch": {"period": "day"},
}


def add_day(path: Path, number: int) -> None:
    day = FIRST + timedelta(days=number)
    rows = [(f"{day} 12:00:00", float(row), "yes" if row % 3 else "no") for row in range(30)]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE IF NOT EXISTS orders (at TEXT, amount REAL, paid TEXT)")
        connection.executemany("INSERT INTO orders VALUES (?, ?, ?)", rows)


def test_new_rows_in_a_database_are_new_input_and_move_the_last_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "orders.db"
    monkeypatch.setenv("DRIFTBOOK_SOURCE_URL", f"sqlite:///{source}")
    folder = tmp_path / "data" / "orders"
    folder.mkdir(parents=True)
    (folder / "usecase.yaml").write_text(yaml.safe_dump(USE_CASE), encoding="utf-8")
    settings = Settings(root=tmp_path)
    case = load_use_case("orders", settings=settings)
    for number in range(6):
        add_day(source, number)
    before = input_digest(case, settings)
    assert input_digest(case, settings) == before
    assert _last_day(case, settings) == date(2026, 1, 6)
    add_day(source, 6)
    assert input_digest(case, settings) != before
    assert _last_day(case, settings) == date(2026, 1, 7)
