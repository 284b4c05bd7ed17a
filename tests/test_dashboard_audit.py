"""The page of audits: every run with its decision and pages, what it rested on, and whether all is as recorded."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from recorded import CASE
from recorded_days import DAYS, make_recorded_days

from driftbook.audit.certificate import append_certificate, compare_repetition
from driftbook.audit.ledger import ledger_path, read_ledger
from driftbook.audit.sealing import note_products, seal_run, seal_tombstone
from driftbook.audit.signature import make_key, sign_ledger
from driftbook.config import Settings
from driftbook.dashboard.known import Known, load_known
from driftbook.dashboard.page import render_page
from driftbook.dashboard.pages.audit import PAGE
from driftbook.dashboard.recorded import lines_known, runs_known
from driftbook.dashboard.state import Selection
from driftbook.dashboard.verifying import check
from driftbook.storage import write_json, write_text

FIRST, SECOND = (day.isoformat() for day in DAYS)
LATER = datetime(2026, 7, 1, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DRIFTBOOK_DATABASE_URL", raising=False)
        return make_recorded_days(tmp_path_factory.mktemp("recorded"))


@pytest.fixture
def desk(recorded: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("DRIFTBOOK_DATABASE_URL", raising=False)
    shutil.copytree(recorded.root, tmp_path / "desk")
    return Settings(root=tmp_path / "desk")


def known_on(desk: Settings, day: str | None = None) -> Known:
    return load_known(desk, CASE, date.fromisoformat(day) if day else None)


def shown(desk: Settings, day: str | None = None, **chosen: str) -> str:
    return render_page(PAGE, known_on(desk, day), Selection(CASE, "audit", chosen=chosen))


def rows_of(page: str) -> list[str]:
    body = page[page.index("Every run on record") :]
    return re.findall(r"<tr>.*?</tr>", body[body.index("<tbody>") : body.index("</tbody>")], re.DOTALL)


def test_every_run_is_listed_with_its_decision_and_who_built_it_when(desk: Settings) -> None:
    second, first = rows_of(shown(desk))
    for row, day in ((second, SECOND), (first, FIRST)):
        assert f">{day}</div></td>" in row
        assert f"Calm on {day}." in row
        assert "○ wait" in row
        assert "▲ amber" in row
        assert "by ann<br>2026-06-30 12:00 UTC" in row
        assert f'href="report/{CASE}/{day}/08_write_audit.html"' in row


def test_one_report_leads_to_its_notebooks_and_says_what_it_rested_on(desk: Settings) -> None:
    page = shown(desk, report=FIRST)
    links = re.findall(r'href="([^"]+)"', page[page.index("One report in full") :])
    folder = f"report/{CASE}/{FIRST}"
    names = ("01_generate_data", "02_check_quality", "03_train_champion", "08_write_audit", "evidently_drift")
    assert links == [f"{folder}/{name}.html" for name in names]
    run = read_ledger(desk, CASE).runs()[FIRST]
    assert f"sha256 {run['run']['source_sha256'][:16]}…" in page
    assert f"sha256 {run['run']['declaration_sha256'][:16]}…" in page
    assert f"{run['run']['policy']}, sha256 {run['run']['policy_sha256'][:16]}…" in page
    assert f"<dd>{len(run['products'])}, each by its sha256</dd>" in page
    assert "line 1 of the ledger" in page


@pytest.mark.parametrize("value", ["2030-01-01", "../../etc/passwd", "<b>"])
def test_a_report_that_is_not_offered_becomes_the_newest(desk: Settings, value: str) -> None:
    page = shown(desk, report=value)
    assert f"The report of {SECOND}, line 2 of the ledger" in page
    assert value not in page


def test_links_are_relative_so_that_any_address_of_the_dashboard_works(desk: Settings) -> None:
    assert not re.findall(r'href="(?:/|\w+:)', shown(desk))


def test_before_a_check_has_ended_the_page_says_so(desk: Settings) -> None:
    page = shown(desk)
    assert "<dd>checking …<small>this page shows it when it is done</small>" in page
    assert page.count("○ checking …") == 2
    assert f"its digest <code>{read_ledger(desk, CASE).lines[-1]['sha256']}</code>" in page


def test_an_untouched_workbench_is_shown_as_recorded_with_what_was_compared(desk: Settings) -> None:
    told = check(desk, CASE)
    assert told.holds, told.findings
    page = shown(desk)
    assert "<dd>as recorded<small>" in page
    assert page.count("● as recorded") == 2
    assert "<dt>lines of the ledger</dt><dd>2</dd>" in page
    assert "<dt>reports</dt><dd>2</dd>" in page
    assert f"<dt>files</dt><dd>{told.files}</dd>" in page
    assert "<dt>journal entries</dt><dd>2</dd>" in page


def test_an_edited_record_is_named_first_and_its_run_marked(desk: Settings) -> None:
    path = desk.report_folder(CASE, DAYS[0]) / "summary.json"
    write_json(path, {"as_of": DAYS[0], "status": "green"})
    told = check(desk, CASE)
    assert not told.holds
    page = shown(desk)
    assert "<dd>not as recorded<small>" in page
    assert f"■ First: changed: reports/{CASE}/{FIRST}/summary.json, status: differs from ledger line 1" in page
    second, first = rows_of(page)
    assert "● as recorded" in second
    assert "■ not as recorded" in first
    assert str(desk.root) not in page


def test_a_past_day_shows_the_runs_up_to_it(desk: Settings) -> None:
    page = shown(desk, FIRST)
    assert [FIRST in row for row in rows_of(page)] == [True]
    assert SECOND not in page
    assert "Line 1 is the last one" in page
    assert [line.number for line in lines_known(known_on(desk, FIRST))] == [1]


def test_a_day_before_the_first_report_says_which_run_judged_it(desk: Settings) -> None:
    ledger = ledger_path(desk, CASE)
    first, *rest = ledger.read_bytes().splitlines(keepends=True)
    assert FIRST.encode() in first
    ledger.write_bytes(b"".join(rest))
    page = shown(desk, FIRST)
    assert f"No report was made by {FIRST}: the first run on record judged this day later." in page
    assert SECOND not in page


def test_a_run_that_was_repeated_stands_beside_the_one_that_replaced_it(desk: Settings) -> None:
    summary = write_json(desk.report_folder(CASE, DAYS[1]) / "summary.json", {"as_of": DAYS[1], "status": "red"})
    note_products(desk, CASE, DAYS[1], paths=[summary], ended=True)
    products = [path for path in summary.parent.iterdir() if not path.name.startswith(".")]
    seal_run(desk, CASE, DAYS[1], products=products, by="bob", now=LATER)
    newest, replaced, _ = rows_of(shown(desk))
    assert "by bob<br>2026-07-01 09:00 UTC" in newest
    assert "■ red" in newest
    assert "replaced by line 3" in replaced
    assert "href" not in replaced
    assert len(runs_known(known_on(desk))) == 3


def test_signatures_and_what_was_removed_on_purpose_are_told(desk: Settings, tmp_path: Path) -> None:
    page = shown(desk)
    assert "Nobody has signed it yet: <code>driftbook sign --use-case churn --new-key FILE</code>" in page
    assert f"No run was repeated yet: <code>driftbook verify --rerun {SECOND} --use-case churn</code>" in page
    page_of_day = desk.report_folder(CASE, DAYS[0]) / "evidently_drift.html"
    page_of_day.unlink()
    seal_tombstone(desk, CASE, [page_of_day], log_rows=3, reason="Request <17>.", by="bob", now=LATER)
    _, name = make_key(tmp_path / "keys" / "key", settings=desk)
    sign_ledger(desk, CASE, tmp_path / "keys" / "key", by="ann", now=LATER)
    page = shown(desk)
    assert f"Signed up to line 3 by ann on 2026-07-01 09:00 UTC with the key {name}." in page
    told = "1 file edited or removed on purpose, 3 rows of the prediction log erased: Request &lt;17&gt;."
    assert f"Line 3, by bob on 2026-07-01 09:00 UTC: {told}" in page
    assert "Signed up to" not in shown(desk, FIRST), "nobody had by then"


@pytest.mark.parametrize("edited", [False, True])
def test_a_repetition_of_a_run_is_told_with_what_came_out(desk: Settings, tmp_path: Path, edited: bool) -> None:
    line, folder = read_ledger(desk, CASE).runs()[FIRST], desk.report_folder(CASE, DAYS[0])
    again = shutil.copytree(folder, tmp_path / "again")
    if edited:
        write_json(again / "summary.json", {"as_of": DAYS[0], "status": "green"})
    repetition = compare_repetition(folder, again, sorted(line["products"]), line=line)
    append_certificate(desk, repetition, run=line, by="cem", now=LATER)
    told = f"The run of line 1, report of {FIRST}, was repeated by cem on 2026-07-01 09:00 UTC (line 3): "
    told += "1 file differs, first summary.json, status." if edited else "every file came out the same, byte for byte."
    assert told in shown(desk)
    assert check(desk, CASE).holds


def test_a_use_case_without_a_ledger_says_what_fills_the_page(desk: Settings) -> None:
    shutil.rmtree(desk.reports_folder)
    page = shown(desk)
    assert "No run of churn is on record yet. <code>driftbook build --use-case churn</code>" in page
    assert page.count('<section class="dash-card') == 1


def test_a_broken_ledger_and_summary_cost_their_cell_and_no_more(desk: Settings) -> None:
    write_text(desk.report_folder(CASE, DAYS[1]) / "summary.json", "{")
    second, first = rows_of(shown(desk))
    assert "▲ amber" not in second
    assert "▲ amber" in first
    path = desk.reports_folder / CASE / "ledger.jsonl"
    write_text(path, path.read_text().replace('"by": "ann"', '"by": "eve"', 1) + "{no line\n")
    assert [line.number for line in lines_known(known_on(desk))] == [1, 2]
    told = check(desk, CASE)
    assert told.at_fault == (1, 3)
    page = shown(desk)
    assert "ledger.jsonl, line 1: it does not have the digest it was written with" in page
    second, first = rows_of(page)
    assert "by eve" in first
    assert "■ not as recorded" in first
