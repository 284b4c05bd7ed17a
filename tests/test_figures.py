"""Figures: every one is valid SVG, says in words what it shows, and survives empty and odd input."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from xml.etree import ElementTree

import polars as pl
import pytest

from driftbook import figures
from driftbook.drift.excess import excess
from driftbook.figures.canvas import CHARACTER, Canvas, batch_label, round_ticks
from driftbook.figures.curves import Curve
from driftbook.figures.letters import shorten, text_width
from driftbook.figures.panel import Panel, tick_labels
from driftbook.figures.sheet import Sheet, drawn_on
from driftbook.figures.whole_story import _names

DAYS = [date(2026, 5, 15) + timedelta(days=number) for number in range(6)]
IDS = [day.isoformat() for day in DAYS]
EVIL = "<script>alert('&')</script>"

INDEX = pl.DataFrame(
    {
        "batch_id": IDS,
        "day": DAYS,
        "part": ["history", "history", "stream", "stream", "stream", "stream"],
        "rows": [100, 110, 90, 100, 95, 105],
        "quarantined": [0, 0, 7, 0, 0, 0],
        "targets_known_on": [day + timedelta(days=3) for day in DAYS],
    }
)
FINDINGS = pl.DataFrame(
    {
        "batch_id": [IDS[2], IDS[2], IDS[3]],
        "column": ["age", EVIL, None],
        "check": ["missing", "missing", "row_count"],
        "severity": ["warning", "critical", "info"],
        "message": ["age is missing", EVIL, "more rows"],
    }
)
VERDICTS = pl.DataFrame(
    {
        "batch_id": IDS[2:],
        "top_excess": [0.4, 3.2, None, 900.0],
        "top_column": ["age", EVIL, None, "age"],
        "drifted_columns": [0, 2, 0, 3],
        "alarmed": [False, True, False, True],
    }
)
PERFORMANCE = pl.DataFrame(
    {
        "batch_id": [IDS[2], IDS[3]] * 2,
        "metric": ["accuracy", "accuracy", "roc_auc", "roc_auc"],
        "value": [0.9, 0.8, None, float("nan")],
        "low": [0.85, 0.75, None, None],
        "high": [0.95, 0.85, None, None],
        "rows": [100, 100, 100, 100],
    }
)
DAILY = pl.DataFrame(
    {
        "batch_id": IDS[3:],
        "rows": [100, 100, 100],
        "champion": [0.80, 0.81, 0.80],
        "challenger": [0.84, 0.83, 0.85],
        "mean": [0.04, 0.03, 0.0366],
        "low": [-0.2, -0.05, 0.01],
        "high": [0.3, 0.2, 0.1],
    }
)
ENTRIES = [
    {"batch_id": IDS[2], "drift": {"alarmed": False}, "office": {"champion": 1, "challenger": None}, "changes": []},
    {
        "batch_id": IDS[3],
        "drift": {"alarmed": True, "top_column": EVIL},
        "office": {"champion": 1, "challenger": 2},
        "changes": [{"action": "challenge", "version": 2, "reason": EVIL}],
    },
    {
        "batch_id": IDS[4],
        "drift": {"alarmed": False},
        "office": {"champion": 2, "challenger": None},
        "changes": [{"action": "promote", "version": 2, "reason": "better"}],
    },
]
REPORT: dict[str, Any] = {
    "classes": ["no", EVIL],
    "confusion": [[8, 1], [2, 4]],
    "roc": [
        {"false_positive_rate": 0.0, "true_positive_rate": 0.0},
        {"false_positive_rate": 0.2, "true_positive_rate": 0.7},
        {"false_positive_rate": 1.0, "true_positive_rate": 1.0},
    ],
    "calibration": [{"observed": 0.25, "predicted": 0.2, "rows": 10}, {"observed": 0.7, "predicted": 0.8, "rows": 5}],
    "metrics": {"roc_auc": {"value": 0.8, "low": 0.7, "high": 0.9}},
}

CONFUSION = {"champion": [[8, 1], [2, 4], [0, 1]], "challenger": [[9, 0], [2, 4], [1, 0]]}
WATCH = pl.DataFrame(
    {
        "batch_id": IDS[3:],
        "difference": [-0.02, 0.0, 0.04],
        "log_evidence": [-9.0, 0.2, 400.0],
        "log_evidence_needed": [4.6] * 3,
    }
)
VIEWS = [
    {"view": "split", "metric": "accuracy", "difference": 0.05, "low": -0.1, "high": 0.2, "expected": True},
    {"view": EVIL, "metric": "roc_auc", "difference": 0.0, "low": None, "high": None},
    {"view": "delong", "metric": "roc_auc", "difference": None, "low": None, "high": None},
]


def drift_table() -> pl.DataFrame:
    rows = []
    for batch_id in IDS[2:]:
        for column, role, statistic in (
            ("age", "feature", 0.02),
            (EVIL, "feature", 0.3),
            ("prediction_score", "prediction", 0.09),
            ("target", "target", None),
        ):
            rows.append(
                {
                    "batch_id": batch_id,
                    "column": column,
                    "kind": "numeric",
                    "role": role,
                    "method": "psi",
                    "rows": 100,
                    "statistic": statistic,
                    "p_value": None,
                    "drift_score": statistic,
                    "threshold": 0.1 if statistic else None,
                    "on": "statistic",
                    "band": "cannot_tell" if statistic is None else "drifted" if statistic > 0.1 else "stable",
                    "drifted": bool(statistic and statistic > 0.1),
                    "note": None if statistic else "targets are not known yet",
                }
            )
    return pl.DataFrame(rows, schema_overrides={"p_value": pl.Float64}, infer_schema_length=None)


def whole_table() -> pl.DataFrame:
    """The same with two methods on whole batches, and a column that does not matter."""
    table = drift_table().with_columns(matters=pl.col("role") != "target")
    whole = [
        table.filter(column="age").with_columns(column=pl.lit("all columns"), role=pl.lit("table"), method=pl.lit(name))
        for name in ("row_count", "domain_classifier")
    ]
    silent = table.filter(column=EVIL).with_columns(column=pl.lit("hair"), matters=pl.lit(False))
    return pl.concat([table, *whole, silent])


WEIGHTED = pl.DataFrame(
    {"batch_id": IDS[2:], "weighted_score": [0.1, None, 0.5, 0.2], "judged_share": [1.0, 0.0, 0.7, 1.0]}
)


def scores() -> pl.DataFrame:
    return pl.DataFrame({"batch_id": [IDS[2]] * 3 + [IDS[3]] * 3, "prediction_score": [0.1, 0.2, 0.3, 0.5, 0.6, None]})


COUNTED = {
    "kind": "numeric",
    "edges": [0.0, 1.0, 2.0],
    "counts": [6, 2],
    "below": 1,
    "above": 0,
    "rows": 9,
    "missing": 0,
}
NAMED = {
    "kind": "categorical",
    "labels": ["a", EVIL],
    "counts": [6, 2],
    "others": 1,
    "unseen": 0,
    "rows": 9,
    "missing": 0,
}
TARGETS = pl.DataFrame({"batch_id": IDS[:2], "scored": [90, 100], "known": [90, 40], "expected_on": DAYS[2:4]})
BINS = pl.DataFrame(
    {"predicted": [0.1, 0.7], "observed": [0.1, 0.4], "low": [0.05, 0.3], "high": [0.2, 0.5], "rows": [90, 10]}
)
ROC = Curve([(0.0, 0.0), (0.2, 0.8), (1.0, 1.0)], 0.8)
RECALL = Curve([(0.0, 1.0), (0.8, 0.6), (1.0, 0.5)], 0.75, without=0.5)


def withdrawn_from(first: int) -> pl.DataFrame:
    """Estimates of all days, without a value from one on."""
    gone = pl.int_range(pl.len()) >= first
    rows = pl.DataFrame({"batch_id": IDS, "metric": "accuracy", "value": 0.8, "low": 0.7, "high": 0.9, "rows": 10})
    blank = [pl.when(~gone).then(name).alias(name) for name in ("value", "low", "high")]
    return rows.with_columns(*blank, withdrawn=gone)


def weighed() -> pl.DataFrame:
    return drift_table().filter(batch_id=IDS[2]).with_columns(importance=pl.lit(0.4))


SHARES = {"rows": [100, 0], "share": [0.2, None], "low": [0.1, None], "high": [0.3, None]}
BY_BATCH = pl.DataFrame({"batch_id": IDS[2:4], **SHARES})
BY_VALUE = pl.DataFrame({"value": [EVIL, EVIL], "side": ["then", EVIL], **SHARES})
LEVELS = pl.DataFrame(
    [
        {"batch_id": IDS[2], "rows": 9, "0.05": 0.1, "0.25": 0.2, "0.5": 0.3, "0.75": 0.4, "0.95": 0.9},
        {"batch_id": IDS[3], "rows": 8, "0.05": 0.1, "0.25": 0.3, "0.5": 0.5, "0.75": 0.6, "0.95": 1.0},
    ]
)
CLASSES = pl.DataFrame(
    {
        "batch_id": [IDS[2], IDS[2], IDS[3], IDS[5], IDS[5]],
        "name": ["no", EVIL, "no", "no", EVIL],
        "share": [0.75, 0.25, 1.0, 0.7, 0.3],
        "rows": [100, 100, 90, 80, 80],
    }
)
MARKS = [(DAYS[3], EVIL), (IDS[3], "second"), ("2030-01-01", "beyond the end")]
ALERTS = pl.DataFrame(
    {
        "subject": [f"churn: {EVIL} since 2026-05-16", "churn: data quality since 2026-05-18", "churn: drift"],
        "severity": ["critical", "warning", "unheard of"],
        "state": ["open", "acknowledged", "resolved"],
        "first_batch": ["2026-05-16", "2026-05-18T03", "2026-05-01"],
        "last_batch": ["2026-05-18", "2026-05-18T22", "2026-05-16"],
    }
)
FULL: dict[str, Callable[[], figures.Figure]] = {
    "alert_spells": lambda: figures.alert_spells(ALERTS, IDS),
    "alert_spells of many": lambda: figures.alert_spells(pl.concat([ALERTS] * 9), IDS),
    "share_over_time": lambda: figures.share_over_time(
        BY_BATCH, title=EVIL, period=(IDS[2], IDS[3]), level=0.1, marks=MARKS
    ),
    "share_by_value": lambda: figures.share_by_value(BY_VALUE, title=EVIL, names=("then", EVIL)),
    "batch_volume": lambda: figures.batch_volume(INDEX, as_of=DAYS[-1], marks=MARKS),
    "quality_findings": lambda: figures.quality_findings(FINDINGS, INDEX),
    "reference_vs_current numeric": lambda: figures.reference_vs_current(
        pl.Series([1.0, 2.0, float("inf"), None, float("nan")]), pl.Series([2.0, 3.0]), column=EVIL
    ),
    "reference_vs_current text": lambda: figures.reference_vs_current(
        pl.Series([EVIL, "b", None]), pl.Series(["b", "new"]), column="contract"
    ),
    "score_over_time": lambda: figures.score_over_time(scores(), reference=pl.Series([0.1, 0.4]), marks=MARKS),
    "score_levels_over_time": lambda: figures.score_levels_over_time(LEVELS, reference={0.5: 0.4}, marks=MARKS),
    "share_lines": lambda: figures.share_lines(CLASSES, title=EVIL, how="How.", levels={EVIL: 0.2, "?": 0.1}),
    "model_quality": lambda: figures.model_quality(REPORT),
    "feature_importance": lambda: figures.feature_importance(
        [{"feature": EVIL, "contribution": 0.4, "gain": 3.0}, {"feature": "age", "contribution": 0.1, "gain": 1.0}]
    ),
    "metric_over_time": lambda: figures.metric_over_time(
        PERFORMANCE, "accuracy", limit=0.83, onset=DAYS[3], marks=MARKS, estimated=PERFORMANCE
    ),
    "metric_over_time with estimates withdrawn": lambda: figures.metric_over_time(
        PERFORMANCE, "accuracy", limit=0.83, levels=[(0.9, "best")], estimated=withdrawn_from(1)
    ),
    "drift_heatmap": lambda: figures.drift_heatmap(drift_table(), marks=MARKS),
    "drift_heatmap grouped": lambda: figures.drift_heatmap(whole_table(), title=EVIL),
    "weighted_drift": lambda: figures.weighted_drift(WEIGHTED, marks=MARKS),
    "drift_timeline": lambda: figures.drift_timeline(VERDICTS, marks=MARKS, promise=EVIL),
    "drift_bars": lambda: figures.drift_bars(drift_table(), IDS[2]),
    "comparison": lambda: figures.comparison(DAILY, DAILY, margin=0.02),
    "comparison of log loss": lambda: figures.comparison(DAILY, DAILY, metric="log_loss"),
    "confusion_pair": lambda: figures.confusion_pair(CONFUSION, ["no", EVIL]),
    "difference_views": lambda: figures.difference_views(VIEWS, margin=0.02),
    "champion_watch": lambda: figures.champion_watch(WATCH, margin=0.01),
    "champion_watch of log loss": lambda: figures.champion_watch(WATCH, metric="log_loss"),
    "story": lambda: figures.story(ENTRIES),
    "calibration_curve": lambda: figures.calibration_curve(BINS),
    "column_over_time": lambda: figures.column_over_time(drift_table(), column=EVIL),
    "column_over_time of one that cannot be told": lambda: figures.column_over_time(drift_table(), column="target"),
    "confusion_matrix": lambda: figures.confusion_matrix([[8, 1], [2, 4], [0, 1]], ["no", EVIL]),
    "drift_by_importance": lambda: figures.drift_by_importance(weighed()),
    "ranking_curves": lambda: figures.ranking_curves(ROC, RECALL),
    "reference_vs_counts": lambda: figures.reference_vs_counts(
        COUNTED, COUNTED | {"above": 3, "rows": 12}, column=EVIL
    ),
    "reference_vs_counts of texts": lambda: figures.reference_vs_counts(NAMED, NAMED | {"unseen": 1}, column="plan"),
    "share_per_value": lambda: figures.share_per_value(BY_VALUE.drop("side"), title=EVIL, level=0.4),
    "targets_known": lambda: figures.targets_known(TARGETS),
}
EMPTY: dict[str, Callable[[], figures.Figure]] = {
    "alert_spells": lambda: figures.alert_spells(ALERTS.clear(), IDS),
    "share_over_time": lambda: figures.share_over_time(BY_BATCH.head(0), title="x"),
    "share_by_value": lambda: figures.share_by_value(BY_VALUE.head(0), title="x", names=("then", "now")),
    "batch_volume": lambda: figures.batch_volume(INDEX.clear()),
    "quality_findings": lambda: figures.quality_findings(FINDINGS.clear(), INDEX),
    "reference_vs_current": lambda: figures.reference_vs_current(
        pl.Series([None], dtype=pl.Float64), pl.Series([], dtype=pl.Float64), column="age"
    ),
    "score_over_time": lambda: figures.score_over_time(scores().clear()),
    "score_levels_over_time": lambda: figures.score_levels_over_time(LEVELS.clear()),
    "share_lines": lambda: figures.share_lines(CLASSES.clear(), title="Predicted classes"),
    "model_quality": lambda: figures.model_quality({}),
    "feature_importance": lambda: figures.feature_importance([]),
    "metric_over_time": lambda: figures.metric_over_time(PERFORMANCE, "roc_auc"),
    "drift_heatmap": lambda: figures.drift_heatmap(drift_table().clear()),
    "drift_timeline": lambda: figures.drift_timeline(VERDICTS.clear()),
    "drift_bars": lambda: figures.drift_bars(drift_table(), "2030-01-01"),
    "weighted_drift": lambda: figures.weighted_drift(WEIGHTED.with_columns(weighted_score=pl.lit(None, pl.Float64))),
    "comparison": lambda: figures.comparison(pl.DataFrame(), pl.DataFrame()),
    "confusion_pair": lambda: figures.confusion_pair({"champion": [[0]], "challenger": [[0]]}, ["no"]),
    "difference_views": lambda: figures.difference_views(VIEWS[2:]),
    "champion_watch": lambda: figures.champion_watch(pl.DataFrame()),
    "story": lambda: figures.story([]),
    "calibration_curve": lambda: figures.calibration_curve(BINS.clear()),
    "column_over_time": lambda: figures.column_over_time(drift_table(), column="hair"),
    "confusion_matrix": lambda: figures.confusion_matrix([[0, 0], [0, 0]], ["no", "yes"]),
    "drift_by_importance": lambda: figures.drift_by_importance(weighed().clear()),
    "ranking_curves": lambda: figures.ranking_curves(None, None),
    "reference_vs_counts": lambda: figures.reference_vs_counts(
        COUNTED | {"missing": 9}, COUNTED | {"missing": 9}, column="age"
    ),
    "share_per_value": lambda: figures.share_per_value(BY_VALUE.clear(), title="x"),
    "targets_known": lambda: figures.targets_known(TARGETS.clear()),
}


def parsed(figure: figures.Figure) -> ElementTree.Element:
    return ElementTree.fromstring(figure.svg)


@pytest.mark.parametrize("name", FULL)
def test_a_figure_is_valid_svg_with_a_description_for_who_cannot_see_it(name: str) -> None:
    figure = FULL[name]()
    root = parsed(figure)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == f"{figure.title}. {figure.description}"
    assert figure.description
    assert figure.svg in figure._repr_html_()
    assert repr(figure).startswith(f"Figure: {figure.title}")


@pytest.mark.parametrize("name", FULL)
def test_a_figure_carries_no_script_no_link_and_no_broken_number(name: str) -> None:
    svg = FULL[name]().svg
    assert "<script" not in svg
    assert "href" not in svg
    assert not re.search(r'="(nan|inf|-inf|None)', svg)


@pytest.mark.parametrize("name", FULL)
def test_the_same_numbers_give_the_same_bytes(name: str) -> None:
    assert FULL[name]().svg == FULL[name]().svg


SHEETS = [Sheet(width=width, headed=False) for width in (340, 560, 1120)]


def reach(text: ElementTree.Element) -> tuple[float, float]:
    """From where to where a text runs, with six pixels a letter."""
    place, length = float(text.attrib["x"]), 6.0 * len(text.text or "")
    begin = place - {"middle": length / 2, "end": length}.get(text.attrib.get("text-anchor", ""), 0.0)
    return begin, begin + length


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: f"{sheet.width:g}")
@pytest.mark.parametrize("name", FULL)
def test_a_figure_is_drawn_for_the_width_of_its_sheet_and_nothing_leaves_it(name: str, sheet: Sheet) -> None:
    with drawn_on(sheet):
        figure = FULL[name]()
    root = parsed(figure)
    left, top, width, height = map(float, root.attrib["viewBox"].split())
    assert (left, width) == (0, sheet.width)
    texts = [each for each in root.iter() if each.tag.endswith("text") and "transform" not in each.attrib]
    for each in texts:
        begin, end = reach(each)
        assert begin >= -8, each.text
        assert end <= width + 8, each.text
        assert top + 7 <= float(each.attrib["y"]) <= top + height, each.text
    for each in root.iter():
        if each.tag.endswith("rect"):
            assert float(each.attrib["x"]) >= -1
            assert float(each.attrib["x"]) + float(each.attrib["width"]) <= width + 1


def test_a_page_that_tells_the_heading_itself_gets_its_lines_and_a_picture_without_them() -> None:
    with drawn_on(Sheet(width=560, headed=False)):
        figure = figures.drift_timeline(VERDICTS, promise="1 false alarm in 365 days")
    assert figure.how_to_read == (
        "Strongest signal as a multiple of its threshold. Diamond: alarmed. Healthy: circles below the line.",
        "1 false alarm in 365 days",
    )
    assert ">1 false alarm in 365 days<" not in figure.svg
    assert figures.drift_timeline(VERDICTS).how_to_read == (), "a headed picture tells them itself"


@pytest.mark.parametrize("name", EMPTY)
def test_nothing_to_draw_is_said_in_a_sentence(name: str) -> None:
    figure = EMPTY[name]()
    assert figure.description.endswith(".")
    assert "<svg" not in figure._repr_html_(), "a sentence, not an empty picture"
    assert figure.description in figure._repr_html_()
    assert any(figure.description in (text.text or "") for text in parsed(figure).iter())


def test_where_pictures_are_stripped_words_stand_in_and_no_wall_of_tips() -> None:
    """What JupyterLab leaves of a notebook it does not trust: no picture, no style sheet, but all texts."""
    page = figures.quality_findings(FINDINGS, INDEX)._repr_html_()
    words, picture = page.split('<div class="db-drawing" style="min-width:540px;display:none">')
    assert "Figure: Quality findings." in words
    assert ".db-untrusted{display:none}.db-drawing{display:block!important}" in picture, "where it counts: turned round"


def test_where_no_model_was_trained_there_is_no_figure() -> None:
    assert figures.model_quality(None) is None
    assert figures.feature_importance(None) is None


def test_a_mark_at_the_left_edge_stands_above_the_name_of_the_axis() -> None:
    panel = Panel(canvas := Canvas(height=200), 64, 80, 600, 100, (-0.5, 5.5), (0, 1))
    panel.y_axis("rows")
    panel.marks([(IDS[0], "drift sets in")], IDS)
    heights = {t.text: float(t.attrib["y"]) for t in parsed(canvas.figure("t", "d")).iter() if t.tag.endswith("text")}
    assert heights["rows"] - heights["drift sets in"] >= 11


def test_names_of_the_story_are_drawn_over_all_its_lines() -> None:
    svg = figures.story(ENTRIES).svg
    assert svg.rindex('stroke-dasharray="2 3"') < svg.index("v2 challenger")


def test_no_line_of_the_story_runs_through_the_name_of_another_change() -> None:
    days = [f"2026-06-{day:02d}" for day in range(1, 31)]
    challenged, promoted = (
        (index, {"action": action, "version": 2}) for index, action in ((5, "challenge"), (8, "promote"))
    )
    names = _names([challenged, promoted], days, width=1150.0)
    assert [name.row for name in names] == [1, 0], "the later one below, so that its line meets no name"


def test_the_name_of_a_level_stands_beside_it_where_the_margin_allows() -> None:
    for width, anchor in ((600, None), (690, "end")):
        panel = Panel(canvas := Canvas(height=200), 64, 80, width, 100, (-0.5, 5.5), (0, 1))
        panel.level(0.5, "threshold")
        text = next(each for each in parsed(canvas.figure("t", "d")).iter() if each.text == "threshold")
        if text.tag.endswith("title"):
            text = next(each for each in parsed(canvas.figure("t", "d")).iter() if each.tag.endswith("text"))
        assert text.attrib.get("text-anchor") == anchor


def test_the_last_tick_stands_for_all_beyond_it() -> None:
    assert ">≥ 64×<" in figures.drift_timeline(VERDICTS).svg
    assert "≥ 64×" not in figures.drift_timeline(VERDICTS.head(2)).svg


def test_every_public_figure_is_tested_full_and_empty() -> None:
    public = {name for name in figures.__all__ if name != "Figure"}
    assert public == {name.partition(" ")[0] for name in FULL}
    assert public == {name.partition(" ")[0] for name in EMPTY}


def test_drifted_cells_carry_a_shape_besides_their_colour() -> None:
    svg = figures.drift_heatmap(drift_table()).svg
    assert svg.count('fill="#fff"') == 4
    assert "url(#hatch-" in svg


def test_the_heat_map_sets_apart_what_speaks_of_whole_batches_and_what_wakes_nobody() -> None:
    figure = figures.drift_heatmap(whole_table())
    texts = [each.text for each in parsed(figure).iter() if each.tag.endswith("text")]
    order = ["the batch as a whole", "domain classifier", "predictions", "features", "age", "hair", "target"]
    assert [each for each in texts if each in order] == [*order[:4], "age", "hair", "target"]
    assert "number of rows" in texts, "each method on whole batches has a line of its own"
    assert "2 of 5 columns drifted" in figure.description, "whole batches are no column"
    hollow = figure.svg.count('stroke="#8a94a6" stroke-width="1.6"')
    assert hollow == 4, "a hollow diamond where it drifted and wakes nobody"


def test_the_timeline_says_what_its_threshold_promises() -> None:
    assert ">1 false alarm in 365 days<" in figures.drift_timeline(VERDICTS, promise="1 false alarm in 365 days").svg


def test_a_weighted_score_that_rests_on_a_part_of_the_importance_is_hollow() -> None:
    svg = figures.weighted_drift(WEIGHTED).svg
    assert "on 70\u00a0% of the importance" in svg
    assert svg.count("<circle") == 3, "what cannot be judged is not drawn"


def test_whole_numbers_get_a_bar_each_and_the_effect_is_said() -> None:
    calls = pl.Series([0, 1, 1, 2, 7])
    figure = figures.reference_vs_current(calls, calls, column="calls", effect="0.4 standard deviations higher.")
    tips = [each.text for each in parsed(figure).iter() if each.tag.endswith("title")]
    assert tips == [tip for tip in tips if " to " in str(tip)]
    assert len(tips) == 8
    assert figure.description.endswith("0.4 standard deviations higher.")
    assert ">0.4 standard deviations higher.<" in figure.svg


def test_shares_of_missing_values_do_not_meet() -> None:
    half = pl.Series([1.5, None])
    figure = figures.reference_vs_current(half, half, column="x")
    places = [each.attrib.get("text-anchor") for each in parsed(figure).iter() if each.text == "50\u00a0%"]
    assert places[-2:] == ["end", None]


def test_the_heat_map_says_how_many_columns_it_leaves_out() -> None:
    figure = figures.drift_heatmap(drift_table(), max_columns=2)
    assert "2 calmer columns are not drawn" in figure.description


def test_a_long_stream_is_drawn_in_few_cells_and_the_worst_batch_stands_for_its_neighbours() -> None:
    hours = [f"{DAYS[0] + timedelta(days=number // 24)}T{number % 24:02d}" for number in range(300)]
    calm = drift_table().head(1)
    rows = pl.concat([calm.with_columns(pl.lit(hour).alias("batch_id")) for hour in hours])
    loud = pl.col("batch_id") == hours[100]
    table = rows.with_columns(statistic=pl.when(loud).then(0.5).otherwise(pl.col("statistic")), drifted=loud)
    figure = figures.drift_heatmap(table)
    assert figure.svg.count("<rect") == 100
    assert f"{hours[100]}, age: PSI 0.5 (limit 0.1), 5× the threshold" in figure.svg
    assert "1 of 1 columns drifted in at least one of 300 batches." in figure.description


def test_the_excess_compares_each_statistic_on_the_scale_its_threshold_is_on() -> None:
    row = {"method": "psi", "statistic": 0.2, "p_value": 0.01, "drift_score": 0.8, "threshold": 0.1, "on": "statistic"}
    frame = pl.DataFrame([row, row | {"on": "drift_score"}, row | {"on": "p_value"}, row | {"threshold": None}])
    assert frame.select(excess().round(12))["excess"].to_list() == [2.0, 8.0, 2.0, None]


def test_counts_of_right_decisions_are_shown_as_shares() -> None:
    counts = DAILY.select("batch_id", "rows", champion_correct=pl.lit(80), challenger_correct=pl.lit(84))
    svg = figures.comparison(counts, DAILY).svg
    assert f"{IDS[3]}, challenger: 84\u00a0%" in svg


def test_counts_of_both_sides_are_shown_as_shares_with_what_lies_outside_the_bins() -> None:
    figure = figures.reference_vs_counts(COUNTED, COUNTED | {"above": 3, "rows": 12}, column="age")
    tips = [str(each.text) for each in parsed(figure).iter() if each.tag.endswith("title")]
    assert tips[0] == "below 0: reference 11.1\u00a0%, current 8.33\u00a0%"
    assert tips[-1] == "above 2: reference 0\u00a0%, current 25\u00a0%"
    assert len(tips) == 4


def test_values_without_a_bar_of_their_own_are_said_to_be_rare_or_new() -> None:
    svg = figures.reference_vs_counts(NAMED, NAMED | {"unseen": 3, "rows": 12}, column="plan").svg
    assert "(values never seen): reference 0\u00a0%, current 25\u00a0%" in svg
    assert "(rarer values): reference 11.1\u00a0%, current 8.33\u00a0%" in svg


def test_a_group_of_rows_whose_prediction_lies_outside_its_interval_is_a_diamond() -> None:
    figure = figures.calibration_curve(BINS)
    assert figure.description == "Predictions are off by 3 points on average; 1 of 2 groups of rows within chance."
    assert figure.svg.count("<circle") == 1


def test_names_of_columns_that_matter_do_not_meet() -> None:
    crowd = pl.concat([weighed().filter(column="age").with_columns(column=pl.lit(f"column {n}")) for n in range(5)])
    names = [each.text for each in parsed(figures.drift_by_importance(crowd)).iter() if each.tag.endswith("text")]
    assert sum(str(name).startswith("column ") for name in names) == 1


def test_a_metric_is_drawn_with_all_its_levels_and_their_names_apart() -> None:
    figure = figures.metric_over_time(PERFORMANCE, "accuracy", limit=0.83, levels=[(0.83, "goal"), (0.9, "best")])
    texts = {each.text: float(each.attrib["y"]) for each in parsed(figure).iter() if each.tag.endswith("text")}
    assert abs(texts["goal 83\u00a0%"] - texts["tested at 83\u00a0%"]) >= 14
    assert "best 90\u00a0%" in texts


def stretch(figure: figures.Figure, tip: str) -> tuple[float, float]:
    """From where to where the line with this tip runs."""
    (line,) = [each for each in parsed(figure).iter() if each.tag.endswith("line") and "".join(each.itertext()) == tip]
    return float(line.attrib["x1"]), float(line.attrib["x2"])


def test_a_limit_is_drawn_from_when_it_held_and_an_earlier_one_until_then() -> None:
    before = (IDS[2], IDS[2], [(0.7, "v1 limit", True)])
    figure = figures.metric_over_time(PERFORMANCE, "accuracy", limit=0.83, since=IDS[3], earlier=[before])
    left, right = stretch(figure, "v1 limit 70\u00a0%"), stretch(figure, "tested at 83\u00a0%")
    assert left[0] < left[1] == right[0] < right[1]
    assert left[1] - left[0] == right[1] - right[0], "a day each"
    with drawn_on(SHEETS[0]):
        told = figures.metric_over_time(PERFORMANCE, "accuracy", limit=0.83, since=IDS[3], earlier=[before]).how_to_read
    assert told[0].endswith("Dashed in rose: tested at 83 %; before, what held for the champion then.")


def test_of_weeks_a_limit_is_drawn_from_the_one_in_which_it_began_to_hold() -> None:
    weeks = PERFORMANCE.with_columns(pl.col("batch_id").replace_strict({IDS[2]: "2026-05-11", IDS[3]: "2026-05-18"}))
    figure = figures.metric_over_time(
        weeks,
        "accuracy",
        limit=0.83,
        since="2026-05-20",
        earlier=[("2026-05-01", "2026-05-16", [(0.7, "v1 limit", True)])],
    )
    assert stretch(figure, "v1 limit 70\u00a0%")[1] == stretch(figure, "tested at 83\u00a0%")[0]


def test_what_held_before_the_first_shown_batch_leaves_no_trace() -> None:
    before = (IDS[0], IDS[1], [(0.2, "v1 limit", True)])
    for sheet in (Sheet(), *SHEETS):
        with drawn_on(sheet):
            drawn = [
                figures.metric_over_time(PERFORMANCE, "accuracy", limit=0.83, since=IDS[2], earlier=earlier)
                for earlier in ([before], [])
            ]
        assert drawn[0] == drawn[1]


def test_the_name_of_a_mark_lies_above_the_lines_of_all_marks() -> None:
    with drawn_on(SHEETS[0]):
        figure = figures.batch_volume(INDEX, marks=[(DAYS[3], "version 2"), (DAYS[4], "version 1")])
    drawn = list(parsed(figure).iter())
    lines = [
        place
        for place, each in enumerate(drawn)
        if each.tag.endswith("line") and ": version" in "".join(each.itertext())
    ]
    names = [place for place, each in enumerate(drawn) if str(each.text).startswith("version ")]
    assert len(lines) == len(names) == 2
    assert max(lines) < min(names), "a longer line runs by a name"


def test_values_with_short_names_leave_the_room_to_their_shares() -> None:
    long = BY_VALUE.with_columns(value=pl.lit("a name that is as long as names may be"))
    widths = []
    for rows in (BY_VALUE.with_columns(value=pl.lit("a")), long):
        lines = [each for each in parsed(figures.share_per_value(rows, title="x")).iter() if "x1" in each.attrib]
        widths.append(max(float(each.attrib["x2"]) - float(each.attrib["x1"]) for each in lines))
    assert widths[0] > widths[1] + 100


def test_a_line_of_estimates_breaks_where_they_were_withdrawn() -> None:
    rows = [
        {"batch_id": batch_id, "metric": "accuracy", "value": value, "low": 0.7, "high": 0.9, "rows": 10}
        | {"withdrawn": value is None}
        for batch_id, value in zip(IDS, (0.8, 0.8, None, None, 0.8, 0.8), strict=True)
    ]
    lines = {
        given: figures.metric_over_time(PERFORMANCE, "accuracy", estimated=pl.DataFrame(rows[:given])).svg.count("5 4")
        for given in (2, 4, 6)
    }
    assert lines == {2: 1, 4: 1, 6: 2}


def test_targets_that_are_out_are_hollow_and_said() -> None:
    figure = figures.targets_known(TARGETS)
    assert figure.description == f"60 of 190 targets are still out; the newest are expected by {DAYS[3]}."
    assert f"{IDS[1]}: 40 of 100 targets known, the rest expected by {DAYS[3]}" in figure.svg
    assert figures.targets_known(TARGETS.head(1)).description == "0 of 90 targets are still out."


def test_the_worst_method_of_a_column_speaks_for_it() -> None:
    calm = drift_table().filter(pl.col("column") == "age")
    loud = calm.with_columns(pl.lit("kolmogorov_smirnov").alias("method"), statistic=pl.lit(0.5), drifted=pl.lit(True))
    figure = figures.drift_bars(pl.concat([loud, calm]), IDS[2])
    assert figure.description == "1 of 1 columns drifted; strongest: age."


def test_the_story_names_alarms_and_the_champion() -> None:
    assert figures.story(ENTRIES).description == "3 batches, 1 alarmed; champion is version 2."


def test_the_comparison_says_by_how_much_the_challenger_is_better() -> None:
    words = figures.comparison(DAILY, DAILY).description
    assert words == "3 labelled days; the challenger is 3.66 points better so far, between 1 point and 10 points."


def test_missing_values_are_shown_as_a_share_of_their_own() -> None:
    figure = FULL["reference_vs_current numeric"]()
    assert "reference: 5 rows, 40 % missing" in figure.description


def test_marks_that_would_meet_are_put_on_different_lines() -> None:
    canvas = Canvas(height=200)
    panel = Panel(canvas, 64, 80, 600, 100, (-0.5, 5.5), (0, 1))
    panel.marks([(IDS[1], "drift sets in"), (IDS[1], "version 2 trained")], IDS)
    texts = [text for text in parsed(canvas.figure("t", "d")).iter() if text.tag.endswith("text")]
    assert len({text.attrib["y"] for text in texts}) == 2


def test_batch_labels_are_short_and_do_not_depend_on_the_locale() -> None:
    assert [batch_label(each) for each in ("2026-12-01", "2026-01-31T07", "week 3")] == [
        "1 Dec",
        "31 Jan 07h",
        "week 3",
    ]


def test_ticks_are_round_numbers_with_as_many_decimals_as_they_need() -> None:
    assert round_ticks(0.3, 0.3) == [0.3]
    assert tick_labels(round_ticks(0.78, 0.93, count=4)) == ["0.80", "0.85", "0.90"]
    assert tick_labels([-0.1, 0.0], format="percent") == ["−10\u00a0%", "0\u00a0%"]


def test_long_names_are_cut_with_an_ellipsis() -> None:
    assert shorten("a_very_long_column_name", width=66) == "a_very_lo…"
    assert shorten("a_very_long_column_name", width=66, bold=True) == "a_very_l…"
    assert shorten("illicit_till", width=66) == "illicit_till", "narrow letters need less room"


def test_a_bold_name_in_the_heat_map_is_cut_before_the_edge() -> None:
    drifted = drift_table().with_columns(column=pl.lit("monthly_charges_of_all"), drifted=pl.lit(value=True))
    with drawn_on(Sheet(width=340, headed=False)):
        figure = figures.drift_heatmap(drifted)
    (name,) = {each.text for each in parsed(figure).iter() if each.attrib.get("class") == "b"}
    assert name.endswith("…")
    assert text_width(name, bold=True) <= 120


def test_blank_cells_of_the_heat_map_are_explained_where_there_are_some() -> None:
    whole = drift_table().filter(pl.col("batch_id") == drift_table()["batch_id"][0]).unique("column")
    later = whole.with_columns(batch_id=pl.lit("2026-06-02"))
    for rows, told in ((pl.concat([whole, later]), False), (pl.concat([whole, later.head(1)]), True)):
        assert ("Blank: not judged that day." in figures.drift_heatmap(rows, units="days").svg) is told


@pytest.mark.parametrize("width", [340.0, 760.0, 1150.0])
def test_no_name_in_the_story_meets_another_or_leaves_the_sheet(width):
    days = [f"2026-06-{day:02d}" for day in range(1, 21)]
    changes = [(index, {"action": "promote", "version": index}) for index in (0, 1, 9, 10, 18, 19)]
    names = _names(changes, days, width=width)
    spans = []
    for (index, _), name in zip(changes, names, strict=True):
        place = 88 + (index + 0.5) / 20 * (width - 112)
        end = place + (-1 if name.leftward else 1) * (9 + CHARACTER * len(name.text))
        assert 0 <= min(place, end) <= max(place, end) <= width
        spans.append((name.row, min(place, end), max(place, end)))
    for number, (row, low, high) in enumerate(spans):
        assert all(row != other or high < left or low > right for other, left, right in spans[:number])


def test_a_request_has_no_version_in_the_story():
    asked = {"action": "retrain", "version": None}
    assert [name.text for name in _names([(0, asked)], ["2026-06-01"], width=760.0)] == ["retraining asked for, 1 Jun"]


def test_a_line_stops_where_a_batch_lacks_its_share_and_every_name_stands_at_its_end() -> None:
    figure = figures.share_lines(CLASSES, title="Predicted classes")
    assert figure.description == f"3 batches; no 70 %, {EVIL} 30 %."
    ends = [each.text for each in parsed(figure).iter() if each.attrib.get("class") == "b"]
    assert ends == ["no", shorten(EVIL, width=126, bold=True)], "the larger share above"
    assert ends[1].endswith("…")
    lines = [each.attrib["d"] for each in parsed(figure).iter() if each.attrib.get("fill") == "none"]
    assert [line.count("L") for line in lines if "M" in line][:3] == [2, 0, 0], "no line across the gap of the second"


def test_kept_quantiles_are_drawn_as_the_predictions_themselves() -> None:
    columns = [
        pl.col("prediction_score").quantile(level, "linear").alias(f"{level}")
        for level in (0.05, 0.25, 0.5, 0.75, 0.95)
    ]
    kept = scores().drop_nulls().group_by("batch_id").agg(pl.len().alias("rows"), *columns).sort("batch_id")
    assert figures.score_levels_over_time(kept).svg == figures.score_over_time(scores()).svg
