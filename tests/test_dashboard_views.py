"""The widgets show what is selected, offer only what a visitor may do, and stay as they are while nothing changes."""

import asyncio
import json
import os
import time
from datetime import UTC, date, datetime

import pytest
from dashboard_desk import DAYS, LAST, bare_desk, break_file, entry, make_desk, tell, write_report

from driftbook.dashboard import views
from driftbook.dashboard.frame import nothing_built, past_banner, refreshed, work_bar
from driftbook.dashboard.page import Action, Card, Choice, Page
from driftbook.dashboard.views import Monitor
from driftbook.dashboard.visitor import FILE_VARIABLE, Visitor
from driftbook.errors import StateError
from driftbook.workflow.progress import Progress, TaskProgress, process_mark, write_progress

NOW = datetime(2026, 7, 1, 8, 0, tzinfo=UTC)
TASKS = (
    TaskProgress("check_quality", "Check quality", "done", 3.2),
    TaskProgress("score_batches", "Score batches", "running"),
)


def told(progress_state, *, message="", ended=None):
    return Progress(
        "churn",
        by="ann",
        reason="New prices",
        started="2026-07-01T07:58:00",
        pid=1,
        state=progress_state,
        message=message,
        ended=ended,
        tasks=TASKS,
    )


def _done(known, selection, visitor, text, chosen):
    return f"{visitor.name} did it to {chosen}: {text}."


def _refused(known, selection, visitor, text, chosen):
    raise StateError("somebody else did it meanwhile")


def _fault(known, selection, visitor, text, chosen):
    raise ZeroDivisionError("secret detail")


def _unreadable(known, selection):
    raise StateError("volumes.parquet cannot be read")


COLUMN = Choice("column", "Column", lambda known, selection: [(name, name) for name in "abcdef"])
PERIOD = Choice("period", "Period", lambda known, selection: [("by day", "day"), ("by week", "week")])
ACTIONS = (
    Action("close", "Close it", "Note", run=_done, objects=lambda known, selection: [("First", "1"), ("Second", "2")]),
    Action("fail", "Fail", "Reason", run=_refused),
    Action("odd", "Odd", "Reason", run=_fault),
    Action("broken", "Broken", "Reason", run=_done, objects=_unreadable),
    Action("late", "Too late", "Reason", run=_done, available=lambda known, selection: "It is too late."),
)
LIVE = {"text": "one"}


@pytest.fixture
def pages(monkeypatch):
    """Two pages of our own: what the views do with pages is tested here, not what the pages say."""
    first = Page("overview", "Overview", cards=(Card("Day", lambda known, selection: f"<p>{known.day}</p>"),))
    second = Page(
        "second",
        "Second",
        cards=(Card("Chosen", lambda known, s: f"<p>{COLUMN.value(known, s)} {PERIOD.value(known, s)}</p>"),),
        choices=(COLUMN, PERIOD),
        actions=ACTIONS,
        live=lambda known, selection: LIVE["text"],
    )
    monkeypatch.setattr(views, "PAGES", {"overview": first, "second": second})
    LIVE["text"] = "one"


@pytest.fixture
def operator(tmp_path, monkeypatch):
    """The kernel belongs to ada, who may act."""
    return _belongs(tmp_path, monkeypatch, "operator")


@pytest.fixture
def viewer(tmp_path, monkeypatch):
    """The kernel belongs to ada, who may look."""
    return _belongs(tmp_path, monkeypatch, "viewer")


def _belongs(tmp_path, monkeypatch, role):
    card = tmp_path / "card.json"
    card.write_text(json.dumps({"name": "ada", "role": role}))
    monkeypatch.setenv(FILE_VARIABLE, str(card))
    return card


def open_monitor(desk):
    """A monitor whose visitor has come."""
    monitor = Monitor(desk)
    monitor.tick()
    return monitor


def test_the_newest_day_of_the_first_use_case_is_shown_first(tmp_path, pages):
    monitor = Monitor(make_desk(tmp_path))
    assert ">2026-06-05<" in monitor.body.value
    assert monitor.case.value == "churn"
    assert monitor.newest.layout.display == "none"


