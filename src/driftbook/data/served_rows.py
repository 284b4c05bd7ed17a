"""Rows of a service's log as rows of batches: the features as they were asked, and beside them what was answered."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import polars as pl

from driftbook.config import UseCase
from driftbook.data.streams import Part, cut
from driftbook.schema import TIME, Conformed, batch_schema, conform
from driftbook.serving.log_reader import Kept

ANSWER_SCHEMA: dict[str, pl.DataType] = {
    "entity": pl.String(),
    "answered_role": pl.String(),
    "answered_version": pl.Int64(),
    "champion_version": pl.Int64(),
    "champion_score": pl.Float64(),
    "challenger_version": pl.Int64(),
    "challenger_score": pl.Float64(),
}


def served_parts(rows: Sequence[Kept], case: UseCase) -> list[Part]:
    """Batches of predictions: typed as any source's rows, named by their prediction, with the ``ANSWER_SCHEMA``.

    Parameters
    ----------
    rows
        As the log keeps them, in the order they shall have.
    """
    if not rows:
        return []
    columns = case.columns.model_copy(update={"id": None, "event_time": None})  # the log's own are there
    conformed = conform(_table(rows, case), case.model_copy(update={"columns": columns}))
    answers = pl.DataFrame(
        [{"row_id": row["prediction_id"], **{name: row[name] for name in ANSWER_SCHEMA}} for row in rows],
        schema={"row_id": pl.String(), **ANSWER_SCHEMA},
    )
    served = conformed.rows.drop("target").join(answers, on="row_id", how="left", maintain_order="left")
    return cut(Conformed(rows=served, quarantined=conformed.quarantined), case)


def parts_aside(rows: Sequence[Kept], case: UseCase, *, reasons: Sequence[str]) -> list[Part]:
    """Batches of predictions that are set aside whole, each row for its reason."""
    if not rows:
        return []
    texts = _table(rows, case).with_columns(pl.all().cast(pl.String, strict=False), pl.Series("reason", reasons))
    return cut(Conformed(rows=pl.DataFrame(schema=batch_schema(case)), quarantined=texts), case)


def _table(rows: Sequence[Kept], case: UseCase) -> pl.DataFrame:
    features = [json.loads(row["features"]) for row in rows]
    return pl.DataFrame(
        {
            "row_id": pl.Series([row["prediction_id"] for row in rows], dtype=pl.String),
            case.columns.id or "entity": pl.Series([row["entity"] for row in rows], dtype=pl.String),
            "event_time": pl.Series([datetime.fromisoformat(row["at"]) for row in rows], dtype=TIME),
            **{name: _column([each.get(name) for each in features]) for name in case.columns.features},
            case.columns.target: pl.Series([None] * len(rows), dtype=pl.String),
        }
    )


def _column(values: list[Any]) -> pl.Series:
    """Numbers as numbers; where anything else is among them, all as text."""
    if all(each is None or (isinstance(each, int | float) and not isinstance(each, bool)) for each in values):
        return pl.Series([None if each is None else float(each) for each in values], dtype=pl.Float64)
    texts = [each if each is None or isinstance(each, str) else json.dumps(each) for each in values]
    return pl.Series(texts, dtype=pl.String)
