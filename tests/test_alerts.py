from __future__ import annotations

import polars as pl

from driftbook.decisions.alerts import Alert, alarm_spells, raise_alerts, status

DAYS = [f"2026-06-0{day}" for day in range(1, 8)]


def verdicts(alarmed: str, *, prediction: str = "") -> pl.DataFrame:
    """One batch a day; ``alarmed`` marks days with an x, ``prediction`` those where the prediction drifted."""
    marks = [mark == "x" for mark in alarmed]
    return pl.DataFrame(
        {
            "batch_id": DAYS[: len(marks)],
            "columns": [18] * len(marks),
            "drifted_columns": [3 if mark else 0 for mark in marks],
            "prediction_drifted": [mark == "x" for mark in prediction.ljust(len(marks), ".")],
            "alarmed": marks,
            "top_column": ["charges"] * len(marks),
            "top_excess": [2.5 if mark else 0.3 for mark in marks],
        }
    )


def findings(*rows: tuple[str | None, str, str]) -> pl.DataFrame:
    schema = {"batch_id": pl.String, "severity": pl.String, "message": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def short(alerts: tuple[Alert, ...]) -> list[tuple[str, str, str]]:
    return [(alert.key, alert.severity, alert.last_batch) for alert in alerts]


def test_no_alarm_raises_no_alert() -> None:
    assert raise_alerts(verdicts("......"), use_case="churn") == ()
    assert raise_alerts(verdicts("x").clear(), use_case="churn") == ()


def test_consecutive_alarms_are_one_alert_and_a_pause_begins_another() -> None:
    alerts = raise_alerts(verdicts(".xx.x"), use_case="churn")
    assert short(alerts) == [
        ("churn/drift/2026-06-02", "warning", "2026-06-03"),
        ("churn/drift/2026-06-05", "warning", "2026-06-05"),
    ]


def test_a_spell_that_lasts_or_touches_the_prediction_is_critical() -> None:
    assert raise_alerts(verdicts("xxx"), use_case="churn")[0].severity == "critical"
    assert raise_alerts(verdicts(".x", prediction=".x"), use_case="churn")[0].severity == "critical"


def test_suspicious_rows_are_told_of_and_critical_only_if_they_stay() -> None:
    odd = verdicts(".x.xxx").with_columns(outliers_drifted=pl.col("alarmed"), drifted_columns=pl.lit(0))
    one, lasting = raise_alerts(odd, use_case="churn")
    assert (one.severity, lasting.severity) == ("warning", "critical")
    assert one.message.startswith("The share of suspicious rows, yet no feature, drifted in 2026-06-02;")
    both = odd.with_columns(drifted_columns=pl.lit(3))
    told = raise_alerts(both, use_case="churn")[0].message
    assert told.startswith("3 of 18 features and the share of suspicious rows drifted in 2026-06-02;")


def test_a_growing_spell_keeps_its_key() -> None:
    days = [raise_alerts(verdicts(".xxxx"[:day]), use_case="churn")[0] for day in (2, 3, 4, 5)]
    assert {alert.key for alert in days} == {"churn/drift/2026-06-02"}
    assert [alert.severity for alert in days] == ["warning", "warning", "critical", "critical"]


def test_the_message_says_what_since_when_and_how_much() -> None:
    [one] = raise_alerts(verdicts("x"), use_case="churn")
    assert one.subject == "churn: drift since 2026-06-01"
    assert one.message == "3 of 18 features drifted in 2026-06-01; charges most, at 2.5 times its threshold."
    [more] = raise_alerts(verdicts("xx", prediction="x"), use_case="churn")
    assert more.message.startswith("Up to 3 of 18 features and the prediction drifted from 2026-06-01 to 2026-06-02")
    alone = verdicts("x", prediction="x").with_columns(drifted_columns=pl.lit(0))
    assert raise_alerts(alone, use_case="churn")[0].message.startswith("The prediction, yet no feature, drifted in")


def test_why_it_drifted_is_told_with_the_spell_it_belongs_to() -> None:
    because = {DAYS[1]: [f"Cause {number}." for number in range(1, 6)], DAYS[4]: ["`fee` is higher."]}
    first, second = raise_alerts(verdicts(".xx.x"), use_case="churn", causes=because)
    assert first.message.endswith("its threshold. Cause 1. Cause 2. Cause 3. The report tells 2 smaller causes.")
    assert second.message.endswith("its threshold. `fee` is higher.")
    assert first.key == "churn/drift/2026-06-02", "the same alert, with or without its causes"


def test_a_spell_nobody_explained_is_told_without_causes() -> None:
    assert raise_alerts(verdicts("x"), use_case="churn", causes={}) == raise_alerts(verdicts("x"), use_case="churn")


def test_spells_are_what_alerts_of_drift_are_about() -> None:
    rows = verdicts(".xx.x")
    assert alarm_spells(rows) == [(DAYS[1], DAYS[2]), (DAYS[4],)]
    assert [spell[0] for spell in alarm_spells(rows)] == [
        each.first_batch for each in raise_alerts(rows, use_case="churn")
    ]


def test_quality_findings_are_one_alert_per_spell_and_info_alerts_nobody() -> None:
    found = findings(
        (DAYS[0], "info", "a remark"),
        (DAYS[1], "warning", "age: 9 % missing"),
        (DAYS[1], "warning", "plan: unseen"),
        (DAYS[2], "critical", "no rows"),
    )
    [alert] = raise_alerts(verdicts("......"), use_case="churn", findings=found)
    assert (alert.key, alert.severity, alert.last_batch) == ("churn/quality/2026-06-02", "critical", "2026-06-03")
    assert alert.message == (
        "Data quality from 2026-06-02 to 2026-06-03 (2 batches): no rows; age: 9 % missing; plan: unseen."
    )


def test_a_finding_without_a_batch_concerns_the_latest() -> None:
    [alert] = raise_alerts(verdicts("..."), use_case="churn", findings=findings((None, "warning", "nothing arrived")))
    assert alert.last_batch == DAYS[2]


def test_performance_beyond_its_limit_alerts() -> None:
    breaches = pl.DataFrame({"batch_id": DAYS[1:4], "metric": "accuracy", "value": [0.8, 0.79, 0.78], "limit": 0.82})
    [alert] = raise_alerts(verdicts("...."), use_case="churn", breaches=breaches)
    assert (alert.key, alert.severity) == ("churn/performance/2026-06-02", "critical")
    assert alert.message.endswith("lately accuracy was 78.0 %, the limit is 82.0 %.")


def test_the_same_results_give_the_same_alerts_in_any_order_of_rows() -> None:
    rows = verdicts(".xx.xx")
    assert raise_alerts(rows, use_case="churn") == raise_alerts(rows.reverse(), use_case="churn")


def test_the_status_is_that_of_alerts_which_last_to_the_latest_batch() -> None:
    assert status(raise_alerts(verdicts("....."), use_case="churn"), latest_batch=DAYS[4]) == "green"
    assert status(raise_alerts(verdicts("xxx.."), use_case="churn"), latest_batch=DAYS[4]) == "green"
    assert status(raise_alerts(verdicts("xxx.x"), use_case="churn"), latest_batch=DAYS[4]) == "amber"
    assert status(raise_alerts(verdicts("..xxx"), use_case="churn"), latest_batch=DAYS[4]) == "red"
    assert status((), latest_batch=None) == "green"


def test_silence_because_nothing_could_be_judged_is_told():
    verdicts = pl.DataFrame(
        {
            "batch_id": ["1", "2", "3"],
            "alarmed": [False] * 3,
            "columns": [4] * 3,
            "drifted_columns": [0] * 3,
            "prediction_drifted": [False] * 3,
            "top_column": [None, None, "age"],
            "top_excess": [None, None, 0.4],
        }
    )
    [alert] = raise_alerts(verdicts, use_case="churn")
    assert (alert.severity, alert.first_batch, alert.last_batch) == ("warning", "1", "2")
    assert alert.message.startswith("Drift cannot be judged from 1 to 2 (2 batches): the batches")


def taken_back(*days: str) -> pl.DataFrame:
    reasons = [["Version 3 is taken back: it lost 3.0 points.", "The statistical condition holds."]] * len(days)
    return pl.DataFrame({"batch_id": list(days), "version": [2] * len(days), "reasons": reasons})


def test_each_rollback_is_a_critical_alert_of_its_own_that_says_what_happened_and_why() -> None:
    first, second = raise_alerts(verdicts("....."), use_case="churn", rollbacks=taken_back(DAYS[1], DAYS[2]))
    assert (first.key, second.key) == ("churn/rollback/2026-06-02", "churn/rollback/2026-06-03")
    assert {first.severity, second.severity} == {"critical"}
    assert first.subject == "churn: version 2 put back in office after 2026-06-02"
    assert first.message == (
        "Version 3 is taken back: it lost 3.0 points. The statistical condition holds. "
        "Version 2 is in office again from the next batch on."
    )
    assert (first.first_batch, first.last_batch) == (DAYS[1], DAYS[1])


def test_a_rollback_is_red_on_its_day_and_keeps_its_place_among_other_alerts() -> None:
    alerts = raise_alerts(verdicts("x..x."), use_case="churn", rollbacks=taken_back(DAYS[1]))
    assert [alert.first_batch for alert in alerts] == [DAYS[0], DAYS[1], DAYS[3]]
    assert status(alerts[:2], latest_batch=DAYS[1]) == "red"
    assert status(alerts[:2], latest_batch=DAYS[2]) == "green"


def doubts(*batches: str) -> pl.DataFrame:
    """Batches on whose day targets contradicted the estimates since the first of June."""
    row = {"since": DAYS[0], "known_on": DAYS[3], "promised": 0.86, "found": 0.78, "rows": 2400}
    return pl.DataFrame([{"batch_id": each, **row} for each in batches])


def test_withdrawn_estimates_are_one_alert_that_says_what_was_promised_and_what_was_found() -> None:
    [alert] = raise_alerts(verdicts("......"), use_case="churn", doubts=doubts(*DAYS[3:5]))
    assert (alert.key, alert.severity, alert.last_batch) == ("churn/estimates/2026-06-04", "warning", DAYS[4])
    assert alert.message == (
        "Targets contradict the model's probabilities since batch 2026-06-01, seen on 2026-06-04: 86.0 % of its "
        "decisions were to be right, 78.0 % were. Its performance is no longer estimated; a challenger is called for."
    )


def test_withdrawn_estimates_that_last_are_critical_and_keep_their_key() -> None:
    [alert] = raise_alerts(verdicts("......"), use_case="churn", doubts=doubts(*DAYS[3:6]))
    assert (alert.key, alert.severity) == ("churn/estimates/2026-06-04", "critical")
    assert raise_alerts(verdicts("......"), use_case="churn", doubts=doubts(DAYS[3]).clear()) == ()
