r"""Share of the target's tokens that the source's vocabulary covers, each as often as it occurs.

With c_t(w) the count of token w in the target's training texts and V_s the source's vocabulary:
r(s, t) = sum over w in V_s of c_t(w) / sum over all w of c_t(w). It is one minus the share of the
target's tokens that are unknown to the source.

Source: Dai et al. 2019, "Using similarity measures to select pretraining data for NER" (target
vocabulary covered), weighted by frequency. Rare words, which decide equations 1 and 2, weigh
little here; a large source still covers more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from relevance.matrices.matrix import RelevanceMatrix
from relevance.measures.measure import Measure

if TYPE_CHECKING:
    from relevance.measures.measure_inputs import MeasureInputs
    from relevance.vocabulary.token_counts import TokenCounts


def measure_coverage(tokens: TokenCounts) -> RelevanceMatrix:
    """Return r(s, t), shape [T, T], with ones on the diagonal."""
    counts = tokens.counts.astype(np.float64)
    values = (counts > 0).astype(np.float64) @ counts.T / counts.sum(axis=1)
    return RelevanceMatrix.from_array(values, tokens.tasks, MEASURE.name, tokens.describe())


def _measure(inputs: MeasureInputs) -> RelevanceMatrix:
    return measure_coverage(inputs.tokens)


MEASURE = Measure(
    name="token-coverage",
    title="share of the target's tokens, as often as they occur, that the source has too",
    values="share of the target's tokens",
    needs="data",
    direction="directed",
    comparability="within a target",
    cost="tokenises the different training texts",
    source="Dai et al. 2019 (target vocabulary covered), weighted by frequency",
    compute=_measure,
)
