"""After a first round: which runs deserve more seeds.

The decision at stake in a cell is whether to train the target with the source. Measured with the
difference d and the standard error s it is taken by d's sign; more seeds may turn it. n
further runs shrink the part of s^2 that seeds make, from v / S to v / (S + n), and are expected to
raise the gain that the decision realises by (expected value of sample information)

    r phi(d / r) - |d| Phi(-|d| / r)        r^2 = v / S - v / (S + n)

Dev examples' part of s^2 stays, however many seeds: a cell whose doubt comes from 56 dev examples
is not worth runs. A pair run serves both of its directions, a single run its task's whole column.
Runs are added where they are worth most for their cost, in the number n that makes a run's value
highest (after Frazier and Powell 2010): one run alone rarely turns a decision that five would.

    for extra in plan_refinement(found, budget=40): print(extra.tasks, extra.seeds)

Legend: T tasks, S runs of an arm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import stats

from analysis.arrays import Floats
from analysis.gains.bootstrap import GainBootstrap
from hmnet.errors import InputError

Counts: TypeAlias = npt.NDArray[np.int64]

BATCHES = (1, 2, 4, 8, 16, 32)
"""Numbers of further runs that are looked ahead to."""
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

    tasks: tuple[str, ...]
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
        weights: how much a cell's decision matters, [T, T].
        pair_cost: cost of a pair run in single runs: 1 to count runs, 2 for tokens.

    Raises:
        InputError: if no cell has seed noise to reduce, or weights have another shape.
    """
    stake = _weigh(found, weights)
    extra = np.zeros_like(stake, dtype=np.int64)  # the diagonal holds the single runs
    cost = np.where(np.eye(len(stake), dtype=bool), 1.0, pair_cost)
    left = float(budget)
    while left >= cost.min():
        worth, batch = _look_ahead(found, stake, extra, cost, left)
        best = np.unravel_index(np.argmax(worth), worth.shape)
        if worth[best] < LEAST_VALUE:
            break
        extra[best] += batch[best]
        left -= float(batch[best] * cost[best])
    saved = _value_runs(found, stake, np.zeros_like(extra), extra)
    plan = [
        ExtraRuns(_name(found, i, j), int(extra[i, j]), float(saved[i, j]))
        for i, j in np.argwhere(extra > 0).tolist()
    ]
    return sorted(plan, key=lambda entry: -entry.value)


def _name(found: GainBootstrap, one: int, other: int) -> tuple[str, ...]:
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


def _look_ahead(
    found: GainBootstrap, stake: Floats, extra: Counts, cost: Floats, left: float
) -> tuple[Floats, Counts]:
    """Return what a further run is worth for its cost, and in which number, both [T, T]."""
    worth, batch = np.zeros_like(stake), np.ones_like(extra)
    for count in BATCHES:
        value = _value_runs(found, stake, extra, np.full_like(extra, count)) / (count * cost)
        is_better = (count * cost <= left) & (value > worth)
        worth[is_better], batch[is_better] = value[is_better], count
    return worth, batch


def _value_runs(found: GainBootstrap, stake: Floats, extra: Counts, more: Counts) -> Floats:
    """Return what more runs are worth: pairs above the diagonal, single runs on it, [T, T].

    Args:
        extra: runs that are planned already, pairs above the diagonal.
        more: further ones, likewise.
    """
    singles, planned = found.n_single + np.diag(extra), _mirror(extra)
    alone = _reduce(found.single_noise, singles, np.diag(more))
    together = _reduce(found.joint_noise, found.n_joint + planned, _mirror(more))
    difference = np.where(stake != 0, found.joint - found.single, 0.0)
    by_pairs = stake * measure_value(difference, np.where(stake != 0, together, 0.0))
    by_singles = stake * measure_value(difference, np.where(stake != 0, alone, 0.0))
    return np.triu(by_pairs + by_pairs.T, k=1) + np.diag(by_singles.sum(axis=0))


def _mirror(counts: Counts) -> Counts:
    """Return the runs of pairs in both directions, 0 on the diagonal."""
    above = np.triu(counts, k=1)
    return above + above.T


def _reduce(noise: Floats, count: Counts, more: Counts) -> Floats:
    """Return the SD of how far `more` runs move a mean of `count` runs."""
    runs = np.maximum(count, 1)
    return np.sqrt(noise * more / (runs * (runs + more)))


def measure_value(difference: Floats, reduction: Floats) -> Floats:
    """Return the expected rise of the realised gain, for any shape.

    Args:
        difference: d.
        reduction: r, the SD of how far the further runs will move d.
    """
    moved = np.where(reduction > 0, reduction, 1.0)
    ratio = np.abs(difference) / moved
    value = moved * (stats.norm.pdf(ratio) - ratio * stats.norm.sf(ratio))
    return np.where(reduction > 0, np.maximum(value, 0.0), 0.0)
