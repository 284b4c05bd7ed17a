"""Columns, roles, types: makes any raw table into a frame of the use case, or says why it cannot.

A raw table may come from CSV (all text), Parquet or SQL. ``conform`` casts each column to the type of
its role and splits off rows that cannot be cast: they are quarantined with the reason, the rest goes on.

Frame of a batch: ``row_id`` (String), ``event_time`` (Datetime µs), numeric features (Float64),
categorical features (String), dates (Datetime µs), and for history or real rows ``target`` (String).
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from driftbook.config import UseCase
from driftbook.errors import SchemaError, UnknownNameError

TIME = pl.Datetime("us")
ISO_FORMATS = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d")


@dataclass(frozen=True)
class Conformed:
    """``rows`` that fit the schema, and ``quarantined`` ones with a ``reason``."""

    rows: pl.DataFrame
    quarantined: pl.DataFrame


def batch_schema(case: UseCase) -> dict[str, pl.DataType]:
    """Column names and types of a batch frame, in order."""
    columns = case.columns
    schema: dict[str, pl.DataType] = {"row_id": pl.String(), "event_time": TIME}
    schema.update(dict.fromkeys(columns.numeric, pl.Float64()))
    schema.update(dict.fromkeys(columns.categorical, pl.String()))
    schema.update(dict.fromkeys(columns.dates, TIME))
    return schema


def check_columns(names: list[str], case: UseCase) -> None:
    """Every column the use case names must be there.

    Raises
    ------
    SchemaError
        Naming all that are missing, with the nearest name found for each.
    """
    columns = case.columns
    roles = [*columns.features, columns.target, *filter(None, (columns.id, columns.event_time))]
    missing = [name for name in roles if name not in names]
    if missing:
        hints = "; ".join(str(UnknownNameError("column", name, names)) for name in missing[:3])
        more = f" (and {len(missing) - 3} more)" if len(missing) > 3 else ""
        raise SchemaError(f"the table lacks columns that data/{case.name}/usecase.yaml names: {hints}{more}")


def conform(table: pl.DataFrame, case: UseCase) -> Conformed:
    """Cast a raw table to the schema of the use case, row faults into quarantine.

    Parameters
    ----------
    table
        Raw columns under the use case's names; ``row_id`` and ``event_time`` may be there already.

    Returns
    -------
    Rows with :func:`batch_schema` plus ``target``, and quarantined rows: all text, plus ``reason``.
    """
    check_columns(table.columns, case)
    columns = case.columns
    casts: dict[str, pl.Expr] = {}
    faults: list[pl.Expr] = []
    for name in columns.numeric:
        casts[name] = _number(table.schema[name], name)
        faults.append(_fault(name, casts[name], "a number"))
    for name in columns.dates:
        casts[name] = _time(table.schema[name], name)
        faults.append(_fault(name, casts[name], "a time"))
    for name in columns.categorical:
        casts[name] = _text(table.schema[name], name)
    casts["target"] = _text(table.schema[columns.target], columns.target)
    for name in ("row_id", "event_time"):
        if name in table.columns:
            casts[name] = pl.col(name)
    if columns.id is not None:
        row_id = _text(table.schema[columns.id], columns.id)
        casts["row_id"] = row_id
        faults.append(pl.when(row_id.is_null()).then(pl.lit(f"{columns.id}: no identifier")))
        repeated = row_id.is_duplicated() & ~row_id.is_first_distinct() & row_id.is_not_null()
        faults.append(pl.when(repeated).then(pl.lit(f"{columns.id}: identifier occurs before")))
    reason = pl.concat_str(faults, separator="; ", ignore_nulls=True) if faults else pl.lit("")
    marked = table.with_columns(reason.alias("reason"))
    bad = marked.filter(pl.col("reason") != "")
    good = marked.filter(pl.col("reason") == "").select(**casts)
    order = [name for name in (*batch_schema(case), "target") if name in good.columns]
    as_text = [pl.col(name).cast(pl.String, strict=False) for name in bad.columns]
    return Conformed(rows=good.select(order), quarantined=bad.select(as_text))


def iso_time(text: pl.Expr) -> pl.Expr:
    """ISO 8601 text as a time, zoned ones in UTC, null where it is none: day and month are never guessed."""
    plain = text.str.replace("T", " ", literal=True).str.replace_all("/", "-", literal=True)
    naive = [plain.str.to_datetime(each, strict=False, time_unit="us") for each in ISO_FORMATS]
    zoned = text.str.replace(" ", "T").str.to_datetime("%+", strict=False, time_unit="us", time_zone="UTC")
    return pl.coalesce(*naive, zoned.dt.replace_time_zone(None))


def _number(dtype: pl.DataType, name: str) -> pl.Expr:
    column = pl.col(name)
    if dtype == pl.String:
        column = column.str.strip_chars()
        column = pl.when(column != "").then(column)
    number = column.cast(pl.Float64, strict=False)
    return number.fill_nan(None)


def _text(dtype: pl.DataType, name: str) -> pl.Expr:
    column = pl.col(name)
    if dtype.is_float():
        whole = column.cast(pl.Int64, strict=False)
        column = pl.when(column == whole.cast(pl.Float64)).then(whole.cast(pl.String)).otherwise(column.cast(pl.String))
    text = column.cast(pl.String, strict=False).str.strip_chars()
    return pl.when(text != "").then(text)


def _time(dtype: pl.DataType, name: str) -> pl.Expr:
    if dtype == pl.String:
        return iso_time(pl.col(name).str.strip_chars())
    return pl.col(name).cast(TIME, strict=False)


def _fault(name: str, cast: pl.Expr, wanted: str) -> pl.Expr:
    text = pl.col(name).cast(pl.String, strict=False).str.strip_chars()
    lost = cast.is_null() & text.is_not_null() & ~text.str.to_lowercase().is_in(["", "nan"])
    return pl.when(lost).then(
        pl.format("{}: expected {}, found '{}'", pl.lit(name), pl.lit(wanted), text.str.slice(0, 40))
    )
