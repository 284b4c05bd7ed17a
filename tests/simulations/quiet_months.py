"""False alarms in months where nothing drifts: 80 columns, checked every hour, ours and the customary rules.

``python -m simulations.quiet_months --months 510`` (in ``tests``) writes ``results/quiet_months.md``; with ``--keep``
it remembers the dashboards it has done in a folder and goes on from there. The tests run the same on a few months.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from simulations.rules import BATCH, BOTH, EVIDENCE, OTHERS, Rules
from simulations.worlds import HOURS, WORLDS, World

from driftbook.drift.batches import Batches, stack_batches

MONTH_DAYS = 30
BUDGET_DAYS = 30  # one false alarm a month
MONTHS_EACH = 10  # months that one dashboard is watched against one reference
RULES = (BOTH, BATCH, EVIDENCE, *OTHERS)
RESULTS = Path(__file__).parent / "results" / "quiet_months.md"


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
    parser.add_argument("--keep", type=Path, default=None)
    chosen = parser.parse_args()
    found: dict[str, list[dict[str, list[int]]]] = {name: [] for name in WORLDS}
    seconds = 0.0
    for number in range(chosen.months // MONTHS_EACH):
        name, seed = WORLDS[number % len(WORLDS)], number // len(WORLDS)
        kept = chosen.keep / f"{name}-{seed}.json" if chosen.keep else None
        if kept and kept.exists():
            record = json.loads(kept.read_text())
        else:
            started = time.process_time()
            months = false_alarms(World(name, seed, stream_days=MONTHS_EACH * MONTH_DAYS))
            record = {"months": months, "seconds": time.process_time() - started}
            if kept:
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_text(json.dumps(record))
        found[name].append(record["months"])
        seconds += record["seconds"]
    RESULTS.parent.mkdir(exist_ok=True)
    machine = f"{platform.machine()}, {os.cpu_count()} cores of which one was used, {seconds / 60:.0f} minutes of it"
    RESULTS.write_text(f"{HEAD.format(machine=machine, worlds=chosen.months // MONTHS_EACH)}\n{table(found)}\n")


HEAD = """# False alarms in months without drift

Alarmed hours a month, and in brackets the share of months without any. 80 columns (64 numeric, 16 categorical) of 100
rows an hour, a reference of 60 days, {worlds} dashboards watched for ten months each; budget: one false alarm a month.
Seeds 0 and up. Machine: {machine}. Written by `python -m simulations.quiet_months`.
"""

if __name__ == "__main__":
    main()
