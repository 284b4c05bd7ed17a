"""Claims about the watch over a promoted champion, with a known truth: the full run's code on fewer champions.

The full table is ``results/rollback.md``.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import pytest
from simulations.rollbacks import (
    BAD,
    BETTER,
    EQUAL,
    POLICY,
    ROWS,
    RULES,
    TURN,
    TURNING,
    By,
    conditions,
    delay,
    share,
    simulate,
    table,
    taken_back,
    watch,
)

from driftbook.decisions.comparison import LabelledDay, PromotionEvidence
from driftbook.decisions.rollback import decide_rollback
from driftbook.decisions.sequential import PairedSums

pytestmark = pytest.mark.simulation

BOTH, STATISTICAL, BARE = RULES


def ever(days: np.ndarray) -> float:
    return float(np.isfinite(days).mean())


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("late", [False, True])
def test_a_champion_as_good_as_the_one_before_is_hardly_ever_taken_back_however_often_one_looks(
    rows: int, late: bool
) -> None:
    found = watch(EQUAL, rows=rows, spread=0.01, late=late, champions=400)
    assert ever(found[BOTH]) <= POLICY.false_rollback_rate
    assert ever(found[STATISTICAL]) <= POLICY.false_rollback_rate


@pytest.mark.parametrize("rows", ROWS)
def test_a_better_one_never(rows: int) -> None:
    assert ever(watch(BETTER, rows=rows, spread=0.01, late=True, champions=100)[BOTH]) == 0.0


def test_the_bare_rule_takes_back_an_equal_champion_sooner_or_later() -> None:
    found = watch(EQUAL, rows=480, spread=0.01, late=False, champions=100)
    assert ever(found[BARE]) > 0.75


@pytest.mark.parametrize(
    ("rows", "late", "days"),
    [(480, False, 8), (2400, False, 5), (24000, False, 4), (480, True, 20), (2400, True, 12), (24000, True, 6)],
)
def test_one_that_is_bad_from_its_first_day_is_taken_back_within_days(rows: int, late: bool, days: int) -> None:
    found = watch(BAD, rows=rows, spread=0.01, late=late, champions=60)[BOTH]
    assert ever(found) == 1.0
    assert np.median(found) <= days


@pytest.mark.parametrize(
    ("rows", "late", "days"),
    [(480, False, 16), (2400, False, 8), (24000, False, 6), (480, True, 30), (2400, True, 15), (24000, True, 8)],
)
def test_one_that_turns_bad_after_a_good_month_is_seen_not_much_later(rows: int, late: bool, days: int) -> None:
    found = watch(TURNING, rows=rows, spread=0.01, late=late, champions=60)[BOTH]
    assert ever(found) == 1.0
    assert found.min() > TURN, "taken back while it was good"
    assert np.median(found) - TURN <= days


def test_days_of_arrival_would_hide_a_turn_when_targets_are_late() -> None:
    def median(by: By) -> float:
        found = watch(TURNING, rows=24_000, spread=0.01, late=True, champions=40, by=by)
        return float(np.median(found[STATISTICAL])) - TURN

    assert median("arrivals") > 2 * median("events")


def test_the_simulation_takes_back_when_the_decision_does() -> None:
    cells = simulate(TURNING, rows=2400, spread=0.01, late=True, champions=3, seed=3)
    days = taken_back(cells)[BOTH]
    for champion, last in enumerate(days.astype(int)):
        for day, action in ((last - 2, "continue"), (last - 1, "rollback")):
            known = cells.known(day, "events")
            decision = decide_rollback(evidence(known, champion), POLICY, metric="accuracy")
            assert decision.action == action
            statistical, business = conditions(known)
            assert decision.evidence["statistical_condition"] == statistical[champion]
            assert decision.evidence["business_condition"] == business[champion]


def evidence(known: PairedSums, champion: int) -> PromotionEvidence:
    """What the simulation knows about one champion as the decision reads it."""
    first, days = date(2026, 6, 1), []
    for place, (rows, total, squares) in enumerate(
        zip(known.rows[champion], known.total[champion], known.squares[champion], strict=True)
    ):
        happened = first + timedelta(days=place)
        wins, losses = int(squares + total) // 2, int(squares - total) // 2
        days.append(LabelledDay(happened, happened.isoformat(), int(rows), losses, wins, wins, losses))
    return PromotionEvidence(champion=2, challenger=1, trained_until=datetime(2026, 5, 31), days=tuple(days))


def test_shares_and_delays_are_told_with_their_uncertainty() -> None:
    days = np.array([np.inf, 33.0, 35.0, 20.0])
    assert share(days) == "75.0 % (30.1 to 95.4)"
    assert delay(days, TURNING) == "3 d, 1 before the turn"
    assert delay(days[:1], BAD) == "none"
    assert table(iter([("a", "b"), ("1", "2")])) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
