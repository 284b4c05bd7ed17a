"""A promoted champion under watch, with a known truth: how often it is taken back, and after how many days.

``python -m simulations.rollbacks`` (in ``tests``) writes ``results/rollback.md``; the tests run fewer champions. Each
is watched for 90 days of labels and looked at every day. Rows of one day move together where the true difference of the
two models wanders from day to day; targets are known on the day, or evenly 0 to 30 days later.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from driftbook.config.policy import RollbackPolicy
from driftbook.decisions.sequential import (
    PairedSums,
    log_evidence,
    log_start_weights,
    log_turning_evidence,
    sums_by_start,
)
from driftbook.model.metrics import wilson

POLICY = RollbackPolicy()
DISAGREEMENT = 0.12  # share of the rows on which the two models differ
LATEST = 30  # days after which the last target of a day is known
TURN = 30  # good days before it turns bad
ROWS = (480, 2_400, 24_000)
SPREADS = (0.0, 0.01)  # standard deviation of the true difference from day to day
RESULTS = Path(__file__).parent / "results"
RULES = ("both conditions", "statistical alone", "bare rule")

Counts = NDArray[np.float64]
By = Literal["events", "arrivals"]


@dataclass(frozen=True)
class World:
    """What the champion truly gains on the one before it: ``first`` until the turn, ``later`` from it on."""

    name: str
    first: float
    later: float
    turn: int = 0

    @property
    def turns_bad(self) -> bool:
        """Whether it ought to be taken back."""
        return self.later < 0

    def gains(self, days: int) -> Counts:
        """The true gain of each day."""
        return np.where(np.arange(days) < self.turn, self.first, self.later)


EQUAL = World("equal", 0.0, 0.0)
BETTER = World("better by 2 points", 0.02, 0.02)
BAD = World("worse by 3 points from its first day", -0.03, -0.03)
TURNING = World(f"better by 2 points for {TURN} days, then worse by 3", 0.02, -0.03, TURN)
WORLDS = (EQUAL, BETTER, BAD, TURNING)


@dataclass(frozen=True)
class Cells:
    """Wins and losses by the day of the rows and the days until their targets came, summed up over the latter.

    ``rows`` has shape (delays,), ``total`` and ``squares`` (champions, days, delays): what is known after each delay.
    """

    rows: NDArray[np.int64]
    total: NDArray[np.int64]
    squares: NDArray[np.int64]

    def known(self, day: int, by: By) -> PairedSums:
        """What is known at the end of a day, by the day of the rows or by the day their targets came."""
        days = np.arange(day + 1)
        if by == "arrivals":
            rows, total, squares = (np.stack([self._arrived(each, k) for k in days], axis=-1) for each in self._all)
            return PairedSums.of(np.broadcast_to(rows, total.shape), total, squares, is_sign=True)
        delay = np.minimum(day - days, len(self.rows) - 1)
        total, squares = self.total[:, days, delay], self.squares[:, days, delay]
        return PairedSums.of(np.broadcast_to(self.rows[delay], total.shape), total, squares, is_sign=True)

    @property
    def _all(self) -> tuple[NDArray[np.int64], ...]:
        every_day = np.broadcast_to(self.rows, self.total.shape[1:])
        return every_day, self.total, self.squares

    @staticmethod
    def _arrived(known: NDArray[np.int64], day: int) -> NDArray[np.int64]:
        """What came on one day, of all days of rows."""
        came = np.diff(known, axis=-1, prepend=0)
        delays = np.arange(min(day + 1, came.shape[-1]))
        arrived: NDArray[np.int64] = came[..., day - delays, delays].sum(axis=-1)
        return arrived


def simulate(world: World, *, rows: int, spread: float, late: bool, champions: int, seed: int) -> Cells:
    """Champions over the days of a watch, ``rows`` predictions a day."""
    rng, days = np.random.default_rng(seed), POLICY.watch_days
    loss = spread * rng.standard_normal((champions, days)) - world.gains(days)
    win = ((DISAGREEMENT + loss) / 2).clip(0.0, 1.0)[..., None]
    lose = ((DISAGREEMENT - loss) / 2).clip(0.0, 1.0)[..., None]
    counts = np.full(LATEST + 1, rows // (LATEST + 1)) if late else np.array([rows])
    counts[: rows - counts.sum()] += 1
    wins = rng.binomial(counts, win, (champions, days, len(counts)))
    losses = rng.binomial(counts - wins, lose / (1.0 - win))
    return Cells(counts.cumsum(), (wins - losses).cumsum(axis=-1), (wins + losses).cumsum(axis=-1))


def taken_back(cells: Cells, *, by: By = "events") -> dict[str, Counts]:
    """The day each champion is taken back, by rule, counted from 1; infinite for one that stays."""
    days: dict[str, Counts] = {rule: np.full(len(cells.total), np.inf) for rule in RULES}
    run = np.zeros(len(cells.total), dtype=int)
    for day in range(POLICY.watch_days):
        known = cells.known(day, by)
        run = np.where(_arrived_loss(cells, day) >= POLICY.margin - 1e-9, run + 1, 0)
        statistical, business = conditions(known)
        for rule, holds in zip(RULES, (statistical & business, statistical, run >= POLICY.stable_days), strict=True):
            days[rule] = np.where(holds, np.minimum(days[rule], day + 1), days[rule])
        if all(np.isfinite(each).all() for each in days.values()):
            break
    return days


def conditions(known: PairedSums) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The two conditions of ``decisions.rollback`` for many champions at once."""
    by_start, count = sums_by_start(known), known.rows.shape[-1]
    wealth = log_turning_evidence(by_start)
    start = np.where(wealth > 0, (log_evidence(by_start) + log_start_weights(count)).argmax(axis=-1), 0)
    total, rows = (np.take_along_axis(each, start[:, None], axis=-1)[:, 0] for each in (by_start.total, by_start.rows))
    business = (total / rows >= POLICY.margin - 1e-9) & (count - start >= POLICY.stable_days)
    return wealth >= -math.log(POLICY.false_rollback_rate), business


