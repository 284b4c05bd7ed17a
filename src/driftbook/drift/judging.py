"""What was measured, held against its limits: the long table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from driftbook.drift.measuring import Measured
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
CANNOT_TELL = BANDS.index("cannot_tell")


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
        judged = [_Judged(each, _limit(each, limits, prediction_limit), limits) for each in measured]
        judged += [_Judged(*evidence, limits)] if evidence else []
    return _table(judged, batch_ids, silent)


def _limit(measured: Measured, limits: Limits, prediction_limit: float | None) -> Limit:
    if prediction_limit is not None and measured.role == "prediction":
        fixed = np.full(measured.rows.size, prediction_limit)
        return Limit("drift_score", fixed, fixed, origin="fixed by the policy")
    return limits.limit((measured.column, measured.method), measured.scale)


class _Judged:
    """One column by one method: an entry per batch of every column of the long table."""

    def __init__(self, measured: Measured, limit: Limit, limits: Limits) -> None:
        self.measured, self.limit = measured, limit
        lost = np.isnan(measured.statistic)
        values = {"statistic": measured.statistic, "p_value": measured.p_value, "drift_score": measured.drift_score}
        self.numbers = {
            **values,
            "effect_size": np.where(lost, np.nan, measured.effect_size),
            "threshold": np.where(lost, np.nan, limit.critical),
            "chance": limits.chance((measured.column, measured.method), measured.statistic, measured.scale),
        }
        self.places = np.where(lost, CANNOT_TELL, limit.bands(values[limit.on]))
        self.words = {each: getattr(measured, each) for each in ("column", "kind", "role", "method")}
        self.words |= {"on": "statistic" if lost.all() else limit.on, "origin": limit.origin}

    def note(self, number: int) -> str | None:
        return self.measured.notes.get(number, self.limit.note)


def _table(judged: Sequence[_Judged], batch_ids: Sequence[str], silent: frozenset[str]) -> pl.DataFrame:
    """One frame of all, batch by batch; made at once, for a frame per column costs more than what was measured."""
    height = len(batch_ids)
    of_batch, of_pair = np.repeat(np.arange(height), len(judged)), np.tile(np.arange(len(judged)), height)
    places = np.array([each.places for each in judged]).T.ravel()
    columns = {name: pl.Series([each.words[name] for each in judged]).gather(of_pair) for name in judged[0].words}
    for name in judged[0].numbers:
        values = pl.Series(np.array([each.numbers[name] for each in judged]).T.ravel())
        columns[name] = values.fill_nan(None)
    notes: list[str | None] = [None] * places.size
    for spot in np.flatnonzero(places == CANNOT_TELL):
        notes[spot] = judged[of_pair[spot]].note(int(of_batch[spot]))
    columns |= {
        "batch_id": pl.Series(list(batch_ids), dtype=pl.String).gather(of_batch),
        "rows": pl.Series(np.array([each.measured.rows for each in judged]).T.ravel()),
        "band": pl.Series(BANDS, dtype=pl.String).gather(places),
        "drifted": pl.Series(places == BANDS.index("drifted")),
        "matters": pl.Series([each.measured.column not in silent for each in judged]).gather(of_pair),
        "note": pl.Series(notes, dtype=pl.String),
    }
    return pl.DataFrame(columns).select(pl.col(name).cast(dtype) for name, dtype in DRIFT_SCHEMA.items())
