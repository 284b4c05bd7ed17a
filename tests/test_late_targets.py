"""Targets that come late: the day rows happened is what moves them together, not the day their targets came."""

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from driftbook.decisions.comparison import Contender, PromotionEvidence, compare_models
from driftbook.decisions.design_effect import LEAST_DAYS, EventDays, PairedSums, design_effects, effective_sums
from driftbook.decisions.sequential import log_evidence
from driftbook.storage import canonical_json

FIRST = date(2026, 6, 6)
CELLS = [  # day of events, day its targets came, wins, losses, ties of the challenger
    (0, 1, 3, 1, 4),
    (1, 2, 2, 2, 3),
    (0, 3, 1, 0, 2),
    (2, 3, 4, 1, 1),
    (1, 4, 0, 2, 3),
    (3, 4, 2, 0, 5),
]


def rows():
    """One row each: id, day of events, day of arrival, champion and challenger right or wrong."""
    for event, arrival, wins, losses, ties in CELLS:
        kinds = [(False, True)] * wins + [(True, False)] * losses + [(True, True)] * ties
        for place, right in enumerate(kinds):
            yield f"{event}-{arrival}-{place:02}", event, arrival, *right


def compare(cells=None, *, until=99):
    found = [row for row in cells or rows() if row[2] <= until]
    known = pl.DataFrame(
        {
            "row_id": [row[0] for row in found],
            "batch_id": [str(FIRST + timedelta(days=row[1])) for row in found],
            "known_time": [datetime.combine(FIRST + timedelta(days=row[2]), datetime.min.time()) for row in found],
            "target": ["yes"] * len(found),
        }
    )
    return compare_models(*(contender(found, model) for model in (1, 2)), known, trained_until=datetime(2026, 6, 5))


def contender(found, model):
    right = [row[2 + model] for row in found]
    return Contender(
        model,
        ("no", "yes"),
        pl.DataFrame(
            {
                "row_id": [row[0] for row in found],
                "event_time": [datetime.combine(FIRST + timedelta(days=row[1]), datetime.min.time()) for row in found],
                "version": [model] * len(found),
                "prediction": ["yes" if each else "no" for each in right],
                "probabilities": [[0.2, 0.8] if each else [0.7, 0.3] for each in right],
            }
        ),
    )


def test_what_is_known_lies_on_days_of_events():
    first, second, third, fourth = compare().days
    assert (first.lying, second.lying) == ({}, {})
    assert third.lying["number"] == 3
    assert third.lying["squared_rows"] == 11**2 + 7**2 + 6**2
    assert third.lying["accuracy"] == pytest.approx((3 - 1 + 1) ** 2 / 11 + 0 + 3**2 / 6)
    assert fourth.lying["squared_rows"] == 11**2 + 12**2 + 6**2 + 7**2
    assert fourth.lying["accuracy"] == pytest.approx(3**2 / 11 + (-2) ** 2 / 12 + 3**2 / 6 + 2**2 / 7)


def test_evidence_as_of_an_earlier_day_is_that_of_a_comparison_made_then():
    whole = compare()
    for day in range(1, 5):
        assert whole.until(FIRST + timedelta(days=day)) == compare(until=day)


def test_with_a_fixed_delay_a_record_holds_nothing_of_it():
    fixed = [(f"{event}-{place}", event, event + 3, True, True) for event in range(4) for place in range(5)]
    evidence = compare(fixed)
    assert [day.lying for day in evidence.days] == [{}] * 4
    assert "lying" not in canonical_json(evidence.to_json())


def test_the_record_brings_it_back():
    evidence = PromotionEvidence.from_json(compare().to_json())
    assert PromotionEvidence.from_json(evidence.to_json()) == evidence
    assert evidence.event_days("accuracy").number.tolist() == [1, 2, 3, 4]
    assert evidence.event_days("brier").squared_totals[-1] == pytest.approx(evidence.days[-1].lying["brier"])


def test_days_of_arrival_that_agree_do_not_hide_days_of_events_that_differ():
    # 3,000 rows arrive each day, half of a good and half of a bad day of events
    arrivals = PairedSums.of([3000] * 6, [60] * 6, [360] * 6, is_sign=True)
    number = np.arange(2.0, 14.0, 2.0)
    lying = EventDays(number, number * 1500.0**2, number / 2 * (330.0**2 + 270.0**2) / 1500)
    assert design_effects(arrivals)[-1] < 2
    assert design_effects(arrivals, lying)[-1] > 100
    assert log_evidence(effective_sums(arrivals))[-1] > np.log(100)
    assert log_evidence(effective_sums(arrivals, lying))[-1] < np.log(100)


def test_one_or_two_days_that_agree_are_not_trusted():
    days = PairedSums.of([24_000] * 4, [480] * 4, [2_880] * 4, is_sign=True)
    enough = log_evidence(effective_sums(days)) >= np.log(100)
    assert enough.tolist() == [place + 1 >= LEAST_DAYS for place in range(4)]


def test_many_repetitions_are_reckoned_at_once_as_one_by_one():
    random = np.random.default_rng(3)
    total = random.normal(0, 20, (5, 8))
    days = PairedSums.of(np.full((5, 8), 500.0), total, np.full((5, 8), 60.0), is_sign=True)
    whole = effective_sums(days).total
    for place in range(5):
        one = PairedSums.of(np.full(8, 500.0), total[place], np.full(8, 60.0), is_sign=True)
        assert effective_sums(one).total == pytest.approx(whole[place])
