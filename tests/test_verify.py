"""What a build recorded is compared with what lies here: changed, removed, added, explained."""

import shutil
from datetime import UTC, date, datetime

import pytest
from recorded import CASE, DAYS, make_recorded, record_run, write_model

from driftbook.audit.ledger import head_path, ledger_path, read_ledger
from driftbook.audit.sealing import note_products, seal_reset, seal_run, seal_tombstone
from driftbook.audit.signature import make_key, sign_ledger
from driftbook.audit.verify import recorded_use_cases, verify
from driftbook.config import Settings
from driftbook.database import open_database
from driftbook.errors import ConfigError, StateError, UnknownNameError

NOW = datetime(2026, 7, 1, tzinfo=UTC)
FIRST, SECOND = DAYS


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    return make_recorded(tmp_path_factory.mktemp("recorded"))


@pytest.fixture
def desk(recorded, tmp_path):
    shutil.copytree(recorded.root, tmp_path / "desk")
    return Settings(root=tmp_path / "desk")


def check(desk, **chosen):
    [outcome] = verify(desk, **chosen)
    return outcome


def findings(desk, **chosen):
    return [str(finding) for finding in check(desk, **chosen).findings]


def first_batch(desk):
    return min((desk.data_folder(CASE) / "batches").rglob("*.parquet"))


def test_an_untouched_workbench_is_as_recorded(desk):
    outcome = check(desk)
    assert outcome.holds
    assert (outcome.lines, outcome.runs) == (2, 2)
    assert outcome.summary().startswith("churn: as recorded (2 ledger lines, 2 reports, ")


def test_a_line_says_who_when_and_from_what_a_run_came_and_holds_no_path_of_the_machine(desk):
    [first, second] = read_ledger(desk, CASE).lines
    assert (first["by"], first["at"]) == ("somebody", "2026-06-30T12:00:00")
    assert first["run"]["parameters"] == {"use_case": CASE, "scenario": "declared", "as_of": FIRST.isoformat()}
    assert set(first["run"]) > {"seed", "policy_sha256", "source_sha256", "declaration_sha256"}
    assert len(first["files"]) > len(second["files"]) > 0, "each file is recorded once, by the first run that saw it"
    assert not set(first["files"]) & set(second["files"])
    assert str(desk.root.parent) not in ledger_path(desk, CASE).read_text()


def test_each_kind_of_file_is_compared(desk):
    report = desk.report_folder(CASE, FIRST)
    (report / "01_generate_data.html").write_text("forged")
    (desk.models_folder(CASE) / "v1" / "model.ubj").unlink()
    first_batch(desk).write_bytes(b"forged")
    found = findings(desk)
    assert [each.split(":")[0] for each in found] == ["truncated", "truncated", "deleted"]
    assert found[0].startswith(f"truncated: reports/churn/{FIRST}/01_generate_data.html")
    assert "data/churn/batches/date=" in found[1]
    assert found[2].startswith("deleted: data/state/models/churn/v1/model.ubj: ledger line 1 records it")
    assert "NOT as recorded, 3 findings" in check(desk).summary()


def test_one_report_is_checked_by_itself(desk):
    (desk.report_folder(CASE, FIRST) / "01_generate_data.html").write_text("forged")
    assert check(desk, as_of=SECOND).holds
    assert not check(desk, as_of=FIRST).holds
    with pytest.raises(UnknownNameError, match="no recorded report of churn as of '2026-05-19'"):
        verify(desk, as_of=date(2026, 5, 19))
    with pytest.raises(UnknownNameError, match="no recorded use case 'chrun'; did you mean 'churn'"):
        verify(desk, use_case="chrun")


def test_without_any_report_there_is_nothing_to_verify(tmp_path):
    with pytest.raises(ConfigError, match="expected a report to verify, found none"):
        verify(Settings(root=tmp_path))


def test_a_repeated_build_supersedes_its_line_and_removes_none(desk):
    record_run(desk, SECOND, seed=7)
    ledger = read_ledger(desk, CASE)
    assert [line["supersedes"] for line in ledger.lines] == [None, None, 2]
    assert check(desk).holds


def test_a_build_that_made_nothing_adds_no_line(desk):
    products = sorted(desk.report_folder(CASE, SECOND).iterdir())
    assert seal_run(desk, CASE, SECOND, products=products, by="me", now=NOW) is None


def test_a_build_never_takes_a_tampered_file_for_the_truth(desk):
    report = desk.report_folder(CASE, SECOND)
    products = sorted(report.iterdir())
    (report / "story.json").write_text("[]")
    note_products(desk, CASE, SECOND, paths=[report / "summary.json"], ended=True)
    assert seal_run(desk, CASE, SECOND, products=products, by="me", now=NOW)["number"] == 3
    assert findings(desk) == [
        f"changed: reports/churn/{SECOND}/story.json, entry 1 (2026-05-17), entry 2 ({SECOND}): "
        "differs from ledger line 3"
    ]


