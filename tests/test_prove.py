"""The commands that prove a record: what they say, and the exit code that a script can rely on."""

import shutil

import pytest
from recorded import CASE, DAYS, make_recorded
from typer.testing import CliRunner

from driftbook.audit.ledger import read_ledger
from driftbook.cli import app
from driftbook.config import Settings
from driftbook.errors import ConfigError

FIRST, SECOND = (day.isoformat() for day in DAYS)
SECRET = "hunter2-hunter2"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    return make_recorded(tmp_path_factory.mktemp("proved"))


@pytest.fixture
def desk(recorded, tmp_path, monkeypatch):
    shutil.copytree(recorded.root, tmp_path / "desk")
    monkeypatch.setenv("DRIFTBOOK_ROOT", str(tmp_path / "desk"))
    return Settings(root=tmp_path / "desk")


def run(*arguments):
    done = CliRunner().invoke(app, [str(each) for each in arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def test_verify_ends_with_1_when_something_was_changed(desk):
    code, said = run("verify")
    assert (code, said.count("\n")) == (0, 1)
    (desk.report_folder(CASE, DAYS[0]) / "summary.json").unlink()
    code, said = run("verify", "--use-case", CASE)
    assert code == 1
    assert f"deleted: reports/churn/{FIRST}/summary.json" in said
    assert run("verify", "--as-of", SECOND)[0] == 0


def test_sign_makes_a_key_signs_and_verify_checks_it(desk, tmp_path):
    code, said = run("sign", "--new-key", tmp_path / "key")
    assert code == 0
    assert "signed churn up to line 2 of its ledger" in said
    assert run("verify", "--public-key", tmp_path / "key.pub")[0] == 0
    assert run("sign", "--use-case", CASE, "--key", tmp_path / "key")[0] == 0
    assert len(read_ledger(desk, CASE).lines) == 4
    with pytest.raises(ConfigError, match="expected either --key FILE or --new-key FILE"):
        run("sign")


def test_a_tombstone_masks_secrets_in_its_reason(desk, monkeypatch):
    monkeypatch.setenv("DRIFTBOOK_WEBHOOK_URL", SECRET)
    batch = min((desk.data_folder(CASE) / "batches").rglob("*.parquet"))
    batch.write_bytes(b"shorter")
    assert run("verify")[0] == 1
    code, said = run("tombstone", batch, "--use-case", CASE, "--reason", f"request 17, {SECRET}")
    assert (code, said) == (0, "recorded in line 3 of the ledger of churn: 1 files\n")
    assert read_ledger(desk, CASE).lines[-1]["reason"] == "request 17, ***"
    assert run("verify")[0] == 0


def test_replay_ends_with_1_when_a_decision_differs_or_cannot_be_told(desk):
    code, said = run("replay", "--all")  # the records of this workbench hold no evidence
    assert code == 1
    assert said.count("cannot be read by this version") == 4
    assert run("replay", "--use-case", CASE, "--policy", "psi_bands")[0] == 0


def test_replay_without_any_report_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("DRIFTBOOK_ROOT", str(tmp_path))
    with pytest.raises(ConfigError, match="expected a report to replay, found none"):
        run("replay")


def test_diff_is_silent_about_identical_runs_and_tells_the_others_apart(desk):
    assert run("diff", FIRST, FIRST) == (0, "")
    code, said = run("diff", FIRST, SECOND)
    assert code == 0
    assert "moved by parameters" in said


def test_reset_is_recorded_in_the_ledger(desk):
    assert run("reset", "--use-case", CASE, "--yes")[0] == 0
    assert [line["kind"] for line in read_ledger(desk, CASE).lines] == ["run", "run", "reset"]
    assert run("verify")[0] == 0
