"""The store is held against what is sealed: an entry edited in the database is named, whatever digest it brings."""

import json
import shutil
from datetime import datetime

import pytest
from workbench import build_story, make_workbench

from driftbook.audit.ledger import read_ledger
from driftbook.audit.sealing import note_products, seal_reset, seal_run
from driftbook.audit.verify import verify
from driftbook.config import Settings
from driftbook.database import open_database
from driftbook.deployment import forget, load_stored
from driftbook.storage import canonical_json, sha256_text, write_json
from driftbook.timeline.orders import rollback
from driftbook.workflow.bind import parse_day

FIRST, SECOND = "2026-05-29", "2026-05-31"  # by then version 2 was promoted
NOON = datetime(2026, 6, 30, 12)
STORE = "data/state/driftbook.db"


def build(desk, day):
    """What a build decides, its story as a report, sealed as a build seals it."""
    story = build_story(desk, day)
    path = desk.report_folder("churn", parse_day(day)) / "story.json"
    write_json(path, list(story.entries))
    note_products(desk, "churn", parse_day(day), paths=[path], ended=True)
    with open_database(desk.database_url) as database:
        history = load_stored(database, "churn").change_digests
    seal_run(desk, "churn", parse_day(day), products=[path], by="somebody", now=NOON, history=history)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Two builds, and between them a rollback by a person."""
    desk = make_workbench(tmp_path_factory.mktemp("built"))
    build(desk, FIRST)
    rollback("churn", reason="Complaints.", settings=desk)
    build(desk, SECOND)
    return desk


@pytest.fixture
def desk(built, tmp_path):
    shutil.copytree(built.root, tmp_path / "desk")
    return Settings(root=tmp_path / "desk")


def change(desk, sql, **values):
    with open_database(desk.database_url) as database, database.transaction() as work:
        assert work.execute(sql, **values), "the change touched nothing"


def found(desk, **more):
    [outcome] = verify(desk, **more)
    return [str(each) for each in outcome.findings]


def forge(desk, day, edit, *, fitting):
    """Edit an entry of the journal; with a digest that fits, as whoever knows the tables would."""
    with open_database(desk.database_url) as database:
        [row] = [row for row in load_stored(database, "churn").journal if row["batch_id"] == day]
    entry = json.loads(row["entry"])
    edit(entry)
    text = canonical_json(entry)
    digest = sha256_text(text) if fitting else row["sha256"]
    change(desk, "UPDATE journal SET entry = :e, sha256 = :s WHERE batch_id = :b", e=text, s=digest, b=day)


def test_an_untouched_store_holds_and_says_how_much_was_compared(desk):
    [outcome] = verify(desk)
    assert outcome.holds, outcome.summary()
    assert outcome.entries == 15
    assert ", 15 journal entries compared)" in outcome.summary()
    first, second = read_ledger(desk, "churn").lines
    assert list(first["history"]) == ["1", "2", "3"]
    assert next(iter(second["history"])) == "4", "each change is sealed once"
    assert first["revision"] == 3


@pytest.mark.parametrize("fitting", [True, False])
def test_a_changed_entry_is_named_even_with_a_fitting_digest(desk, fitting):
    forge(desk, "2026-05-20", lambda entry: entry["decision"].update(action="retrain"), fitting=fitting)
    [said] = found(desk)
    assert said.startswith(f"changed: {STORE}, journal 2026-05-20: ")
    told = f"differs from reports/churn/{SECOND}/story.json, sealed in ledger line 2: decision.action: wait → retrain"
    assert said.endswith(told if fitting else "it does not have the digest it was written with")
    assert found(desk, as_of=parse_day(FIRST)) == [said]


def test_removed_and_invented_entries_are_named(desk):
    change(desk, "DELETE FROM journal WHERE batch_id = '2026-05-19'")
    copied = "INSERT INTO journal SELECT use_case, '2026-06-01', :a, entry, sha256 FROM journal WHERE batch_id = :b"
    change(desk, copied, a=SECOND, b="2026-05-20")
    assert found(desk)[:2] == [
        f"deleted: {STORE}, journal 2026-05-19: reports/churn/{SECOND}/story.json tells it, and it is not there",
        f"added: {STORE}, journal 2026-06-01: no sealed report tells it",
    ]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        (
            "UPDATE deployment_change SET actor = 'nobody' WHERE revision = 2",
            "changed: {}, history, revision 2: differs from ledger line 1",
        ),
        (
            "DELETE FROM deployment_change WHERE revision = 4",
            "deleted: {}, history, revision 4: ledger line 2 records it",
        ),
        (
            "INSERT INTO deployment_change SELECT use_case, 99, at, day, action, version, actor, reason, record_sha256 "
            "FROM deployment_change WHERE revision = 3",
            "added: {}, history, revision 99: neither a sealed build nor an order of a person tells it",
        ),
        ("UPDATE deployment SET champion = 7", "changed: {}, deployment: expected champion version 1, found version 7"),
        (
            "UPDATE deployment_order SET entry = replace(entry, 'Complaints', 'Praise')",
            "changed: {}, order 4: it does not have the digest it was written with",
        ),
    ],
)
def test_a_changed_history_office_or_order_is_named(desk, sql, said):
    change(desk, sql)
    assert found(desk)[0] == said.format(STORE)


def test_an_order_given_since_is_no_fault(desk):
    rollback("churn", to=2, reason="It was better.", settings=desk)
    assert found(desk) == []


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ("actor = 'the board'", "actor: "),
        ("reason = 'Praise.'", "reason: It was better. → Praise."),
        ("version = 1", "version: 2 → 1"),
        ("at = '2020-01-01T00:00:00+00:00'", "at: "),
    ],
)
def test_the_history_of_an_order_given_since_is_held_against_its_record(desk, edit, said):
    order = rollback("churn", to=2, reason="It was better.", settings=desk)
    change(desk, f"UPDATE deployment_change SET {edit} WHERE revision = {order.record['revision']}")
    [finding] = found(desk)
    where = (
        f"changed: {STORE}, history, revision {order.record['revision']}: differs from the record of the order: {said}"
    )
    assert finding.startswith(where)


def test_what_a_build_that_has_not_ended_wrote_is_no_fault(desk):
    note_products(desk, "churn", parse_day("2026-06-02"), paths=[desk.root / "story.json"], ended=False)
    build_story(desk, "2026-06-02")
    [outcome] = verify(desk)
    assert outcome.holds, outcome.summary()


def test_a_reset_begins_anew(desk):
    with open_database(desk.database_url) as database:
        forget(database, "churn")
    for kind in ("batches", "targets", "predictions"):
        shutil.rmtree(desk.data_folder("churn") / kind)
    shutil.rmtree(desk.models_folder("churn"))
    assert any(said.startswith(f"deleted: {STORE}, journal 2026-05-17") for said in found(desk))
    seal_reset(desk, "churn", by="somebody", now=NOON)
    assert found(desk) == []


def test_a_copy_without_a_store_is_verified_all_the_same(desk):
    (desk.state_folder / "driftbook.db").unlink()
    [outcome] = verify(desk)
    assert (outcome.holds, outcome.entries) == (True, 0)


def test_a_store_that_does_not_answer_is_noted(desk, monkeypatch):
    monkeypatch.setenv("DRIFTBOOK_DATABASE_URL", "postgresql://somebody:s3cr3t-word@127.0.0.1:9/driftbook")
    [outcome] = verify(desk)
    assert outcome.holds
    assert outcome.notes[-1].startswith("journal and history were not compared: ")
    assert "s3cr3t" not in outcome.summary()