def test_what_an_unfinished_build_is_about_to_replace_is_a_note(desk):
    report = desk.report_folder(CASE, SECOND)
    note_products(desk, CASE, SECOND, paths=[report / "story.json"], ended=False)
    (report / "story.json").write_text("[]")
    outcome = check(desk)
    assert outcome.holds
    assert outcome.notes == (f"{SECOND}: a build of this day has not ended yet, 1 files are not sealed",)
    shutil.copytree(report, desk.report_folder(CASE, date(2026, 5, 21)))
    assert f"added: reports/churn/2026-05-21: {'no line of the ledger speaks of this report'}" in findings(desk)
    note_products(desk, CASE, date(2026, 5, 21), paths=[], ended=False)
    assert "2026-05-21: its first build has not ended yet, nothing of it is sealed" not in check(desk).notes
    note_products(desk, CASE, date(2026, 5, 21), paths=[report / "story.json"], ended=False)
    assert "2026-05-21: its first build has not ended yet, nothing of it is sealed" in check(desk).notes


def test_a_ledger_removed_with_its_head_is_missed(desk):
    ledger_path(desk, CASE).unlink()
    head_path(desk, CASE).unlink()
    assert findings(desk)[0] == "deleted: reports/churn/ledger.jsonl: expected it, and it is not there"
    shutil.rmtree(desk.reports_folder / CASE)
    assert recorded_use_cases(desk) == []


def test_a_tombstone_explains_an_edit_and_the_chain_goes_on(desk):
    batch, model = first_batch(desk), desk.models_folder(CASE) / "v1" / "model.ubj"
    batch.write_bytes(b"without one person's rows")
    model.unlink()
    assert not check(desk).holds
    line = seal_tombstone(desk, CASE, [batch, model], reason="request 17", by="me", now=NOW)
    assert line["files"][model.relative_to(desk.root).as_posix()] is None
    assert line["files_before"].keys() == line["files"].keys()
    outcome = check(desk)
    assert outcome.holds
    assert outcome.notes == ("line 3: 2 files were edited or removed on purpose by me on 2026-07-01: request 17",)
    assert not check(desk, as_of=FIRST).findings
    model.write_bytes(b"back again")
    assert findings(desk) == [
        "added: data/state/models/churn/v1/model.ubj: ledger line 3 says that it was removed, and it is there"
    ]


def test_an_old_report_is_removed_with_a_tombstone_and_a_later_build_of_it_counts_again(desk):
    report = desk.report_folder(CASE, FIRST)
    shutil.rmtree(report)
    line = seal_tombstone(desk, CASE, [report], reason="kept for two years", by="me", now=NOW)
    assert line["files"].keys() == {
        f"reports/churn/{FIRST}/{name}" for name in read_ledger(desk, CASE).lines[0]["products"]
    }
    assert check(desk).holds
    record_run(desk, FIRST)
    assert check(desk).holds
    (report / "story.json").unlink()
    assert findings(desk) == [
        f"deleted: reports/churn/{FIRST}/story.json: ledger line 4 records it, and it is not there"
    ]


def test_a_tombstone_needs_a_reason_and_a_recorded_file(desk, tmp_path):
    with pytest.raises(ConfigError, match="needs a reason"):
        seal_tombstone(desk, CASE, [first_batch(desk)], reason=" ", by="me", now=NOW)
    with pytest.raises(StateError, match=r"usecase\.yaml is in no line of the ledger"):
        seal_tombstone(desk, CASE, [desk.data_folder(CASE) / "usecase.yaml"], reason="x", by="me", now=NOW)
    with pytest.raises(ConfigError, match="expected a file of this workbench"):
        seal_tombstone(desk, CASE, [tmp_path / "elsewhere"], reason="x", by="me", now=NOW)


def test_after_a_reset_the_old_files_are_not_missed_and_new_ones_are_recorded(desk):
    for kind in ("batches", "targets"):
        shutil.rmtree(desk.data_folder(CASE) / kind)
    (desk.data_folder(CASE) / "ingested.json").unlink()
    shutil.rmtree(desk.models_folder(CASE))
    assert not check(desk).holds
    seal_reset(desk, CASE, by="me", now=NOW)
    assert check(desk).holds
    write_model(desk, version=1)
    record_run(desk, SECOND)
    assert check(desk).holds
    (desk.models_folder(CASE) / "v1" / "model.ubj").unlink()
    assert findings(desk) == [
        "deleted: data/state/models/churn/v1/model.ubj: ledger line 4 records it, and it is not there"
    ]


def test_a_signature_is_checked_and_noted(desk, tmp_path):
    public, name = make_key(tmp_path / "key", settings=desk)
    assert "are not signed by the key" in findings(desk, trusted=public)[0]
    sign_ledger(desk, CASE, tmp_path / "key", by="me", now=NOW)
    outcome = check(desk, trusted=public)
    assert outcome.holds
    assert outcome.notes == (f"signed up to line 2 by the key {name}",)


def test_a_changed_journal_entry_is_found(desk):
    insert = "INSERT INTO journal VALUES ('churn', '2026-05-17', '2026-05-18', '{}', 'not its digest')"
    with open_database(desk.database_url) as database, database.transaction() as work:
        work.execute(insert)
    outcome = check(desk)
    [finding] = outcome.findings
    assert "NOT as recorded, 1 finding (" in outcome.summary()
    assert (finding.path, finding.where) == ("data/state/driftbook.db", "journal 2026-05-17")
    assert "it does not have the digest it was written with" in finding.what
