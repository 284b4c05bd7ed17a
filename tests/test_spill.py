"""What waits in spill files comes out whole and in portions, however long the files are and however a drain ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import tracemalloc
from pathlib import Path

import pytest
from stores import KINDS, empty_store
from test_log import entry, identifiers

from driftbook.serving import spill as spill_module
from driftbook.serving.log import open_log
from driftbook.serving.logged import prediction_row
from driftbook.serving.spill import CHUNK, Line, Spill, read_lines, spill_files

MANY = 20_000
LINE = ["prediction", "x" * 400]


def test_a_long_file_is_drained_in_portions_of_bounded_size(tmp_path: Path) -> None:
    spill = Spill(tmp_path)
    for start in range(0, MANY, 1_000):
        spill.append([[*LINE, number] for number in range(start, start + 1_000)])
    size = spill.waiting_bytes()
    taken: list[int] = []

    def accept(lines: list[Line]) -> None:
        assert len(lines) <= CHUNK
        taken.extend(line[-1] for line in lines)

    tracemalloc.start()
    assert spill.drain(accept) == MANY
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken == list(range(MANY))
    assert peak < size / 4
    assert not spill_files(tmp_path)


def test_a_long_file_is_put_down_and_another_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spill_module, "LONGEST_BYTES", 2_000)
    spill = Spill(tmp_path)
    for number in range(20):
        spill.append([[*LINE, number]])
    assert len(spill_files(tmp_path)) == 4
    taken: list[Line] = []
    assert spill.drain(taken.extend) == 20
    assert sorted(line[-1] for line in taken) == list(range(20))
    assert not spill_files(tmp_path)


def test_files_that_were_drained_are_not_offered_again_when_the_next_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spill_module, "LONGEST_BYTES", 0)
    spill = Spill(tmp_path)
    for number in range(3):
        spill.append([[number]])
    taken: list[Line] = []

    def accept_two(lines: list[Line]) -> None:
        if len(taken) == 2:
            raise ConnectionError("away")
        taken.extend(lines)

    with pytest.raises(ConnectionError):
        spill.drain(accept_two)
    assert spill.drain(taken.extend) == 1
    assert sorted(taken) == [[0], [1], [2]]


def test_a_line_cut_short_is_passed_over_and_one_that_is_none_is_kept_aside(tmp_path: Path) -> None:
    path = tmp_path / "0.spill.jsonl"
    path.write_bytes(b'["a"]\nnonsense\n{"not": "a list"}\n\n["b"]\n["cut sho')
    assert list(read_lines(path)) == [["a"], ["b"]]
    taken: list[Line] = []
    assert Spill(tmp_path).drain(taken.extend) == 2
    assert taken == [["a"], ["b"]]
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {
        "0.unreadable": b'nonsense\n{"not": "a list"}\n\n'
    }
    assert list(read_lines(path)) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_kill_in_the_middle_of_draining_loses_and_doubles_nothing(kind: str, tmp_path: Path) -> None:
    script = textwrap.dedent("""
        import sys
        from pathlib import Path
        from driftbook.serving.log import open_log
        log = open_log(sys.argv[1], Path(sys.argv[2]), use_case="churn")
        def insert(table, rows, insert=log._store.insert):
            insert(table, rows)
            print(len(rows), flush=True)
        log._store.insert = insert
        log.drain()
        sys.stdin.read()
    """)
    names = [f"{number:05d}" for number in range(30 * CHUNK)]
    spill = Spill(tmp_path / "spill")
    spill.append([["prediction", *prediction_row(entry(name), "churn")] for name in names])
    spill.close()
    with empty_store(kind, tmp_path) as url:
        for portions in (3, 8):
            command = [sys.executable, "-c", script, url, str(tmp_path / "spill")]
            with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as process:
                assert process.stdout is not None
                for _ in range(portions):
                    assert process.stdout.readline().strip() == str(CHUNK)
                process.send_signal(signal.SIGKILL)
            assert len(spill_files(tmp_path / "spill")) == 1
            assert CHUNK * portions <= len(identifiers(url)) < len(names)
        with open_log(url, tmp_path / "spill", use_case="churn") as log:
            assert log.drain() == len(names)
            assert log.waiting_bytes() == 0
        assert identifiers(url) == names
