"""The exact partition search: the best of all partitions, checked against trying each one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from asserts import assert_groups_ignore_order
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hmnet.errors import InputError
from hmnet.study.hierarchy import Groups, name_groups
from relevance.groups.partition import MAX_TASKS, find_best_partition, within_group_gain
from relevance.matrices.matrix import RelevanceMatrix
from relevance.matrices.reference import load_reference

GAINS = st.integers(1, 6).flatmap(
    lambda size: arrays(float, (size, size), elements=st.floats(-1, 1))
)


def make_matrix(values: object, **columns: object) -> RelevanceMatrix:
    array = np.asarray(values, dtype=float)
    tasks = [f"t{index}" for index in range(len(array))]
    return RelevanceMatrix.from_array(array, tasks, "pairwise", None, **columns)


def list_partitions(tasks: list[int]) -> Iterator[list[list[int]]]:
    """Yield every partition of a list into non-empty groups."""
    if not tasks:
        yield []
        return
    first, *rest = tasks
    for partition in list_partitions(rest):
        yield [[first], *partition]
        for index, group in enumerate(partition):
            yield [*partition[:index], [first, *group], *partition[index + 1 :]]


def add_up_gains(gains: np.ndarray, partition: list[list[int]]) -> float:
    """Return the sum over groups and their tasks i of the mean of G_ji, j in the group, j != i."""
    return sum(
        float(np.mean([gains[source, target] for source in group if source != target]))
        for group in partition
        for target in group
        if len(group) > 1
    )


@given(GAINS)
def test_the_search_finds_the_best_of_all_partitions_for_every_k(gains: np.ndarray) -> None:
    best: dict[int, float] = {}
    for partition in list_partitions(list(range(len(gains)))):
        value = add_up_gains(gains, partition)
        best[len(partition)] = max(best.get(len(partition), -np.inf), value)
    matrix = make_matrix(gains)
    found = {k: find_best_partition(matrix, k) for k in range(1, len(gains) + 1)}
    assert {k: value for k, (_, value) in found.items()} == pytest.approx(best, abs=1e-12)
    for k, (groups, value) in found.items():
        assert len(groups.groups) == k
        assert within_group_gain(matrix, groups) == pytest.approx(value, abs=1e-12)


def test_seven_tasks_against_all_877_partitions() -> None:
    gains = np.random.default_rng(0).normal(size=(7, 7))
    partitions = list(list_partitions(list(range(7))))
    assert len(partitions) == 877  # the seventh Bell number
    for k in range(1, 8):
        best = max((p for p in partitions if len(p) == k), key=lambda p: add_up_gains(gains, p))
        groups, value = find_best_partition(make_matrix(gains), k)
        assert groups.partition == Groups(
            name_groups([[f"t{i}" for i in group] for group in best])
        ).partition  # fmt: skip
        assert value == pytest.approx(add_up_gains(gains, best))


def test_a_gain_by_hand() -> None:
    # sources are rows; group {t0, t1, t2}: t0 gets (3 + 5) / 2, t1 (1 + 6) / 2, t2 (2 + 4) / 2
    matrix = make_matrix([[9, 1, 2, 0], [3, 9, 4, 0], [5, 6, 9, 0], [0, 0, 0, 9]])
    groups = Groups({"a": ("t0", "t1", "t2"), "b": ("t3",)})
    assert within_group_gain(matrix, groups) == 4.0 + 3.5 + 3.0
    # pairs: {t0, t2} 7, {t1, t3} 0; {t1, t2} 10, {t0, t3} 0; {t0, t1} 4, {t2, t3} 0
    # triples: above 10.5; {t0, t1, t3} 2, {t0, t2, t3} 3.5, {t1, t2, t3} 5
    assert find_best_partition(matrix, 2)[0].partition == (("t0", "t1", "t2"), ("t3",))
    # three groups: one pair and two single tasks
    best, value = find_best_partition(matrix, 3)
    assert value == 10.0
    assert best.partition == (("t0",), ("t1", "t2"), ("t3",))


@settings(max_examples=8)
@given(st.permutations(range(13)))
def test_the_order_of_tasks_does_not_matter(order: list[int]) -> None:
    matrix = load_reference("paper:table3")
    assert_groups_ignore_order(lambda m: find_best_partition(m, 4)[0], matrix, order)
    shuffled = matrix.select([matrix.tasks[index] for index in order])
    assert find_best_partition(shuffled, 4)[1] == pytest.approx(find_best_partition(matrix, 4)[1])


@pytest.mark.parametrize("size", [1, 2, MAX_TASKS])
def test_the_ends_are_one_group_and_single_tasks(size: int) -> None:
    gains = np.random.default_rng(1).normal(size=(size, size))
    matrix = make_matrix(gains)
    one, value = find_best_partition(matrix, 1)
    assert one.partition == (tuple(sorted(matrix.tasks)),)
    off_diagonal = gains.sum() - np.trace(gains)
    assert value == pytest.approx(off_diagonal / max(size - 1, 1) if size > 1 else 0.0)
    if size < MAX_TASKS:
        assert find_best_partition(matrix, size)[1] == 0.0
        assert len(find_best_partition(matrix, size)[0].groups) == size


def test_a_planted_partition_is_found() -> None:
    families = [i % 3 for i in range(12)]
    gains = [[1.0 if a == b else -1.0 for b in families] for a in families]
    groups, value = find_best_partition(make_matrix(gains), 3)
    assert value == 12.0
    for tasks in groups.groups.values():
        assert len({int(task[1:]) % 3 for task in tasks}) == 1


def test_lower_bounds_may_stand_for_gains() -> None:
    values = np.full((3, 3), 1.0)
    low = np.array([[0, 5, 0], [5, 0, 0], [0, 0, 0]])
    matrix = make_matrix(values, ci_low=low)
    groups, value = find_best_partition(matrix, 2, "ci_low")
    assert groups.partition == (("t0", "t1"), ("t2",))
    assert value == 10.0
    assert within_group_gain(matrix, groups, "ci_low") == 10.0


def test_the_diagonal_plays_no_part() -> None:
    gains = np.random.default_rng(2).normal(size=(5, 5))
    plain = find_best_partition(make_matrix(gains), 2)
    np.fill_diagonal(gains, np.nan)
    groups, value = find_best_partition(make_matrix(gains), 2)
    assert groups.partition == plain[0].partition
    assert value == plain[1]


def test_groups_are_named_by_size_then_by_their_first_task() -> None:
    for partition in itertools.permutations([["c"], ["b", "a"], ["d", "f", "e"], ["g", "aa"]]):
        assert name_groups(partition) == {
            "1": ("d", "f", "e"),
            "2": ("b", "a"),
            "3": ("g", "aa"),
            "4": ("c",),
        }


def test_wrong_input_is_named() -> None:
    matrix = make_matrix(np.zeros((3, 3)))
    for k in (0, 4, 1.5, True, "2"):
        with pytest.raises(InputError, match="whole number from 1 to 3"):
            find_best_partition(matrix, k)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at most 16 tasks"):
        find_best_partition(make_matrix(np.zeros((17, 17))), 2)
    gains = np.zeros((3, 3))
    gains[0, 2] = gains[2, 1] = np.nan
    with pytest.raises(InputError, match="t0 -> t2, t2 -> t1"):
        find_best_partition(make_matrix(gains), 2)
    with pytest.raises(InputError, match="`t2`"):
        within_group_gain(matrix, Groups({"a": ("t0", "t1")}))
