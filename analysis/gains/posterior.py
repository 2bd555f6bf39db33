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
from scipy import stats
from scipy.sparse.linalg import LinearOperator, cg

from analysis.arrays import Floats
from analysis.gains.additive import (
    Cells,
    find_cells,
    has_full_rank,
    measure_noise,
    split_covariance,
)
from analysis.levels import INTERVAL_LEVEL

_UNKNOWN = 100.0
"""Prior variance of m, in variances of gains and noise: the data alone say what it is."""
LEAST_TASKS = 4
"""With fewer, effects of sources and targets cannot be told from the rest."""
LEAST_DRAWS = 20
"""With fewer, draws do not tell how noisy gains are."""
_EXACT = 1e-10
_DENSE = 1200
"""Most cells whose covariances are held as one matrix."""
_LOUD = 9.0
"""Cells whose noise is that many times the median's tell nothing of how gains vary."""


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


@dataclass(frozen=True, eq=False)
class _Spread:
    """What a matrix's parts vary by, and what noise makes of it: row, column, interaction, [3]."""

    measured: Floats
    noise: Floats
    tasks: int
    cells: int

    @property
    def df(self) -> Floats:
        """Degrees of freedom of each part, [3]."""
        return np.array([self.tasks - 1, self.tasks - 1, max(self.cells - 2 * self.tasks + 1, 1)])

    def to_components(self, measured: Floats) -> Components:
        """Return the variances of the parts where they vary by so much, [3]."""
        row, column, rest = measured - self.noise
        pair = max(rest, 0.0) * self.cells / self.df[2]
        spill = pair * (self.tasks - 1) / self.cells  # what the means of T - 1 cells take of it
        return Components(max(row - spill, 0.0), max(column - spill, 0.0), pair)


def _measure_spread(values: Floats, draws: Floats) -> _Spread:
    known = find_cells(values).any(axis=0)
    values, draws = values[np.ix_(known, known)], draws[:, known][:, :, known]
    cells = _leave_out_loud(find_cells(values), draws)
    measured = split_covariance(values[None], cells)[0]
    return _Spread(measured, measure_noise(draws, cells), len(values), int(cells.sum()))


def measure_components(values: Floats, draws: Floats) -> Components:
    """Return the variances of a matrix's parts, less what noise makes of them.

    Args:
        values: [T, T], at least four tasks with gains.
        draws: [B, T, T].
    """
    spread = _measure_spread(values, draws)
    return spread.to_components(spread.measured)


def draw_components(
    values: Floats, draws: Floats, count: int, rng: np.random.Generator
) -> list[Components]:
    """Return so many variances of a matrix's parts as its few tasks leave possible.

    What a part varies by has a scaled inverse chi-squared distribution after what was measured.
    """
    spread = _measure_spread(values, draws)
    factors = spread.df / rng.chisquare(spread.df, (count, len(spread.df)))
    return [spread.to_components(spread.measured * factor) for factor in factors]


def _leave_out_loud(cells: Cells, draws: Floats) -> Cells:
    """Return the cells without those of collapsed runs, if that leaves enough, [T, T]."""
    variance = np.where(cells, draws.var(axis=0), np.nan)
    quiet = cells & (variance <= _LOUD * np.nanmedian(variance))
    return quiet if has_full_rank(quiet) else cells


def _widen(df: int) -> float:
    """Return the square of how much wider a t interval is than a normal one."""
    level = 0.5 + INTERVAL_LEVEL / 2
    return float((stats.t.ppf(level, df) / stats.norm.ppf(level)) ** 2)


def leave_out_undefined(values: Floats, draws: Floats) -> Floats:
    """Return gains, [T, T], NaN where a draw, [B, T, T], has none."""
    return np.where(np.isfinite(draws).all(axis=0), values, np.nan)


