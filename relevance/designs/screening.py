"""Which pairs to run next: those that may still change which tasks train together.

A balanced sample of pairs is run first. Then, many times over, the true gains are drawn from what
is known of them; in each draw the best groups are others than those that would be taken now, and
the pairs whose gains tell the two apart are worth running, the more, the less is known of them.
Two pairs that tell the same apart are both run only in different rounds.

Legend: T tasks.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from analysis.arrays import Floats
from analysis.guesses.balanced_blocks import Block
from analysis.guesses.gain_model import GainModel
from analysis.partitions.decision import Decision, improve, weigh

DRAWS = 60
STABLE = 5e-4
"""Gain that may still be missed, a mean of tasks, below which a decision is stable: .05 points."""


@dataclass(frozen=True)
class ScreenOptions:
    """How many pairs a screen runs.

    Attributes:
        budget: most pair runs; the single runs come on top.
        batch: pairs that are run between two looks; None for a tenth of the budget.
    """

    budget: int = 20
    batch: int | None = None

    def count_first(self, tasks: int) -> int:
        """Return the pairs of the balanced sample: half of the budget, or each task once."""
        return min(self.budget, max(self.budget // 2, -(-tasks // 2)))

    @property
    def step(self) -> int:
        """Pairs that are run between two looks."""
        return self.batch or max(self.budget // 10, 1)


def choose_pairs(
    model: GainModel, decision: Decision, done: Collection[Block], count: int
) -> list[Block]:
    """Return the pairs that are worth running most, at most `count`; none if none matters.

    Args:
        decision: what would be done now.
        done: pairs that were run.
    """
    worth = _value_cells(model, decision)
    worth = np.triu(worth + worth.T, k=1)
    for block in done:
        worth[block] = 0.0
    found: list[Block] = []
    for place in np.argsort(-worth, axis=None, kind="stable")[:count]:
        pair = np.unravel_index(int(place), worth.shape)
        if worth[pair] > 0:
            found.append((int(pair[0]), int(pair[1])))
    return found


def _value_cells(model: GainModel, decision: Decision) -> Floats:
    """Return how far a run of each cell is expected to move what tells groups apart, [T, T]."""
    labels = decision.chosen.labels
    own, starts = weigh(labels), (labels, np.arange(len(labels)), np.zeros(len(labels), np.int64))
    stake = np.zeros_like(own)
    for truth in model.sample(DRAWS, np.random.default_rng(1)):
        tried = [weigh(improve(truth, start)) for start in starts]
        stake += np.abs(max(tried, key=lambda w: float((w * truth).sum())) - own)
    variance = model.deviation**2
    moved = variance / np.sqrt(variance + model.noise + 1e-12)
    worth: Floats = stake / DRAWS * moved
    return worth
