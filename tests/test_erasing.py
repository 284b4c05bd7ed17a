"""A person's rows are taken out of every file and stay out, and the ledger goes on holding."""

import json
import shutil

import polars as pl
import pytest
from recorded import CASE, DAYS, make_recorded
from typer.testing import CliRunner

from driftbook.audit.ledger import ledger_path, read_ledger
from driftbook.audit.sealing import note_products, seal_run
from driftbook.audit.verify import verify
from driftbook.cli import app
from driftbook.config import Settings, load_use_case
from driftbook.data import erasing
from driftbook.data.batches import ingest, load_batches
from driftbook.data.ingestion import RECORD
from driftbook.errors import ConfigError, StateError
from driftbook.storage import write_json, write_parquet, write_text


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    return make_recorded(tmp_path_factory.mktemp("erased"))


@pytest.fixture
def desk(recorded, tmp_path, monkeypatch):
    shutil.copytree(recorded.root, tmp_path / "desk")
    monkeypatch.setenv("DRIFTBOOK_ROOT", str(tmp_path / "desk"))
    return Settings(root=tmp_path / "desk")


@pytest.fixture
def person(desk):
    """Somebody of the first batch, whom a report's table and page show too."""
    first = load_batches(load_use_case(CASE, settings=desk), desk, as_of=DAYS[0])
    name = first["row_id"][0]
    folder = desk.report_folder(CASE, DAYS[1])
    table = write_parquet(
        folder / "rows_to_label.parquet", pl.DataFrame({"row_id": [name, "else"], "confidence": [1.0, 0.5]})
    )
    page = write_text(folder / "01_generate_data.html", f"<td>{name}</td>")
    model = desk.models_folder(CASE) / "v2" / "training.json"
    write_json(model, {"trained_from": str(first["event_time"][0]), "trained_until": str(first["event_time"][-1])})
    note_products(desk, CASE, DAYS[1], paths=[table, page], ended=True)
    seal_run(desk, CASE, DAYS[1], products=sorted(folder.iterdir()), by="somebody", now=first["event_time"][0])
    return name


