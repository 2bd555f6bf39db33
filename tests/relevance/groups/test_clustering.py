"""Clustering: the published groups for any seed, invariances, and honest figures about itself."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asserts import assert_deterministic, assert_groups_ignore_order
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from analysis.partitions.exact import solve_sets
from analysis.partitions.kmeans import run_kmeans
from hmnet.errors import InputError
from hmnet.study.hierarchy import Groups
from hmnet.study.tasks import PAPER_TASKS
from relevance.groups.clustering import cluster, to_table
from relevance.groups.groupers import METHODS, make_grouper
from relevance.groups.partition import find_best_partition, within_group_gain
from relevance.matrices.manual import make_manual_groups, make_manual_matrix
from relevance.matrices.matrix import RelevanceMatrix
from relevance.matrices.reference import load_published_groups, load_reference

PUBLISHED = {
    "paper:table2": "table2_data_property",
    "paper:table3": "table3_model_based",
}


def make_matrix(values: Any, measure: str = "pairwise", **columns: Any) -> RelevanceMatrix:
    array = np.asarray(values, dtype=float)
    tasks = [f"t{index:02}" for index in range(len(array))]
    return RelevanceMatrix.from_array(array, tasks, measure, None, **columns)


def make_planted(families: list[int], noise: float = 0.0) -> RelevanceMatrix:
    """Return gains of 0.1 within a family and -0.05 across, with seeded noise."""
    same = np.equal.outer(families, families)
    return make_matrix(
        np.where(same, 0.1, -0.05) + noise * np.random.default_rng(0).normal(size=same.shape)
    )


@pytest.mark.parametrize("table", PUBLISHED)
def test_k_means_gives_the_published_groups_for_every_seed(table: str) -> None:
    matrix, expected = load_reference(table), load_published_groups(PUBLISHED[table]).partition
    for seed in range(20):
        assert cluster(matrix, 3, seed=seed, n_init=30).partition == expected


@pytest.mark.parametrize(("table", "share"), [("paper:table2", 0.64), ("paper:table3", 0.54)])
def test_about_half_of_single_initialisations_find_the_published_groups(
    table: str, share: float
) -> None:
    stability = cluster(load_reference(table), 3).origin["stability"]
    # 200 draws: a standard error of 0.035
    assert stability["share"] == pytest.approx(share, abs=0.12)
    assert stability["share"] < stability["mean_ari"] < 1


@settings(max_examples=6)
@given(st.permutations(range(13)), st.sampled_from(sorted(PUBLISHED)))
def test_the_order_of_tasks_does_not_matter(order: list[int], table: str) -> None:
    matrix = load_reference(table)
    for method in ("kmeans", "spectral", "exact"):
        grouper = make_grouper(method, 3, n_init=40)
        assert_groups_ignore_order(lambda m, g=grouper: g.fit(m).groups_, matrix, order)  # type: ignore[misc]


def test_k_means_reaches_the_least_inertia_of_all_partitions() -> None:
    # the exact search, given each set's negative inertia as its value, solves k-means
    rows = np.random.default_rng(3).normal(size=(7, 7))
    members = np.arange(128)[:, None] >> np.arange(7) & 1
    sums = members @ rows
    norms = members @ (rows**2).sum(axis=1)
    inertia = norms - (sums**2).sum(axis=1) / np.maximum(members.sum(axis=1), 1)
    for k in range(1, 8):
        optimum = -solve_sets(-inertia, 7)[-1, k]
        assert run_kmeans(rows, k).inertia.min() == pytest.approx(optimum, abs=1e-9)


def test_k_means_agrees_with_many_initialisations_in_one_fit() -> None:
    rows = load_reference("paper:table3").to_frame().to_numpy()
    fit = KMeans(4, n_init=100, random_state=0).fit(rows)
    runs = run_kmeans(rows, 4, n_init=100)
    assert runs.inertia.min() == pytest.approx(fit.inertia_)
    assert adjusted_rand_score(runs.labels[runs.best], fit.labels_) == 1.0


def test_the_same_seed_gives_the_same_groups_and_figures() -> None:
    matrix = load_reference("paper:table3")
    one = cluster(matrix, 4, seed=5, n_init=20)
    assert_deterministic(lambda: cluster(matrix, 4, seed=5, n_init=20))
    assert cluster(matrix, 4, seed=6, n_init=20).origin["stability"] != one.origin["stability"]


def test_mean_adjusted_rand_is_that_of_all_pairs_of_runs() -> None:
    runs = run_kmeans(load_reference("paper:table3").to_frame().to_numpy(), 3, n_init=12)
    pairs = itertools.combinations(runs.labels, 2)
    expected = np.mean([adjusted_rand_score(one, other) for one, other in pairs])
    assert runs.stability["mean_ari"] == pytest.approx(expected)
    assert 0 < runs.stability["share"] <= 1


@pytest.mark.parametrize("k", [1, 6])
def test_trivial_partitions_are_stable(k: int) -> None:
    matrix = make_matrix(np.random.default_rng(0).normal(size=(6, 6)))
    for method in ("kmeans", "spectral", "exact"):
        assert len(cluster(matrix, k, method, n_init=5).groups) == k
    origin = cluster(matrix, k, n_init=5).origin
    assert origin["stability"] == {"share": 1.0, "mean_ari": 1.0}
    assert origin["kmeans_loss"] == pytest.approx(0.0)


@pytest.mark.parametrize("method", ["kmeans", "spectral", "exact"])
def test_every_method_finds_planted_families(method: str) -> None:
    families = [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 0]
    groups = cluster(make_planted(families, noise=0.01), 3, method)
    assert list(groups.groups) == ["1", "2", "3"]
    assert groups.groups["1"] == ("t00", "t03", "t06", "t09", "t10")
    assert groups.groups["2"] == ("t01", "t04", "t07")


def test_the_loss_of_k_means_is_the_optimum_less_its_own_gain() -> None:
    matrix = load_reference("paper:table3")
    origin = cluster(matrix, 3).origin
    gain = within_group_gain(matrix, load_published_groups("table3_model_based"))
    assert origin["within_group_gain"] == pytest.approx(gain)
    assert origin["kmeans_loss"] == pytest.approx(find_best_partition(matrix, 3)[1] - gain)
    assert origin["kmeans_loss"] > 0
    exact = cluster(matrix, 3, "exact").origin
    assert exact["within_group_gain"] == pytest.approx(gain + origin["kmeans_loss"])


def test_the_loss_is_left_out_where_it_has_no_meaning() -> None:
    assert "kmeans_loss" not in cluster(load_reference("paper:table2"), 3, n_init=5).origin
    many = make_matrix(np.random.default_rng(0).normal(size=(17, 17)))
    assert "kmeans_loss" not in cluster(many, 3, n_init=5).origin


def test_lower_bounds_decide_for_exact_lower_bound() -> None:
    values = np.array([[0, 9, 1], [9, 0, 1], [1, 1, 0]])
    low = np.array([[0, -9, 0], [-9, 0, 0], [0, 1, 0]])
    matrix = make_matrix(values, ci_low=low)
    assert cluster(matrix, 2, "exact").partition == (("t00", "t01"), ("t02",))
    safe = cluster(matrix, 2, "exact-lower-bound")
    assert safe.partition == (("t00",), ("t01", "t02"))
    assert safe.origin["within_group_lower_bound"] == 1.0
    assert safe.origin["within_group_gain"] == 2.0
    with pytest.raises(InputError, match="confidence intervals"):
        cluster(make_matrix(values), 2, "exact-lower-bound")


@pytest.mark.parametrize("method", ["kmeans", "spectral", "exact"])
def test_the_manual_matrix_gives_the_manual_groups(method: str) -> None:
    tasks = PAPER_TASKS.values()
    groups = cluster(make_manual_matrix(tasks), 4, method, n_init=20)
    if method == "exact":  # every pair within a category counts 1, so that all but k = 4 tie
        assert groups.origin["within_group_gain"] == 13.0
    else:
        assert groups.partition == make_manual_groups(tasks).partition


def test_groups_say_where_they_come_from_and_survive_the_disk(tmp_path: Path) -> None:
    matrix = load_reference("paper:table3")
    for method in ("kmeans", "spectral", "exact"):
        groups = cluster(matrix, 3, method, seed=2, n_init=10)
        groups.write(tmp_path / "groups.json")
        assert Groups.read(tmp_path / "groups.json") == groups
        expected = {"method": method, "k": 3, "measure": "pairwise", "matrix": matrix.identity}
        assert expected.items() <= groups.origin.items()
    assert cluster(matrix, 3, seed=2, n_init=10).origin["n_init"] == 10


def test_the_table_tells_how_each_task_lies_in_its_group() -> None:
    # target t00 gets 3 from t01 of its group, and (5 + 7) / 2 from the others
    matrix = make_matrix([[0, 1, 2, 2], [3, 0, 2, 2], [5, 1, 0, 4], [7, 1, 6, 0]])
    groups = Groups({"1": ("t00", "t01"), "2": ("t02", "t03")})
    table = to_table(groups, matrix)
    assert list(table.columns) == ["task", "group", "silhouette", "from_group", "from_others"]
    assert table["task"].tolist() == list(matrix.tasks)
    assert table["group"].tolist() == ["1", "1", "2", "2"]
    assert table.loc[0, "from_group"] == 3.0
    assert table.loc[0, "from_others"] == 6.0
    assert table["silhouette"].between(-1, 1).all()


def test_values_without_meaning_are_missing_in_the_table() -> None:
    matrix = make_matrix(np.random.default_rng(0).normal(size=(3, 3)))
    single = to_table(Groups({task: (task,) for task in matrix.tasks}), matrix)
    assert single["from_group"].isna().all()
    assert single["silhouette"].isna().all()
    one = to_table(Groups.one(matrix.tasks), matrix)
    assert one["from_others"].isna().all()
    gaps = make_matrix([[0, np.nan, 1], [2, 0, 1], [4, 1, 0]])
    table = to_table(Groups({"1": ("t00", "t01", "t02")}), gaps)
    assert table["from_group"].tolist() == [3.0, 1.0, 1.0]


def test_wrong_input_is_named() -> None:
    matrix = load_reference("paper:table3")
    for k in (0, 14, -1, True, 2.0):
        with pytest.raises(InputError, match="whole number from 1 to 13"):
            cluster(matrix, k)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="Did you mean `kmeans`"):
        cluster(matrix, 3, "k-means")
    with pytest.raises(InputError, match="n_init"):
        cluster(matrix, 3, n_init=0)
    with pytest.raises(InputError, match="group"):
        to_table(Groups.one(["rte"]), matrix)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_missing_cells_are_named(method: str) -> None:
    values = np.zeros((4, 4))
    values[0, 1] = values[3, 2] = np.nan
    with pytest.raises(InputError, match="t00 -> t01, t03 -> t02"):
        cluster(make_matrix(values, ci_low=values), 2, method)


def test_a_target_without_any_gain_is_named_with_a_way_to_leave_it_out() -> None:
    values = np.zeros((4, 4))
    values[[0, 1, 3], 2] = np.nan
    with pytest.raises(InputError, match=r"No gain is defined on t02 .*relevance pairwise --tasks"):
        cluster(make_matrix(values), 2)


def test_equal_rows_cannot_be_told_apart() -> None:
    with pytest.raises(InputError, match="tells apart"):
        cluster(make_manual_matrix(PAPER_TASKS.values()), 5, n_init=5)