def has_few_targets(values: Floats) -> bool:
    """Tell whether too few targets have gains to tell effects of sources from those of targets."""
    return bool(find_cells(values).any(axis=0).sum() < LEAST_TASKS)


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
        self._measured = measured = values[source, target]
        self._level = float(measured.mean())
        self._overall = _UNKNOWN * (
            float(measured.var() + noise.variance[source, target].mean()) + 1e-12
        )
        weights = self._solve(measured - self._level)
        self.mean: Floats = self._level + self._spread(weights)
        np.fill_diagonal(self.mean, 0.0)

    @classmethod
    def of(cls, values: Floats, draws: Floats) -> GainPosterior:
        """Return the posterior of a matrix, [T, T], with its bootstrap draws, [B, T, T].

        A gain that is not defined in every draw counts as not measured.
        """
        values = leave_out_undefined(values, draws)
        if has_few_targets(values):
            return cls.of_few(values, draws)
        return cls(values, measure_cell_noise(draws), measure_components(values, draws))

    @classmethod
    def of_unknown_noise(cls, values: Floats) -> GainPosterior:
        """Return the posterior of a matrix, [T, T], whose noise nobody has measured.

        All that differs between gains may then be noise, and only their mean says something. Its
        interval is that of a t-test of the targets' means.
        """
        cells = find_cells(values)
        known = np.where(cells, values, np.nan)
        means = np.nanmean(known[:, cells.any(axis=0)], axis=0)
        shared = float(np.var(means, ddof=1)) * _widen(len(means) - 1) if len(means) > 1 else 0.0
        whole = max(float(np.nanvar(known)), shared)
        noise = Noise(np.where(cells, whole, 0.0), np.full(len(values), shared))
        return cls(values, noise, Components(0.0, 0.0, 0.0))

    @classmethod
    def of_few(cls, values: Floats, draws: Floats) -> GainPosterior:
        """Return the posterior of a matrix, [T, T], that has gains of one to three targets.

        What it varies by beyond its noise, [B, T, T], is taken for the pairs' own.
        """
        noise = measure_cell_noise(draws)
        cells = find_cells(values)
        spread = float(np.var(values[cells], ddof=1)) if cells.sum() > 1 else 0.0
        beyond = spread - float(noise.variance[cells].mean())
        return cls(values, noise, Components(0.0, 0.0, max(beyond, 0.0)))

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

    def shrink(self, stack: Floats) -> Floats:
        """Return the gains to be expected after other matrices, as noisy as this one, [B, T, T]."""
        return self._expect_after(stack, self._level)

    def sample(self, off: Floats, rng: np.random.Generator) -> Floats:
        """Return draws of the true gains, [B, T, T].

        A made truth and what is measured of it are moved by what the measured gains say more
        (Matheron's rule; Hoffman and Ribak 1991).

        Args:
            off: what draws of the measured gains deviate by, [B, T, T].
        """
        made = self._level + self._make_truths(len(off), rng)
        measured = np.zeros((self._size, self._size))
        measured[self._cells] = self._measured
        moved: Floats = made + self._expect_after(measured - made - off, 0.0)
        moved[:, range(self._size), range(self._size)] = 0.0
        return moved

    def _make_truths(self, count: int, rng: np.random.Generator) -> Floats:
        """Return gains around their level, as they are distributed before any is measured."""
        size, parts = self._size, self._components
        made: Floats = (
            np.sqrt(self._overall) * rng.standard_normal((count, 1, 1))
            + np.sqrt(parts.source) * rng.standard_normal((count, size, 1))
            + np.sqrt(parts.target) * rng.standard_normal((count, 1, size))
            + np.sqrt(parts.pair) * rng.standard_normal((count, size, size))
        )
        return made

    def _expect_after(self, stack: Floats, level: float) -> Floats:
        source, target = self._cells
        seen = stack[:, source, target] - level
        weights = self._solve_many(seen)
        found = np.stack([level + self._spread(each) for each in weights])
        found[:, range(self._size), range(self._size)] = 0.0
        return found

    def _solve_many(self, seen: Floats) -> Floats:
        """Solve (K + S) x = seen for many right sides, [B, N]."""
        if seen.shape[1] > _DENSE:
            return np.stack([self._solve(each) for each in seen])
        source, target = self._cells
        parts, same = self._components, target[:, None] == target
        whole = self._overall + parts.source * (source[:, None] == source)
        whole = whole + (parts.target + self._shared[target]) * same
        whole[np.diag_indices_from(whole)] += parts.pair + self._own
        found: Floats = np.linalg.solve(whole, seen.T).T
        return found

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