def run(*arguments):
    done = CliRunner().invoke(app, [str(each) for each in arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def erase(person, *more):
    return run("erase", person, "--use-case", CASE, "--reason", "request 17", *more)


def files_with(desk, word):
    """Data and tables that hold the text, by name; Parquet is looked into."""
    found = []
    for path in [*desk.data_folder(CASE).rglob("*.parquet"), *desk.reports_folder.rglob("*.parquet")]:
        frame = pl.read_parquet(path, hive_partitioning=False)
        if "row_id" in frame.columns and word in frame["row_id"].to_list():
            found.append(path.relative_to(desk.root).as_posix())
    return found


def test_a_dry_run_says_where_the_person_is_and_changes_nothing(desk, person):
    before = files_with(desk, person)
    assert len(before) == 3
    said = erase(person, "--dry-run").splitlines()
    assert said == [
        "churn: 3 rows in 3 files (batches 1, reports 1, targets 1)",
        "  learned from them, and not changed: v2",
        f"  pages that show the identifier, and not changed: reports/churn/{DAYS[1]}/01_generate_data.html",
    ]
    assert files_with(desk, person) == before
    assert len(read_ledger(desk, CASE).lines) == 3


def test_the_rows_are_gone_and_the_ledger_holds_without_naming_the_person(desk, person):
    files, rows = files_with(desk, person), {}
    for name in files:
        rows[name] = pl.read_parquet(desk.root / name, hive_partitioning=False)
    assert "recorded in line 4 of its ledger" in erase(person)
    assert files_with(desk, person) == []
    for name, before in rows.items():
        after = pl.read_parquet(desk.root / name, hive_partitioning=False)
        assert after.equals(before.filter(pl.col("row_id") != person)), "others stay as they were"
    line = read_ledger(desk, CASE).lines[-1]
    assert sorted(line["files"]) == sorted(line["files_before"]) == sorted(files)
    assert person not in ledger_path(desk, CASE).read_text()
    assert person not in (desk.data_folder(CASE) / erasing.ERASED).read_text()
    [outcome] = verify(desk)
    assert outcome.holds, outcome.summary()
    assert any(note.startswith("line 4: 3 files were edited or removed on purpose") for note in outcome.notes)


def test_the_source_does_not_bring_them_back_and_is_not_taken_for_changed(desk, person):
    erase(person)
    case = load_use_case(CASE, settings=desk)
    (desk.data_folder(CASE) / RECORD).unlink()  # as after an upgrade: all is compared with the source
    before = load_batches(case, desk, as_of=DAYS[1]).height
    ingest(case, desk, as_of=DAYS[1])
    batches = load_batches(case, desk, as_of=DAYS[1])
    assert batches.height == before
    assert person not in batches["row_id"].to_list()
    shutil.rmtree(desk.data_folder(CASE) / "batches")
    ingest(case, desk, as_of=DAYS[1])
    assert load_batches(case, desk, as_of=DAYS[1]).equals(batches)


def test_a_command_that_was_killed_is_given_again_and_tells_of_every_file(desk, person, monkeypatch):
    files, written = sorted(files_with(desk, person)), []

    def killed_after_one(path, frame):
        if written:
            raise KeyboardInterrupt
        written.append(path)
        return write_parquet(path, frame)

    monkeypatch.setattr(erasing, "write_parquet", killed_after_one)
    with pytest.raises(KeyboardInterrupt):
        erasing.erase(
            load_use_case(CASE, settings=desk),
            desk,
            person,
            erasing.find_traces(load_use_case(CASE, settings=desk), desk, person),
        )
    monkeypatch.undo()
    monkeypatch.setenv("DRIFTBOOK_ROOT", str(desk.root))
    assert not verify(desk)[0].holds
    erase(person)
    assert sorted(read_ledger(desk, CASE).lines[-1]["files"]) == files
    assert verify(desk)[0].holds
    assert not (desk.data_folder(CASE) / erasing.UNDER_WAY).exists()


def test_a_stranger_is_found_nowhere_and_nothing_is_recorded(desk):
    assert erase("nobody") == "churn: 0 rows in 0 files (none)\n"
    assert len(read_ledger(desk, CASE).lines) == 2
    assert not (desk.data_folder(CASE) / erasing.ERASED).exists()


def test_what_cannot_be_done_is_refused(desk, person):
    with pytest.raises(ConfigError, match="a reason that does not name the person"):
        run("erase", person, "--use-case", CASE, "--reason", f"{person} asked for it")
    note_products(desk, CASE, DAYS[1], paths=[desk.root / "story.json"], ended=False)
    with pytest.raises(StateError, match=f"the build of churn as of {DAYS[1]} has not ended"):
        erase(person)
    case = load_use_case(CASE, settings=desk)
    nameless = case.model_copy(update={"columns": case.columns.model_copy(update={"id": None})})
    with pytest.raises(ConfigError, match=r"declares no columns\.id"):
        erasing.find_traces(nameless, desk, person)


def test_rows_set_aside_and_raw_files_are_found_by_the_declared_column(desk, person):
    case = load_use_case(CASE, settings=desk)
    aside = desk.data_folder(CASE) / "quarantine" / f"date={DAYS[0]}" / f"{DAYS[0]}.parquet"
    write_parquet(aside, pl.DataFrame({case.columns.id: [f" {person} ", "else"], "reason": ["age", "age"]}))
    raw = write_text(desk.raw_folder(CASE) / "customers.csv", f"id,age\n{person},31\n{person}9,32\n")
    traces = erasing.find_traces(case, desk, person)
    assert traces.rows[aside] == 1
    assert traces.raw == (raw,)
    assert erasing.find_traces(case, desk, person[:-1]).raw == ()
    erasing.erase(case, desk, person, traces)
    assert pl.read_parquet(aside, hive_partitioning=False)[case.columns.id].to_list() == ["else"]
    assert json.loads((desk.data_folder(CASE) / erasing.UNDER_WAY).read_text())
