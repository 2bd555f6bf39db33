"""Variances of arms from few runs, drawn towards each other on the log scale.

After Smyth (2004, moderated t-tests; limma's fitFDist and squeezeVar) and Phipson et al. (2016, its
robust form). The true variances of a target's arms scatter around the target's own scale,

    sigma_a^2 = s_t^2 d0 / chi2(d0)             s_a^2 = sigma_a^2 chi2(d_a) / d_a

so that s_a^2 / s_t^2 has an F distribution with d_a and d0 degrees of freedom. How unlike arms
are, d0, is the same for all targets. It is estimated from the likelihood of the logarithms, each
target's scale integrated out, averaged over what fits (`SPREADS`): with few arms nothing says that
they are alike. A variance far above or below its target's median counts as being so, not by how
much, so that a few collapsed runs do not decide what all others are taken for; an arm that is
beyond what d0 explains keeps its own variance.

Legend: A arms of a target, K arms of all targets, G points of a grid.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

from analysis.arrays import Floats

SPREADS = np.linspace(0.0, 1.8, 13)
"""SDs of the logarithm of true variances within a target that are tried."""
SPREAD_SCALE = 0.5
"""Beforehand, the SD is taken for normal with this scale, above 0."""
ALIKE_DF = 1e6
"""What stands for infinitely many degrees of freedom."""
TAILS = (0.02, 0.999)
"""Quantiles, of arms alike, beyond which a variance counts as beyond them and no more."""
OUTLIER = 4.0
"""An arm is beyond the others where its p-value is that much smaller than its rank expects."""
_POINTS = np.linspace(-6.0, 6.0, 49)


@dataclass(frozen=True, eq=False)
class ScalePrior:
    """What the arms of one target have in common.

    Attributes:
        scale: s_t^2; 0 where all runs of each arm are equal.
        typical: the geometric mean of true variances, which is a little above `scale`: where arms
            are alike after all, it is their variance.
        scale_df: degrees of freedom of `scale`; 0 without two runs of any arm.
        df: d0 of each arm; smaller than its neighbours' where it is beyond them, [A].
    """

    scale: float
    typical: float
    scale_df: float
    df: Floats


def fit_priors(variances: Sequence[Floats], dfs: Sequence[Floats]) -> list[ScalePrior]:
    """Return what the arms of each target have in common.

    Args:
        variances: sample variances of each target's arms, [A].
        dfs: their degrees of freedom, [A]; 0 for arms of one run.
    """
    targets = [
        _Arms.of(variance, df) if _has_spread(variance, df) else None
        for variance, df in zip(variances, dfs, strict=True)
    ]
    df = estimate_prior_df([target for target in targets if target is not None])
    priors = [_describe(target, df, own_df) for target, own_df in zip(targets, dfs, strict=True)]
    return _release_outliers(priors, variances, dfs)


def _has_spread(variance: Floats, df: Floats) -> bool:
    return bool(((df > 0) & (variance > 0)).any())


@dataclass(frozen=True, eq=False)
class _Arms:
    """The known arms of a target.

    Attributes:
        log: logarithms of the variances, within the tails, [A].
        df: [A].
        below, above: whether a variance is beyond a tail, [A].
    """

    log: Floats
    df: Floats
    below: npt.NDArray[np.bool_]
    above: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, variance: Floats, df: Floats) -> _Arms:
        known = df > 0
        variance, df = variance[known], df[known]
        ratio = variance / stats.chi2.ppf(0.5, df) * df
        middle = float(np.median(ratio))
        if middle == 0:  # most arms have no spread at all: that of the others is the scale
            middle = float(np.median(ratio[ratio > 0]))
        low, high = (middle * stats.chi2.ppf(tail, df) / df for tail in TAILS)
        kept = np.log(np.clip(variance, low, high))
        return cls(kept, df, variance < low, variance > high)

    def lay_grid(self, prior_df: float) -> Floats:
        """Return points of the logarithm of the scale, around where it must be, [G]."""
        spread = special.polygamma(1, self.df / 2)
        weight = 1 / (spread + special.polygamma(1, prior_df / 2))
        centred = self.log - special.digamma(self.df / 2) + np.log(self.df / 2)
        shift = special.digamma(prior_df / 2) - np.log(prior_df / 2)
        middle = float(np.average(centred + shift, weights=weight))
        return middle + _POINTS / np.sqrt(weight.sum())

    def measure_fit(self, grid: Floats, prior_df: float) -> Floats:
        """Return the log likelihood at each scale, [G]."""
        z = self.log - grid[:, None]
        half, prior = self.df / 2, prior_df / 2
        odds = self.df * np.exp(z) / prior_df
        inside = half * np.log(odds) - (half + prior) * np.log1p(odds) - special.betaln(half, prior)
        share = odds / (1 + odds)
        under = np.log(special.betainc(half, prior, share) + 1e-300)
        over = np.log(special.betaincc(half, prior, share) + 1e-300)
        return np.where(self.below, under, np.where(self.above, over, inside)).sum(axis=1)


def estimate_prior_df(targets: Sequence[_Arms]) -> float:
    """Return d0, from how unlike the arms of all targets are."""
    if not targets:
        return ALIKE_DF
    options = np.array([to_prior_df(spread) for spread in SPREADS])
    fit = -0.5 * (SPREADS / SPREAD_SCALE) ** 2
    for target in targets:
        fit += [_integrate(target, option) for option in options]
    weight = np.exp(fit - fit.max())
    return to_prior_df(float(np.sqrt(np.average(SPREADS**2, weights=weight))))


@functools.lru_cache(maxsize=256)
def to_prior_df(spread: float) -> float:
    """Return the d0 at which the logarithm of a true variance has an SD."""
    if spread**2 <= float(special.polygamma(1, ALIKE_DF / 2)):
        return ALIKE_DF
    return float(
        optimize.brentq(
            lambda df: float(special.polygamma(1, df / 2)) - spread**2, 1e-2, ALIKE_DF, xtol=1e-3
        )
    )


def _integrate(target: _Arms, prior_df: float) -> float:
    """Return the log likelihood of a target's variances, its scale integrated out."""
    grid = target.lay_grid(prior_df)
    fit = target.measure_fit(grid, prior_df)
    most = float(fit.max())
    return most + float(np.log(np.exp(fit - most).sum() * (grid[1] - grid[0])))


