r"""What any subset of runs says of all gains: of pairs, of larger blocks, with cheap measures.

An observation is what target t gains in a run, with the others of the run as its sources. Gains of
single pairs, G_st, are taken to average in larger runs (which `test_additivity` doubts):

    y = mean over sources s of the run of G_st + lack of fit (runs of three tasks and more) + noise
    G_st = m + a_s + b_t + c_st + sum over measures k of w_k x_k(s, t)

a, b, c and w are normal with variances that make the observations likeliest: effects of sources and
targets, pairs, and a ridge on cheap measures, each standardised within its targets; a vague prior
of the variances' logs keeps those of few observations from vanishing. All of a target's
observations share the error of its single runs. What the observations say of any weighted
sum of gains is then normal, and measured and unmeasured cells are treated alike.

Intervals of unmeasured cells are widened or narrowed to hold what they should where that can be
seen: each run is left out in turn and predicted from the others, and the quantile of what these
predictions are off by, in their own standard deviations, takes the place of the normal one
(conformal; Barber et al. 2021, "Predictive inference with the jackknife+", here scaled, and with
whole runs left out).

Legend: N observations, T tasks, F measures; sources are rows, targets columns.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg, optimize, stats

from analysis.arrays import Floats
from analysis.gains.additive import Cells
from analysis.levels import INTERVAL_LEVEL

PARTS = ("source", "target", "pair", "measures", "lack of fit")
_LEAST = 1e-10
_FLAT = 10.0
"""Prior variance of the level m, in variances of observations: the data alone say what it is."""
_USUAL, _VAGUE = 0.1, 1.5
"""A part's variance before anything is seen: share of the observations', and the SD of its log."""
LEAST_LEFT_OUT = 12
"""With fewer observations left out in turn, the normal quantile is taken."""


@dataclass(frozen=True)
class Observation:
    """What a target gains in a run.

    Attributes:
        target: its number.
        sources: the numbers of the run's other tasks.
        value: mean gain over the run's seeds.
        variance: of its noise, without the single runs' part.
        run: number of the run, the same for all of its targets.
    """

    target: int
    sources: tuple[int, ...]
    value: float
    variance: float
    run: int


@dataclass(frozen=True)
class Additivity:
    """Whether larger runs are what their pairs' gains average to.

    Attributes:
        lack_of_fit: standard deviation of what they are off by, beyond noise.
        p_value: of at least that, if there were none; NaN where no run has three tasks.
    """

    lack_of_fit: float
    p_value: float


class GainModel:
    """The distribution of all gains after some observations.

    Args:
        size: T.
        observations: N of them.
        shared: variance of the single runs' error of each target, [T].
        measures: cheap measures, [F, T, T], finite off the diagonal.

    Attributes:
        mean: gains to be expected, [T, T], the diagonal 0.
        variances: of the parts, in squares of the gains' unit.
        is_measured: cells that an observation names, [T, T].
    """

    def __init__(
        self,
        size: int,
        observations: Sequence[Observation],
        shared: Floats,
        measures: Floats | None = None,
    ) -> None:
        self.size = size
        self._observations = tuple(observations)
        self._features = _standardise(measures) if measures is not None and len(measures) else None
        self._weights = self._list_weights()
        values = np.array([each.value for each in observations])
        self.level = float(values.mean())
        self._off = values - self.level
        self._noise = np.array([each.variance for each in observations])
        self._target = np.array([each.target for each in observations])
        self._shared = np.maximum(shared, 0.0)[self._target]
        self._flat = _FLAT * float(values.var() + self._noise.mean() + _LEAST)
        self._fit()

    def _list_weights(self) -> Floats:
        """Return each observation's weights of the cells, [N, T, T]."""
        weights = np.zeros((len(self._observations), self.size, self.size))
        for row, each in enumerate(self._observations):
            weights[row, list(each.sources), each.target] = 1 / len(each.sources)
        return weights

    @functools.cached_property
    def is_measured(self) -> Cells:
        """Cells that an observation names, [T, T]."""
        return self.count_runs() > 0

    def count_runs(self) -> Floats:
        """Return how many runs had both a source and a target, [T, T]."""
        count: Floats = (self._weights > 0).sum(axis=0).astype(np.float64)
        return count

    @functools.cached_property
    def _kernels(self) -> Floats:
        """Covariance of the observations from each part with variance 1, [5, N, N]."""
        weights = self._weights
        by_source, by_target = weights.sum(axis=2), weights.sum(axis=1)
        flat = weights.reshape(len(weights), -1)
        own = np.array([len(each.sources) > 1 for each in self._observations], np.float64)
        by_measure = np.zeros((len(weights), 1))
        if self._features is not None:
            by_measure = flat @ self._features.reshape(len(self._features), -1).T
        parts = (by_source, by_target, flat, by_measure)
        return np.stack([*(each @ each.T for each in parts), np.diag(own)])

    @functools.cached_property
    def _fixed(self) -> Floats:
        """Covariance of the observations from noise and the level, [N, N]."""
        same = self._target[:, None] == self._target
        return np.diag(self._noise + _LEAST) + self._shared[:, None] * same + self._flat

    def _fit(self, *, is_additive: bool = False) -> None:
        """Find the variances that make the observations likeliest, and solve for them."""
        self._log_likelihood, self.variances = self._maximise(is_additive=is_additive)
        whole = self._fixed + np.tensordot(self.variances, self._kernels, 1)
        self._factor = linalg.cho_factor(whole, lower=True)
        self._solved = linalg.cho_solve(self._factor, self._off)
        self.mean: Floats = self.level + self._spread(self._solved[None])[0]
        np.fill_diagonal(self.mean, 0.0)

    def _maximise(self, *, is_additive: bool) -> tuple[float, Floats]:
        is_free = np.array([kernel.any() for kernel in self._kernels])
        is_free[-1] &= not is_additive
        kernels, is_part = self._kernels[is_free], np.arange(len(PARTS))[is_free] < len(PARTS) - 1
        # of a part alone, the variance that makes observations vary as they do
        whole = (float(self._off.var()) + _LEAST) / np.einsum("kii->k", kernels) * len(self._off)
        centre = np.where(is_part, np.log(_USUAL * whole), np.nan)
        bounds = list(zip(np.log(1e-6 * whole), np.log(20 * whole), strict=True))
        best: tuple[float, Floats] = (-math.inf, np.zeros(len(kernels)))
        for share in (0.3, 0.02):
            found = optimize.minimize(
                self._descend,
                np.log(share * whole),
                (kernels, centre),
                "L-BFGS-B",
                True,
                bounds=bounds,
            )
            if -found.fun > best[0]:
                best = -float(found.fun), np.exp(found.x)
        variances = np.zeros(len(self._kernels))
        variances[is_free] = np.where(best[1] <= 1.01e-6 * whole, 0.0, best[1])
        return best[0], variances

    def _descend(self, logs: Floats, kernels: Floats, centre: Floats) -> tuple[float, Floats]:
        """Return minus the log posterior of variances, and its gradient by their logs.

        Args:
            centre: where the prior of each log lies; NaN for a flat one.
        """
        variances = np.exp(logs)
        whole = self._fixed + np.tensordot(variances, kernels, 1)
        lower = linalg.cholesky(whole, lower=True)
        inverse = linalg.cho_solve((lower, True), np.eye(len(whole)))
        solved = inverse @ self._off
        value = float(np.log(np.diag(lower)).sum()) + float(self._off @ solved) / 2
        slope = inverse - np.outer(solved, solved)
        gradient: Floats = variances * np.einsum("ij,kij->k", slope, kernels) / 2
        far = np.where(np.isfinite(centre), logs - np.nan_to_num(centre), 0.0) / _VAGUE
        return value + float(far @ far) / 2, gradient + far / _VAGUE

    def _spread(self, weights: Floats) -> Floats:
        """Return the prior covariance of all cells with sums of observations, [M, T, T].

        Args:
            weights: of the observations, [M, N].
        """
        wide = np.tensordot(weights, self._weights, 1)
        return self._covary(wide)

    def _covary(self, wide: Floats) -> Floats:
        """Return the prior covariance of all cells with weighted sums of cells, [M, T, T]."""
        source, target, pair, measures, _ = self.variances
        found: Floats = (
            self._flat * wide.sum(axis=(1, 2), keepdims=True)
            + source * wide.sum(axis=2, keepdims=True)
            + target * wide.sum(axis=1, keepdims=True)
            + pair * wide
        )
        if self._features is not None:
            by_measure = np.tensordot(wide, self._features, ((1, 2), (1, 2)))
            found = found + measures * np.tensordot(by_measure, self._features, 1)
        return found

    def _covary_with_observations(self, wide: Floats) -> Floats:
        """Return the prior covariance of weighted sums of cells with the observations, [M, N]."""
        return np.tensordot(self._covary(wide), self._weights, ((1, 2), (1, 2)))

    def expect(self, weights: Floats) -> tuple[float, float]:
        """Return mean and standard deviation of a weighted sum of gains.

        Args:
            weights: of the cells, [T, T]; the diagonal counts for nothing.
        """
        weights = np.where(np.eye(self.size, dtype=bool), 0.0, weights)
        prior = self._covary(weights[None])[0]
        seen = np.tensordot(prior, self._weights, ((0, 1), (1, 2)))
        variance = float((weights * prior).sum())
        variance -= float(seen @ linalg.cho_solve(self._factor, seen))
        return float((weights * self.mean).sum()), math.sqrt(max(variance, 0.0))

    @functools.cached_property
    def deviation(self) -> Floats:
        """Standard deviation of each gain, [T, T], the diagonal 0."""
        size = self.size
        found = np.zeros((size, size))
        for target in range(size):
            wide = np.zeros((size, size, size))
            wide[range(size), range(size), target] = 1
            prior = self._covary(wide)[range(size), range(size), target]
            seen = self._covary_with_observations(wide)
            solved = linalg.cho_solve(self._factor, seen.T).T
            found[:, target] = np.sqrt(np.maximum(prior - (seen * solved).sum(axis=1), 0.0))
        np.fill_diagonal(found, 0.0)
        return found

    def sample(self, count: int, rng: np.random.Generator) -> Floats:
        """Return draws of the true gains, [B, T, T] (Matheron's rule)."""
        size, (source, target, pair, measures, _) = self.size, self.variances
        made: Floats = (
            math.sqrt(self._flat) * rng.standard_normal((count, 1, 1))
            + math.sqrt(source) * rng.standard_normal((count, size, 1))
            + math.sqrt(target) * rng.standard_normal((count, 1, size))
            + math.sqrt(pair) * rng.standard_normal((count, size, size))
        )
        if self._features is not None:
            weights = math.sqrt(measures) * rng.standard_normal((count, len(self._features)))
            made = made + np.tensordot(weights, self._features, 1)
        seen = np.tensordot(made, self._weights, ((1, 2), (1, 2))) + self._draw_noise(count, rng)
        solved = linalg.cho_solve(self._factor, (self._off - seen).T).T
        found: Floats = self.level + made + self._spread(solved)
        found[:, range(size), range(size)] = 0.0
        return found

    def _draw_noise(self, count: int, rng: np.random.Generator) -> Floats:
        """Return draws of what observations are off by, [B, N]."""
        own = self._noise + self.variances[-1] * np.diag(self._kernels[-1])
        each = np.sqrt(own) * rng.standard_normal((count, len(own)))
        by_target = rng.standard_normal((count, self.size))[:, self._target]
        noise: Floats = each + np.sqrt(self._shared) * by_target
        return noise

    @functools.cached_property
    def left_out(self) -> Floats:
        """What each observation is off by, in standard deviations, its whole run left out, [N]."""
        inverse = linalg.cho_solve(self._factor, np.eye(len(self._off)))
        run = np.array([each.run for each in self._observations])
        found = np.zeros(len(run))
        for number in np.unique(run):
            rows = np.flatnonzero(run == number)
            spread = np.linalg.inv(inverse[np.ix_(rows, rows)])
            found[rows] = spread @ self._solved[rows] / np.sqrt(np.diag(spread))
        return found

    def find_quantile(self, level: float = INTERVAL_LEVEL) -> float:
        """Return how many standard deviations an interval reaches, by what was left out."""
        off = np.abs(self.left_out)
        normal = float(stats.norm.ppf(0.5 + level / 2))
        if len(off) < LEAST_LEFT_OUT:
            return normal
        return float(np.quantile(off, min(level * (1 + 1 / len(off)), 1.0), method="higher"))

    def interval(self, level: float = INTERVAL_LEVEL) -> tuple[Floats, Floats]:
        """Return the intervals of the true gains, [T, T] each."""
        margin = self.find_quantile(level) * self.deviation
        return self.mean - margin, self.mean + margin

    def interval_of_measured(self, level: float = INTERVAL_LEVEL) -> tuple[Floats, Floats]:
        """Return the intervals of what a pair's run would measure, [T, T] each.

        Its noise is that of the observations of the same target, or of all.
        """
        margin = self.find_quantile(level) * np.sqrt(self.deviation**2 + self.noise)
        return self.mean - margin, self.mean + margin

    @functools.cached_property
    def noise(self) -> Floats:
        """Variance of what a run measures of each target, [T]; of an unseen one the mean."""
        found = np.full(self.size, float(self._noise.mean()))
        for target in np.unique(self._target):
            found[target] = float(self._noise[self._target == target].mean())
        return found

    def test_additivity(self) -> Additivity:
        """Return how far runs of three tasks and more are off what their pairs' gains average to.

        By the ratio of likelihoods with and without lack of fit, whose distribution is half a
        chi-square with one degree of freedom, as a variance lies on its bound.
        """
        if not self._kernels[-1].any():
            return Additivity(0.0, math.nan)
        without, _ = self._maximise(is_additive=True)
        ratio = max(2 * (self._log_likelihood - without), 0.0)
        p_value = 1.0 if ratio == 0 else float(stats.chi2.sf(ratio, 1)) / 2
        return Additivity(math.sqrt(self.variances[-1]), p_value)


def _standardise(measures: Floats) -> Floats:
    """Return measures in standard deviations from each target's mean, then overall, [F, T, T]."""
    cells = ~np.eye(measures.shape[1], dtype=bool)
    count = measures.shape[1] - 1
    off = np.where(cells, measures - measures.sum(axis=1, where=cells, keepdims=True) / count, 0.0)
    scale = np.sqrt((off**2).sum(axis=(1, 2)) / cells.sum())
    kept = scale > 1e-12
    found: Floats = off[kept] / scale[kept][:, None, None]
    return found
