"""What was measured, held against its limits: the long table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from driftbook.drift.measuring import Measured
from driftbook.drift.profile import Integers
from driftbook.drift.thresholds import BANDS, Limit, Limits

DRIFT_SCHEMA: dict[str, pl.DataType] = {
    "batch_id": pl.String(),
    "column": pl.String(),
    "kind": pl.String(),
    "role": pl.String(),
    "method": pl.String(),
    "rows": pl.Int64(),
    "statistic": pl.Float64(),
    "p_value": pl.Float64(),
    "drift_score": pl.Float64(),
    "effect_size": pl.Float64(),
    "threshold": pl.Float64(),
    "on": pl.String(),
    "band": pl.String(),
    "drifted": pl.Boolean(),
    "matters": pl.Boolean(),
    "chance": pl.Float64(),
    "origin": pl.String(),
    "note": pl.String(),
}


def judge(
    measured: Sequence[Measured],
    batch_ids: Sequence[str],
    *,
    limits: Limits,
    prediction_limit: float | None = None,
    silent: frozenset[str] = frozenset(),
    evidence: tuple[Measured, Limit] | None = None,
) -> pl.DataFrame:
    """Hold what was measured against the limits.

    Parameters
    ----------
    measured
        Every column by every method, an entry per batch.
    prediction_limit
        Fixed limit on the drift score of predictions, where the policy has one.
    silent
        Columns whose drift is shown and does not alarm.
    evidence
        What adds up over batches, with the limit that its part of the budget gives it.

    Returns
    -------
    The long table, batch by batch; see :func:`driftbook.drift.engine.analyse_drift`.
    """
    if not measured or not batch_ids:
        return pl.DataFrame(schema=DRIFT_SCHEMA)
    with np.errstate(all="ignore"):
        judged = [_judged(each, _limit(each, limits, prediction_limit), limits) for each in measured]
        judged += [_judged(*evidence, limits)] if evidence else []
    table = pl.concat(judged)
    # from column by column to batch by batch
    order = np.arange(table.height).reshape(len(judged), -1).T.ravel()
    places = np.repeat(np.arange(len(batch_ids)), len(judged))
    ids = pl.Series("batch_id", list(batch_ids), dtype=pl.String).gather(places)
    matters = ~pl.col("column").is_in(list(silent))
    return table[order].with_columns(ids, matters.alias("matters")).select(*DRIFT_SCHEMA)


def _limit(measured: Measured, limits: Limits, prediction_limit: float | None) -> Limit:
    if prediction_limit is not None and measured.role == "prediction":
        fixed = np.full(measured.rows.size, prediction_limit)
        return Limit("drift_score", fixed, fixed, origin="fixed by the policy")
    return limits.limit((measured.column, measured.method), measured.scale)


def _judged(measured: Measured, limit: Limit, limits: Limits) -> pl.DataFrame:
    values = {"statistic": measured.statistic, "p_value": measured.p_value, "drift_score": measured.drift_score}
    places = np.where(np.isnan(measured.statistic), 3, limit.bands(values[limit.on]))
    chance = limits.chance((measured.column, measured.method), measured.statistic, measured.scale)
    lost = np.isnan(measured.statistic)
    numbers = {
        **values,
        "effect_size": np.where(lost, np.nan, measured.effect_size),
        "threshold": np.where(lost, np.nan, limit.critical),
        "chance": chance,
    }
    frame = pl.DataFrame({"rows": measured.rows, **numbers}).with_columns(pl.col(list(numbers)).fill_nan(None))
    band = pl.Series("band", BANDS, dtype=pl.String).gather(places)
    drifted = pl.Series("drifted", places == 2)
    note = pl.Series("note", _notes(measured, limit, places), dtype=pl.String)
    words = {each: getattr(measured, each) for each in ("column", "kind", "role", "method")}
    words |= {"on": "statistic" if lost.all() else limit.on, "origin": limit.origin}
    return frame.with_columns(band, drifted, note, *[pl.lit(text).alias(name) for name, text in words.items()])


def _notes(measured: Measured, limit: Limit, places: Integers) -> list[str | None]:
    notes: list[str | None] = [None] * places.size
    for number in np.flatnonzero(places == 3):
        notes[number] = measured.notes.get(int(number), limit.note)
    return notes
