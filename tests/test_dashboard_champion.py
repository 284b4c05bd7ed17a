"""The page of champion and challenger shows what decided, as it was known; orders are given in the visitor's name."""

from __future__ import annotations

import re
import sys
from datetime import date
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from known_desk import CASE, DAYS, make_desk
from model_samples import binary_case, labelled_rows
from test_promotion import evidence_of

from driftbook.config import Settings, load_policy
from driftbook.dashboard import ordering
from driftbook.dashboard.answer import Answer
from driftbook.dashboard.known import Known, load_known
from driftbook.dashboard.page import render_page
from driftbook.dashboard.pages.champion import PAGE
from driftbook.dashboard.state import Selection
from driftbook.dashboard.visitor import NotAllowedError, Visitor
from driftbook.database import open_database
from driftbook.decisions import Decision
from driftbook.decisions.promotion import decide_promotion
from driftbook.decisions.rollback import decide_rollback
from driftbook.deployment import Office, history, load_office, load_orders
from driftbook.errors import StateError
from driftbook.model.training import fit_quickly
from driftbook.storage import write_json
from driftbook.tables import format_value
from driftbook.timeline.duel import last_comparison, last_watch

POLICY = load_policy("calibrated")
ANN, BOB = Visitor("ann", "operator"), Visitor("bob", "viewer")
WON = [(146, 50), (140, 60), (150, 52)]  # wins and losses of the challenger on the three labelled days
APPOINTED = {"action": "appoint", "version": 1, "reason": "The first."}
CHALLENGED = {"action": "challenge", "version": 2, "reason": "It passed its gate."}