def _describe(target: _Arms | None, prior_df: float, df: Floats) -> ScalePrior:
    if target is None:
        # equal runs in every arm say that there is no noise; single runs say nothing
        return ScalePrior(0.0, 0.0, float(df.sum()), np.full(len(df), ALIKE_DF))
    grid = target.lay_grid(prior_df)
    fit = target.measure_fit(grid, prior_df)
    weight = np.exp(fit - fit.max())
    precision = np.exp(grid[0] - grid)
    mean = float(np.average(precision, weights=weight))
    variance = float(np.average((precision - mean) ** 2, weights=weight))
    scale = float(np.exp(grid[0])) / mean
    above = np.log(prior_df / 2) - float(special.digamma(prior_df / 2))
    return ScalePrior(
        scale,
        scale * float(np.exp(above)),
        2 * mean**2 / max(variance, 1e-300),
        np.full(len(df), prior_df),
    )


def _release_outliers(
    priors: Sequence[ScalePrior], variances: Sequence[Floats], dfs: Sequence[Floats]
) -> list[ScalePrior]:
    """Take from d0 of arms that it does not explain: p-values below what their rank expects."""
    tails = [
        _measure_tails(prior, variance, df)
        for prior, variance, df in zip(priors, variances, dfs, strict=True)
    ]
    p_values = np.concatenate(tails)
    expected = (stats.rankdata(p_values) - 0.5) / len(p_values)
    kept = np.minimum(OUTLIER * p_values / expected, 1.0)
    bounds = np.cumsum([len(tail) for tail in tails])[:-1]
    return [
        replace(prior, df=np.where(part < 1, part * prior.df, prior.df))
        for prior, part in zip(priors, np.split(kept, bounds), strict=True)
    ]


def _measure_tails(prior: ScalePrior, variance: Floats, df: Floats) -> Floats:
    """Return how likely a variance as large is for the target's arms; 1 where unknown, [A]."""
    if prior.scale == 0:
        return np.ones_like(df)
    known = df > 0
    ratio = np.where(known, variance, 0.0) / prior.scale
    return np.where(known, stats.f.sf(ratio, np.maximum(df, 1.0), prior.df), 1.0)
