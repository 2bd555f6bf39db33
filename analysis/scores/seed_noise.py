"""How much scores vary over seeds, from few seeds per arm.

The sample variance of an arm of S runs has S - 1 degrees of freedom: two or three seeds say
little. The arms of one target vary for the same reasons, so each arm's variance is drawn towards
the target's, as far as the arms of all targets look alike (`analysis.scores.moderation`):

    v_a = (d0 g_t^2 + d_a s_a^2) / (d0 + d_a)         d_a = S_a - 1

where g_t^2 is the geometric mean of the target's true variances (limma has the scale s_t^2 of their
distribution, which is right for one variance, and too small for a sum of two).

Two errors remain: that of g_t^2, which all arms of the target have in common, and the arm's own,
with d0 + d_a degrees of freedom.

An arm of a single seed takes the target's variance. A target without two runs of any arm has none.

Legend: A arms of a target, the single runs first; S runs of an arm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.arrays import Floats
from analysis.scores.moderation import ALIKE_DF, ScalePrior, fit_priors


@dataclass(frozen=True, eq=False)
class SeedNoise:
    """How runs of each arm of one target vary. All arrays have shape [A].

    Attributes:
        variance: of a run's dev score over seeds.
        sampling: the part of `variance` that comes from the dev examples: runs err on different
            ones. Resampling examples shows this part by itself, so that it must not be added
            again; the rest is how much runs would differ on infinitely many examples.
        shared: the part of `variance` that is the target's, with its error.
        shared_df: degrees of freedom of the target's variance; 0 where it is unknown (and taken
            as 0).
        own_df: degrees of freedom of `variance`, were the target's variance known.
    """

    variance: Floats
    sampling: Floats
    shared: Floats
    shared_df: float
    own_df: Floats

    @property
    def beyond_sampling(self) -> Floats:
        """The variance of a run's score over seeds on infinitely many dev examples, [A]."""
        return np.maximum(self.variance - self.sampling, 0.0)

    @property
    def df(self) -> Floats:
        """Degrees of freedom of `variance`, 0 where it is unknown, [A]."""
        if self.shared_df == 0:
            return np.zeros_like(self.own_df)
        ones = np.ones_like(self.variance)
        share = np.divide(self.shared, self.variance, out=ones, where=self.variance > 0)
        found: Floats = 1 / (1 / self.own_df + share**2 / self.shared_df)
        return found


def measure_spread(
    scores: Sequence[Floats], draws: Sequence[Floats]
) -> tuple[Floats, Floats, Floats]:
    """Return each arm's sample variance over seeds, its part from examples, and S - 1, each [A].

    Args:
        scores: the runs' dev scores of each arm, A arrays of shape [S].
        draws: their scores under resampled examples, A arrays of shape [B, S].
    """
    df = np.array([len(runs) - 1.0 for runs in scores])
    variance = np.array([_vary(runs[None])[0] for runs in scores])
    sampling = np.array(
        [_vary(drawn - runs).mean() for runs, drawn in zip(scores, draws, strict=True)]
    )
    return variance, sampling, df


def _vary(rows: Floats) -> Floats:
    """Return the sample variance of each row, 0 for rows of one value."""
    return rows.var(axis=1, ddof=1) if rows.shape[1] > 1 else np.zeros(len(rows))


def moderate(
    variances: Sequence[Floats], samplings: Sequence[Floats], dfs: Sequence[Floats]
) -> list[SeedNoise]:
    """Draw the variances of each target's arms together.

    Args:
        variances, samplings, dfs: of each target, as `measure_spread` returns them.
    """
    priors = fit_priors(variances, dfs)
    return [
        _shrink(variance, sampling, df, prior)
        for variance, sampling, df, prior in zip(variances, samplings, dfs, priors, strict=True)
    ]


def _shrink(variance: Floats, sampling: Floats, df: Floats, prior: ScalePrior) -> SeedNoise:
    kept = np.where(prior.df < ALIKE_DF, df / (df + prior.df), 0.0)
    shared = (1 - kept) * prior.typical
    pooled = float(sampling @ df / max(df.sum(), 1.0))
    return SeedNoise(
        variance=shared + kept * variance,
        sampling=np.where(df > 0, sampling, pooled),
        shared=shared,
        shared_df=prior.scale_df,
        own_df=df + prior.df,
    )