def decided(days: int) -> Decision:
    """What was decided when so many labelled days were known."""
    return decide_promotion(evidence_of(*WON[:days]), POLICY.promotion)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Version 2 is compared on all three days and promoted on the last."""
    return make_desk(
        tmp_path / "desk",
        decisions=[decided(1), decided(2), decided(3)],
        offices=((1, 2, None), (1, 2, None), (2, None, 1)),
        changes={0: [CHALLENGED], 2: [{"action": "promote", "version": 2, "reason": decided(3).reasons[0]}]},
    )


@pytest.fixture
def compared(tmp_path: Path) -> Settings:
    """Version 2 is still compared on the last day, by targets of two days."""
    return make_desk(
        tmp_path / "desk", decisions=[decided(1), decided(2), decided(2)], changes={0: [APPOINTED, CHALLENGED]}
    )


def known_of(settings: Settings, day: date | None = None) -> Known:
    return load_known(settings, CASE, day)


def page_of(settings: Settings, day: date | None = None) -> str:
    return render_page(PAGE, known_of(settings, day), Selection(CASE, "champion", day))


def text_of(markup: str) -> str:
    """What a reader sees, without figures' tooltips and style sheets."""
    bare = re.sub(r"<style>.*?</style>|<title>.*?</title>", " ", markup, flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", bare)).split())


def card(markup: str, title: str) -> str:
    found = re.search(rf'<section class="[^"]*" aria-label="{re.escape(title)}">.*?</section>', markup, flags=re.S)
    assert found, f"no card {title!r}"
    return text_of(found.group())


def test_the_numbers_are_those_of_the_record_that_decided(settings: Settings) -> None:
    known = known_of(settings)
    told = known.entries[-1]["decision"]
    figures = told["evidence"]
    shown = card(page_of(settings), "Who is in office")
    assert f"better by {100 * figures['mean_difference']:+.2f} points" in shown
    assert f"between {100 * figures['low']:+.2f} points and {100 * figures['high']:+.2f} points" in shown
    assert "+2.00 points is asked" in shown
    assert f"the last {figures['days_above_margin']} reach the margin, 3 must" in shown
    assert "rows compared 7,200" in shown
    assert "champion version 2 challenger none champion before version 1" in shown
    assert "● promote Version 2 against version 1, decided for 2026-06-14" in shown
    for reason in told["reasons"]:
        assert " ".join(reason.split()) in shown


def test_the_figure_is_drawn_from_the_days_that_decided(settings: Settings) -> None:
    known, markup = known_of(settings), page_of(settings)
    duel = last_comparison(known.entries, known.policy)
    assert duel.days.height == 3
    for row in duel.days.iter_rows(named=True):
        assert f"{row['batch_id']}, version 1: {format_value(row['champion'], format='percent')}" in markup
    shown = card(markup, "The comparison, day by day")
    assert "Below: mean difference so far" in shown
    assert "no difference" in shown
    assert "asked: 2 points" in shown


def test_a_page_of_an_earlier_day_knows_nothing_of_later_ones(settings: Settings) -> None:
    markup = page_of(settings, DAYS[0])
    shown = text_of(markup)
    assert "decided for 2026-06-12" in shown
    assert "rows compared 2,400" in shown
    assert "champion version 1 challenger version 2 champion before none" in card(markup, "Who is in office")
    assert "version 2 promoted" not in shown
    assert "2026-06-14" not in shown
    assert card(markup, "History of deployments").count("version 2 challenger") == 1


def test_without_a_challenger_the_page_says_so_calmly(tmp_path: Path) -> None:
    calm = Decision("wait", ("No batch alarmed.",), {})
    settings = make_desk(tmp_path / "desk", decisions=[calm] * 3, offices=((1, None, None),) * 3, kind="retraining")
    markup = page_of(settings)
    shown = text_of(markup)
    assert "There is no challenger to compare." in shown
    assert "No challenger was compared yet." in shown
    assert "No champion that was promoted is watched." in shown
    assert 'aria-label="A/B split"' not in markup
    assert "cannot be shown" not in shown


def test_the_split_is_what_one_would_have_shown_where_traffic_was_not_split(compared: Settings) -> None:
    shown = card(page_of(compared), "A/B split")
    assert "Traffic was not split here." in shown
    assert "version 1, champion 4,320 89.8" in shown, "nine tenths of the 4,800 rows"
    assert "version 2, challenger 480" in shown
    gained = (146 + 140 - 50 - 60) / 4800
    assert f"Difference: {100 * gained:+.2f} points" in shown


def test_the_split_is_the_recorded_one_where_the_service_routed(compared: Settings) -> None:
    result = {"difference": 0.05, "low": -0.01, "high": 0.11, "p_value": 0.1}
    split = {"routed": True, "rows": [900, 100], "accuracy": [0.8, 0.85], "result": result, "times": 3.5}
    record = {"as_of": "2026-06-14", "champion": 1, "challenger": 2, "split": split}
    write_json(compared.report_folder(CASE, DAYS[-1]) / "familiar_views.json", record)
    shown = card(page_of(compared), "A/B split")
    assert "as the prediction service routed them" in shown
    assert "version 1, champion 900 80 %" in shown
    assert "Difference: +5.00 points (−1.00 points to +11.00 points" in shown
    assert "3.5 times as many rows" in shown
    before = card(page_of(compared, DAYS[1]), "A/B split")
    assert "900" not in before, "the record is of a later day"


def test_the_guardrails_of_the_record_are_shown_with_their_state(tmp_path: Path) -> None:
    evidence = evidence_of(*WON[:2])
    guarded = type(evidence)(**{**vars(evidence), "size_mb": 1.25, "within_latency": True, "latency_limit_ms": 50.0})
    decision = decide_promotion(guarded, POLICY.promotion)
    settings = make_desk(tmp_path / "desk", decisions=[decision] * 3)
    shown = card(page_of(settings), "Guardrails")
    assert "size of the model takes 1.25 MB 200 MB – ● holds" in shown
    assert "time to score a row within the limit 50 ms" in shown


def test_a_watched_champion_is_shown_with_the_evidence_for_going_back(tmp_path: Path) -> None:
    watch = decide_rollback(evidence_of((50, 60), (55, 60)), POLICY.rollback, metric="accuracy")
    settings = make_desk(
        tmp_path / "desk", decisions=[Decision("wait", ("No batch alarmed.",), {})] * 3,
        offices=((2, None, 1),) * 3, watches={2: watch}, kind="retraining",
    )  # fmt: skip
    known = known_of(settings)
    shown = card(page_of(settings), "Watch over the promoted champion")
    assert last_watch(known.entries, known.policy).title in shown
    assert watch.reasons[0] in shown
    assert "evidence for going back" in shown
    assert "Nobody is watched" in card(page_of(settings, DAYS[1]), "Watch over the promoted champion")


def test_versions_are_listed_with_their_offices_and_gates(settings: Settings) -> None:
    shown = card(page_of(settings), "Versions")
    assert "3 – 2026-04-07 2026-05-17 3,000 83 % 79 % to 85 % ■ failed" in shown
    assert "2 ● champion 2026-04-07 2026-05-16 2,000 82 %" in shown
    assert "1 ○ previous" in shown


def test_a_version_whose_record_is_gone_costs_its_line_only(settings: Settings) -> None:
    (settings.models_folder(CASE) / "v3" / "training.json").unlink()
    markup = page_of(settings)
    shown = card(markup, "Versions")
    assert "Version 3: expected data/state/models/churn/v3/training.json, found no such file." in shown
    assert "2 ● champion" in shown
    assert "better by" in text_of(markup)


def test_reasons_are_escaped_wherever_they_stand(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    changes = {0: [{"action": "challenge", "version": 2, "reason": evil}]}
    settings = make_desk(tmp_path / "desk", decisions=[decided(1), decided(2), decided(2)], changes=changes)
    markup = page_of(settings)
    assert evil not in markup
    assert "&lt;script&gt;" in markup


@pytest.fixture
def armed(compared: Settings) -> Settings:
    """The same with models whose files are whole."""
    bundle = fit_quickly(binary_case(), labelled_rows(300), seed=7)
    for number in (1, 2, 3):
        bundle.save(compared.models_folder(CASE) / f"v{number}")
    return compared


def office(settings: Settings) -> Office:
    with open_database(settings.database_url) as database:
        return load_office(database, CASE)


def act(settings: Settings, name: str, chosen: str, *, visitor: Visitor = ANN) -> str:
    action = next(each for each in PAGE.actions if each.name == name)
    return action.run(known_of(settings), Selection(CASE, "champion"), visitor, "The branches asked.", chosen)


def offered(settings: Settings, name: str) -> list[str]:
    action = next(each for each in PAGE.actions if each.name == name)
    assert action.objects is not None
    return [value for _, value in action.objects(known_of(settings), Selection(CASE, "champion"))]


def obstacle(settings: Settings, name: str) -> str:
    action = next(each for each in PAGE.actions if each.name == name)
    return action.available(known_of(settings), Selection(CASE, "champion"))


def test_an_operator_promotes_in_their_own_name(armed: Settings) -> None:
    assert offered(armed, "promote") == ["2"], "1 is in office, 3 failed its gate"
    said = act(armed, "promote", "2")
    assert said.startswith("churn: version 2 is in office; before it was version 1")
    assert office(armed) == Office(champion=2, challenger=None, previous=1, revision=3)
    with open_database(armed.database_url) as database:
        [order] = load_orders(database, CASE)
    assert order["changes"][0]["actor"] == "ann"
    markup = page_of(armed)
    shown = card(markup, "Who is in office")
    assert "Ordered since: version 2 promoted by ann: The branches asked (from the day after 2026-06-14)." in shown
    assert "○ ended Version 2 against version 1" in shown
    assert "Version 2 was promoted by ann: The branches asked." in shown
    assert "version 2 promoted ann: The branches asked." in card(markup, "History of deployments")


def test_after_an_order_the_overview_does_not_call_the_new_model_well(armed: Settings) -> None:
    before = Answer(known_of(armed))
    assert (before.status, before.word) == ("green", "The model is well")
    act(armed, "promote", "2")
    answer = Answer(known_of(armed))
    assert (answer.status, answer.word) == ("amber", "Not judged yet")
    assert answer.sentence.startswith("Version 2 was promoted by ann. No day of it is judged yet")
    assert "what stands here was seen of version 1" in answer.sentence
    past = Answer(known_of(armed, DAYS[0]))
    assert past.word == before.word, "nobody knew it then"


def test_a_challenger_of_whom_no_outcome_is_known_is_said_to_wait(tmp_path: Path) -> None:
    trained = Decision("retrain", ("Three batches alarmed.",), {})
    settings = make_desk(
        tmp_path / "desk",
        decisions=[trained] * 3,
        offices=((1, 2, None),) * 3,
        changes={0: [APPOINTED, CHALLENGED]},
        kind="retraining",
    )
    shown = text_of(page_of(settings))
    assert shown.count("Version 2 waits for outcomes on which it can be compared with the champion.") == 2
    assert "There is no challenger" not in shown


def test_an_operator_keeps_the_champion(armed: Settings) -> None:
    assert "version 2, retired" in act(armed, "keep", "2")
    assert office(armed) == Office(champion=1, challenger=None, previous=None, revision=3)
    assert obstacle(armed, "keep") == "There is no challenger to retire."
    assert "Version 2 was retired by ann: The branches asked." in card(page_of(armed), "Who is in office")
    with open_database(armed.database_url) as database:
        assert history(database, CASE)["action"][-1] == "retire"


def test_an_operator_rolls_back_to_a_champion_there_was(armed: Settings) -> None:
    assert obstacle(armed, "rollback") == "No other version was ever champion."
    act(armed, "promote", "2")
    assert offered(armed, "rollback") == ["1"]
    assert act(armed, "rollback", "1").startswith("churn: version 1 is in office; before it was version 2")
    assert office(armed) == Office(champion=1, challenger=None, previous=2, revision=4)


def test_after_a_rollback_what_was_taken_out_is_offered_last(tmp_path: Path) -> None:
    settings = make_desk(
        tmp_path / "desk", decisions=[decided(1), decided(2), decided(3)],
        offices=((1, None, None), (2, None, 1), (3, None, 2)),
        changes={
            0: [APPOINTED],
            1: [{"action": "promote", "version": 2, "reason": "Better."}],
            2: [{"action": "promote", "version": 3, "reason": "Better."}],
        },
    )  # fmt: skip
    bundle = fit_quickly(binary_case(), labelled_rows(300), seed=7)
    for number in (1, 2, 3):
        bundle.save(settings.models_folder(CASE) / f"v{number}")
    assert offered(settings, "rollback") == ["2", "1"], "the one before first"
    assert act(settings, "rollback", "2").startswith("churn: version 2 is in office; before it was version 3")
    assert offered(settings, "rollback") == ["1", "3"]


@pytest.mark.parametrize(("name", "chosen"), [("promote", "3"), ("promote", "x"), ("keep", "1"), ("rollback", "2")])
def test_what_is_not_offered_cannot_be_ordered(armed: Settings, name: str, chosen: str) -> None:
    before = office(armed)
    with pytest.raises(StateError, match="expected one of the versions offered now"):
        act(armed, name, chosen)
    assert office(armed) == before


def test_a_viewer_orders_nothing(armed: Settings) -> None:
    for name in ("promote", "keep", "rollback"):
        with pytest.raises(NotAllowedError):
            act(armed, name, "2", visitor=BOB)
    assert office(armed).revision == 2


def test_an_order_imports_no_mlflow_into_the_kernel_and_leaves_its_aliases_to_the_next_build(
    armed: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "mlflow"]:
        monkeypatch.delitem(sys.modules, name)
    assert act(armed, "keep", "2").endswith("MLflow's aliases follow with the next build.")
    assert not any(name.partition(".")[0] == "mlflow" for name in sys.modules)


def test_what_an_order_asks_for_is_named_and_every_action_has_objects() -> None:
    found: Any = [(each.name, each.asks, each.objects is not None) for each in ordering.ACTIONS]
    assert found == [("promote", "Reason", True), ("keep", "Reason", True), ("rollback", "Reason", True)]
