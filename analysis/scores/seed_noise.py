"""How much scores vary over seeds, from few seeds per arm.

The sample variance of an arm of S runs has S - 1 degrees of freedom: two or three seeds say
little. The arms of one target vary for the same reasons, so each arm's variance is drawn towards
the target's pooled one, as far as the arms of all targets look alike:

    v_a = s_t^2 + w_a (s_a^2 - s_t^2)         w_a = c / (c + 2 (1 + c) / (S_a - 1))

where c is the squared coefficient of variation of the true variances around their target's mean,
estimated over all targets (c = 0 pools fully; w_a is the best linear predictor's weight). It is
the idea of moderated t-tests (Smyth 2004), with a moment estimate that takes variances of 0.

An arm of a single seed takes the pooled variance. A target without two runs of any arm has none.

Legend: A arms of a target, the single runs first; S runs of an arm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.arrays import Floats


@dataclass(frozen=True, eq=False)
class SeedNoise:
    """How runs of each arm of one target vary. All arrays have shape [A].

    Attributes:
        variance: of a run's dev score over seeds.
        sampling: the part of `variance` that comes from the dev examples: runs err on different
            ones. Resampling examples shows this part by itself, so that it must not be added
            again; the rest is how much runs would differ on infinitely many examples.
        df: degrees of freedom of `variance`; 0 where it is unknown (and taken as 0).
    """

    variance: Floats
    sampling: Floats
    df: Floats

    @property
    def beyond_sampling(self) -> Floats:
        """The variance of a run's score over seeds on infinitely many dev examples, [A]."""
        return np.maximum(self.variance - self.sampling, 0.0)


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
    heterogeneity = measure_heterogeneity(variances, dfs)
    return [
        _shrink(variance, sampling, df, heterogeneity)
        for variance, sampling, df in zip(variances, samplings, dfs, strict=True)
    ]


def measure_heterogeneity(variances: Sequence[Floats], dfs: Sequence[Floats]) -> float:
    """Return c, the squared coefficient of variation of true variances within targets.

    For equal true variances, the mean over arms of (s_a^2 / s_t^2)^2 is
    (1 + 2 / df_a) / (1 + 2 / df_t); what exceeds it is heterogeneity.
    """
    excess, weight = 0.0, 0.0
    for variance, df in zip(variances, dfs, strict=True):
        pooled, known = _pool(variance, df), df > 0
        if pooled > 0:
            expected = (1 + 2 / df[known]) / (1 + 2 / df.sum())
            excess += float(df[known] @ ((variance[known] / pooled) ** 2 / expected - 1))
            weight += float(df[known].sum())
    return max(excess / weight, 0.0) if weight else 0.0


def _pool(values: Floats, df: Floats) -> float:
    total = df.sum()
    return float(values @ df / total) if total > 0 else 0.0


def _shrink(variance: Floats, sampling: Floats, df: Floats, heterogeneity: float) -> SeedNoise:
    kept, own_df = np.zeros_like(df), np.full_like(df, df.sum())
    if heterogeneity > 0:
        prior_df = 2 * (1 + heterogeneity) / heterogeneity
        kept = df / (df + prior_df)
        own_df = np.minimum(df + prior_df, df.sum())
    return SeedNoise(
        variance=_pool(variance, df) * (1 - kept) + kept * variance,
        sampling=_pool(sampling, df) * (1 - kept) + kept * sampling,
        df=own_df,
    )
