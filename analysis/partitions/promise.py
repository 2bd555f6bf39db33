"""What a partition gains, as sure as the data are: for what a decision says of its answer.

`analysis.partitions.decision` chooses by one posterior of the true gains. Two things that it takes
for known are not, and what is said of the answer would be too sure without them:

- *how far gains truly vary*: it is drawn, as often as its degrees of freedom leave it possible
  (`analysis.gains.posterior.draw_components`), and gains are expected after each;
- *that gains have no pattern*: where the chosen groups explain more of the measured interactions
  than groups that are chosen alike in repetitions without one (p < .05), what tasks of one group
  share is taken as measured, and only the rest is shrunk.

Legend: T tasks, B draws, Z points of a distribution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis.arrays import Floats, Labels
from analysis.gains.additive import find_cells
from analysis.gains.posterior import (
    GainPosterior,
    draw_components,
    has_few_targets,
    leave_out_undefined,
    measure_cell_noise,
)
from analysis.levels import take_interval
from analysis.partitions.decision import MOST_EXACT, Decision, Expectation, weigh
from analysis.partitions.per_draw import search_stack
from analysis.partitions.stability import fit_pattern, is_patterned, repeat_study
from analysis.partitions.structure import split_effects

VARIANCES = 16
"""Draws of how far gains vary."""
REPETITIONS = 60
"""Of the study, to tell whether groups stand out of those that chance makes."""
_POINTS = stats.norm.ppf((np.arange(100) + 0.5) / 100)


@dataclass(frozen=True, eq=False)
class GainBelief:
    """What the data say of the true gains, how far they vary being unknown.

    Attributes:
        posteriors: of what the pattern leaves, one for each possible spread and pattern.
        patterns: what tasks of one group share, [T, T] each.
    """

    posteriors: Sequence[GainPosterior]
    patterns: Sequence[Floats]

    def draw(self, weights: Floats) -> Floats:
        """Return points of the distribution of a weighted sum of gains, [T, T] each, [Z]."""
        found = np.array([posterior.expect(weights) for posterior in self.posteriors])
        shared = np.array([[float((weights * pattern).sum())] for pattern in self.patterns])
        points: Floats = found[:, :1] + shared + found[:, 1:] * _POINTS
        return points.ravel()


def state_decision(decision: Decision, values: Floats, draws: Floats) -> Decision:
    """Return a decision with what is said of its partitions; another one, if that gains more.

    With gains of fewer than four targets it is what it was.

    Args:
        values: the gains that it was taken from, [T, T].
        draws: of them, [B, T, T].
    """
    values = leave_out_undefined(values, draws)
    if has_few_targets(values):
        return decision
    belief = see_gains(decision.chosen.labels, values, draws)
    others = {name: _state(belief, each.labels) for name, each in decision.others.items()}
    stated = [*others.values(), _state(belief, decision.chosen.labels)]
    chosen = max(stated, key=lambda each: round(each.gain, 9))
    ahead = {
        name: belief.draw(weigh(chosen.labels) - weigh(each.labels))
        for name, each in others.items()
    }
    return Decision(
        chosen,
        others,
        {name: float((points >= 0).mean()) for name, points in ahead.items()},
        {name: float(np.maximum(-points, 0.0).mean()) for name, points in ahead.items()},
    )


def _state(belief: GainBelief, labels: Labels) -> Expectation:
    points = belief.draw(weigh(labels))
    low, high = take_interval(points)
    return Expectation(labels, float(points.mean()), float(low), float(high))


def see_gains(labels: Labels, values: Floats, draws: Floats, seed: int = 0) -> GainBelief:
    """Return what gains, [T, T], and draws, [B, T, T], say, after groups were chosen by them."""
    rng = np.random.default_rng(seed)
    pattern = find_pattern(labels, values, draws, seed)
    noise, around = measure_cell_noise(draws), draws - pattern
    parts = draw_components(values - pattern, around, VARIANCES, rng)
    factors = 1 + _measure_doubt(values, pattern) * rng.standard_normal(len(parts))
    patterns = [factor * pattern for factor in factors]
    posteriors = [
        GainPosterior(values - shared, noise, each)
        for shared, each in zip(patterns, parts, strict=True)
    ]
    return GainBelief(posteriors, patterns)


def _measure_doubt(values: Floats, pattern: Floats) -> float:
    """Return the relative standard error of a fitted pattern, 0 where there is none."""
    size, scale = len(pattern), float((pattern**2).sum())
    if scale == 0:
        return 0.0
    rest = split_effects(values - pattern)[1]
    df = size * (size - 1) - 2 * size  # cells less main effects and the pattern itself
    return float(np.sqrt((rest**2).sum() / max(df, 1) / scale))


def find_pattern(labels: Labels, values: Floats, draws: Floats, seed: int = 0) -> Floats:
    """Return what tasks of one group share, [T, T]; 0 where chance makes such groups too."""
    nothing = np.zeros(values.shape)
    count = len(np.unique(labels))
    if count in (1, len(labels)) or len(labels) > MOST_EXACT or not _is_whole(values):
        return nothing
    posterior = GainPosterior.of(values, draws)
    again = repeat_study(values, draws, seed)[:REPETITIONS]
    if not is_patterned(values, labels, again, search_stack(posterior.shrink(again))):
        return nothing
    found = fit_pattern(values, labels)
    np.fill_diagonal(found, 0.0)
    return found


def _is_whole(values: Floats) -> bool:
    return int(find_cells(values).sum()) == len(values) * (len(values) - 1)
