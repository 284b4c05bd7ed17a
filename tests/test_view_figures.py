"""The figures of the familiar views: what decides stands out, each metric has its scale, nothing is left unsaid."""

import re

import numpy as np
import polars as pl
import pytest

from driftbook.figures import champion_watch, confusion_pair, difference_views

DECIDES = {"view": "confidence_sequence", "metric": "accuracy", "difference": 0.034, "low": 0.01, "high": 0.06}
MCNEMAR = {"view": "mcnemar", "metric": "accuracy", "difference": 0.034, "low": 0.02, "high": 0.05}
SPLIT = {"view": "split", "metric": "accuracy", "difference": 0.034, "low": -0.04, "high": 0.11, "expected": True}
DELONG = {"view": "delong", "metric": "roc_auc", "difference": 0.008, "low": 0.001, "high": 0.015}
BRIER = {"view": "bootstrap", "metric": "brier", "difference": 0.002, "low": 0.001, "high": 0.003}


def words(figure):
    return re.findall(r"<text[^>]*>([^<]+)", figure.svg)


def test_what_decides_is_named_and_drawn_by_its_own_shape():
    figure = difference_views([{**DECIDES, "decides": True}, MCNEMAR])
    assert "confidence sequence, decides" in words(figure)
    assert "McNemar" in words(figure)
    assert (figure.svg.count("<circle"), figure.svg.count('Z" fill="#3a7bd5"')) == (1, 1)


def test_what_would_have_been_seen_is_dashed_and_says_that_it_was_not_run():
    figure = difference_views([MCNEMAR, SPLIT])
    assert "A/B split, not run" in words(figure)
    assert figure.svg.count('stroke-dasharray="5 4"') == 1


def test_numbers_of_accuracy_are_points_and_those_of_others_are_not():
    found = words(difference_views([MCNEMAR, DELONG]))
    assert {
        "3.40 (2.00 to 5.00)",
        "0.0080 (0.0010 to 0.0150)",
        "Accuracy, points",
        "ROC AUC, better is positive",
    } <= set(found)


def test_the_policys_metric_comes_first_and_alone_carries_the_margin():
    found = words(difference_views([MCNEMAR, DELONG, BRIER], metric="brier", margin=0.0015))
    assert next(word for word in found if "point" in word or "positive" in word).startswith("Brier")
    assert [word for word in found if word.startswith("asked")] == ["asked: 0.0015"]


def test_a_view_that_cannot_be_told_is_left_to_the_table():
    untold = {"view": "delong", "metric": "roc_auc", "difference": None, "low": None, "high": None}
    assert "DeLong" not in words(difference_views([MCNEMAR, untold]))


def test_a_difference_without_an_interval_is_a_mark_alone():
    alone = {**DELONG, "low": None, "high": None}
    assert "0.0080" in words(difference_views([alone]))


@pytest.mark.parametrize("classes", [2, 5, 23])
def test_both_matrices_show_the_same_classes_and_how_many_are_right(classes):
    counts = np.diag(np.arange(1, classes + 1)) * 10
    worse = counts.copy()
    worse[0, 0], worse[0, 1] = 0, 10
    figure = confusion_pair({"champion": worse, "challenger": counts}, [f"class {each}" for each in range(classes)])
    total = counts.sum()
    assert figure.description == f"Decided rightly: champion {total - 10:,}, challenger {total:,} of {total:,}."
    assert f"Champion: {100 * (total - 10) / total:.1f}\u00a0% right" in words(figure)
    assert (f"{classes - 10} rarer classes are not drawn" in words(figure)) == (classes > 10)


def test_targets_nobody_knows_are_counted_below():
    figure = confusion_pair(
        {"champion": [[8, 2], [1, 4], [1, 2]], "challenger": [[9, 1], [1, 4], [3, 0]]}, ["no", "yes"]
    )
    assert "3 rows have a target that neither model knows" in words(figure)
    assert "12, challenger 13 of 18" in figure.description


def watched(differences, evidence):
    return pl.DataFrame(
        {
            "batch_id": [f"2026-06-{day:02}" for day in range(1, len(differences) + 1)],
            "difference": differences,
            "log_evidence": evidence,
            "log_evidence_needed": [4.605] * len(differences),
        }
    )


def test_days_on_which_the_champion_gains_and_loses_have_shapes_of_their_own():
    svg = champion_watch(watched([-0.02, 0.01, 0.03], [-0.3, 0.1, 1.0]), margin=0.01).svg
    assert svg.count('Z" fill="#1f9e89"') == 1, "one triangle"
    assert svg.count('Z" fill="#d1495b"') == 2, "two diamonds"


def test_the_days_from_which_the_evidence_suffices_are_marked_and_the_last_one_told():
    figure = champion_watch(watched([0.03] * 3, [0.1, 4.7, 9.3]), margin=0.01)
    assert "evidence for going back 10,938 to 1, 100 to 1 needed" in figure.description
    assert figure.svg.count("2026-06-02: 110 to 1") == 1
    assert figure.svg.count("<circle") == 1


def test_endless_odds_are_drawn_at_the_edge():
    figure = champion_watch(watched([0.03, 0.03], [-800.0, 900.0]), margin=0.01)
    assert "1,000,000 to 1" in figure.description
    assert "inf" not in figure.svg
