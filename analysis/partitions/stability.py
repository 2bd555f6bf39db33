"""Whether a repetition of the study, with other seeds and examples, would give the same groups.

A bootstrap draw lies one dose of noise from the measured matrix; a repetition lies two from it, as
both lie one from the truth. So repetitions are drawn from what the data say of the true gains
(`analysis.gains.posterior`), with a dose of noise of their own, and clustered by the same method.
True gains are taken for unlike each other without any pattern, unless the grouping explains more of
the measured interactions than groupings of such repetitions do of theirs (p < .05): then tasks of
one group have what they share, and the rest has no pattern.

Chance is not an index of 0: noise has clusters too, and main effects alone make repetitions agree
to some degree. So the same is done with matrices of main effects and noise alone
(`analysis.partitions.structure.make_noise`), each of which is a repetition of the others; a
grouping that is not more stable than theirs says nothing.

Legend: B draws, T tasks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.arrays import Floats, Labels
from analysis.gains.posterior import LEAST_TASKS, GainPosterior
from analysis.levels import SIGNIFICANCE, take_interval
from analysis.partitions.agreement import (
    compare_labels,
    compare_members,
    compare_mutually,
    count_together,
)
from analysis.partitions.per_draw import cluster_stack, count_affordable, search_stack
from analysis.partitions.structure import make_noise, split_effects

CHANCE_MATRICES = 80
EXPECTED = "expected"
"""The method that takes, of all partitions, the one with the highest gain to be expected."""


NO_AGREEMENT, ALL_AGREEMENT = 0.05, 0.95
"""Ends of an interval of the adjusted Rand index that excludes nothing."""


@dataclass(frozen=True, eq=False)
class GroupStability:
    """How far repetitions agree with a grouping.

    Attributes:
        draws: number of repetitions.
        together: share of repetitions in which two tasks share a group, [T, T].
        by_task: how alike a task's company is, mean Jaccard index, [T].
        mean: mean adjusted Rand index of the repetitions' groups with the grouping.
        low, high: the index' 95 % interval over repetitions.
        chance: what 95 % of matrices without structure stay below in `mean`; NaN for fewer than
            four tasks.
    """

    draws: int
    together: Floats
    by_task: Floats
    mean: float
    low: float
    high: float
    chance: float

    @property
    def is_beyond_chance(self) -> bool:
        """Whether the groups are more stable than those of noise."""
        return np.isnan(self.chance) or self.mean > self.chance

    @property
    def is_said(self) -> bool:
        """Whether the interval says anything: from no agreement to all of it, it does not."""
        return not (self.low <= NO_AGREEMENT and self.high >= ALL_AGREEMENT)

    def to_origin(self) -> dict[str, float | None]:
        """Return the figures for the origin of groups."""
        return {
            "draws": self.draws,
            "mean_ari": self.mean,
            "ari_low": self.low,
            "ari_high": self.high,
            "chance_ari": None if np.isnan(self.chance) else self.chance,
        }


def repeat_study(values: Floats, draws: Floats, seed: int = 0) -> Floats:
    """Return what repetitions of a study would measure, [B, T, T].

    Args:
        values: the measured gains, [T, T].
        draws: [B, T, T].
    """
    rng = np.random.default_rng(seed)
    off = draws - draws.mean(axis=0)
    again, once_more = off[rng.permutation(len(off))], off[rng.permutation(len(off))]
    if len(values) < LEAST_TASKS:
        return values + again + once_more
    return GainPosterior.of(values, draws).sample(again, rng) + once_more


def measure_stability(
    values: Floats,
    draws: Floats,
    labels: Labels,
    method: str,
    seed: int = 0,
    repetitions: Floats | None = None,
) -> GroupStability:
    """Cluster repetitions of the study by the same method; compare with the grouping.

    Args:
        values: the measured matrix, [T, T].
        draws: [B, T, T].
        labels: the grouping, 0 to k - 1, [T].
        method: of `analysis.partitions.per_draw`, into as many groups, or `EXPECTED`, into any.
        repetitions: of the matrix; None for those of `repeat_study`.
    """
    k, size = int(labels.max()) + 1, len(values)
    again = repeat_study(values, draws, seed) if repetitions is None else repetitions
    clusterer = _Clusterer(values, draws, method, k, seed)
    again = again[: clusterer.count_affordable(len(again))]
    found = clusterer(again)
    if size >= LEAST_TASKS and is_patterned(values, labels, again, found):
        pattern = fit_pattern(values, labels)
        rest = repeat_study(values - pattern, draws - pattern, seed)[: len(again)]
        found = clusterer(rest + pattern)
    index = compare_labels(found, labels)
    low, high = take_interval(index)
    return GroupStability(
        draws=len(found),
        together=count_together(found),
        by_task=compare_members(found, labels),
        mean=float(index.mean()),
        low=float(low),
        high=float(high),
        chance=_measure_chance(values, draws, clusterer) if size > 3 else float("nan"),
    )


def is_patterned(values: Floats, labels: Labels, again: Floats, found: Labels) -> bool:
    """Tell whether a grouping explains more than groupings of repetitions without pattern."""
    own = _explain(values, labels)[1]
    others = [_explain(*each)[1] for each in zip(again, found, strict=True)]
    return float(np.mean([other >= own for other in others])) < SIGNIFICANCE


def fit_pattern(values: Floats, labels: Labels) -> Floats:
    """Return what tasks of one group gain from each other beyond main effects, [T, T]."""
    same = _centre_pattern(labels)
    return _explain(values, labels)[0] * same


def _centre_pattern(labels: Labels) -> Floats:
    return split_effects((labels[:, None] == labels).astype(np.float64))[1]


def _explain(values: Floats, labels: Labels) -> tuple[float, float]:
    """Return what being in one group adds to a gain, and its share of the interactions."""
    same, rest = _centre_pattern(labels), split_effects(values)[1]
    scale, whole = float((same**2).sum()), float((rest**2).sum())
    if scale <= 1e-12 or whole <= 1e-30:
        return 0.0, 0.0
    product = float((same * rest).sum())
    return product / scale, product * abs(product) / scale / whole


@dataclass(frozen=True, eq=False)
class _Clusterer:
    """A method for many matrices that are as noisy as a measured one."""

    values: Floats
    draws: Floats
    method: str
    k: int
    seed: int

    def __call__(self, stack: Floats) -> Labels:
        if self.method != EXPECTED:
            return cluster_stack(stack, self.k, self.method, self.seed)
        return search_stack(GainPosterior.of(self.values, self.draws).shrink(stack))

    def count_affordable(self, count: int) -> int:
        size = len(self.values)
        if self.method == EXPECTED:
            return count_affordable(size, size, "exact", count)
        return count_affordable(size, self.k, self.method, count)


def _measure_chance(values: Floats, draws: Floats, clusterer: _Clusterer) -> float:
    """Return the 95 % quantile of the mean index of matrices of main effects and noise."""
    rng = np.random.default_rng([clusterer.seed, clusterer.k])
    count = clusterer.count_affordable(CHANCE_MATRICES)
    index = compare_mutually(clusterer(make_noise(values, draws, count, rng)))
    means = (index.sum(axis=1) - 1) / (count - 1)
    return float(np.quantile(means, 1 - SIGNIFICANCE))


def tabulate_together(together: Floats, tasks: tuple[str, ...]) -> pd.DataFrame:
    """Return a row per ordered pair of tasks: `task`, `other`, `together`."""
    size = len(tasks)
    return pd.DataFrame(
        {
            "task": np.repeat(tasks, size),
            "other": np.tile(tasks, size),
            "together": together.ravel(),
        }
    )
