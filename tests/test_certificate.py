"""A repetition is compared file by file and its first difference named; certificates fit the run they are about."""

import json
import shutil

import polars as pl
import pytest
from recorded import CASE, DAYS, NOON, make_recorded, record_run

from driftbook.audit.certificate import append_certificate, compare_repetition, first_place
from driftbook.audit.ledger import append_line, ledger_path, read_ledger
from driftbook.audit.verify import verify
from driftbook.config import Settings
from driftbook.storage import load_json, write_json, write_parquet

DAY = DAYS[0]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    return make_recorded(tmp_path_factory.mktemp("recorded"))


@pytest.fixture
def desk(recorded, tmp_path):
    shutil.copytree(recorded.root, tmp_path / "desk")
    return Settings(root=tmp_path / "desk")


@pytest.fixture
def repeated(desk, tmp_path):
    """A report that came out the same, in another folder."""
    folder = tmp_path / "repeated"
    shutil.copytree(desk.report_folder(CASE, DAY), folder)
    return folder


def run_line(desk):
    return read_ledger(desk, CASE).runs()[DAY.isoformat()]


def compared(desk, repeated, **more):
    line = run_line(desk)
    return compare_repetition(desk.report_folder(CASE, DAY), repeated, sorted(line["products"]), line=line, **more)


def change(path, edit):
    content = load_json(path)
    edit(content)
    write_json(path, content)


def certify(desk, repetition, **more):
    return append_certificate(desk, repetition, run={**run_line(desk), **more}, by="somebody", now=NOON)


def test_the_same_files_are_reproduced_and_verify_says_by_whom_and_when(desk, repeated):
    found = compared(desk, repeated)
    assert found.reproduced
    assert found.counts == {"notebooks": 3, "records": 3, "pages": 3}
    assert found.summary().startswith(f"churn, report of {DAY}: reproduced exactly (3 notebooks, 3 records, 3 pages; ")
    line = certify(desk, found)
    assert line["run_sha256"] == run_line(desk)["sha256"]
    assert line["differs"] == []
    [outcome] = verify(desk)
    assert outcome.holds, outcome.summary()
    assert f"{DAY}: reproduced exactly on 2026-06-30 by somebody (line 3)" in outcome.notes


def test_the_first_differing_cell_key_and_missing_file_are_named(desk, repeated):
    def other_output(notebook):
        next(cell for cell in notebook["cells"] if cell.get("outputs"))["outputs"][0]["text"] = "as of another day"

    change(repeated / "01_generate_data.ipynb", other_output)
    change(repeated / "02_check_quality.ipynb", lambda notebook: notebook["cells"][0].update(source="# Another title"))
    change(repeated / "story.json", lambda story: story[1]["decision"].update(action="retrain"))
    (repeated / "03_train_champion.html").unlink()
    found = compared(desk, repeated, altered=2)
    assert {name: str(place) for name, place in found.differs.items()} == {
        "01_generate_data.ipynb": f"cell 2, output: 01_generate_data as of {DAY} → as of another day",
        "02_check_quality.ipynb": "cell 1, text",
        "03_train_champion.html": "was not made",
        "story.json": "2.decision.action: wait → retrain",
    }
    assert (
        found.summary()
        .splitlines()[0]
        .endswith("NOT reproduced, 4 of 9 files differ (3 notebooks, 3 records, 3 pages)")
    )
    assert found.summary().splitlines()[-1] == "  changed since that run: 2 files edited or removed on purpose"


def test_a_certificate_holds_places_but_no_values(desk, repeated):
    change(repeated / "summary.json", lambda summary: summary.update(headline="customer 17 left"))
    line = certify(desk, compared(desk, repeated))
    assert line["differs"] == [["summary.json", "headline"]]
    assert "customer" not in ledger_path(desk, CASE).read_text()
    [outcome] = verify(desk)
    assert outcome.holds
    assert outcome.notes == (
        f"{DAY}: repeated on 2026-06-30 by somebody (line 3), 1 files differ, first summary.json, headline",
    )


def test_a_changed_determinant_is_named(desk, repeated):
    change(repeated / "manifest.json", lambda manifest: manifest.update(source_sha256="0" * 64, seed=7))
    found = compared(desk, repeated)
    assert found.changed == ("seed", "code of driftbook")
    assert list(found.differs) == ["manifest.json"]


def test_a_table_names_its_first_differing_value(tmp_path):
    before, after = tmp_path / "before.parquet", tmp_path / "after.parquet"
    write_parquet(before, pl.DataFrame({"day": ["a", "b"], "score": [0.5, None]}))
    write_parquet(after, pl.DataFrame({"day": ["a", "b"], "score": [0.5, 0.25]}))
    assert str(first_place(before, after)) == "column score, row 2: None → 0.25"
    write_parquet(after, pl.DataFrame({"day": ["a"]}))
    assert str(first_place(before, after)) == "2 rows of 2 columns → 1 rows of 1 columns"


def test_a_certificate_of_an_earlier_build_says_so(desk, repeated):
    certify(desk, compared(desk, repeated))
    record_run(desk, DAY, seed=9)
    [outcome] = verify(desk)
    assert (
        f"{DAY}, an earlier build of it (line 1): reproduced exactly on 2026-06-30 by somebody (line 3)"
        in outcome.notes
    )


@pytest.mark.parametrize(
    ("forged", "what"),
    [
        ({"number": 9}, "it is about line 9, and that is no run"),
        ({"sha256": "0" * 64}, "it is about another line 1 than the one that is there"),
        ({"as_of": "2026-05-20"}, "it is about another line 1 than the one that is there"),
    ],
)
def test_a_certificate_about_another_run_is_found(desk, repeated, forged, what):
    certify(desk, compared(desk, repeated), **forged)
    [outcome] = verify(desk)
    assert [str(each) for each in outcome.findings] == [f"changed: reports/churn/ledger.jsonl, line 3: {what}"]


def test_a_certificate_that_claims_what_its_digests_deny_is_found(desk, repeated):
    change(repeated / "summary.json", lambda summary: summary.update(status="red"))
    line = certify(desk, compared(desk, repeated))
    kept = {key: line[key] for key in ("kind", "as_of", "run", "run_sha256", "compared", "changed_since", "made")}
    append_line(desk, CASE, {**kept, "reproduced": True, "differs": []}, by="somebody", now=NOON)
    [outcome] = verify(desk)
    assert [each.where for each in outcome.findings] == ["line 4"]
    assert "does not say what its own digests say" in outcome.findings[0].what
    assert json.loads(ledger_path(desk, CASE).read_text().splitlines()[3])["reproduced"]