def test_the_slider_shows_a_past_day_and_says_so(tmp_path, pages):
    monitor = Monitor(make_desk(tmp_path))
    assert list(monitor.slider.options) == [day.isoformat() for day in DAYS]
    monitor.slider.value = "2026-06-02"
    assert ">2026-06-02<" in monitor.body.value
    assert "As known at the end of 2026-06-02" in monitor.banner.value
    assert monitor.newest.layout.display is None
    monitor.newest.click()
    assert ">2026-06-05<" in monitor.body.value
    assert monitor.slider.value == "2026-06-05"
    assert monitor.banner.value == ""


def test_a_page_is_chosen_and_its_choices_appear(tmp_path, pages):
    monitor = Monitor(make_desk(tmp_path))
    assert monitor.choices.box.layout.display == "none"
    monitor.nav.value = "second"
    assert "<p>a day</p>" in monitor.body.value
    column, period = monitor.choices.box.children
    assert (type(column).__name__, type(period).__name__) == ("Dropdown", "RadioButtons")
    column.value = "c"
    period.value = "week"
    assert "<p>c week</p>" in monitor.body.value


def test_a_choice_is_kept_while_other_pages_are_read(tmp_path, pages):
    monitor = Monitor(make_desk(tmp_path))
    monitor.nav.value = "second"
    monitor.choices.box.children[0].value = "e"
    monitor.nav.value = "overview"
    monitor.nav.value = "second"
    assert "<p>e day</p>" in monitor.body.value


def test_nothing_is_put_again_while_nothing_changes(tmp_path, pages):
    monitor = Monitor(make_desk(tmp_path))
    put = []
    monitor.body.observe(put.append, names="value")
    monitor.refresh()
    monitor.tick()
    assert put == []


def test_a_new_day_appears_by_itself(tmp_path, pages):
    desk = make_desk(tmp_path)
    monitor = Monitor(desk)
    tell(desk, [entry(date(2026, 6, 6))], as_of=date(2026, 6, 6), revision=2)
    write_report(desk, date(2026, 6, 6), {})
    monitor.refresh()
    assert ">2026-06-06<" in monitor.body.value
    assert monitor.slider.value == "2026-06-06"


def test_who_looks_at_the_past_stays_there_when_a_new_day_comes(tmp_path, pages):
    desk = make_desk(tmp_path)
    monitor = Monitor(desk)
    monitor.slider.value = "2026-06-02"
    tell(desk, [entry(date(2026, 6, 6))], as_of=date(2026, 6, 6), revision=2)
    monitor.refresh()
    assert ">2026-06-02<" in monitor.body.value
    assert monitor.slider.value == "2026-06-02"


def test_days_without_a_complete_report_are_told(tmp_path, pages):
    desk = make_desk(tmp_path)
    tell(desk, [entry(date(2026, 6, 6))], as_of=date(2026, 6, 6), revision=2)
    assert "tables and figures reach to 2026-06-05" in Monitor(desk).banner.value


def test_pages_nobody_turned_to_are_drawn_ahead(tmp_path, pages, monkeypatch):
    third = Page("third", "Third", cards=(Card("Third", lambda known, selection: "<p>third</p>"),))
    monkeypatch.setitem(views.PAGES, "third", third)
    monitor = Monitor(make_desk(tmp_path))
    monitor.tick()
    monitor.tick()
    monitor.tick()
    assert [key[1] for key in monitor._rendered] == ["overview", "second", "third"]
    monitor.nav.value = "third"
    assert "<p>third</p>" in monitor.body.value


def test_a_page_that_changed_by_itself_is_shown_anew(tmp_path, pages):
    monitor = Monitor(make_desk(tmp_path))
    monitor.nav.value = "second"
    before = dict(monitor._rendered)
    LIVE["text"] = "two"
    monitor.tick()
    assert len(monitor._rendered) == len(before) + 1


def test_an_empty_workbench_shows_the_command_that_fills_it(tmp_path, pages):
    desk = bare_desk(tmp_path)
    monitor = Monitor(desk)
    assert "<code>driftbook build --use-case churn</code>" in monitor.body.value
    assert monitor.slider.layout.display == "none"
    tell(desk, [entry(LAST)], as_of=LAST)
    write_report(desk, LAST, {})
    monitor.refresh()
    assert ">2026-06-05<" in monitor.body.value


def test_a_store_that_cannot_be_read_is_told_and_the_page_comes_back(tmp_path, pages, monkeypatch):
    monitor = Monitor(make_desk(tmp_path))
    monkeypatch.setenv("DRIFTBOOK_DATABASE_URL", "mysql://nobody")
    monitor.refresh()
    assert "This cannot be shown" in monitor.body.value
    assert monitor._due - time.monotonic() <= views.RETRY_SECONDS
    monkeypatch.delenv("DRIFTBOOK_DATABASE_URL")
    monitor.refresh()
    assert ">2026-06-05<" in monitor.body.value


