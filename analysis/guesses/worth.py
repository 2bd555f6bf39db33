r"""What a guess of a matrix of gains is worth, judged by the gains: ranks, regret and groups.

Truths come as a stack [B, T, T]: one measured matrix, or many that the true gains may be. A guess
is judged target by target, without the diagonal. Where it says nothing of a source (NaN) the
source counts as that target's average one; sources that it does not tell apart are taken in random
order, and what is expected over all such orders is reported:

    regret@k = max over s of G_st - E[max over the k sources that the guess puts first of G_st]

Legend: B truths, T tasks; sources are rows, targets columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy import stats

from analysis.arrays import Floats, Labels
from analysis.gains.additive import Cells, find_cells
from analysis.partitions.decision import search
from analysis.partitions.exact import solve_sets, trace_partition, value_sets
from analysis.partitions.per_draw import cluster_stack, measure_gain

MOST_EXACT = 13
"""Most tasks whose partitions into a number of groups are all looked at."""
LEAST_SOURCES = 3
"""With fewer, a rank correlation says nothing."""
RANDOM_PARTITIONS = 400


def fill_unknown(guess: Floats, cells: Cells) -> Floats:
    """Return a guess with each target's mean where it says nothing, 0 where it says nothing at all.

    Args:
        guess: [T, T].
        cells: those that are judged, [T, T].
    """
    known = np.isfinite(guess) & cells
    count = known.sum(axis=0)
    mean = np.where(known, guess, 0.0).sum(axis=0) / np.maximum(count, 1)
    return np.where(known, guess, mean)


def correlate_sources(guess: Floats, truths: Floats) -> Floats:
    """Return Spearman's correlation over the sources of each target, [B, T].

    0 where the guess tells no sources apart; NaN where there are fewer than three, or the truth
    does not.

    Args:
        guess: [T, T].
        truths: [B, T, T], missing in the same cells.
    """
    return _judge_targets(guess, truths, _correlate, LEAST_SOURCES)


def _judge_targets(
    guess: Floats, truths: Floats, judge: Callable[[Floats, Floats], Floats], least: int = 2
) -> Floats:
    """Return what `judge` says of each target's sources, [B, T]; NaN for fewer than `least`.

    Args:
        guess: [T, T].
        truths: [B, T, T], missing in the same cells.
        judge: from a guess [n] and truths [B, n] to [B].
    """
    cells = find_cells(truths[0])
    filled = fill_unknown(guess, cells)
    found = np.full((len(truths), len(guess)), np.nan)
    for target in range(len(guess)):
        kept = cells[:, target]
        if kept.sum() >= least:
            found[:, target] = judge(filled[kept, target], truths[:, kept, target])
    return found


def _correlate(guess: Floats, truths: Floats) -> Floats:
    """Return Spearman's correlation of values [n] with each of [B, n]."""
    one = stats.rankdata(guess) - (len(guess) + 1) / 2
    others = stats.rankdata(truths, axis=1) - (len(guess) + 1) / 2
    scale = np.sqrt((others**2).sum(axis=1))
    own = float(np.sqrt((one**2).sum()))
    known = np.where(scale > 0, 0.0, np.nan)
    if own == 0:
        return known
    return np.divide(others @ one, scale * own, out=known, where=scale > 0)


def expect_regret(guess: Floats, truths: Floats, k: int) -> Floats:
    """Return regret@k of each target, expected over the order of ties, [B, T].

    NaN for a target with fewer than two sources.

    Args:
        guess: [T, T].
        truths: [B, T, T], missing in the same cells.
    """

    def judge(guess: Floats, values: Floats) -> Floats:
        missed: Floats = values.max(axis=1) - _expect_best(guess, values, min(k, len(guess)))
        return missed

    return np.maximum(_judge_targets(guess, truths, judge), 0.0)


def average_chosen(guess: Floats, truths: Floats, k: int) -> Floats:
    """Return the mean gain of the k sources of each target that a guess puts first, [B, T].

    Of sources that it does not tell apart, the average counts. NaN and arguments as in
    `expect_regret`.
    """

    def judge(guess: Floats, values: Floats) -> Floats:
        mean: Floats = values @ _weigh_chosen(guess, min(k, len(guess)))
        return mean

    return _judge_targets(guess, truths, judge)


