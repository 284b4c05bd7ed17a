"""Tables and cards: the number format, the markup, what is escaped."""

from __future__ import annotations

from datetime import date, datetime

import polars as pl
import pytest

from driftbook import tables


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.123456, "0.123"),
        (0.99996, "1.00"),
        (0.06, "0.06"),
        (-0.25, "−0.25"),
        (12.3456, "12.3"),
        (999.6, "1,000"),
        (1234567.8, "1,234,568"),
        (2400, "2,400"),
        (0.0, "0"),
        (0.00001234, "1.23e-05"),
        (float("nan"), "–"),
        (float("inf"), "∞"),
        (None, "–"),
        (True, "yes"),
        (date(2026, 6, 1), "2026-06-01"),
        (datetime(2026, 6, 1), "2026-06-01"),
        (datetime(2026, 6, 1, 13, 5), "2026-06-01 13:05"),
        (["a", 2], "a, 2"),
        ("churn", "churn"),
    ],
)
def test_a_value_is_shown_as_a_person_reads_it(value: object, shown: str) -> None:
    assert tables.format_value(value) == shown


def test_a_named_format_overrules_the_type() -> None:
    assert tables.format_value(0.5, format="percent") == "50\u00a0%"
    assert tables.format_value(1e-9, format="p_value") == "< 0.0001"
    assert tables.format_value(0.2, format="p_value") == "0.2"
    assert tables.format_value(2026, format="plain") == "2026"
    assert tables.format_value(3.7, format="integer") == "4"
    assert tables.format_value("unseen_category", format="words") == "unseen category"


def test_a_table_aligns_numbers_right_and_labels_its_columns() -> None:
    shown = tables.table(
        pl.DataFrame({"drift_score": [0.5], "column": ["age"]}), caption="Drift", labels={"column": "Feature"}
    )
    assert '<th scope="col" class="db-n">drift score</th>' in shown.markup
    assert '<th scope="col">Feature</th>' in shown.markup
    assert '<td class="db-n">0.5</td>' in shown.markup


def test_a_status_is_a_word_with_a_shape_not_a_colour_alone() -> None:
    shown = tables.table(pl.DataFrame({"band": ["drifted", "stable", "cannot_tell"]}), caption="Bands")
    for text in ("■ drifted", "● stable", "○ cannot tell"):
        assert text in shown.markup


def test_rows_beyond_the_limit_are_counted_not_shown() -> None:
    shown = tables.table(pl.DataFrame({"x": range(25)}), caption="Numbers", max_rows=20)
    assert shown.markup.count("<td") == 20
    assert "… and 5 rows more" in shown.markup
    assert repr(shown) == "Numbers: 25 rows"


def test_an_empty_frame_is_a_sentence_and_no_empty_grid() -> None:
    nothing = pl.DataFrame(schema={"x": pl.Int64})
    assert "<strong>Findings</strong>: none.</p>" in tables.table(nothing, caption="Findings").markup
    said = tables.table(nothing, caption="Alerts", empty="none was raised.")
    assert "<table" not in said.markup
    assert repr(said) == "Alerts: none was raised."


def test_codes_are_shown_in_plain_words() -> None:
    shown = tables.table(pl.DataFrame({"roc_auc": [0.9], "status": ["failed_gate"]}), caption="Models")
    assert ">ROC AUC</th>" in shown.markup
    assert "■ failed its gate" in shown.markup


def test_everything_from_data_is_escaped() -> None:
    evil = "<script>alert('x')</script>"
    shown = tables.table(pl.DataFrame({evil: [evil], "band": [evil]}), caption=evil, labels={})
    card = tables.verdict_card(evil, [evil], title=evil, facts={evil: evil})
    assert "<script" not in shown.markup
    assert "<script" not in card.markup


def test_a_card_shows_status_sentences_and_facts() -> None:
    card = tables.verdict_card(
        "red",
        ["Drift since 1 June."],
        title="Customer churn",
        facts={"drifted": 0.25, "rows": 108000},
        formats={"drifted": "percent"},
    )
    assert "■ red" in card._repr_html_()
    assert "<li>Drift since 1 June.</li>" in card.markup
    assert "<dd>25\u00a0%</dd>" in card.markup
    assert "<dd>108,000</dd>" in card.markup
    assert repr(card) == "Customer churn: red. Drift since 1 June."


def test_a_decision_is_shown_with_its_reasons() -> None:
    card = tables.verdict_card("wait", ["No batch alarmed."], title="Retraining")
    assert "○ wait" in card.markup
    assert "<li>No batch alarmed.</li>" in card.markup


def test_the_same_frame_gives_the_same_bytes() -> None:
    frame = pl.DataFrame({"column": ["age", None], "drift_score": [0.1, None], "drifted": [True, False]})
    assert tables.table(frame, caption="x") == tables.table(frame, caption="x")
