"""The order of tasks is nobody's business: statistics of a matrix move with it, or stay."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from asserts import assert_permutation_equivariant
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.arrays import Floats
from analysis.gains.additive import find_cells, fit_additive, measure_noise, split_covariance
from analysis.partitions.per_draw import cluster_stack, measure_gain
from analysis.partitions.structure import split_effects

FAMILIES = np.arange(7) % 2
GAINS = 0.2 * np.equal.outer(FAMILIES, FAMILIES) + 0.02 * np.random.default_rng(0).normal(
    size=(7, 7)
)


def share(gains: Floats) -> Floats:
    """Return which tasks the exact search puts together, [T, T]."""
    labels = cluster_stack(gains[None], 2, "exact")[0]
    return np.equal.outer(labels, labels).astype(np.float64)


STATISTICS: dict[str, Callable[[Floats], Floats]] = {
    "cells": lambda gains: find_cells(gains).astype(np.float64),
    "sources": lambda gains: fit_additive(gains, find_cells(gains))[1],
    "targets": lambda gains: fit_additive(gains, find_cells(gains))[2],
    "shares": lambda gains: split_covariance(gains[None], find_cells(gains))[0].sum(),
    "noise": lambda gains: measure_noise(np.stack([gains, -gains]), find_cells(gains)).sum(),
    "interactions": lambda gains: split_effects(gains)[1],
    "alone": lambda gains: measure_gain(gains, np.zeros(7, np.int64)),
    "groups": share,
}


@pytest.mark.parametrize("name", sorted(STATISTICS))
@settings(max_examples=10)
@given(order=st.permutations(range(7)))
def test_a_statistic_moves_with_the_tasks(name: str, order: list[int]) -> None:
    assert_permutation_equivariant(STATISTICS[name], GAINS, order)