def _arrived_loss(cells: Cells, day: int) -> Counts:
    """The champion's loss on the rows whose targets came on a day: all that the bare rule looks at."""
    every_day = np.broadcast_to(cells.rows, cells.total.shape[1:])
    loss: Counts = Cells._arrived(cells.total, day) / Cells._arrived(every_day, day)
    return loss


def watch(
    world: World, *, rows: int, spread: float, late: bool, champions: int, by: By = "events", block: int = 200
) -> dict[str, Counts]:
    """The day each of many champions is taken back, simulated some at a time."""
    make = partial(simulate, world, rows=rows, spread=spread, late=late)
    sizes = [min(block, champions - first) for first in range(0, champions, block)]
    parts = [taken_back(make(champions=size, seed=seed), by=by) for seed, size in enumerate(sizes)]
    return {rule: np.concatenate([part[rule] for part in parts]) for rule in RULES}


def share(days: Counts) -> str:
    """The share taken back, with its 95 % interval."""
    estimate = wilson(int(np.isfinite(days).sum()), len(days))
    return f"{100 * estimate.value:.1f} % ({100 * estimate.low:.1f} to {100 * estimate.high:.1f})"


def delay(days: Counts, world: World) -> str:
    """Median days of labels from the turn until a champion is taken back; and how many were taken back before it."""
    found = days[np.isfinite(days)] - world.turn
    if not len(found):
        return "none"
    early = int((found <= 0).sum())
    return f"{np.median(found):.3g} d" + (f", {early} before the turn" if early else "")


def table(lines: Iterator[Sequence[str]]) -> str:
    """A Markdown table; the first line is its header."""
    header, *rows = lines
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, ["---"] * len(header), *rows))


def results(champions: int, bad_champions: int) -> Iterator[Sequence[str]]:
    """Each world at each number of rows, calm and restless, with prompt and with late targets."""
    yield ("champion", "targets", "rows a day", "spread of days", *RULES)
    for world in WORLDS:
        count = champions if world is EQUAL else bad_champions
        for late in (False, True):
            for rows in ROWS:
                for spread in SPREADS:
                    found = watch(world, rows=rows, spread=spread, late=late, champions=count)
                    told = [
                        f"{share(days)}; {delay(days, world)}" if world.turns_bad else share(days)
                        for days in found.values()
                    ]
                    when = f"0–{LATEST} days late" if late else "on the day"
                    yield (world.name, when, f"{rows:,}", f"{100 * spread:g} points", *told)


def arrivals(champions: int) -> Iterator[Sequence[str]]:
    """Days of events against days of arrivals, where targets are late."""
    yield ("champion", "rows a day", "by the day of the rows", "by the day targets came")
    for world in (EQUAL, TURNING):
        for rows in ROWS:
            sides = [
                watch(world, rows=rows, spread=0.01, late=True, champions=champions, by=by)[RULES[1]]
                for by in ("events", "arrivals")
            ]
            yield (
                world.name,
                f"{rows:,}",
                *(delay(days, world) if world.turns_bad else share(days) for days in sides),
            )


def main() -> None:
    """Write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--champions", type=int, default=800)
    parser.add_argument("--bad-champions", type=int, default=150)
    chosen = parser.parse_args()
    first, second = table(results(chosen.champions, chosen.bad_champions)), table(arrivals(chosen.bad_champions))
    minutes = time.process_time() / 60
    machine = f"{platform.machine()}, {os.cpu_count()} cores of which one was used, {minutes:.0f} minutes of it"
    RESULTS.mkdir(exist_ok=True)
    head = HEAD.format(**vars(chosen), machine=machine, days=POLICY.watch_days, rate=POLICY.false_rollback_rate)
    (RESULTS / "rollback.md").write_text(f"{head}\n{first}\n{ARRIVALS}\n{second}\n", encoding="utf-8")


HEAD = """# Promoted champions that are taken back, and how soon

Share of {champions} champions ({bad_champions} where they are not equal) that were taken back within {days} days of
labels, looked at every day, with its 95 % interval; for those that turn bad the median delay, in days of labels from
the turn. The two models differ on 12 % of the rows. Policy: a false rollback rate of {rate}, one point over three days.
"Bare rule": one point worse on each of three days in a row of arriving targets, without a test. Seeds 0 and up.

Machine: {machine}. Written by
`python -m simulations.rollbacks --champions {champions} --bad-champions {bad_champions}`.
"""
ARRIVALS = """
Why a watch sums by the day the rows happened: targets 0–30 days late, days that spread by one point, the statistical
condition alone.
"""

if __name__ == "__main__":
    main()
