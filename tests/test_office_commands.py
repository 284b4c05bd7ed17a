"""status, history, promote, rollback: what a person types, reads, and has done at once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from model_samples import binary_case, labelled_rows
from typer.testing import CliRunner, Result

from driftbook.cli import app
from driftbook.config import Settings, UseCase, load_use_case
from driftbook.database import open_database
from driftbook.decisions.alerts import Alert
from driftbook.deployment import Office, commit_story, history, load_office, load_orders, save_alerts
from driftbook.errors import DriftbookError, ModelError, StateError
from driftbook.model.training import train
from driftbook.registry import mirror_aliases, register
from driftbook.registry.mlflow_aliases import alias_rows
from driftbook.storage import canonical_json, write_json
from driftbook.timeline.terminal import aligned

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[1]
NOW = datetime(2026, 7, 1, 6, 30)
MOST_SECONDS = 5.0  # of the processor, for a rollback, Python's start included: a busy machine does not spoil it
FAILED = 3  # version that failed its gate


def day_of(day: str, office: tuple[int | None, ...], *changes: tuple[str, int, str]) -> dict[str, Any]:
    """A judged day's entry: the parts that commands read."""
    names = ("champion", "challenger", "previous")
    return {
        "batch_id": day,
        "day": day,
        "during": {"champion": 1, "challenger": None, "previous": None},
        "drift": {"alarmed": False, "drifted_columns": [], "top_excess": 0.5, "batches": [{"batch_id": day}]},
        "accuracy": {"value": 0.8125, "low": 0.79, "high": 0.83, "rows": 1300, "limit": 0.77, "fell": False},
        "decision": {"kind": "promotion", "action": "promote", "reasons": ["It is better."], "evidence": {}},
        "trained": None,
        "office": dict(zip(names, office, strict=True)),
        "changes": [{"action": action, "version": version, "reason": reason} for action, version, reason in changes],
    }


def make_desk(root: Path) -> None:
    """Version 2 was promoted over 1, version 3 failed its gate, and MLflow mirrors it; telco was never built."""
    for name in ("churn", "telco"):
        (root / "data" / name).mkdir(parents=True)
        shutil.copy(ROOT / "data" / name / "usecase.yaml", root / "data" / name / "usecase.yaml")
    shutil.copy(ROOT / "pipeline.yaml", root / "pipeline.yaml")
    settings = Settings(root=root)
    case = load_use_case("churn", settings=settings)
    training = train(binary_case(), labelled_rows(300), seed=7)
    lineage = {"data_sha256": "5e1f" * 16, "key": "k", "trained_from": "2026-03-01", "trained_until": "2026-05-14"}
    for number in (1, 2, FAILED):
        folder = settings.models_folder("churn") / f"v{number}"
        folder.mkdir(parents=True)
        training.bundle.save(folder)
        gate = {"passed": number != FAILED, "reasons": ["Its accuracy is no better than guessing."]}
        report = {**training.report, **lineage, "version": number, "gate": gate}
        write_json(folder / "training.json", report)
        if number != FAILED:
            register(settings, case, number, folder, report, lineage={**lineage, "version": number})
    days = [
        day_of("2026-06-01", (1, None, None), ("appoint", 1, "The first.")),
        day_of("2026-06-02", (1, 2, None), ("challenge", 2, "It passed its gate.")),
        day_of("2026-06-03", (2, None, 1), ("promote", 2, "It is better.")),
    ]
    alert = Alert("churn/drift/1", "churn", "warning", "churn: drift since 2026-06-03", "…", "2026-06-03", "2026-06-03")
    with open_database(settings.database_url) as database:
        commit_story(
            database, "churn", as_of=date(2026, 6, 3), entries=days, expected_revision=0, actor="build", now=NOW
        )
        save_alerts(database, [alert], now=NOW)
    mirror_aliases(settings, case, Office(champion=2, previous=1))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the desk stands, beside its template: the mirror knows its store by its path."""
    place = tmp_path_factory.mktemp("place")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DRIFTBOOK_MLFLOW_URL", raising=False)
        patch.delenv("DRIFTBOOK_DATABASE_URL", raising=False)
        make_desk(place / "desk")
    shutil.copytree(place / "desk", place / "template")
    return place


@pytest.fixture
def settings(place: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A desk as it was made, whatever another test did to it."""
    shutil.rmtree(place / "desk")
    shutil.copytree(place / "template", place / "desk")
    for name in ("DRIFTBOOK_MLFLOW_URL", "DRIFTBOOK_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DRIFTBOOK_ROOT", str(place / "desk"))
    monkeypatch.setattr("getpass.getuser", lambda: "ann")
    return Settings(root=place / "desk")


