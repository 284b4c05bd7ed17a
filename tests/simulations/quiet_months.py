"""False alarms in months where nothing drifts: 80 columns, checked every hour, ours and the customary rules.

``python -m simulations.quiet_months --months 510`` (in ``tests``) writes ``results/quiet_months_100_rows.md``; with
``--keep`` it remembers the dashboards it has done in a folder and goes on from there. The tests run a few months.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from simulations.rules import BATCH, BOTH, EVIDENCE, OTHERS, Rules
from simulations.worlds import HOURS, WORLDS, World

from driftbook.drift.batches import Batches, stack_batches

MONTH_DAYS = 30
BUDGET_DAYS = 30  # one false alarm a month
MONTHS_EACH = 10  # months that one dashboard is watched against one reference
RULES = (BOTH, BATCH, EVIDENCE, *OTHERS)
RESULTS = Path(__file__).parent / "results"


def false_alarms(world: World) -> dict[str, list[int]]:
    """Alarmed hours of each month of a dashboard, by rule."""
    rules = Rules(world.reference(), BUDGET_DAYS, HOURS, world.columns)
    found = rules.alarms(stream(world))
    return {rule: alarmed.reshape(-1, MONTH_DAYS * HOURS).sum(axis=1).tolist() for rule, alarmed in found.items()}


def stream(world: World) -> Iterator[tuple[str, Batches]]:
    """Each column's hours after the reference."""
    days = world.stream_days
    offsets = np.arange(days * HOURS + 1) * world.rows
    for place, name in enumerate(world.names):
        values = world.column(place, first_day=world.reference_days, days=days)
        yield name, stack_batches(values, offsets, kind=world.kind(place))


def table(found: Mapping[str, Sequence[Mapping[str, Sequence[int]]]]) -> str:
    """Alarmed hours a month, and the share of months without any, as Markdown."""
    heads = [f"{name} ({_months(found[name])} months)" for name in found]
    lines = ["| rule | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for rule in RULES:
        cells = []
        for name in found:
            months = np.concatenate([each[rule] for each in found[name]])
            cells.append(f"{months.mean():.3g} ({np.mean(months == 0):.0%})")
        lines.append(f"| {rule} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _months(found: Sequence[Mapping[str, Sequence[int]]]) -> int:
    return sum(len(each[BOTH]) for each in found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--months", type=int, default=510)
    parser.add_argument("--each", type=int, default=MONTHS_EACH)
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--reference-days", type=int, default=60)
    parser.add_argument("--keep", type=Path, default=None)
    chosen = parser.parse_args()
    found: dict[str, list[dict[str, list[int]]]] = {name: [] for name in WORLDS}
    seconds = 0.0
    for number in range(chosen.months // chosen.each):
        name, seed = WORLDS[number % len(WORLDS)], number // len(WORLDS)
        days = {"reference_days": chosen.reference_days, "stream_days": chosen.each * MONTH_DAYS}
        record = remembered(World(name, seed, rows=chosen.rows, **days), chosen.keep)
        found[name].append(record["months"])
        seconds += record["seconds"]
    machine = f"{platform.machine()}, {os.cpu_count()} cores of which one was used, {seconds / 60:.0f} minutes of it"
    RESULTS.mkdir(exist_ok=True)
    head = HEAD.format(**vars(chosen), machine=machine, worlds=chosen.months // chosen.each)
    (RESULTS / f"quiet_months_{chosen.rows}_rows.md").write_text(f"{head}\n{table(found)}\n")


def remembered(world: World, folder: Path | None) -> dict[str, Any]:
    """What a dashboard raised and the seconds it took, from the folder if it has been done."""
    kept = folder / f"{world.name}-{world.seed}.json" if folder else None
    if kept and kept.exists():
        return dict(json.loads(kept.read_text()))
    started = time.process_time()
    months = false_alarms(world)
    record = {"months": months, "seconds": time.process_time() - started}
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(record))
    return record


HEAD = """# False alarms in months without drift

Alarmed hours a month (of 720), and in brackets the share of months without any. 80 columns (64 numeric, 16
categorical) of {rows} rows an hour, a reference of {reference_days} days, {worlds} dashboards watched for {each} months
each; budget: one false alarm a month. Fixed limits depend on the rows: what chance alone does to 100 rows passes
Evidently's 0.1 and PSI's 0.25. The rules are those of `rules.py`. Seeds 0 and up.

Machine: {machine}. Written by
`python -m simulations.quiet_months --months {months} --each {each} --rows {rows} --reference-days {reference_days}`.
"""

if __name__ == "__main__":
    main()