def _weigh_chosen(guess: Floats, k: int) -> Floats:
    """Return each source's weight in the mean of the k that are put first, [n]."""
    level = np.sort(guess)[::-1][k - 1]
    sure, tied = guess > level, guess == level
    return (sure + tied * (k - sure.sum()) / tied.sum()) / k


def _expect_best(guess: Floats, values: Floats, k: int) -> Floats:
    """Return the expected best of the k sources that a guess [n] puts first, [B] of [B, n]."""
    level = np.sort(guess)[::-1][k - 1]
    sure, tied = guess > level, guess == level
    left, among = k - int(sure.sum()), int(tied.sum())
    ways = np.array([math.comb(among - 1 - rank, left - 1) for rank in range(among)], np.float64)
    drawn = np.sort(values[:, tied], axis=1)[:, ::-1]
    if sure.any():  # the best of both is no less than that of the sure ones
        drawn = np.maximum(drawn, values[:, sure].max(axis=1, keepdims=True))
    expected: Floats = drawn @ (ways / math.comb(among, left))
    return expected


def group_by_guess(guess: Floats, k: int, *, holds_gains: bool) -> Labels:
    """Return the groups that a guess would give, [T].

    A guess of gains says by its sign who should be alone, and so finds the number of groups. A
    likeness does not: it is given the number, and compared within each target, in standard
    deviations between the target's sources.

    Args:
        guess: [T, T]; NaN where it says nothing.
        k: number of groups that a likeness is given.
    """
    cells = ~np.eye(len(guess), dtype=bool)
    filled = np.where(cells, fill_unknown(guess, cells), 0.0)
    if holds_gains:
        starts = [np.arange(len(guess)), np.zeros(len(guess), np.int64)]
        if len(guess) > MOST_EXACT:
            starts += [cluster_stack(filled[None], k, m)[0] for m in ("kmeans", "spectral")]
        return search(filled, starts)
    return _group_likeness(standardise(filled), k)


def standardise(values: Floats) -> Floats:
    """Return each target's sources in standard deviations from their mean, the diagonal 0."""
    cells = ~np.eye(len(values), dtype=bool)
    count = max(len(values) - 1, 1)
    off = np.where(cells, values - values.sum(axis=0, where=cells) / count, 0.0)
    scale = np.sqrt((off**2).sum(axis=0) / count)
    return np.divide(off, scale, out=np.zeros_like(off), where=scale > 1e-12)


def _group_likeness(values: Floats, k: int) -> Labels:
    if len(values) > MOST_EXACT:
        found = [cluster_stack(values[None], k, method)[0] for method in ("kmeans", "spectral")]
        return max(found, key=lambda labels: float(measure_gain(values, labels)))
    sets = value_sets(values)
    best = solve_sets(sets, k)
    labels = np.zeros(len(values), np.int64)
    for number, tasks in enumerate(trace_partition(sets, best, k)):
        labels[[task for task in range(len(values)) if tasks >> task & 1]] = number
    return labels


def gain_in_groups(truths: Floats, labels: Labels) -> Floats:
    """Return what each task gains from its group's others on average, 0 alone, [B, T].

    Args:
        truths: [B, T, T]; cells without a value count as 0.
        labels: [T].
    """
    inside = (labels[:, None] == labels) & ~np.eye(len(labels), dtype=bool)
    kept = np.where(inside, np.nan_to_num(truths), 0.0)
    gains: Floats = kept.sum(axis=1) / np.maximum(inside.sum(axis=0), 1)
    return gains


def gain_in_random_groups(truths: Floats, labels: Labels) -> Floats:
    """Return the mean of `gain_in_groups` over random groups of the same sizes, [B, T]."""
    rng = np.random.default_rng(0)
    found = [gain_in_groups(truths, rng.permutation(labels)) for _ in range(RANDOM_PARTITIONS)]
    mean: Floats = np.mean(found, axis=0)
    return mean
