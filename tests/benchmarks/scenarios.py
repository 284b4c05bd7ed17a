"""The claims: what is measured, beside whom, and what must hold at full size.

``SCENARIOS`` at ``scale`` 1 are the promised sizes; a smaller scale proves the harness, not the promise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from benchmarks.measure import Run

Quantity = Literal["wall_s", "peak_above_bytes", "peak_bytes", "cpu_ratio", "wall_ratio", "answer"]
GIB = 2**30
LIMITS = ("limit: read and sort, polars", "limit: read and sort, pyarrow")
LONG = 1  # repeats of what takes minutes


@dataclass(frozen=True)
class Goal:
    """A bound on one run, or on its ratio to the best of others (per value, as their sizes may differ)."""

    words: str
    quantity: Quantity
    of: str
    most: float | None = None
    least: float | None = None
    against: tuple[str, ...] = ()
    answer: str = ""


@dataclass(frozen=True)
class Scenario:
    """Runs side by side and what must hold of them."""

    name: str
    title: str
    runs: tuple[Run, ...]
    goals: tuple[Goal, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)


def scenarios(*, scale: float, folder: str, evidently_columns: int, billion: bool) -> tuple[Scenario, ...]:
    """All scenarios at this share of the promised rows."""

    def rows(full: int) -> int:
        return max(int(full * scale), 100)

    return (
        _memory(rows(1_000_000), evidently_columns),
        _files(rows(2_800_000), folder),
        _batches(rows(400_000), rows(10_000)),
        _texts(rows(1_000_000)),
        *_growth(scale),
        _compact(1_000_000_000 if billion else rows(20_000_000)),
    )


def _memory(rows: int, evidently_columns: int) -> Scenario:
    wide, narrow = {"rows": rows, "columns": 50}, {"rows": rows, "columns": evidently_columns}
    return Scenario(
        "memory",
        "1 M × 50 numeric columns from memory: KS, PSI, Wasserstein, Jensen–Shannon",
        (
            Run("driftbook", "ours", wide),
            Run("driftbook, stored reference", "ours, stored reference", wide),
            Run("np.sort of both sides", "np.sort", wide),
            Run("scipy and numpy", "scipy", wide, repeats=2),
            Run("Evidently, report of the four tests", "evidently presets", narrow, repeats=LONG),
            Run("Evidently, report of KS alone", "evidently, ks", narrow, repeats=LONG),
            Run("Evidently, single metrics, no report", "evidently", narrow, repeats=LONG),
            Run("NannyML: KS (binned), W1, JS", "nannyml", wide, peer="nannyml", repeats=LONG),
            Run("whylogs: KS, Hellinger (sketched)", "whylogs", wide, peer="whylogs", repeats=LONG),
        ),
        (
            Goal("at most 1.5 s", "wall_s", "driftbook", most=1.5),
            Goal("at most 1 GB above the data", "peak_above_bytes", "driftbook", most=1e9),
            Goal(
                "Evidently's report at least 100 times our CPU",
                "cpu_ratio",
                "Evidently, report of the four tests",
                least=100,
                against=("driftbook",),
            ),
            Goal("scipy at least 5 times our CPU", "cpu_ratio", "scipy and numpy", least=5, against=("driftbook",)),
        ),
    )


def _files(rows: int, folder: str) -> Scenario:
    size = {"rows": rows, "columns": 80, "folder": folder}
    return Scenario(
        "files",
        "2.8 M × 80 from Parquet, both sides (the shape of CICIDS2017)",
        (
            Run("driftbook", "ours, files", size),
            Run("driftbook, stored reference", "ours, stored reference, file", size),
            Run(LIMITS[0], "read and sort", {**size, "reader": "polars"}),
            Run(LIMITS[1], "read and sort", {**size, "reader": "pyarrow"}),
            Run("limit of one side, polars", "read and sort", {**size, "reader": "polars", "sides": 1}),
        ),
        (
            Goal("at most 6 s", "wall_s", "driftbook", most=6),
            Goal("less than 1 GiB in all", "peak_bytes", "driftbook", most=GIB),
            Goal(
                "at most 1.3 times the limit",
                "wall_ratio",
                "driftbook",
                most=1.3,
                against=LIMITS,
            ),
            Goal("the same in CPU seconds", "cpu_ratio", "driftbook", most=1.3, against=LIMITS),
            Goal("at most 3 s with a stored reference", "wall_s", "driftbook, stored reference", most=3),
        ),
    )


def _batches(rows: int, batch_rows: int) -> Scenario:
    size = {"rows": rows, "columns": 30, "batches": 30, "batch_rows": batch_rows}
    goal = Goal("at most 1 s", "wall_s", "driftbook", most=1)
    title = "30 daily batches × 10 k × 30 columns against 400 k rows"
    return Scenario("batches", title, (Run("driftbook", "ours, batches", size),), (goal,))


def _texts(rows: int) -> Scenario:
    size = {"rows": rows, "columns": 10}
    return Scenario(
        "texts",
        "1 M × 10 text columns of 20 and 1,000 categories: PSI, Jensen–Shannon, chi-squared",
        (
            Run("driftbook, stored reference", "ours, stored texts", size),
            Run("driftbook, both sides", "ours, texts", size),
        ),
        (Goal("at most 0.3 s", "wall_s", "driftbook, stored reference", most=0.3),),
    )


def _growth(scale: float) -> tuple[Scenario, Scenario]:
    rows = [
        max(int(each * scale), 100) for each in (10_000, 31_623, 100_000, 316_228, 1_000_000, 3_162_278, 10_000_000)
    ]
    columns = [max(int(each * min(scale * 10, 1)), 2) for each in (10, 50, 250, 1_000, 5_000)]
    by_rows = (Run(f"{n:,} rows", "ours", {"rows": n, "columns": 5}) for n in dict.fromkeys(rows))
    by_columns = (Run(f"{k:,} columns", "ours", {"rows": 10_000, "columns": k}) for k in dict.fromkeys(columns))
    return (
        Scenario("rows", "Growth with the rows, 5 columns", tuple(by_rows)),
        Scenario("columns", "Growth with the columns, 10 k rows", tuple(by_columns)),
    )


def _compact(rows: int) -> Scenario:
    def error(of: str) -> Goal:
        words = f"{of} within 0.005 of the truth"
        return Goal(words, "answer", "driftbook, compact", most=0.005, answer=f"error of {of}")

    state = Goal("at most 50 MB of state", "answer", "driftbook, compact", most=50e6, answer="state_bytes")
    return Scenario(
        "compact",
        f"A stream of {rows:,} rows a side through the mergeable compact profile",
        (
            Run("driftbook, compact", "ours, compact", {"rows": rows}, repeats=LONG),
            Run("generating the numbers alone", "generator", {"rows": rows}, repeats=LONG),
        ),
        (state, error("psi"), error("kolmogorov_smirnov")),
    )


def by_name(found: tuple[Scenario, ...], names: list[str]) -> tuple[Scenario, ...]:
    """The scenarios asked for, all if none is named."""
    unknown = set(names) - {each.name for each in found}
    if unknown:
        known = ", ".join(each.name for each in found)
        raise SystemExit(f"no scenario {', '.join(sorted(unknown))}; there are: {known}")
    return tuple(each for each in found if not names or each.name in names)


def cells(options: Mapping[str, Any]) -> int:
    """Values a side, to compare runs of different sizes."""
    return int(options["rows"]) * int(options.get("columns", 1))
