"""What a person is told: one alert per spell of trouble, not per column and not per day.

Consecutive batches that alarm are one alert, and it keeps its key while the spell lasts, so that it is sent once. A
spell that touches the prediction or does not go away is ``critical``; a first odd batch is a ``warning``. Why it
drifted is told with it, where somebody found out. Quality findings and lapses of performance are spells of their own;
a champion that was taken back by itself is ``critical``, and told once. Alerts are pure functions of the results: the
same results give the same alerts, whether the stream was judged daily or in one go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from driftbook.words import metric_text

Severity = Literal["info", "warning", "critical"]
Status = Literal["green", "amber", "red"]

PERSISTENT_BATCHES = 3  # alarmed in a row: no longer a single odd day
SHOWN = 3  # examples in a message


@dataclass(frozen=True)
class Alert:
    """One spell of trouble, from its first batch to its last one so far; ``key`` stays the same while it lasts.

    Examples
    --------
    >>> Alert("churn/drift/2026-06-01", "churn", "warning", "churn: drift", "…", "2026-06-01", "2026-06-02").severity
    'warning'
    """

    key: str
    use_case: str
    severity: Severity
    subject: str
    message: str
    first_batch: str
    last_batch: str


def raise_alerts(
    verdicts: pl.DataFrame,
    *,
    use_case: str,
    findings: pl.DataFrame | None = None,
    breaches: pl.DataFrame | None = None,
    causes: Mapping[str, Sequence[str]] | None = None,
    rollbacks: pl.DataFrame | None = None,
    doubts: pl.DataFrame | None = None,
) -> tuple[Alert, ...]:
    """All alerts that the results so far call for, oldest first.

    Parameters
    ----------
    verdicts
        One row per batch, from ``drift.engine.batch_verdicts``; says which batches follow each other.
    findings
        Quality findings; those of severity ``info`` alert nobody, one without a batch concerns the latest.
    breaches
        Performance beyond its limit: ``batch_id``, ``metric``, ``value``, ``limit``.
    causes
        Why batches drifted: sentences, what matters most first, by the first batch of a spell of :func:`alarm_spells`.
    rollbacks
        Promoted champions that were taken back by themselves: ``batch_id`` of the day, ``version`` put back,
        ``reasons``; one alert each.
    doubts
        Batches on whose day targets contradicted the model's estimates: ``batch_id``, ``since``, ``known_on``, shares
        of right decisions ``promised`` and ``found``.

    Examples
    --------
    >>> verdicts = pl.DataFrame({"batch_id": ["1", "2", "3"], "alarmed": [False, True, True], "columns": [4, 4, 4],
    ...     "drifted_columns": [0, 1, 2], "prediction_drifted": [False] * 3, "top_column": ["age"] * 3,
    ...     "top_excess": [0.4, 1.7, 2.0]})
    >>> [alert] = raise_alerts(verdicts, use_case="churn")
    >>> alert.key, alert.severity, alert.last_batch
    ('churn/drift/2', 'warning', '3')
    >>> alert.message
    'Up to 2 of 4 features drifted from 2 to 3 (2 batches); age most, at 2 times its threshold.'
    """
    verdicts = verdicts.sort("batch_id")
    batches = verdicts["batch_id"].to_list()
    why = causes or {}
    spells = _spells(verdicts.filter("alarmed"), batches)
    alerts = [_drift_alert(spell, use_case, why.get(spell.batches[0], ())) for spell in spells]
    blind = verdicts.filter(pl.col("top_excess").is_null())
    alerts += [_blindness_alert(spell, use_case) for spell in _spells(blind, batches)]
    if findings is not None:
        serious = findings.filter(pl.col("severity") != "info")
        if batches:
            serious = serious.with_columns(pl.col("batch_id").fill_null(batches[-1]))
        order = sorted({*batches, *serious["batch_id"].drop_nulls().to_list()})
        alerts += [_quality_alert(spell, use_case) for spell in _spells(serious, order)]
    if breaches is not None:
        order = sorted({*batches, *breaches["batch_id"].to_list()})
        alerts += [_performance_alert(spell, use_case) for spell in _spells(breaches, order)]
    if doubts is not None:
        order = sorted({*batches, *doubts["batch_id"].to_list()})
        alerts += [_doubt_alert(spell, use_case) for spell in _spells(doubts, order)]
    if rollbacks is not None:
        alerts += [_rollback_alert(row, use_case) for row in rollbacks.iter_rows(named=True)]
    return tuple(sorted(alerts, key=lambda alert: (alert.first_batch, alert.key)))


def alarm_spells(verdicts: pl.DataFrame) -> list[tuple[str, ...]]:
    """Batches that alarmed one after another, oldest first: one alert of drift each.

    Examples
    --------
    >>> alarm_spells(pl.DataFrame({"batch_id": ["1", "2", "3", "4"], "alarmed": [True, True, False, True]}))
    [('1', '2'), ('4',)]
    """
    order = verdicts["batch_id"].sort().to_list()
    return [tuple(spell.batches) for spell in _spells(verdicts.filter("alarmed"), order)]


def status(alerts: Sequence[Alert], *, latest_batch: str | None) -> Status:
    """How the use case stands: by the alerts that still last at the latest batch.

    Examples
    --------
    >>> alert = Alert("churn/drift/1", "churn", "critical", "churn: drift", "…", "1", "2")
    >>> status([alert], latest_batch="2"), status([alert], latest_batch="3")
    ('red', 'green')
    """
    standing = {alert.severity for alert in alerts if latest_batch is not None and alert.last_batch >= latest_batch}
    if "critical" in standing:
        return "red"
    return "amber" if "warning" in standing else "green"


@dataclass(frozen=True)
class _Spell:
    """Rows of consecutive batches."""

    rows: list[dict[str, Any]]

    @property
    def batches(self) -> list[str]:
        return sorted({row["batch_id"] for row in self.rows})

    @property
    def period(self) -> str:
        first, last = self.batches[0], self.batches[-1]
        return f"in {first}" if first == last else f"from {first} to {last} ({len(self.batches)} batches)"

    def alert(self, topic: str, use_case: str, *, severity: Severity, subject: str, message: str) -> Alert:
        first, last = self.batches[0], self.batches[-1]
        return Alert(f"{use_case}/{topic}/{first}", use_case, severity, f"{use_case}: {subject}", message, first, last)


def _spells(rows: pl.DataFrame, order: Sequence[str]) -> Iterator[_Spell]:
    """Rows grouped by runs of batches that directly follow each other in ``order``."""
    place = {batch_id: position for position, batch_id in enumerate(order)}
    current: list[dict[str, Any]] = []
    for row in rows.filter(pl.col("batch_id").is_not_null()).sort("batch_id", maintain_order=True).to_dicts():
        if current and place[row["batch_id"]] > place[current[-1]["batch_id"]] + 1:
            yield _Spell(current)
            current = []
        current.append(row)
    if current:
        yield _Spell(current)


def _drift_alert(spell: _Spell, use_case: str, causes: Sequence[str]) -> Alert:
    widest = max(spell.rows, key=lambda row: row["drifted_columns"])
    prediction = any(row["prediction_drifted"] for row in spell.rows)
    lasting = len(spell.batches) >= PERSISTENT_BATCHES
    upto = "Up to " if len(spell.batches) > 1 else ""
    what = f"{upto}{widest['drifted_columns']} of {widest['columns']} features"
    if prediction:
        what = f"{what} and the prediction" if widest["drifted_columns"] else "The prediction, yet no feature,"
    if any(row.get("outliers_drifted") for row in spell.rows):
        told = f"{what} and the share of suspicious rows"
        what = told if prediction or widest["drifted_columns"] else "The share of suspicious rows, yet no feature,"
    strongest = max(spell.rows, key=lambda row: row["top_excess"] or 0.0)
    most = ""
    if strongest["top_column"] is not None:
        most = f"; {strongest['top_column']} most, at {strongest['top_excess']:.3g} times its threshold"
    return spell.alert(
        "drift",
        use_case,
        severity="critical" if prediction or lasting else "warning",
        subject=f"drift since {spell.batches[0]}",
        message=" ".join([f"{what} drifted {spell.period}{most}.", *_shown(causes)]),
    )


def _shown(causes: Sequence[str]) -> list[str]:
    """The first sentences, and how many more there are."""
    more = len(causes) - SHOWN
    rest = [f"The report tells {more} smaller cause{'' if more == 1 else 's'}."] if more > 0 else []
    return [*causes[:SHOWN], *rest]


def _blindness_alert(spell: _Spell, use_case: str) -> Alert:
    """Silence because nothing could be judged is no all-clear."""
    return spell.alert(
        "blindness",
        use_case,
        severity="warning",
        subject=f"drift cannot be judged since {spell.batches[0]}",
        message=f"Drift cannot be judged {spell.period}: the batches, or the reference, are too small. "
        "Take larger batches (batch.period, batch.rows) or give more history.",
    )


def _quality_alert(spell: _Spell, use_case: str) -> Alert:
    critical = [row for row in spell.rows if row["severity"] == "critical"]
    told = list(dict.fromkeys(row["message"].rstrip(".") for row in (*critical, *spell.rows)))
    more = f"; and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
    return spell.alert(
        "quality",
        use_case,
        severity="critical" if critical else "warning",
        subject=f"data quality since {spell.batches[0]}",
        message=f"Data quality {spell.period}: {'; '.join(told[:SHOWN])}{more}.",
    )


def _performance_alert(spell: _Spell, use_case: str) -> Alert:
    last = spell.rows[-1]
    lasting = len(spell.batches) >= PERSISTENT_BATCHES
    metrics = ", ".join(sorted({row["metric"] for row in spell.rows}))
    told = f"{metrics[0].upper()}{metrics[1:]} beyond its limit {spell.period}"
    return spell.alert(
        "performance",
        use_case,
        severity="critical" if lasting else "warning",
        subject=f"performance since {spell.batches[0]}",
        message=f"{told}; lately {last['metric']} was {metric_text(last['metric'], last['value'])}, "
        f"the limit is {metric_text(last['metric'], last['limit'])}.",
    )


def _doubt_alert(spell: _Spell, use_case: str) -> Alert:
    """Whoever relies on the estimates must know that they are gone, and that the model's promises are wrong."""
    last = spell.rows[-1]
    promised, found = (f"{100 * last[name]:.1f} %" for name in ("promised", "found"))
    lasting = len(spell.batches) >= PERSISTENT_BATCHES
    return spell.alert(
        "estimates",
        use_case,
        severity="critical" if lasting else "warning",
        subject=f"estimates withdrawn since {spell.batches[0]}",
        message=f"Targets contradict the model's probabilities since batch {last['since']}, seen on "
        f"{last['known_on']}: {promised} of its decisions were to be right, {found} were. "
        "Its performance is no longer estimated; a challenger is called for.",
    )


def _rollback_alert(row: Mapping[str, Any], use_case: str) -> Alert:
    """Somebody must know that another model decides from now on, and look why the promotion did not hold."""
    batch, version = row["batch_id"], row["version"]
    return Alert(
        key=f"{use_case}/rollback/{batch}",
        use_case=use_case,
        severity="critical",
        subject=f"{use_case}: version {version} put back in office after {batch}",
        message=f"{' '.join(row['reasons'])} Version {version} is in office again from the next batch on.",
        first_batch=batch,
        last_batch=batch,
    )
