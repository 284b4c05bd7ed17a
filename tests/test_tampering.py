"""A thousand random tampers with a recorded workbench: each is found, and the first finding says where."""

import random
import time
from datetime import date

import pytest
from recorded import CASE, NOON, make_recorded

from driftbook.audit.certificate import append_certificate, compare_repetition
from driftbook.audit.ledger import ledger_path, read_ledger
from driftbook.audit.verify import verify

TAMPERS = 1000
SEED = 20260630
MOST_SECONDS = 2.0  # for one check of a run
WAYS = ("flip", "delete", "swap", "truncate")


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """Two recorded runs and a certificate of each."""
    desk = make_recorded(tmp_path_factory.mktemp("tampered"))
    for day, line in read_ledger(desk, CASE).runs().items():
        folder = desk.report_folder(CASE, date.fromisoformat(day))
        same = compare_repetition(folder, folder, sorted(line["products"]), line=line)
        append_certificate(desk, same, run=line, by="somebody", now=NOON)
    return desk


def targets(desk):
    """Files by what they are."""
    reports, data = desk.reports_folder / CASE, desk.data_folder(CASE)
    return {
        "notebook": sorted(reports.glob("*/*.ipynb")),
        "page": sorted(reports.glob("*/*.html")),
        "record": sorted(reports.glob("*/*.json")),
        "data": sorted(path for kind in ("batches", "targets") for path in (data / kind).rglob("*.parquet")),
        "model": sorted(path for path in desk.models_folder(CASE).rglob("*") if path.is_file()),
    }


def flipped(content, chance):
    place = chance.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << chance.randrange(8)]) + content[place + 1 :], place


def tamper_with_file(files, way, chance):
    """Change the disk; the tampered paths, and their bytes before."""
    path, other = chance.sample(files, 2)
    before = {path: path.read_bytes()}
    if way == "flip":
        path.write_bytes(flipped(before[path], chance)[0])
    elif way == "delete":
        path.unlink()
    elif way == "truncate":
        path.write_bytes(before[path][: chance.randrange(len(before[path]))])
    elif before[path] != other.read_bytes():
        before[other] = other.read_bytes()
        path.write_bytes(before[other])
        other.write_bytes(before[path])
    else:
        return {}
    return before


def tamper_with_ledger(path, way, chance):
    """Change the ledger; the lines that a finding may name, and its bytes before."""
    content = path.read_bytes()
    lines = content.splitlines(keepends=True)
    number = chance.randrange(len(lines))
    if way == "flip":
        changed, place = flipped(content, chance)
        named = content[:place].count(b"\n")
    elif way == "delete":
        changed, named = b"".join(lines[:number] + lines[number + 1 :]), number
    elif way == "truncate":
        changed = content[: chance.randrange(len(content))]
        named = changed.count(b"\n")
    else:
        other = chance.choice([each for each in range(len(lines)) if each != number])
        lines[number], lines[other] = lines[other], lines[number]
        changed, named = b"".join(lines), min(number, other)
    path.write_bytes(changed)
    return f"line {named + 1}", {path: content}


def test_every_one_of_a_thousand_tampers_is_found_and_located(desk):
    chance, files, ledger = random.Random(SEED), targets(desk), ledger_path(desk, CASE)
    [untouched] = verify(desk)
    assert untouched.holds, untouched.summary()
    counts, slowest = dict.fromkeys([*files, "ledger"], 0), 0.0
    while sum(counts.values()) < TAMPERS:
        kind, way = chance.choice(list(counts)), chance.choice(WAYS)
        where = None
        if kind == "ledger":
            where, before = tamper_with_ledger(ledger, way, chance)
        else:
            before = tamper_with_file(files[kind], way, chance)
        began = time.process_time()
        [outcome] = verify(desk)
        slowest = max(slowest, time.process_time() - began)
        names = {path.relative_to(desk.root).as_posix() for path in before}
        for path, content in before.items():
            path.write_bytes(content)
        if not before:
            continue
        counts[kind] += 1
        assert outcome.findings, f"{way} of {kind} {names} was not found"
        first = outcome.findings[0]
        assert first.path in names, f"{way} of {kind} {names} was taken for {first}"
        assert where in (None, first.where), f"{way} of the ledger at {where} was taken for {first}"
        if kind in ("notebook", "record") and way == "flip":
            assert first.where, "a changed record or notebook says which part of it"
    assert min(counts.values()) > TAMPERS / 10
    assert slowest < MOST_SECONDS
