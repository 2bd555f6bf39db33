r"""Likeness of two tasks' token frequencies: one minus their Jensen-Shannon divergence in bits.

With p and q the shares of each token among n tokens of either task and m = (p + q) / 2:
r = 1 - (KL(p || m) + KL(q || m)) / 2, from 0 (no token in common) to 1. The divergence of small
samples is too large, so that as many tokens of each task are drawn, without replacement: as many
as the smallest task has. The mean over `SAMPLES` fixed samples is taken.

Source: Lin 1991, "Divergence measures based on the Shannon entropy"; used to choose source domains
by Plank and van Noord 2011, "Effective measures of domain similarity for parsing".
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from analysis.arrays import Floats
from relevance.matrices.matrix import RelevanceMatrix
from relevance.measures.measure import Measure

if TYPE_CHECKING:
    from relevance.measures.measure_inputs import MeasureInputs
    from relevance.vocabulary.token_counts import Counts, TokenCounts

SAMPLES = 10


def measure_jensen_shannon(tokens: TokenCounts) -> RelevanceMatrix:
    """Return r, shape [T, T], symmetric, with ones on the diagonal."""
    drawn = int(tokens.totals.min())
    samples = [
        draw_shares(counts, drawn, task)
        for task, counts in zip(tokens.tasks, tokens.counts, strict=True)
    ]
    values = np.eye(len(samples))
    for i, j in itertools.combinations(range(len(samples)), 2):
        values[i, j] = values[j, i] = 1 - compute_divergence(samples[i], samples[j])
    provenance = {**tokens.describe(), "drawn_tokens": drawn, "samples": SAMPLES}
    return RelevanceMatrix.from_array(values, tokens.tasks, MEASURE.name, provenance)


def draw_shares(counts: Counts, drawn: int, task: str) -> Floats:
    """Return the shares of tokens in samples of a task, shape [`SAMPLES`, V].

    The name seeds them, so that a task's samples do not depend on the order of tasks.
    """
    rng = np.random.default_rng([0, crc32(task.encode())])
    samples = rng.multivariate_hypergeometric(counts, drawn, size=SAMPLES, method="marginals")
    return samples / drawn


def compute_divergence(one: Floats, other: Floats) -> float:
    """Return the Jensen-Shannon divergence in bits, from 0 to 1, mean over rows [S, V]."""
    from scipy.special import rel_entr

    middle = (one + other) / 2
    nats = (rel_entr(one, middle) + rel_entr(other, middle)).sum(axis=1) / 2
    return float(np.clip(nats / np.log(2), 0.0, 1.0).mean())


def _measure(inputs: MeasureInputs) -> RelevanceMatrix:
    return measure_jensen_shannon(inputs.tokens)


MEASURE = Measure(
    name="jensen-shannon",
    title="likeness of token frequencies at equal numbers of tokens",
    values="1 - Jensen-Shannon divergence of tokens",
    needs="data",
    direction="symmetric",
    comparability="across targets",
    cost="tokenises the different training texts",
    source="Lin 1991; Plank and van Noord 2011",
    compute=_measure,
)
