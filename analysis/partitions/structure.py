"""How many groups there are, and whether there are any.

A clustering method gives groups for any matrix. Whether they mean something is asked of the
matrix's interactions, what is left of it after each source's and each target's effect, under two
null hypotheses:

- *arrangement*: the interactions are real, but arranged by chance. Within each target they are
  dealt anew to the sources; main effects and the target's own spread stay.
- *noise*: there are no interactions but those that resampling makes: main effects plus what one
  draw deviates by (with its dependence between cells). Needs bootstrap draws.

For each k from 2 to T - 1 the method's objective is compared with that of null matrices clustered
alike, z_k = (objective - mean) / SD. The largest z_k is tested against the largest one of null
matrices, so that trying many k costs nothing; where it is not beyond both nulls there is no
structure, k = 1. Else k is where z_k is largest: the gap statistic (Tibshirani et al. 2001) with
a reference of the matrix's own values.

Legend: M null matrices, T tasks, B draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.arrays import Floats
from analysis.gains.additive import find_cells, fit_additive
from analysis.levels import SIGNIFICANCE
from analysis.partitions.per_draw import cluster_for_each, measure_objective

NULLS = 199


@dataclass(frozen=True)
class Structure:
    """What was found.

    Attributes:
        k: number of groups; 1 where there is no structure.
        best: the k with the largest z, whether or not it is significant.
        p_values: null hypothesis to the p-value of the largest z.
        z: k to z_k, against the null of arrangement.
    """

    k: int
    best: int
    p_values: Mapping[str, float]
    z: Mapping[int, float]

    @property
    def p_value(self) -> float:
        """The larger of both: what is found must be beyond each null."""
        return max(self.p_values.values())


def find_structure(
    values: Floats,
    method: str,
    draws: Floats | None = None,
    *,
    nulls: int = NULLS,
    seed: int = 0,
    level: float = SIGNIFICANCE,
) -> Structure:
    """Choose the number of groups, 1 where the matrix holds no structure.

    Args:
        values: a matrix of at least four tasks, finite off the diagonal, [T, T].
        method: of `relevance.groups.clustering`.
        draws: the matrix in bootstrap draws, [B, T, T].
        nulls: matrices of each null hypothesis.
        level: of the test.
    """
    ks = list(range(2, len(values)))
    rng = np.random.default_rng(seed)
    stacks = {"arrangement": _rearrange(values, nulls, rng)}
    if draws is not None:
        stacks["noise"] = make_noise(values, draws, nulls, rng)
    own = _measure(values[None], ks, method, seed)[0]
    found = {name: _measure(stack, ks, method, seed) for name, stack in stacks.items()}
    scores = {name: _standardise(own, null) for name, null in found.items()}
    p_values = {
        name: float((1 + (null.max(axis=1) >= z.max()).sum()) / (1 + len(null)))
        for name, (z, null) in scores.items()
    }
    z = scores["arrangement"][0]
    best = ks[int(z.argmax())]
    is_structured = max(p_values.values()) < level
    return Structure(
        best if is_structured else 1, best, p_values, dict(zip(ks, z.tolist(), strict=True))
    )


def _measure(stack: Floats, ks: Sequence[int], method: str, seed: int) -> Floats:
    """Return the objective of every matrix for every k, [M, number of ks]."""
    labels = cluster_for_each(stack, ks, method, seed)
    return np.stack([measure_objective(stack, labels[k], method) for k in ks], axis=1)


def _standardise(own: Floats, null: Floats) -> tuple[Floats, Floats]:
    """Return z of the matrix for every k, and those of the null matrices themselves."""
    mean, spread = null.mean(axis=0), null.std(axis=0, ddof=1)
    scale = np.where(spread > 0, spread, np.inf)
    return (own - mean) / scale, (null - mean) / scale


def split_effects(values: Floats) -> tuple[Floats, Floats]:
    """Return main effects and interactions, [T, T] each, both 0 on the diagonal."""
    cells = find_cells(values)
    mean, row, column = fit_additive(values, cells)
    main = np.where(cells, mean + row[:, None] + column, 0.0)
    return main, np.where(cells, values - main, 0.0)


def _rearrange(values: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Return matrices whose interactions are dealt anew within each target, [M, T, T]."""
    main, rest = split_effects(values)
    size = len(values)
    stack = np.tile(main, (count, 1, 1))
    for target in range(size):
        others = np.delete(np.arange(size), target)
        dealt = rng.permuted(np.tile(rest[others, target], (count, 1)), axis=1)
        stack[:, others, target] += dealt
    return stack


def make_noise(values: Floats, draws: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Return main effects plus what single draws deviate by, [M, T, T]."""
    main, _ = split_effects(values)
    deviations = draws - draws.mean(axis=0)
    chosen = rng.choice(len(draws), size=count, replace=len(draws) < count)
    return main + deviations[chosen]
