"""Real tables: what is known to drift is found where it is known to, and a table that does not drift stays silent."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from driftbook.config import Policy, UseCase, load_policy
from driftbook.drift.engine import analyse_drift, batch_verdicts, build_reference

DATA = Path(__file__).parents[2] / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="needs the public data sets in ../shared/data")


def columns_alone() -> Policy:
    policy = load_policy("calibrated")
    return policy.model_copy(update={"drift": policy.drift.model_copy(update={"table": ()})})


def judged(
    rows: pl.DataFrame, *, size: int, reference_batches: int, left_out: set[str], policy: Policy
) -> tuple[pl.DataFrame, list[int]]:
    """The long table of the batches after the reference, and the numbers of those that alarmed."""
    features = rows.drop(left_out)
    numeric = tuple(name for name, dtype in features.schema.items() if dtype.is_numeric())
    categorical = tuple(name for name in features.columns if name not in numeric)
    content = {
        "name": "real", "title": "Real", "task": "binary", "batch": {"rows": size},
        "columns": {"target": "-", "positive_class": "1", "numeric": numeric, "categorical": categorical},
        "source": {"kind": "files", "path": "real.csv"},
    }  # fmt: skip
    number = pl.int_range(pl.len()) // size
    rows = features.with_columns(number.cast(pl.String).str.zfill(5).alias("batch_id"))
    first = f"{reference_batches:05d}"
    reference = build_reference(rows.filter(pl.col("batch_id") < first), case=UseCase.model_validate(content), seed=1)
    table = analyse_drift(reference, rows.filter(pl.col("batch_id") >= first), policy=policy)
    alarmed = batch_verdicts(table, policy).filter("alarmed")["batch_id"].to_list()
    return table, [int(each) for each in alarmed]


def test_telco_does_not_drift_and_is_silent() -> None:
    rows = pl.read_csv(DATA / "telco_churn" / "Telco-Customer-Churn.csv").sample(fraction=1, shuffle=True, seed=3)
    rows = rows.with_columns(pl.col("TotalCharges").cast(pl.Float64, strict=False))
    policy = load_policy("calibrated")
    table, alarmed = judged(rows, size=120, reference_batches=25, left_out={"customerID", "Churn"}, policy=policy)
    assert table["batch_id"].n_unique() == 34
    assert alarmed == []


def test_elec2_changes_where_the_market_opens() -> None:
    rows = pl.read_csv(DATA / "elec2" / "elec.csv")
    opening = 17_424 // 48
    policy = columns_alone()
    table, alarmed = judged(rows, size=48, reference_batches=200, left_out={"period", "class"}, policy=policy)
    before = [number for number in alarmed if number < opening]
    assert opening in alarmed
    assert len(before) <= 3
    after = table.filter(pl.col("drifted") & (pl.col("batch_id") >= f"{opening:05d}"))
    assert {"transfer", "vicdemand"} <= set(after.filter(pl.col("batch_id") == f"{opening:05d}")["column"])
    assert len([number for number in alarmed if number >= opening]) > 0.95 * (rows.height // 48 - opening)


def test_bank_marketing_drifts_with_the_rates_from_the_37th_batch_on() -> None:
    rows = pl.read_parquet(DATA / "bank_marketing" / "bank-additional-full.parquet")
    table, alarmed = judged(rows, size=500, reference_batches=25, left_out={"y", "duration"}, policy=columns_alone())
    assert alarmed[0] == 37
    assert alarmed[1:] == list(range(38, 83))
    drifted = set(table.filter("drifted")["column"])
    assert {"euribor3m", "emp.var.rate", "cons.price.idx", "cons.conf.idx", "nr.employed", "poutcome"} <= drifted


def test_the_census_shock_is_found_in_its_chunk() -> None:
    folder = DATA / "census_ma"
    before, after = (pl.read_parquet(folder / f"employment_MA_{name}.pq") for name in ("reference", "analysis"))
    shared = [name for name in after.columns if name in before.columns]
    parts = [each.select(shared).with_columns(pl.selectors.categorical().cast(pl.String)) for each in (before, after)]
    rows = pl.concat([parts[0].head(65_000), parts[1]], how="vertical_relaxed")
    left_out = {"id", "year", "prediction", "predicted_probability", "employed", "timestamp"} & set(rows.columns)
    table, _ = judged(rows, size=2_500, reference_batches=26, left_out=left_out, policy=columns_alone())
    moved = table.filter(pl.col("column") == "RELP", pl.col("method") == "psi")
    chunk = (pl.col("batch_id").cast(pl.Int64) - 26) // 2
    largest = moved.sort("statistic", descending=True).head(4).select(chunk.alias("chunk"))["chunk"]
    assert set(largest) == {27, 28}
    assert moved.filter(chunk.is_in([27, 28]))["drifted"].all()


def test_kdd99_alarms_in_every_batch_of_attacks() -> None:
    rows = pl.read_csv(DATA / "kdd99" / "kddcup.data_10_percent.gz", has_header=False, infer_schema_length=100_000)
    label, size = rows.columns[-1], 300
    rows = rows.head(100 * size)
    shares = [(part[label] != "normal.").mean() for part in rows.iter_slices(size)]
    assert max(shares[:24]) < 0.01, "the reference holds next to no attack"
    _, alarmed = judged(rows, size=size, reference_batches=24, left_out={label}, policy=columns_alone())
    flooded = {number for number, share in enumerate(shares) if share > 0.5}
    assert len(flooded) > 10
    assert flooded <= set(alarmed)
