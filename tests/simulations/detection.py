"""What drift is found and how soon, by our policy and by the customary rules, at one false alarm a month.

``python -m simulations.detection`` (in ``tests``) writes ``results/detection.md``. Some quiet days come first. Only the
columns that drift are drawn: what is found is the drift, not a false alarm of another column, of which some rules raise
many (``quiet_months``).
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from simulations.quiet_months import BUDGET_DAYS, RULES
from simulations.rules import Rules
from simulations.worlds import HOURS, Change, World

from driftbook.drift.batches import Batches, stack_batches

PSI_QUARTER = 0.512  # a shift of a normal column by so many standard deviations has a PSI of 0.25 over ten bins
RESULTS = Path(__file__).parent / "results" / "detection.md"
NUMERIC, CATEGORICAL, SOME_MISSING = (2, 3, 5, 6, 7), (4,), (1,)  # places of columns of that kind


@dataclass(frozen=True)
class Drift:
    """A change of some columns, and for how many days it is looked for."""

    title: str
    places: Sequence[int]
    change: Change
    days: int


HOURLY = (
    Drift("sudden: PSI 0.25 on 1 column", NUMERIC[:1], Change(jump=PSI_QUARTER), 2),
    Drift("0.3 sd on 3 columns", NUMERIC[:3], Change(jump=0.3), 3),
    Drift("gradual: 0.02 sd more a day on 1 column", NUMERIC[:1], Change(climb=0.02), 20),
    Drift("a season of the hour, 0.2 sd, on 1 column", NUMERIC[:1], Change(tide=0.2), 10),
    Drift("a new category, 1 % of the rows", CATEGORICAL, Change(unseen=0.01), 3),
    Drift("missing values from 1 to 5 %", SOME_MISSING, Change(missing=0.04), 3),
)
DAILY = (
    Drift("0.3 sd on 3 columns", NUMERIC[:3], Change(jump=0.3), 10),
    Drift("gradual: 0.02 sd more a day on 3 columns", NUMERIC[:3], Change(climb=0.02), 30),
    Drift("slow: 0.05 sd on 5 columns", NUMERIC, Change(jump=0.05), 30),
    Drift("slow: 0.03 sd on 5 columns", NUMERIC, Change(jump=0.03), 60),
    Drift("a new category, 1 % of the rows", CATEGORICAL, Change(unseen=0.01), 10),
    Drift("missing values from 1 to 5 %", SOME_MISSING, Change(missing=0.04), 10),
)


QUIET_DAYS = {HOURS: 10, 1: 30}


def hourly(seed: int, *, reference_days: int = 20) -> World:
    return World("independent", seed, rows=1_000, reference_days=reference_days, stream_days=30, missing=0.01)


def daily(seed: int) -> World:
    return World("independent", seed, 2_400, 30, reference_days=40, stream_days=90, per_day=1, missing=0.01)


def delays(world: World, rules: Rules, drift: Drift, *, trials: int) -> dict[str, list[float]]:
    """Batches up to and including the first alarm, by rule and trial; infinite where there is none."""
    found: dict[str, list[float]] = {rule: [] for rule in RULES}
    quiet = QUIET_DAYS[world.per_day]
    for _ in range(trials):
        alarms = rules.alarms(changed(world, drift, quiet=quiet))
        for rule in RULES:
            places = np.flatnonzero(alarms[rule][quiet * world.per_day :])
            found[rule].append(float(places[0]) + 1 if places.size else np.inf)
    return found


def changed(world: World, drift: Drift, *, quiet: int) -> Iterator[tuple[str, Batches]]:
    """The drifting columns: some quiet days, then the change."""
    offsets = np.arange((quiet + drift.days) * world.per_day + 1) * world.rows
    for place in drift.places:
        before = world.column(place, first_day=world.reference_days, days=quiet)
        after = world.column(place, first_day=world.reference_days + quiet, days=drift.days, change=drift.change)
        yield f"c{place}", stack_batches(before.append(after), offsets, kind=world.kind(place))


def learned(world: World) -> Rules:
    return Rules(world.reference(), BUDGET_DAYS, world.per_day, world.columns)


def table(found: Mapping[str, Mapping[str, Sequence[float]]], *, unit: str) -> str:
    """Share found and median delay, as Markdown."""
    lines = ["| drift | " + " | ".join(RULES) + " |", "|---" * (len(RULES) + 1) + "|"]
    for title, by_rule in found.items():
        cells = []
        for rule in RULES:
            waits = np.array(by_rule[rule])
            share, median = np.isfinite(waits).mean(), np.median(waits)
            cells.append(f"{share:.0%}" + (f", {median:g} {unit}" if np.isfinite(median) else ""))
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=25)
    parser.add_argument("--references", type=int, default=2)
    chosen = parser.parse_args()
    started, tables = time.process_time(), []
    for world_of, drifts, unit in ((hourly, HOURLY, "h"), (daily, DAILY, "d")):
        found = {drift.title: {rule: [] for rule in RULES} for drift in drifts}
        for seed in range(chosen.references):
            world = world_of(seed)
            rules = learned(world)
            for drift in drifts:
                for rule, waits in delays(world, rules, drift, trials=chosen.trials).items():
                    found[drift.title][rule] += waits
        tables.append(table(found, unit=unit))
    minutes = (time.process_time() - started) / 60
    machine = f"{platform.machine()}, {os.cpu_count()} cores of which one was used, {minutes:.0f} minutes of it"
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(
        HEAD.format(trials=chosen.trials * chosen.references, machine=machine) + BETWEEN.join(tables) + "\n"
    )


HEAD = f"""# Drift found, and how soon

Share of {{trials}} trials in which a rule alarmed on the drifting columns within the days looked at (2 to 60, see
`detection.py`), and the median delay, the batch of the alarm included. Budget of ours: one false alarm in {BUDGET_DAYS}
days. Machine: {{machine}}. Written by `python -m simulations.detection`.

80 columns, 1,000 rows an hour, checked every hour; a reference of 20 days and 10 quiet days before the onset:

"""
BETWEEN = """

30 columns, 2,400 rows a day, checked every day; a reference of 40 days and 30 quiet days before the onset:

"""

if __name__ == "__main__":
    main()
