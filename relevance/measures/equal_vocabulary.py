r"""Vocabulary co-occurrence at equal size: equation 2 after as many tokens of each task were drawn.

Plain co-occurrence groups tasks by the size of their vocabulary: a source of many texts has most
words of any target. Here n tokens of each task are drawn without replacement, n being those of the
smallest task, and the expectation over all draws is taken (rarefaction; Hurlbert 1971, "The
nonconcept of species diversity"). With N_t tokens of task t, c_t(w) of them w, the probability
that w is among the n is

    p_t(w) = 1 - C(N_t - c_t(w), n) / C(N_t, n)
    r(s, t) = sum over w of p_s(w) p_t(w) / sum over w of p_t(w)

the expected number of shared words over that of the target's words. The diagonal is what two such
samples of one task share: the most that can be expected. The number of texts plays no part any
more; whether a task has many different words among as many tokens still does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analysis.arrays import Floats
from relevance.matrices.matrix import RelevanceMatrix
from relevance.measures.measure import Measure

if TYPE_CHECKING:
    from relevance.measures.measure_inputs import MeasureInputs
    from relevance.vocabulary.token_counts import Counts, TokenCounts


def measure_equal_vocabulary(tokens: TokenCounts) -> RelevanceMatrix:
    """Return r(s, t), shape [T, T], at the number of tokens of the smallest task."""
    drawn = int(tokens.totals.min())
    present = compute_presence(tokens.counts, drawn)
    values = present @ present.T / present.sum(axis=1)
    provenance = {**tokens.describe(), "drawn_tokens": drawn}
    return RelevanceMatrix.from_array(values, tokens.tasks, MEASURE.name, provenance)


def compute_presence(counts: Counts, drawn: int) -> Floats:
    """Return the probability that each token is among `drawn` ones of its task, shape [T, V]."""
    from scipy.special import gammaln

    total = counts.sum(axis=1, keepdims=True).astype(np.float64)
    left = total - counts  # tokens that are another word
    # log of C(left, drawn) / C(total, drawn); the factorials of `drawn` cancel
    is_possible = left >= drawn
    safe = np.where(is_possible, left, total)
    log_absent = gammaln(safe + 1) - gammaln(safe - drawn + 1)
    log_absent -= gammaln(total + 1) - gammaln(total - drawn + 1)
    found: Floats = 1 - np.where(is_possible, np.exp(log_absent), 0.0)
    return np.clip(np.where(counts > 0, found, 0.0), 0.0, 1.0)


def _measure(inputs: MeasureInputs) -> RelevanceMatrix:
    return measure_equal_vocabulary(inputs.tokens)


MEASURE = Measure(
    name="equal-vocabulary",
    title="share of the target's vocabulary that the source has, at equal numbers of tokens",
    values="share of the target's vocabulary, at equal size",
    needs="data",
    direction="directed",
    comparability="within a target",
    cost="tokenises the different training texts",
    source="Fei et al. 2022, equation 2, rarefied (Hurlbert 1971)",
    compute=_measure,
)