@pytest.fixture
def case(settings: Settings) -> UseCase:
    return load_use_case("churn", settings=settings)


def typed(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def office(settings: Settings) -> Office:
    with open_database(settings.database_url) as database:
        return load_office(database, "churn")


def refused(settings: Settings, *words: str) -> DriftbookError:
    """The error of a command that changes nothing."""
    before = office(settings)
    result = typed(*words)
    assert result.exit_code == 1
    assert office(settings) == before
    assert isinstance(result.exception, DriftbookError)
    assert "\n" not in str(result.exception)
    return result.exception


def test_a_rollback_is_in_force_in_under_five_seconds_and_in_mlflow_too(settings: Settings, case: UseCase) -> None:
    before = os.times()
    done = subprocess.run(
        [sys.executable, "-c", "from driftbook.cli import main; main()", "rollback", "--reason", "Complaints."],
        capture_output=True, text=True, check=False, cwd=settings.root,
    )  # fmt: skip
    after = os.times()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "churn: version 1 is in office; before it was version 2 (revision 4). The next build scores with it.\n"
    )
    assert office(settings) == Office(champion=1, previous=2, revision=4)
    assert alias_rows(settings, case.name) == {"champion": "1", "previous": "2"}
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    assert spent < MOST_SECONDS


def test_an_order_leaves_its_record_and_stands_last_in_the_history(settings: Settings) -> None:
    assert typed("rollback", "--reason", "  Complaints \n from the branches. ").exit_code == 0
    with open_database(settings.database_url) as database:
        last, [record] = history(database, "churn").row(-1, named=True), load_orders(database, "churn")
    assert (last["action"], last["version"], last["actor"], last["revision"]) == ("rollback", 1, "ann", 4)
    assert last["reason"] == "Complaints from the branches."
    assert last["record_sha256"] == record["record_sha256"]
    assert record["decision"]["evidence"]["given"]["key"] == "k"
    lines = typed("history", "--use-case", "churn").stdout.splitlines()
    assert lines[0].split() == ["revision", "when", "(UTC)", "for", "day", "change", "by", "record", "reason"]
    assert "version 1 put back    ann" in lines[-1]
    assert len({line.index("version") for line in lines[1:]}) == 1, "columns do not align"


def test_a_promotion_by_hand_and_the_way_back(settings: Settings) -> None:
    assert typed("promote", "1", "--reason", "Better for new customers.").exit_code == 0
    assert office(settings) == Office(champion=1, previous=2, revision=4)
    assert typed("rollback", "--reason", "It was not.").exit_code == 0
    assert office(settings) == Office(champion=2, previous=1, revision=5)
    assert "was put back by a rollback" in str(refused(settings, "rollback", "--reason", "again"))
    assert typed("rollback", "--to", "1", "--reason", "And yet.").exit_code == 0
    assert office(settings) == Office(champion=1, previous=2, revision=6)


