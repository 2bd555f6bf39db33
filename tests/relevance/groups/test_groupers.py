"""Groupers keep scikit-learn's conventions, and are what `cluster` and the command use."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone

from analysis.partitions.agreement import to_labels
from hmnet.errors import InputError
from relevance.groups.clustering import cluster
from relevance.groups.groupers import METHODS, Grouper, KMeansGrouper, make_grouper
from relevance.matrices.matrix import RelevanceMatrix


@pytest.fixture(scope="module")
def matrix() -> RelevanceMatrix:
    """Gains of nine tasks in three families, each with the lower end of its interval."""
    families = np.arange(9) % 3
    noise = 0.01 * np.random.default_rng(0).normal(size=(9, 9))
    values = 0.1 * np.equal.outer(families, families) + noise
    names = [f"t{index}" for index in range(9)]
    return RelevanceMatrix.from_array(values, names, "pairwise", ci_low=values - 0.02)


@pytest.fixture(params=sorted(METHODS))
def grouper(request: pytest.FixtureRequest) -> Grouper:
    return make_grouper(request.param, 3, seed=4, n_init=10)


def test_fit_returns_the_grouper_with_groups_and_labels(
    grouper: Grouper, matrix: RelevanceMatrix
) -> None:
    assert grouper.fit(matrix) is grouper
    assert len(grouper.groups_.groups) == 3
    assert grouper.labels_.tolist() == to_labels(grouper.groups_, matrix.tasks).tolist()
    assert grouper.fit_predict(matrix).tolist() == grouper.labels_.tolist()


def test_parameters_are_read_set_and_cloned(grouper: Grouper, matrix: RelevanceMatrix) -> None:
    again = clone(grouper)
    assert again is not grouper
    assert again.get_params() == grouper.get_params()
    assert again.fit(matrix).groups_ == grouper.fit(matrix).groups_
    assert len(again.set_params(k=2).fit(matrix).groups_.groups) == 2


def test_a_constructor_checks_nothing_and_fit_does(
    grouper: Grouper, matrix: RelevanceMatrix
) -> None:
    with pytest.raises(InputError, match="whole number from 1 to 9"):
        grouper.set_params(k=10).fit(matrix)
    with pytest.raises(InputError, match="n_init"):
        KMeansGrouper(n_init=0).fit(matrix)


def test_the_function_uses_the_class(grouper: Grouper, matrix: RelevanceMatrix) -> None:
    found = cluster(matrix, 3, grouper.method, seed=4, n_init=10)
    assert found == grouper.fit(matrix).groups_
