"""Dev scores under resampled examples: many runs, many draws, every metric exactly.

A draw resamples a split's examples with replacement; what it needs is how often each example is
drawn. A metric of the drawn rows is then a function of weighted sums, so that all draws of all
runs are a few matrix products: hits for accuracy, confusion counts for F1, moments for Pearson's
correlation, weighted ranks for Spearman's. Nothing is averaged over batches or approximated. Scores
are the f of equation 3, of which more is better: those of an error are negative.

Whole questions are drawn where examples belong to questions (MultiRC): the answers of a question
share its passage and are right or wrong together. Each drawn copy of a question counts as a
question of its own. Questions about one passage are still taken as independent, because
predictions do not say which passage a question belongs to.

Legend: B draws, N examples of a split, R runs, U units that are drawn (examples or questions).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from analysis.arrays import Floats
from analysis.scores.predictions import Array, Predictions
from analysis.scores.scorers import Weights, make_scorer
from hmnet.study.metrics import is_error

CHUNK_CELLS = 2_000_000
"""Weights held at once; a float32 is exact for the whole numbers that occur."""


def resample_scores(
    predictions: Predictions, values: Array, draws: int, rng: np.random.Generator
) -> Floats:
    """Return every run's score under resampled dev examples, the same draws for all, [B, R].

    Args:
        values: predictions of all runs, shape [R, N], columns as in `predictions.labels`.
        draws: B.
    """
    splits = list(dict.fromkeys(predictions.splits.tolist()))
    total = np.zeros((draws, len(values)))
    for split in splits:
        chosen = np.flatnonzero(predictions.splits == split)
        units = number_units(predictions.questions[chosen])
        scorer = make_scorer(
            predictions.metric, predictions.labels[chosen], values[:, chosen], units
        )
        total += np.concatenate([scorer(w) for w in draw_weights(units, draws, rng)])
    return _orient(predictions, total / len(splits))


def score_runs(predictions: Predictions, values: Array) -> Floats:
    """Return every run's score on the dev examples as they are, [R]."""
    splits = list(dict.fromkeys(predictions.splits.tolist()))
    total = np.zeros(len(values))
    for split in splits:
        chosen = np.flatnonzero(predictions.splits == split)
        units = number_units(predictions.questions[chosen])
        scorer = make_scorer(
            predictions.metric, predictions.labels[chosen], values[:, chosen], units
        )
        total += scorer(np.ones((1, len(chosen)), np.float32))[0]
    return _orient(predictions, total / len(splits))


def _orient(predictions: Predictions, scores: Floats) -> Floats:
    """Return scores of which more is better: the negatives of errors."""
    return -scores if is_error(predictions.metric) else scores


def count_units(predictions: Predictions) -> int:
    """Return how many units are drawn: examples, or questions where there are any."""
    return sum(
        int(number_units(predictions.questions[predictions.splits == split]).max()) + 1
        for split in dict.fromkeys(predictions.splits.tolist())
    )


def number_units(questions: Array) -> npt.NDArray[np.int64]:
    """Return the unit of each example, 0 to U - 1, [N]: its question, or itself without one."""
    has_none = questions == -1
    _, unit = np.unique(questions, return_inverse=True)
    unit = unit.astype(np.int64) + len(questions)
    unit[has_none] = np.flatnonzero(has_none)
    return np.unique(unit, return_inverse=True)[1].astype(np.int64)


def draw_weights(
    units: npt.NDArray[np.int64], draws: int, rng: np.random.Generator
) -> Iterator[Weights]:
    """Yield how often each example is drawn, in chunks of draws, [some of B, N]."""
    count = int(units.max()) + 1
    is_plain = count == len(units)
    step = max(1, CHUNK_CELLS // max(count, len(units)))
    for start in range(0, draws, step):
        size = min(step, draws - start)
        drawn = rng.integers(count, size=(size, count), dtype=np.int32).astype(np.int64)
        drawn += np.arange(size)[:, None] * count
        counts = np.bincount(drawn.ravel(), minlength=size * count).reshape(size, count)
        weights = counts.astype(np.float32)
        yield weights if is_plain else weights[:, units]
