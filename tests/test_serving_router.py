"""Who answers: the same for the same entity, the promised share of all."""

from __future__ import annotations

import math

import pytest

from driftbook.serving.router import choose, place

ENTITIES = [f"c-{at}" for at in range(20_000)]


def chosen(share: float, *, seed: int = 1, challenger: int | None = 2) -> set[str]:
    return {each for each in ENTITIES if choose(each, share=share, seed=seed, challenger=challenger) == "challenger"}


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_the_challenger_answers_its_share_of_the_entities(share: float) -> None:
    spread = math.sqrt(share * (1 - share) / len(ENTITIES))
    assert len(chosen(share)) / len(ENTITIES) == pytest.approx(share, abs=4 * spread)


def test_an_entity_meets_the_same_model_every_time_and_a_larger_share_takes_nobody_away() -> None:
    assert chosen(0.1) == chosen(0.1)
    assert chosen(0.1) < chosen(0.2)


def test_nobody_meets_a_challenger_that_is_not_there_or_has_no_share() -> None:
    assert chosen(1.0, challenger=None) == set()
    assert chosen(0.0) == set()
    assert chosen(1.0) == set(ENTITIES)


@pytest.mark.parametrize("changed", [{"seed": 2}, {"challenger": 3}])
def test_another_seed_or_challenger_meets_others(changed: dict[str, int]) -> None:
    both = len(chosen(0.1) & chosen(0.1, **changed)) / len(ENTITIES)
    assert both == pytest.approx(0.01, abs=4 * math.sqrt(0.01 * 0.99 / len(ENTITIES)))


def test_places_are_known_and_any_text_has_one() -> None:
    assert place("c-1", seed=1, version=2) == pytest.approx(0.794988, abs=1e-6)
    assert 0 <= place("übung – 試験 " * 1000, seed=10**30, version=1) < 1
