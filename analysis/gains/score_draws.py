"""Scores without predictions, made ready for the bootstrap of gains.

What seeds do is in the scores themselves. What other dev rows would do is known where the metric
and the number of rows say it: hits are binomial, a correlation's arctanh has the variance
1 / (N - 3) (Fisher 1915). Which rows two runs get wrong is not known: each arm is taken as scored
on rows of its own, so that an interval is rather too wide than too narrow. Predictions say more.

    bootstrap_targets([make_target("rte", singles_and_joints, draws=1000), ...], draws=1000)

Legend: B draws, S runs of an arm, N dev examples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analysis.arrays import Floats
from analysis.gains.bootstrap import TargetScores, make_generator

SHARES = ("accuracy", "exact_match", "error", "error_rate")
"""Metrics that are a share of N rows (or questions) that are right, or wrong."""
CORRELATIONS = ("correlation", "pearson", "spearman")
_LEAST_ROWS = 4
"""Below it, the variance of a correlation is not known."""


@dataclass(frozen=True, eq=False)
class ArmScores:
    """What is known of a target's scores.

    Attributes:
        task: its name.
        metric: what the scores are; any name.
        n_dev: its dev examples, None where that is not known.
        arms: partner ("" for the single runs) to seed to score, fractions; the negatives of errors.
        is_error: whether they are that.
    """

    task: str
    metric: str
    n_dev: int | None
    arms: Mapping[str, Mapping[int, float]]
    is_error: bool = False

    @property
    def has_row_noise(self) -> bool:
        """Whether metric and number of rows say how much other dev rows would change."""
        is_known = self.metric in (*SHARES, *CORRELATIONS)
        return is_known and self.n_dev is not None and self.n_dev >= _LEAST_ROWS

    @property
    def has_seed_noise(self) -> bool:
        """Whether some arm has two runs."""
        return any(len(runs) > 1 for runs in self.arms.values())

    @property
    def is_constant(self) -> bool:
        """Whether all runs have one score."""
        return len({score for runs in self.arms.values() for score in runs.values()}) == 1


def make_target(found: ArmScores, draws: int, seed: int = 0) -> TargetScores:
    """Return a target's scores with their draws over dev rows; constant where these are not known.

    Args:
        draws: B.
        seed: seed of the draws, which depend on no other target.
    """
    arms = {name: found.arms[name] for name in sorted(found.arms)}
    scores = [np.array(list(runs.values()), dtype=np.float64) for runs in arms.values()]
    moved = [
        _draw(found, name, values, draws, seed) for name, values in zip(arms, scores, strict=True)
    ]
    return TargetScores(
        name=found.task,
        metric=found.metric,
        n_dev=found.n_dev or 0,
        n_units=found.n_dev or 0,
        arms=tuple(arms),
        seeds=tuple(tuple(runs) for runs in arms.values()),
        scores=scores,
        draws=moved,
        is_error=found.is_error,
    )


def _draw(found: ArmScores, arm: str, scores: Floats, draws: int, seed: int) -> Floats:
    """Return an arm's scores on other rows, [B, S]: all runs move together."""
    moves = np.zeros(draws)
    mean = float(scores.mean())
    if found.has_row_noise and found.n_dev is not None:
        rng = make_generator(seed, "examples", found.task, arm)
        if found.metric in SHARES:
            share, sign = min(max(abs(mean), 0.0), 1.0), -1 if found.is_error else 1
            moves = sign * (rng.binomial(found.n_dev, share, draws) / found.n_dev - share)
        else:
            z = np.arctanh(min(max(mean, -0.999), 0.999))
            normal = rng.standard_normal(draws) / np.sqrt(found.n_dev - 3)
            moves = np.tanh(z + normal) - np.tanh(z)
    return scores + moves[:, None]
