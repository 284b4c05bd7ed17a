"""From records to what a person reads: one Markdown table a scenario, and what held."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from benchmarks.scenarios import Goal, cells

Record = Mapping[str, Any]
MIB = 2**20
RATIOS = ("cpu_ratio", "wall_ratio")
HEADINGS = (
    "rows × columns",
    "CPU s",
    "wall s, best",
    "wall s, median",
    "peak above data, MiB",
    "peak, MiB",
    "CPU ns per value",
    "load",
)


def markdown(results: Mapping[str, Any]) -> str:
    """The whole page: machine, then each scenario's table and goals."""
    machine, parts = results["machine"], ["# Benchmarks", "", _machine(results["machine"]), ""]
    if results["scale"] != 1:
        parts += [f"**Reduced to {results['scale']:g} of the promised rows: a proof of the harness, no claim.**", ""]
    if machine["avx512_sort_disabled"]:
        parts += ["numpy's AVX-512 sort, slow on this processor, is disabled for all who are measured.", ""]
    for each in results["scenarios"]:
        parts += [f"## {each['title']}", "", *_table(each["runs"]), ""]
        parts += [*_goal_lines(each["goals"]), *_exponent_lines(each)]
    return "\n".join(parts).rstrip() + "\n"


def judged(goals: Sequence[Goal], records: Sequence[Record]) -> list[dict[str, Any]]:
    """Each goal with the value found and whether it holds; null where a run failed."""
    by_who = {each["who"]: each for each in records}
    found = []
    for goal in goals:
        value = _value(goal, by_who)
        holds = None
        if value is not None:
            holds = (goal.most is None or value <= goal.most) and (goal.least is None or value >= goal.least)
        found.append({"words": goal.words, "quantity": goal.quantity, "value": value, "holds": holds})
    return found


def exponent(records: Sequence[Record], size: str) -> float | None:
    """Slope of log CPU seconds on log size, least squares over the upper half of sizes."""
    points = [(math.log(r["options"][size]), math.log(min(r["cpu_s"]))) for r in records if "cpu_s" in r]
    points = [each for each in points if math.isfinite(each[1])][len(records) // 2 :]
    if len({x for x, _ in points}) < 2:
        return None
    middle_x, middle_y = (sum(part) / len(points) for part in zip(*points, strict=True))
    above = sum((x - middle_x) * (y - middle_y) for x, y in points)
    return above / sum((x - middle_x) ** 2 for x, _ in points)


def _value(goal: Goal, by_who: Mapping[str, Record]) -> float | None:
    run = by_who.get(goal.of, {})
    if goal.quantity == "answer":
        return run.get("answers", {}).get(goal.answer)
    if goal.quantity in RATIOS:
        key = goal.quantity.replace("_ratio", "_s")
        others = [by_who[who] for who in goal.against if key in by_who.get(who, {})]
        if key not in run or not others:
            return None
        return _per_cell(run, key) / min(_per_cell(other, key) for other in others)
    found = run.get(goal.quantity)
    return median(found) if isinstance(found, list) else found


def _per_cell(run: Record, key: str) -> float:
    return float(median(run[key])) / cells(run["options"])


def _machine(machine: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if version)
    load = "/".join(f"{each:.2f}" for each in machine["load"])
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}; "
        f"Python {machine['python']}, {versions}. Load before the first run {load}; each line has its own."
    )


def _table(records: Sequence[Record]) -> list[str]:
    lines = [
        f"| | {' | '.join(HEADINGS)} |",
        f"|---|{'---:|' * len(HEADINGS)}",
    ]
    for each in records:
        size = f"{each['options']['rows']:,} × {each['options'].get('columns', 1):,}"
        if "failed" in each:
            lines.append(f"| {each['who']} | {size} | {each['failed'].replace('|', '/')} | | | | | | |")
            continue
        values = 2 * cells(each["options"])
        figures = (
            _seconds(median(each["cpu_s"])),
            _seconds(min(each["wall_s"])),
            _seconds(median(each["wall_s"])),
            f"{each['peak_above_bytes'] / MIB:,.0f}",
            f"{each['peak_bytes'] / MIB:,.0f}",
            f"{median(each['cpu_s']) / values * 1e9:,.1f}",
            f"{each['load'][0]:.1f}",
        )
        lines.append(f"| {each['who']} | {size} | {' | '.join(figures)} |")
    return lines


def _seconds(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def _goal_lines(goals: Sequence[Mapping[str, Any]]) -> list[str]:
    words = {True: "holds", False: "**does not hold**", None: "not measured"}
    lines = []
    for each in goals:
        lines.append(f"- {each['words']}: {_shown(each)}{words[each['holds']]}")
    return [*lines, ""] if lines else []


def _shown(goal: Mapping[str, Any]) -> str:
    value = goal["value"]
    if value is None:
        return ""
    if goal["quantity"].endswith("bytes"):
        return f"{value / MIB:,.0f} MiB, "
    unit = {"wall_s": " s", "cpu_ratio": " times", "wall_ratio": " times"}.get(goal["quantity"], "")
    return f"{value:.3g}{unit}, "


def _exponent_lines(scenario: Mapping[str, Any]) -> list[str]:
    if scenario.get("exponent") is None:
        return []
    return [f"CPU seconds grow with the {scenario['name']} to the power of {scenario['exponent']:.2f}.", ""]
