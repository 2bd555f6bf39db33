"""k-means on many matrices at once, and how far partitions agree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from analysis.partitions.agreement import (
    compare_groups,
    compare_labels,
    compare_members,
    compare_mutually,
    count_together,
    to_labels,
)
from analysis.partitions.batched_kmeans import RowKMeans, measure_within
from analysis.partitions.kmeans import run_kmeans
from hmnet.errors import InputError
from hmnet.study.hierarchy import Groups
from relevance.groups.published import compare_with_published
from relevance.matrices.reference import load_published_groups, load_reference


@given(st.integers(0, 10_000), st.integers(4, 9), st.integers(1, 4))
@settings(max_examples=8)
def test_batched_k_means_ends_as_well_as_scikit_learn(seed: int, size: int, k: int) -> None:
    stack = np.random.default_rng(seed).normal(size=(3, size, size))
    labels = RowKMeans(n_init=20)(stack, k)
    within = measure_within(stack, labels, k)
    expected = [run_kmeans(matrix, k, n_init=10).inertia.min() for matrix in stack]
    # both are searches: ours may not be worse by more than another local optimum
    assert (within <= 1.06 * np.array(expected)).all()


def test_batched_k_means_finds_the_published_groups() -> None:
    for name, groups in (
        ("paper:table2", "table2_data_property"),
        ("paper:table3", "table3_model_based"),
    ):
        matrix = load_reference(name)
        stack = np.tile(matrix.to_frame().to_numpy(), (5, 1, 1))
        wanted = to_labels(load_published_groups(groups), matrix.tasks)
        assert compare_labels(RowKMeans(n_init=30)(stack, 3), wanted) == pytest.approx(np.ones(5))


def test_planted_rows_are_found_in_every_matrix() -> None:
    families = np.array([0, 0, 1, 1, 2, 2])
    centre = np.eye(3)[families] @ np.random.default_rng(0).normal(size=(3, 6))
    stack = centre + 0.01 * np.random.default_rng(1).normal(size=(50, 6, 6))
    assert compare_labels(RowKMeans()(stack, 3), families) == pytest.approx(np.ones(50))


def test_the_extremes_are_one_cluster_and_each_row_its_own() -> None:
    stack = np.random.default_rng(0).normal(size=(4, 5, 5))
    assert (RowKMeans()(stack, 1) == 0).all()
    assert all(len(set(row)) == 5 for row in RowKMeans()(stack, 5).tolist())


def test_within_is_the_distance_to_the_means_by_hand() -> None:
    stack = np.array([[[0.0, 0.0], [2.0, 0.0], [5.0, 5.0]]])
    # the first two are 1 away from their mean, squared 1 each
    assert measure_within(stack, np.array([[0, 0, 1]]), 2) == pytest.approx([2.0])


def test_a_start_is_never_made_worse() -> None:
    stack = np.random.default_rng(3).normal(size=(20, 7, 7))
    start = np.array([0, 0, 1, 1, 2, 2, 2])
    found = measure_within(stack, RowKMeans(n_init=1)(stack, 3, start), 3)
    assert (found <= measure_within(stack, np.tile(start, (20, 1)), 3) + 1e-9).all()


@given(st.integers(0, 10_000), st.integers(2, 8))
def test_the_adjusted_rand_index_is_scikit_learn_s(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    labels, reference = rng.integers(0, 3, (6, size)), rng.integers(0, 3, size)
    expected = [adjusted_rand_score(reference, row) for row in labels]
    np.testing.assert_allclose(compare_labels(labels, reference), expected, atol=1e-12)


def test_groups_of_other_names_and_orders_agree() -> None:
    one = Groups({"1": ("a", "b"), "2": ("c",)}, {})
    other = Groups({"x": ("c",), "y": ("b", "a")}, {})
    assert compare_groups(one, other) == 1
    assert to_labels(one, ("c", "a", "b")).tolist() == [1, 0, 0]
    with pytest.raises(InputError):
        compare_groups(one, Groups({"1": ("a",)}, {}))


def test_published_groups_are_compared_as_far_as_they_hold_the_tasks() -> None:
    own = compare_with_published(load_published_groups("table3_model_based"))
    assert own["table3_model_based"] == 1.0
    assert own["manual_design"] < 0.5
    # of these four, the manual design puts the inference tasks and the sentiment tasks together
    some = compare_with_published(Groups({"1": ("rte", "mnli"), "2": ("sst2", "imdb")}))
    assert some["manual_design"] == 1.0
    assert compare_with_published(Groups({"1": ("rte", "mnli"), "2": ("sst2", "mine")})) == {}
    assert compare_with_published(Groups({"1": ("rte", "mnli", "sst2")})) == {}


def test_how_often_tasks_are_together_by_hand() -> None:
    labels = np.array([[0, 0, 1], [0, 1, 1], [2, 2, 2], [0, 0, 1]])
    together = count_together(labels)
    assert together.tolist() == [[1, 0.75, 0.25], [0.75, 1, 0.5], [0.25, 0.5, 1]]


def test_a_task_is_as_stable_as_its_company() -> None:
    labels = np.array([[0, 0, 1], [0, 0, 0]])
    # t0: {0,1} both in the first; {0,1} of {0,1,2} in the second: (1 + 2/3) / 2
    # t2: {2} of {2}, then {2} of {0,1,2}: (1 + 1/3) / 2
    found = compare_members(labels, np.array([0, 0, 1]))
    assert found == pytest.approx([5 / 6, 5 / 6, 2 / 3])


@given(st.integers(0, 10_000), st.integers(1, 8), st.integers(2, 6))
def test_every_two_of_many_partitions_are_compared_as_scikit_learn_does(
    seed: int, size: int, count: int
) -> None:
    labels = np.random.default_rng(seed).integers(0, 3, (count, size))
    expected = [[adjusted_rand_score(one, other) for other in labels] for one in labels]
    np.testing.assert_allclose(compare_mutually(labels), expected, atol=1e-12)
