"""What the true gains are likely to be, after a matrix of noisy ones.

The largest of many noisy gains is mostly luck, so groups that are chosen for their measured gain
promise too much. Each off-diagonal gain is taken as

    G_st = m + a_s + b_t + c_st + noise

with normal effects of source, target and the two together. Their variances are what is left of the
matrix's own after the noise that the bootstrap draws show; gains of one target share the error of
its single runs. Then what the data say of the true gains is a normal distribution, whose mean is
the matrix shrunk as far as noise demands, towards the effects of sources and targets. What is
chosen by that mean is worth, on average, what it seems to be worth (empirical Bayes: Efron,
"Large-Scale Inference", 2010).

Legend: T tasks, B draws, N measured cells; sources are rows, targets columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse.linalg import LinearOperator, cg

from analysis.arrays import Floats
from analysis.gains.additive import find_cells, measure_noise, split_covariance

_UNKNOWN = 100.0
"""Prior variance of m, in variances of the gains: the data alone say what it is."""
_EXACT = 1e-10


@dataclass(frozen=True)
class Components:
    """Variances of the true gains' parts, in squares of their unit."""

    source: float
    target: float
    pair: float


@dataclass(frozen=True, eq=False)
class Noise:
    """What a measured gain may be off by.

    Attributes:
        variance: of each cell, [T, T].
        shared: the part of it that all gains of a target have in common, [T].
    """

    variance: Floats
    shared: Floats


def measure_cell_noise(draws: Floats) -> Noise:
    """Return what draws, [B, T, T], deviate by."""
    cells = find_cells(draws.mean(axis=0))
    off = np.where(cells, draws - draws.mean(axis=0), 0.0)
    variance = off.var(axis=0)
    count = cells.sum(axis=0)
    together = off.sum(axis=1).var(axis=0) - variance.sum(axis=0)
    shared = together / np.maximum(count * (count - 1), 1)
    least = np.where(cells, variance, np.inf).min(axis=0)
    return Noise(variance, np.clip(shared, 0.0, np.where(np.isfinite(least), least, 0.0)))


def measure_components(values: Floats, draws: Floats) -> Components:
    """Return the variances of a matrix's parts, less what noise makes of them.

    Args:
        values: [T, T], at least four tasks.
        draws: [B, T, T].
    """
    cells = find_cells(values)
    row, column, rest = split_covariance(values[None], cells)[0] - measure_noise(draws, cells)
    size, count = len(values), int(cells.sum())
    pair = max(rest, 0.0) * count / max(count - 2 * size + 1, 1)
    spill = pair * (size - 1) / count  # what the means of T - 1 cells take of it
    return Components(max(row - spill, 0.0), max(column - spill, 0.0), pair)


class GainPosterior:
    """The distribution of the true gains.

    Args:
        values: measured gains, [T, T]; NaN where there are none.
        noise: of the cells.
        components: of the true gains.

    Attributes:
        mean: the gains to be expected, [T, T], the diagonal 0; of unmeasured cells too.
    """

    def __init__(self, values: Floats, noise: Noise, components: Components) -> None:
        self._cells = np.nonzero(find_cells(values))
        self._size = len(values)
        self._components = components
        source, target = self._cells
        self._own = np.maximum(noise.variance[source, target] - noise.shared[target], 1e-12)
        self._shared = noise.shared
        measured = values[source, target]
        self._level = float(measured.mean())
        self._overall = _UNKNOWN * (float(measured.var()) + 1e-12)
        weights = self._solve(measured - self._level)
        self.mean: Floats = self._level + self._spread(weights)
        np.fill_diagonal(self.mean, 0.0)

    @classmethod
    def of(cls, values: Floats, draws: Floats) -> GainPosterior:
        """Return the posterior of a matrix, [T, T], with its bootstrap draws, [B, T, T]."""
        return cls(values, measure_cell_noise(draws), measure_components(values, draws))

    @classmethod
    def of_unknown_noise(cls, values: Floats) -> GainPosterior:
        """Return the posterior of a matrix, [T, T], whose noise nobody has measured.

        All that differs between gains may then be noise, and only their mean says something.
        """
        cells = find_cells(values)
        known = np.where(cells, values, np.nan)
        means = np.nanmean(known, axis=0)
        noise = Noise(
            np.where(cells, np.nanvar(known), 0.0), np.full(len(values), float(np.var(means)))
        )
        return cls(values, noise, Components(0.0, 0.0, 0.0))

    def expect(self, weights: Floats) -> tuple[float, float]:
        """Return mean and standard deviation of a weighted sum of gains.

        Args:
            weights: of the cells, [T, T]; the diagonal counts for nothing.
        """
        weights = np.where(np.eye(self._size, dtype=bool), 0.0, weights)
        prior = self._covary(weights)
        seen = prior[self._cells]
        variance = float((weights * prior).sum()) - float(seen @ self._solve(seen))
        return float((weights * self.mean).sum()), float(np.sqrt(max(variance, 0.0)))

    def _solve(self, seen: Floats) -> Floats:
        """Solve (K + S) x = seen over the measured cells, K of the prior and S of the noise."""
        count = len(seen)
        operator = LinearOperator((count, count), matvec=self._apply, dtype=np.float64)
        scale = self._own + self._components.pair + 1e-300
        guess = LinearOperator((count, count), matvec=lambda v: v / scale, dtype=np.float64)
        found, _ = cg(operator, seen, rtol=_EXACT, atol=0.0, maxiter=20 * self._size + 500, M=guess)
        return np.asarray(found, dtype=np.float64)

    def _apply(self, vector: Floats) -> Floats:
        wide = np.zeros((self._size, self._size))
        wide[self._cells] = vector
        shared = self._shared * wide.sum(axis=0)
        return self._covary(wide)[self._cells] + self._own * vector + shared[self._cells[1]]

    def _spread(self, weights: Floats) -> Floats:
        wide = np.zeros((self._size, self._size))
        wide[self._cells] = weights
        return self._covary(wide)

    def _covary(self, wide: Floats) -> Floats:
        """Return the prior covariance of every cell with a weighted sum of cells, [T, T]."""
        parts = self._components
        out: npt.NDArray[np.float64] = (
            self._overall * wide.sum()
            + parts.source * wide.sum(axis=1, keepdims=True)
            + parts.target * wide.sum(axis=0, keepdims=True)
            + parts.pair * wide
        )
        return out