def test_a_use_case_that_is_not_built_yet_says_its_command(tmp_path, pages):
    desk = make_desk(tmp_path)
    source = tmp_path / "data" / "churn" / "usecase.yaml"
    (tmp_path / "data" / "bank").mkdir()
    (tmp_path / "data" / "bank" / "usecase.yaml").write_text(source.read_text())
    monitor = Monitor(desk)
    monitor.case.value = "bank"
    assert "<code>driftbook build --use-case bank</code>" in monitor.body.value
    monitor.case.value = "churn"
    assert ">2026-06-05<" in monitor.body.value


def test_a_viewer_is_shown_no_action(tmp_path, pages, viewer):
    monitor = open_monitor(make_desk(tmp_path))
    monitor.nav.value = "second"
    assert monitor.actions.box.layout.display == "none"
    assert "ada, who may look" in monitor.stamp.value


def test_before_anybody_came_nobody_may_act(tmp_path, pages, monkeypatch):
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "none.json"))
    monitor = open_monitor(make_desk(tmp_path))
    monitor.nav.value = "second"
    assert monitor.actions.box.layout.display == "none"


def test_an_operator_acts_on_the_newest_day_only(tmp_path, pages, operator):
    monitor = open_monitor(make_desk(tmp_path))
    monitor.nav.value = "second"
    assert monitor.actions.box.layout.display is None
    monitor.slider.value = "2026-06-02"
    assert monitor.actions.box.layout.display == "none"


def test_an_act_takes_two_clicks_and_a_text(tmp_path, pages, operator):
    monitor = open_monitor(make_desk(tmp_path))
    monitor.nav.value = "second"
    panel = monitor.actions
    panel.buttons["second.close"][0].click()
    assert panel.form.layout.display is None
    assert panel.object.value == "1", "the first is chosen until another is"
    panel.confirm.click()
    assert "Fill in: note." in panel.said.value
    panel.object.value, panel.text.value = "2", "  all well  "
    panel.confirm.click()
    assert "ada did it to 2: all well." in panel.said.value
    assert panel.form.layout.display == "none"


def test_an_act_can_be_called_off(tmp_path, pages, operator):
    monitor = open_monitor(make_desk(tmp_path))
    monitor.nav.value = "second"
    panel = monitor.actions
    panel.buttons["second.close"][0].click()
    panel.cancel.click()
    panel.text.value = "all well"
    panel.confirm.click()
    assert panel.said.value == ""


def test_who_is_no_operator_any_more_is_refused_at_the_act(tmp_path, pages, operator):
    monitor = open_monitor(make_desk(tmp_path))
    monitor.nav.value = "second"
    panel = monitor.actions
    panel.buttons["second.close"][0].click()
    panel.text.value = "all well"
    operator.write_text(json.dumps({"name": "ada", "role": "viewer"}))
    panel.confirm.click()
    assert "did it" not in panel.said.value
    assert "dash-is-bad" in panel.said.value


def test_a_refusal_is_told_as_it_is_and_a_fault_without_detail(tmp_path, pages, operator):
    monitor = open_monitor(make_desk(tmp_path))
    monitor.nav.value = "second"
    panel = monitor.actions
    for name, expected in (("fail", "somebody else did it meanwhile"), ("odd", "This did not work")):
        panel.buttons[f"second.{name}"][0].click()
        panel.text.value = "all well"
        panel.confirm.click()
        assert expected in panel.said.value
        assert "secret detail" not in panel.said.value


def test_what_cannot_be_done_now_says_why(tmp_path, pages, operator):
    monitor = open_monitor(make_desk(tmp_path))
    monitor.nav.value = "second"
    button, why = monitor.actions.buttons["second.late"]
    assert button.disabled
    assert "It is too late." in why.value


def test_where_nobody_can_say_what_to_act_on_the_form_stays_closed(tmp_path, pages, operator):
    monitor = open_monitor(make_desk(tmp_path))
    monitor.nav.value = "second"
    monitor.actions.buttons["second.broken"][0].click()
    assert "volumes.parquet cannot be read" in monitor.actions.said.value
    assert monitor.actions.form.layout.display == "none"