def test_a_version_that_failed_its_gate_needs_force_and_the_record_says_so(settings: Settings) -> None:
    error = refused(settings, "promote", str(FAILED), "--reason", "Try it.")
    assert isinstance(error, ModelError)
    assert "failed its gate: Its accuracy is no better than guessing." in str(error)
    assert "--force" in str(error)
    forced = typed("promote", str(FAILED), "--reason", "Try it.", "--force")
    assert forced.exit_code == 0
    assert "the next build sets them" in forced.stderr, "MLflow holds no version that failed its gate"
    with open_database(settings.database_url) as database:
        [record] = load_orders(database, "churn")
    assert record["decision"]["evidence"]["given"]["forced"] is True
    assert record["decision"]["evidence"]["given"]["gate"]["passed"] is False


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("promote", "9", "-r", "x"), "no version 9 of churn; there are 1, 2, 3"),
        (("promote", "2", "-r", "x"), "version 2 of churn is in office already; nothing was changed"),
        (("promote", "1", "-r", " "), "expected a reason of 1 to 500 characters, found nothing"),
        (("rollback", "--to", "3", "-r", "x"), "version 3 of churn was never champion (these were: 1)"),
        (("rollback", "-u", "telco", "-r", "x"), "telco was never built, so nobody is in office"),
        (("promote", "1", "-u", "telco", "-r", "x"), "telco was never built, so nobody is in office"),
        (("status", "-u", "telco"), "telco was never built, so nobody is in office"),
        (("history", "-u", "telco"), "telco was never built, so nobody is in office"),
        (("status", "-u", "tellco"), "no use case 'tellco'; did you mean 'telco'?"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_changes_nothing(
    settings: Settings, words: tuple[str, ...], message: str
) -> None:
    assert message in str(refused(settings, *words))


def test_a_first_champion_has_nothing_before_it(settings: Settings) -> None:
    with open_database(settings.database_url) as database:
        story = [day_of("2026-06-01", (1, None, None), ("appoint", 1, "The first."))]
        day = date(2026, 6, 3)
        commit_story(database, "churn", as_of=day, entries=story, expected_revision=3, actor="build", now=NOW)
    assert "nothing to roll back to: version 1 of churn is its first champion" in str(
        refused(settings, "rollback", "-r", "x")
    )


def test_a_model_whose_file_was_changed_is_not_put_in_office(settings: Settings) -> None:
    model = settings.models_folder("churn") / "v1" / "model.ubj"
    model.write_bytes(model.read_bytes()[:-1] + b"?")
    assert isinstance(refused(settings, "rollback", "-r", "x"), ModelError)


def test_an_order_given_while_another_is_carried_out_is_told_so(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("driftbook.timeline.orders.load_office", lambda *_: Office(champion=2, previous=1, revision=2))
    error = refused(settings, "rollback", "-r", "x")
    assert isinstance(error, StateError)
    assert "was at revision 2 when this was decided and is at revision 3 now" in str(error)


def test_the_status_says_who_since_when_how_good_and_what_is_open(settings: Settings) -> None:
    told = " ".join(typed("status", "--use-case", "churn").stdout.split())
    assert "champion version 2 since 2026-06-03, promoted by build: It is better." in told
    assert "previous version 1" in told
    assert "version 1 accuracy 81.2 % on the latest 1,300 rows with known targets, not below 77 % beyond doubt" in told
    assert "open warning: churn: drift since 2026-06-03" in told
    assert "ordered" not in told
    assert "MLflow" not in told


def test_the_status_says_what_the_next_build_will_take_over_and_that_mlflow_differs(
    settings: Settings, case: UseCase
) -> None:
    typed("rollback", "-r", "Complaints.")
    mirror_aliases(settings, case, Office(champion=2))
    told = " ".join(typed("status", "-u", "churn").stdout.split())
    assert "version 1 put back by ann: Complaints (from the day after 2026-06-03); the next build takes it over" in told
    assert "MLflow its aliases say otherwise" in told


def test_without_a_use_case_all_stand_side_by_side(settings: Settings) -> None:
    header, churn, telco = typed("status").stdout.splitlines()
    assert header.startswith("use case")
    assert churn.index("version 2") == header.index("champion")
    assert telco.split()[:3] == ["telco", "never", "built"]


def test_the_history_of_several_use_cases_names_them(settings: Settings) -> None:
    with open_database(settings.database_url) as database:
        story = [day_of("2026-06-01", (1, None, None), ("appoint", 1, "The first."))]
        day = date(2026, 6, 1)
        commit_story(database, "telco", as_of=day, entries=story, expected_revision=0, actor="build", now=NOW)
    lines = typed("history").stdout.splitlines()
    assert lines[0].startswith("use case")
    assert [line.split()[0] for line in lines[1:]] == ["churn", "telco", "churn", "churn"]


def test_long_reasons_are_wrapped_under_their_own_column() -> None:
    lines = aligned(["day", "reason"], [["Monday", "one two three four five six seven eight nine ten"]], width=38)
    assert lines == ["day     reason", "Monday  one two three four five six", "        seven eight nine ten"]


def test_records_of_orders_are_canonical_json(settings: Settings) -> None:
    typed("rollback", "-r", "Complaints.")
    with open_database(settings.database_url) as database:
        [row] = database.rows("SELECT entry FROM deployment_order")
    assert row["entry"] == canonical_json(json.loads(row["entry"]))
