"""Whether resampled examples and seeds would give the same groups.

Each bootstrap draw of the matrix is clustered by the same method. Draws scatter around the
measured matrix as that scatters around the truth, so what they agree on is what can be relied on.

Chance is not an index of 0: noise has clusters too, and draws around one noisy matrix agree about
them to some degree. So the same is done with matrices of main effects and noise alone
(`analysis.partitions.structure.make_noise`); a grouping that is not more stable than theirs
says nothing.

Legend: B draws, T tasks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.arrays import Floats, Labels
from analysis.levels import SIGNIFICANCE, take_interval
from analysis.partitions.agreement import compare_labels, compare_members, count_together
from analysis.partitions.per_draw import cluster_stack, count_affordable
from analysis.partitions.structure import make_noise

CHANCE_MATRICES = 40
CHANCE_DRAWS = 40


@dataclass(frozen=True, eq=False)
class GroupStability:
    """How far draws agree with a grouping.

    Attributes:
        draws: number of draws.
        together: share of draws in which two tasks share a group, [T, T].
        by_task: how alike a task's company is, mean Jaccard index, [T].
        mean: mean adjusted Rand index of the draws' groups with the grouping.
        low, high: the index' 95 % interval over draws.
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

    def to_origin(self) -> dict[str, float | None]:
        """Return the figures for the origin of groups."""
        return {
            "draws": self.draws,
            "mean_ari": self.mean,
            "ari_low": self.low,
            "ari_high": self.high,
            "chance_ari": None if np.isnan(self.chance) else self.chance,
        }


def measure_stability(
    values: Floats, draws: Floats, labels: Labels, method: str, seed: int = 0
) -> GroupStability:
    """Cluster every draw by the same method into as many groups; compare with the grouping.

    Args:
        values: the measured matrix, [T, T].
        draws: [B, T, T].
        labels: the grouping, 0 to k - 1, [T].
    """
    k, size = int(labels.max()) + 1, len(values)
    kept = draws[: count_affordable(size, k, method, len(draws))]
    found = cluster_stack(kept, k, method, seed, labels)
    index = compare_labels(found, labels)
    low, high = take_interval(index)
    return GroupStability(
        draws=len(kept),
        together=count_together(found),
        by_task=compare_members(found, labels),
        mean=float(index.mean()),
        low=float(low),
        high=float(high),
        chance=_measure_chance(values, draws, k, method, seed) if size > 3 else float("nan"),
    )


def _measure_chance(values: Floats, draws: Floats, k: int, method: str, seed: int) -> float:
    """Return the 95 % quantile of the mean index of matrices of main effects and noise."""
    rng = np.random.default_rng([seed, k])
    matrices = make_noise(values, draws, CHANCE_MATRICES, rng)
    deviations = draws - draws.mean(axis=0)
    references = cluster_stack(matrices, k, method, seed)
    means = []
    for matrix, reference in zip(matrices, references, strict=True):
        chosen = rng.choice(len(draws), CHANCE_DRAWS, replace=len(draws) < CHANCE_DRAWS)
        found = cluster_stack(matrix + deviations[chosen], k, method, seed, reference)
        means.append(compare_labels(found, reference).mean())
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