def test_a_form_is_put_away_with_its_page(tmp_path, pages, operator):
    monitor = open_monitor(make_desk(tmp_path))
    monitor.nav.value = "second"
    monitor.actions.buttons["second.close"][0].click()
    monitor.nav.value = "overview"
    monitor.nav.value = "second"
    assert monitor.actions.form.layout.display == "none"


def test_a_running_build_is_shown_with_its_tasks():
    shown = work_bar(told("running"), now=NOW)
    assert 'role="progressbar"' in shown
    assert 'aria-valuenow="50"' in shown
    assert "ann started a build of churn" in shown
    assert "✓ Check quality 3 s" in shown
    assert '<li class="dash-now">▶ Score batches' in shown


def test_a_build_that_ended_well_is_told_for_five_minutes_and_a_failed_one_until_the_next():
    assert "it has ended" in work_bar(told("done", ended="2026-07-01T07:56:00"), now=NOW)
    assert work_bar(told("done", ended="2026-07-01T07:54:00"), now=NOW) == ""
    message = "no rows (/home/ann/driftbook/rows.py) in data/churn/raw and/or elsewhere"
    failed = work_bar(told("failed", message=message, ended="2026-06-30T08:00:00"), now=NOW)
    assert "it failed. no rows (rows.py) in data/churn/raw and/or elsewhere" in failed
    assert "dash-is-bad" in failed


def test_a_build_is_shown_to_everybody_while_it_runs_and_the_page_is_read_anew_when_it_ends(tmp_path, pages, viewer):
    desk = make_desk(tmp_path)
    monitor = open_monitor(desk)
    running = Progress(
        "churn", by="ann", reason="", started="2026-07-01T07:58:00", pid=os.getpid(), born=process_mark(os.getpid())
    )
    write_progress(desk, running)
    monitor.tick()
    assert "ann started a build of churn" in monitor.work.value
    tell(desk, [entry(date(2026, 6, 6))], as_of=date(2026, 6, 6), revision=2)
    write_report(desk, date(2026, 6, 6), {})
    (desk.state_folder / "progress.json").unlink()
    monitor.tick()
    assert monitor.work.value == ""
    assert ">2026-06-06<" in monitor.body.value


def test_the_loop_goes_on_after_a_fault(tmp_path, pages, monkeypatch):
    desk = make_desk(tmp_path)
    ticks = []

    def tick(self):
        ticks.append(1)
        raise RuntimeError("once")

    monkeypatch.setattr(views, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(Monitor, "tick", tick)

    async def live():
        monitor = Monitor(desk)
        await asyncio.sleep(0.2)
        monitor._task.cancel()

    asyncio.run(live())
    assert len(ticks) > 1


@pytest.mark.parametrize(("given", "seconds"), [("5", 5.0), ("0", 1.0), ("often", 60.0), (None, 60.0)])
def test_how_often_it_refreshes_is_given_in_seconds(tmp_path, pages, monkeypatch, given, seconds):
    if given is not None:
        monkeypatch.setenv(views.REFRESH_VARIABLE, given)
    assert Monitor(make_desk(tmp_path)).seconds == seconds


def test_the_words_around_a_page_escape_what_comes_from_outside():
    assert "<b>" not in refreshed(NOW, Visitor("<b>", "viewer"), seconds=60)
    assert "2026-06-08" in past_banner(date(2026, 6, 8), LAST)
    assert "driftbook init" in nothing_built([])


def test_a_card_that_failed_is_drawn_anew_at_the_next_refresh(tmp_path, pages, monkeypatch):
    whole = {"there": False}

    def volumes(known, selection):
        if not whole["there"]:
            raise StateError("the store is busy")
        return "<p>604 rows</p>"

    monkeypatch.setitem(views.PAGES, "overview", Page("overview", "Overview", cards=(Card("Volume", volumes),)))
    monitor = Monitor(make_desk(tmp_path))
    assert "the store is busy" in monitor.body.value
    whole["there"] = True
    monitor.refresh()
    assert "<p>604 rows</p>" in monitor.body.value


def test_a_broken_table_leaves_the_controls_alive(tmp_path, operator):
    desk = make_desk(tmp_path)
    break_file(desk.report_folder("churn", LAST) / "volumes.parquet")
    monitor = open_monitor(desk)
    assert "volumes.parquet cannot be read" in monitor.body.value
    assert "The story so far" in monitor.body.value
    assert not monitor.actions.buttons["overview.retrain"][0].disabled
