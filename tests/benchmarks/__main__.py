"""``python -m benchmarks [SCENARIO …]``: run, judge, save; see ``--help``."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.figure import growth_figure
from benchmarks.machine import facts, needs_plain_sort
from benchmarks.measure import REPEATS, Run, measured
from benchmarks.peers import default_folder
from benchmarks.render import exponent, judged, markdown
from benchmarks.scenarios import Scenario, by_name, scenarios

RESULTS = Path(__file__).parent / "results"
GROWTH = ("rows", "columns")


def main(arguments: list[str] | None = None) -> int:
    """Run the scenarios asked for; 1 if a goal at full size does not hold."""
    wish = _parser().parse_args(arguments)
    plain_sort = needs_plain_sort() and not wish.numpy_as_it_comes
    results: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "scale": wish.scale,
        "machine": {**facts(), "avx512_sort_disabled": plain_sort},
        "scenarios": [],
    }
    planned = scenarios(
        scale=wish.scale,
        folder=str(wish.folder),
        evidently_columns=wish.evidently_columns,
        billion=wish.billion,
    )
    for scenario in by_name(planned, wish.scenario):
        results["scenarios"].append(_run(scenario, wish, plain_sort=plain_sort))
        _save(results, wish.results)
    sys.stdout.write(f"\n{markdown(results)}\nsaved in {wish.results}\n")
    broken = [goal for each in results["scenarios"] for goal in each["goals"] if goal["holds"] is False]
    return 1 if broken and wish.scale == 1 else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measure driftbook and its peers.")
    parser.add_argument(
        "scenario", nargs="*", help="memory, files, batches, texts, rows, columns, compact; default: all"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="share of the promised rows (0.1: a rehearsal)")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="at most so many repetitions of each run")
    parser.add_argument("--without", action="append", default=[], help="leave out runs whose name holds this text")
    parser.add_argument("--evidently-columns", type=int, default=20, help="columns for Evidently, which needs minutes")
    parser.add_argument("--billion", action="store_true", help="1 billion rows a side through the compact profile")
    parser.add_argument("--numpy-as-it-comes", action="store_true", help="leave numpy its choice of sort on Zen 4")
    parser.add_argument("--folder", type=Path, default=default_folder(), help="for generated files and environments")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where results.json, results.md and figures go")
    return parser


def _run(scenario: Scenario, wish: argparse.Namespace, *, plain_sort: bool) -> dict[str, Any]:
    records = []
    for run in scenario.runs:
        if any(text in run.who for text in wish.without):
            continue
        sys.stdout.write(f"{scenario.name}: {run.who} … ")
        sys.stdout.flush()
        record = measured(run, folder=wish.folder, plain_sort=plain_sort, most_repeats=wish.repeats)
        records.append(record)
        sys.stdout.write(_line(run, record))
    return {
        "name": scenario.name,
        "title": scenario.title,
        "runs": records,
        "goals": judged(scenario.goals, records),
        "exponent": exponent(records, scenario.name) if scenario.name in GROWTH else None,
    }


def _line(run: Run, record: dict[str, Any]) -> str:
    if "failed" in record:
        return f"{record['failed']}\n"
    return f"{min(record['wall_s']):.3g} s wall, {min(record['cpu_s']):.3g} s CPU, load {record['load'][0]:.1f}\n"


def _save(results: dict[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (folder / "results.md").write_text(markdown(results), encoding="utf-8")
    for each in results["scenarios"]:
        if each["name"] in GROWTH:
            picture = growth_figure(each["runs"], each["name"], exponent=each["exponent"])
            (folder / f"growth_{each['name']}.svg").write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
