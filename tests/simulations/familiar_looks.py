"""What the familiar tests promise when they are looked at daily, and when rows of a day move together.

Known truth: the challenger is exactly as good as the champion. Each run is 90 labelled days; where rows move together
the difference of the two wanders by one point from day to day. ``python -m simulations.familiar_looks --runs 20000``
(in ``tests``) writes ``results/familiar_looks.md``; the test runs fewer.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy.stats import binom

from driftbook.config.policy import PromotionPolicy
from driftbook.decisions.paired_tests import bootstrap_mean, clusters_of
from driftbook.decisions.sequential import PairedSums, effective_sums, log_evidence
from driftbook.model.metrics import wilson

DAYS, SEED = 90, 20260630
ROWS = (480, 2_400, 24_000)
DISAGREEMENT = 0.12
TOGETHER = 0.01
LEVEL = 0.05
AT_ONCE = 500  # runs, for the memory's sake
DEMONSTRATED_DAYS = (8, 15, 30)
RESULTS = Path(__file__).parent / "results" / "familiar_looks.md"


def equal_models(*, runs, rows, day_spread, days=DAYS, seed=SEED):
    """Wins and losses of a challenger that is as good as the champion, shape (runs, days)."""
    random = np.random.default_rng([seed, rows, round(1e4 * day_spread), days])
    difference = day_spread * random.standard_normal((runs, days))
    win, lose = (((DISAGREEMENT + sign * difference) / 2).clip(0, 1) for sign in (1, -1))
    wins = random.binomial(rows, win)
    return wins, random.binomial(rows - wins, (lose / (1 - win)).clip(0, 1))


def called_better(wins, losses):
    """Per run and day: whether McNemar's exact test on all rows so far calls the challenger better."""
    total_wins, total_losses = wins.cumsum(axis=1), losses.cumsum(axis=1)
    p_values = 2 * binom.cdf(np.minimum(total_wins, total_losses), total_wins + total_losses, 0.5)
    return (p_values < LEVEL) & (total_wins > total_losses)


def proven_better(wins, losses, rows):
    """The same of the statistical condition of the promotion."""
    proven = np.empty(wins.shape, dtype=bool)
    for part in np.array_split(np.arange(len(wins)), -(-len(wins) // AT_ONCE)):
        total, squares = wins[part] - losses[part], wins[part] + losses[part]
        days = PairedSums.of(np.full(total.shape, rows), total, squares, is_sign=True)
        proven[part] = log_evidence(effective_sums(days)) >= -np.log(PromotionPolicy().false_promotion_rate)
    return proven


def bootstrap_misses(*, runs, days, rows=480, day_spread=TOGETHER):
    """Runs whose bootstrap interval by day leaves out the true difference, which is zero."""
    wins, losses = equal_models(runs=runs, rows=rows, day_spread=day_spread, days=days)
    day = np.repeat(np.arange(days), rows)
    clusters = clusters_of(day, seed=SEED)
    place = np.tile(np.arange(rows), days)
    missed = 0
    for won, lost in zip(wins, losses, strict=True):
        gained = (place < won[day]).astype(float) - (place >= rows - lost[day])
        found = bootstrap_mean(gained, clusters, seed=SEED)
        missed += not found.low <= 0 <= found.high
    return missed


def render(runs, bootstraps):
    """The table, as Markdown."""
    lines = [
        "# An equal challenger, seen through the familiar tests",
        "",
        f"Called better by McNemar's test at p < {LEVEL:g}, and by the confidence sequence that decides; {runs:,} runs "
        f"of {DAYS} days, labels of a day at once, models that disagree on {DISAGREEMENT:.0%} of rows; seed {SEED}.",
        f'"Together": the difference wanders by {100 * TOGETHER:g} point from day to day. 95 % intervals in brackets.',
        "",
        "| predictions a day | rows | McNemar, one look | McNemar, daily looks | confidence sequence, daily looks |",
        "|---|---|---|---|---|",
    ]
    for rows in ROWS:
        for name, spread in (("independent", 0.0), ("together", TOGETHER)):
            wins, losses = equal_models(runs=runs, rows=rows, day_spread=spread)
            called = called_better(wins, losses)
            ever = proven_better(wins, losses, rows).any(axis=1)
            cells = [_share(found.sum(), runs) for found in (called[:, -1], called.any(axis=1), ever)]
            lines.append(f"| {rows:,} | {name} | " + " | ".join(cells) + " |")
    lines += [
        "",
        f"Bootstrap by day, one look, rows together, 480 a day: intervals (95 % promised) that miss the truth in "
        f"{bootstraps:,} runs.",
        "",
        "| days | missed |",
        "|---|---|",
    ]
    for days in DEMONSTRATED_DAYS:
        lines.append(f"| {days} | {_share(bootstrap_misses(runs=bootstraps, days=days), bootstraps)} |")
    return "\n".join(lines) + "\n"


def _share(count, runs):
    found = wilson(float(count), runs)
    return f"{100 * found.value:.2f} % ({100 * found.low:.2f} to {100 * found.high:.2f})"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--bootstraps", type=int, default=2_000)
    chosen = parser.parse_args()
    RESULTS.write_text(render(chosen.runs, chosen.bootstraps), encoding="utf-8")
