"""How often an equal challenger is promoted, and how soon a better one, when one looks every day.

Known truth: two models that disagree on 12 % of the rows, the challenger better by ``advantage``; "together" lets the
true difference wander by one point from day to day, so that the rows of a day of events move together, whenever their
targets come. Targets come at the end of the day, or 0 to 30 days late, each as likely.
``python -m simulations.promotions`` (in ``tests``) writes ``results/promotion.md``; the test runs fewer.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from driftbook.config.policy import PromotionPolicy
from driftbook.decisions.sequential import EventDays, PairedSums, effective_sums, log_evidence
from driftbook.model.metrics import wilson

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
POLICY = PromotionPolicy()
DAYS, SEED = 90, 20260630
ROWS = (480, 2_400, 24_000)
DISAGREEMENT, ACCURACY, TOGETHER = 0.12, 0.87, 0.01
SPLIT = 10  # one in so many rows goes to the challenger where traffic is split
SEGMENTS = 6
AT_ONCE = 500  # runs, for the memory's sake
LATE_DAYS = 30
RESULTS = Path(__file__).parent / "results" / "promotion.md"


@dataclass(frozen=True)
class World:
    """What is true: ``rows`` a day, ``advantage`` of the challenger, how it wanders, how late targets come."""

    rows: int
    advantage: float = 0.0
    day_spread: float = 0.0
    late_days: int = 0
    days: int = DAYS

    @property
    def random(self) -> np.random.Generator:
        """The same numbers each time, others for another world."""
        return np.random.default_rng([SEED, self.rows, round(1e4 * self.day_spread), self.late_days, self.days])

    def parts(self, runs: int) -> Iterator[Arrivals]:
        """Runs, few at a time."""
        random = self.random
        for start in range(0, runs, AT_ONCE):
            yield self._arrivals(min(AT_ONCE, runs - start), random)

    def _arrivals(self, runs: int, random: np.random.Generator) -> Arrivals:
        difference = self.advantage + self.day_spread * random.standard_normal((runs, self.days, 1))
        win, lose = (((DISAGREEMENT + sign * difference) / 2).clip(0, 1) for sign in (1, -1))
        delays = self.late_days + 1
        rows = random.multinomial(self.rows, [1 / delays] * delays, size=(runs, self.days))
        wins = random.binomial(rows, np.broadcast_to(win, rows.shape))
        losses = random.binomial(rows - wins, np.broadcast_to(lose / (1 - win), rows.shape))
        return Arrivals(*(np.asarray(each, dtype=np.float64) for each in (rows, wins, losses)))


@dataclass(frozen=True)
class Arrivals:
    """Rows, wins and losses by run, day of events and delay in days."""

    rows: Floats
    wins: Floats
    losses: Floats

    def days(self) -> PairedSums:
        """Sums by day of arrival, shape (runs, days)."""
        rows, wins, losses = (_by_arrival(each) for each in (self.rows, self.wins, self.losses))
        return PairedSums(rows, wins - losses, wins + losses, is_sign=True)

    def event_days(self) -> EventDays:
        """How what is known by each day of arrival lies on days of events."""
        runs, days, delays = self.rows.shape
        rows, totals = self.rows.cumsum(axis=2), (self.wins - self.losses).cumsum(axis=2)
        number, squared_rows, squared_totals = (np.zeros((runs, days)) for _ in range(3))
        for day in range(days):
            events = np.arange(day + 1)
            delay = np.minimum(day - events, delays - 1)
            known, total = rows[:, events, delay], totals[:, events, delay]
            number[:, day] = (known > 0).sum(axis=1)
            squared_rows[:, day] = (known**2).sum(axis=1)
            squared_totals[:, day] = (total**2 / known.clip(1)).sum(axis=1)
        return EventDays(number, squared_rows, squared_totals)


def proven(arrivals: Arrivals) -> Flags:
    """Per run and day of arrival: whether the statistical condition holds."""
    sums = effective_sums(arrivals.days(), arrivals.event_days())
    found: Flags = log_evidence(sums) >= -np.log(POLICY.false_promotion_rate)
    return found


def proven_by_arrival(arrivals: Arrivals) -> Flags:
    """The same if days of arrival were taken for days of events."""
    found: Flags = log_evidence(effective_sums(arrivals.days())) >= -np.log(POLICY.false_promotion_rate)
    return found


def proven_by_rows(arrivals: Arrivals) -> Flags:
    """The same if every row were independent of every other."""
    days = arrivals.days()
    rows, total, squares = (each.cumsum(axis=1) for each in (days.rows, days.total, days.squares))
    found: Flags = log_evidence(PairedSums(rows, total, squares, is_sign=True)) >= -np.log(POLICY.false_promotion_rate)
    return found


def worthwhile(arrivals: Arrivals) -> Flags:
    """Whether the margin is reached on three days of arrival in a row: the bare rule, on rows that both scored."""
    days = arrivals.days()
    return _stable(days.total / days.rows.clip(1))


def worthwhile_on_split_traffic(arrivals: Arrivals, random: np.random.Generator) -> Flags:
    """The bare rule where one row in ten goes to the challenger and the others to the champion; both are equal."""
    rows = arrivals.days().rows.astype(np.int64)
    few = rows // SPLIT
    challenger = random.binomial(few, ACCURACY) / few.clip(1)
    return _stable(challenger - random.binomial(rows - few, ACCURACY) / (rows - few).clip(1))


def false_promotions(world: World, *, runs: int) -> dict[str, int]:
    """Runs in which an equal challenger is ever promoted, by rule."""
    counts = dict.fromkeys(("statistical", "both", "by arrival", "by rows", "bare", "bare, split"), 0)
    random = np.random.default_rng([SEED, world.rows, world.late_days])
    for part in world.parts(runs):
        statistical, business = proven(part), worthwhile(part)
        rules = {
            "statistical": statistical,
            "both": statistical & business,
            "by arrival": proven_by_arrival(part),
            "by rows": proven_by_rows(part),
            "bare": business,
            "bare, split": worthwhile_on_split_traffic(part, random),
        }
        for name, found in rules.items():
            counts[name] += int(found.any(axis=1).sum())
    return counts


def decided_after(world: World, *, runs: int, rule: Callable[[Arrivals], Flags]) -> Floats:
    """Per run: days of labels (known targets over rows a day) until a rule holds; infinite if it never did."""
    found = []
    for part in world.parts(runs):
        holds, labels = rule(part), part.days().rows.cumsum(axis=1) / world.rows
        first = labels[np.arange(len(holds)), holds.argmax(axis=1)]
        found.append(np.where(holds.any(axis=1), first, np.inf))
    return np.concatenate(found)


def promoted(arrivals: Arrivals) -> Flags:
    """Both conditions."""
    return proven(arrivals) & worthwhile(arrivals)


def held_up(rows: int, *, after_days: int, runs: int) -> int:
    """Runs in which a segment guardrail stands by chance against a challenger better by two points in every segment."""
    random = np.random.default_rng([SEED, rows, after_days])
    size = rows * after_days // SEGMENTS
    wins = random.binomial(size, (DISAGREEMENT + 0.02) / 2, (runs, SEGMENTS))
    lose = (DISAGREEMENT - 0.02) / (2 - DISAGREEMENT - 0.02)
    losses = random.binomial(size - wins, lose)
    judged = size >= POLICY.guardrails.min_segment_rows
    return int(((losses - wins) / size > POLICY.guardrails.max_segment_loss).any(axis=1).sum()) if judged else 0


def render(runs: int) -> str:
    """All tables, as Markdown."""
    lines = [
        "# Promotions by chance, and how soon a better challenger is promoted",
        "",
        f"{runs:,} runs a line, looked at every day, models that disagree on {DISAGREEMENT:.0%} of the rows; "
        f'"together": the true difference wanders by so much from day to day. Targets at once, or 0 to {LATE_DAYS} '
        f"days late. 95 % intervals in brackets; seed {SEED}. Written by "
        f"`python -m simulations.promotions --runs {runs}`.",
        "",
        f"An equal challenger, promoted at any time in {DAYS} days:",
        "",
        "| predictions a day | targets | rows of a day | statistical condition alone | both conditions | "
        "bare rule, every row scored by both | bare rule, split 10/90 | if days of arrival were days of events | "
        "if rows were independent |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for late_days in (0, LATE_DAYS):
        for rows in ROWS:
            for spread in (0.0, TOGETHER):
                counts = false_promotions(World(rows, day_spread=spread, late_days=late_days), runs=runs)
                order = ("statistical", "both", "bare", "bare, split", "by arrival", "by rows")
                cells = [_share(counts[name], runs) for name in order]
                lines.append(_line(f"{rows:,}", _targets(late_days), _moving(spread), *cells))
    lines += [
        "",
        "A better challenger, 2,400 predictions a day: days of labels until it is decided (median, and the share "
        "decided within three).",
        "",
        "| better by | targets | rows of a day | statistical condition alone | within 3 days | both conditions |",
        "|---|---|---|---|---|---|",
    ]
    for advantage in (0.02, 0.03):
        for late_days, days in ((0, 30), (LATE_DAYS, 45)):
            for spread in (0.0, TOGETHER / 2, TOGETHER):
                world = World(2_400, advantage, spread, late_days, days)
                alone = decided_after(world, runs=runs, rule=proven)
                both = _median(decided_after(world, runs=runs, rule=promoted))
                within = _share(int((alone <= 3).sum()), runs)
                cells = [_targets(late_days), _moving(spread), _median(alone), within, both]
                lines.append(_line(f"{100 * advantage:g} points", *cells))
    lines += [
        "",
        f"A challenger better by 2 points in each of {SEGMENTS} equal segments: how often the segment guardrail stands "
        "against it by chance.",
        "",
        "| predictions a day | after 3 days | after 10 days |",
        "|---|---|---|",
    ]
    for rows in ROWS:
        cells = [_share(held_up(rows, after_days=days, runs=runs), runs) for days in (3, 10)]
        lines.append(_line(f"{rows:,}", *cells))
    return "\n".join(lines) + "\n"


def _by_arrival(cells: Floats) -> Floats:
    runs, days, delays = cells.shape
    found = np.zeros((runs, days))
    for delay in range(min(delays, days)):
        found[:, delay:] += cells[:, : days - delay, delay]
    return found


def _stable(difference: Floats) -> Flags:
    reached = difference >= POLICY.margin - 1e-9
    held = np.zeros_like(reached)
    held[:, 2:] = reached[:, 2:] & reached[:, 1:-1] & reached[:, :-2]
    return held


def _share(count: int, runs: int) -> str:
    found = wilson(float(count), runs)
    return f"{100 * found.value:.2f} % ({100 * found.low:.2f} to {100 * found.high:.2f})"


def _median(days: Floats) -> str:
    middle = float(np.median(days))
    return f"{middle:.1f}" if np.isfinite(middle) else "not in the days looked at"


def _targets(late_days: int) -> str:
    return f"0 to {late_days} days late" if late_days else "at once"


def _moving(spread: float) -> str:
    return f"together, {100 * spread:g} point" if spread else "independent"


def _line(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5_000)
    RESULTS.write_text(render(parser.parse_args().runs), encoding="utf-8")
