"""After a first round: which runs deserve more seeds.

The decision at stake in a cell is whether to train the target with the source. Measured with the
difference d and the standard error s it is taken by d's sign; more seeds may turn it. A further
run shrinks the part of s^2 that seeds make, from v / S to v / (S + 1), and is expected to raise
the gain that the decision realises by (expected value of sample information)

    r phi(d / r) - |d| Phi(-|d| / r)        r^2 = v / S - v / (S + 1)

Dev examples' part of s^2 stays, however many seeds: a cell whose doubt comes from 56 dev examples
is not worth runs. A pair run serves both of its directions, a single run its task's whole column.
Runs are added one by one, the most valuable for its cost first.

    for extra in plan_refinement(found, budget=40): print(extra.tasks, extra.seeds)

Legend: T tasks, S runs of an arm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import stats

from analysis.bootstrap import GainBootstrap
from hmnet.errors import InputError

Floats: TypeAlias = npt.NDArray[np.float64]
Runs: TypeAlias = tuple[str, ...]

LEAST_VALUE = 1e-5
"""A run that is expected to save less than this (a thousandth of a point) is not planned."""


@dataclass(frozen=True)
class ExtraRuns:
    """Further seeds for one task's single runs, or for one pair's joint runs.

    Attributes:
        tasks: one name, or two.
        seeds: how many further seeds.
        value: the gain in score (a fraction) that they are expected to save, over all cells.
    """

    tasks: Runs
    seeds: int
    value: float


def plan_refinement(
    found: GainBootstrap,
    budget: float,
    *,
    weights: npt.ArrayLike | None = None,
    pair_cost: float = 1.0,
) -> list[ExtraRuns]:
    """Return where further seeds are worth most, the most valuable first.

    The plan is shorter than the budget, or empty, where no run is likely to change a decision
    (each worth less than `LEAST_VALUE`).

    Args:
        found: the first round.
        budget: number of runs (or their cost in single runs, with another `pair_cost`).
        weights: how much a cell's decision matters, [T, T]; `weigh_doubt` of a co-assignment
            matrix prefers pairs of which it is open whether they belong together.
        pair_cost: cost of a pair run in single runs: 1 to count runs, 2 for tokens.

    Raises:
        InputError: if no cell has seed noise to reduce, or weights have another shape.
    """
    stake = _weigh(found, weights)
    extra = np.zeros_like(stake, dtype=np.int64)  # the diagonal holds the single runs
    saved = np.zeros_like(stake)
    cost = np.where(np.eye(len(stake), dtype=bool), 1.0, pair_cost)
    left = float(budget)
    while left >= cost.min():
        worth = np.where(cost <= left, _value_runs(found, stake, extra), 0.0)
        best = np.unravel_index(np.argmax(worth / cost), worth.shape)
        if worth[best] < LEAST_VALUE:
            break
        extra[best] += 1
        saved[best] += worth[best]
        left -= float(cost[best])
    plan = [
        ExtraRuns(_name(found, i, j), int(extra[i, j]), float(saved[i, j]))
        for i, j in np.argwhere(extra > 0).tolist()
    ]
    return sorted(plan, key=lambda entry: -entry.value)


def _name(found: GainBootstrap, one: int, other: int) -> Runs:
    return (found.tasks[one],) if one == other else (found.tasks[one], found.tasks[other])


def _weigh(found: GainBootstrap, weights: npt.ArrayLike | None) -> Floats:
    """Return the weights of cells that have a gain and seed noise, 0 elsewhere."""
    known = ~np.isnan(found.joint) & found.has_seed_noise
    given = np.ones(known.shape) if weights is None else np.asarray(weights, np.float64)
    if given.shape != known.shape or not known.any():
        raise InputError(
            f"Parameter `found` should have seed noise in some cell, and `weights` the shape "
            f"{list(known.shape)}. Found {int(known.sum())} such cells and {list(given.shape)}."
        )
    return np.where(known, given, 0.0)


def _value_runs(found: GainBootstrap, stake: Floats, extra: npt.NDArray[np.int64]) -> Floats:
    """Return what one run more is worth: pairs above the diagonal, single runs on it, [T, T]."""
    both = extra + extra.T
    alone = _reduce(found.single_noise, found.n_single + np.diag(extra))
    together = _reduce(found.joint_noise, found.n_joint + np.where(np.eye(len(both)), 0, both))
    difference = np.where(stake != 0, found.joint - found.single, 0.0)
    pairs = stake * measure_value(difference, np.where(stake != 0, together, 0.0))
    singles = stake * measure_value(difference, np.where(stake != 0, alone, 0.0))
    return np.triu(pairs + pairs.T, k=1) + np.diag(singles.sum(axis=0))


def _reduce(noise: Floats, count: npt.NDArray[np.int64]) -> Floats:
    """Return the SD of how far one run more moves a mean of `count` runs."""
    runs = np.maximum(count, 1)
    return np.sqrt(noise / (runs * (runs + 1.0)))


def weigh_doubt(together: npt.ArrayLike) -> Floats:
    """Return 4 c (1 - c): 1 where two tasks share a group in half of the draws, 0 where always.

    Args:
        together: co-assignment matrix, [T, T], shares of draws.
    """
    share = np.asarray(together, dtype=np.float64)
    return 4 * share * (1 - share)


def measure_value(difference: Floats, reduction: Floats) -> Floats:
    """Return the expected rise of the realised gain, for any shape.

    Args:
        difference: d.
        reduction: r, the SD of how far the further run will move d.
    """
    moved = np.where(reduction > 0, reduction, 1.0)
    ratio = np.abs(difference) / moved
    value = moved * (stats.norm.pdf(ratio) - ratio * stats.norm.sf(ratio))
    return np.where(reduction > 0, np.maximum(value, 0.0), 0.0)
