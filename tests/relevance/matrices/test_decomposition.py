"""Row, column and interaction effects, and the plain rules beside a matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.gains.additive import PARTS
from hmnet.errors import InputError
from relevance.matrices.decomposition import (
    decompose,
    judge_additive,
    judge_size_rule,
    predict_additive,
)
from relevance.matrices.matrix import RelevanceMatrix
from relevance.matrices.reference import load_reference


def make_matrix(values: Any, **columns: Any) -> RelevanceMatrix:
    array = np.array(values, dtype=float)
    np.fill_diagonal(array, 0.0)
    names = [f"t{i}" for i in range(len(array))]
    return RelevanceMatrix.from_array(array, names, "pairwise", None, **columns)


def make_additive(row: Any, column: Any, mean: float = 0.0) -> RelevanceMatrix:
    return make_matrix(mean + np.add.outer(row, column))


def test_main_effects_of_an_additive_matrix_are_found_exactly() -> None:
    row, column = np.array([0.3, -0.1, -0.2, 0.0]), np.array([0.0, 0.1, -0.3, 0.2])
    found = decompose(make_additive(row, column, 0.05))
    np.testing.assert_allclose(found.row, row, atol=1e-12)
    np.testing.assert_allclose(found.column, column, atol=1e-12)
    assert found.mean == pytest.approx(0.05)
    assert found.shares["interaction"] == pytest.approx(0, abs=1e-12)
    away = ~np.eye(4, dtype=bool)
    np.testing.assert_allclose(found.interaction.to_numpy()[away], 0, atol=1e-12)


def test_one_helpful_source_is_all_row_and_one_easy_target_all_column() -> None:
    helpful = decompose(make_additive([0.3, 0, 0, 0, 0], np.zeros(5))).shares
    easy = decompose(make_additive(np.zeros(5), [0.3, 0, 0, 0, 0])).shares
    assert (helpful["row"], easy["column"]) == pytest.approx((1, 1))
    assert (helpful["column"], easy["row"]) == pytest.approx((0, 0), abs=1e-12)


@given(st.integers(3, 7), st.integers(0, 10_000))
def test_parts_add_up_to_the_matrix_and_shares_to_one(size: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(size, size))
    matrix = make_matrix(values)
    found = decompose(matrix)
    whole = (
        found.mean
        + found.row.to_numpy()[:, None]
        + found.column.to_numpy()
        + found.interaction.to_numpy()
    )
    away = ~np.eye(size, dtype=bool)
    np.testing.assert_allclose(whole[away], values[away], atol=1e-9)
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found.row.sum() == pytest.approx(0, abs=1e-9)
    assert found.column.sum() == pytest.approx(0, abs=1e-9)


def test_noise_shares_say_what_noise_alone_would_explain() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(8, 8))
    noise = rng.normal(0, 0.5, size=(400, 8, 8))
    found = decompose(make_matrix(values), values + noise)
    assert found.noise_shares is not None
    # 56 cells; rows and columns take 7 of the 55 degrees of freedom each
    variance = make_matrix(values).to_frame().to_numpy()[~np.eye(8, dtype=bool)].var()
    total = 0.25 * 55 / 56 / variance
    assert sum(found.noise_shares.values()) == pytest.approx(total, rel=0.1)
    assert found.noise_shares["row"] == pytest.approx(total * 7 / 55, rel=0.3)
    assert decompose(make_matrix(values)).noise_shares is None


def test_cells_that_are_missing_are_left_out() -> None:
    row, column = np.array([0.3, -0.1, -0.2, 0.0]), np.array([0.0, 0.1, -0.3, 0.2])
    values = np.add.outer(row, column)
    values[0, 1] = np.nan
    found = decompose(make_matrix(values))
    np.testing.assert_allclose(found.row, row, atol=1e-12)
    assert np.isnan(found.interaction.to_numpy()[0, 1])


def test_too_few_tasks_cannot_be_told_apart() -> None:
    with pytest.raises(InputError, match="three tasks"):
        decompose(make_matrix(np.ones((2, 2))))


def test_the_additive_baseline_never_looks_at_its_own_target() -> None:
    values = np.random.default_rng(1).normal(size=(5, 5))
    changed = values.copy()
    changed[:, 2] += np.array([9, -9, 0, 4, 1])
    one, other = (predict_additive(make_matrix(v)).to_frame().to_numpy() for v in (values, changed))
    np.testing.assert_allclose(one[:, 2], other[:, 2], atol=1e-12)
    assert not np.allclose(one[:, 1], other[:, 1])


def test_the_additive_baseline_by_hand() -> None:
    # columns without their means: t1 (6, ., -6)/2 = (3, ., -3); t2 (1, -1, .) ...
    values = [[0, 8, 4], [2, 0, 2], [4, 2, 0]]
    found = predict_additive(make_matrix(values)).to_frame().to_numpy()
    # what source 0 gives to target 2 is judged by what it gives to target 1: 8 - mean(8, 2) = 3
    assert found[0, 2] == pytest.approx(3)
    assert found[0, 1] == pytest.approx(4 - 3)
    assert (np.diag(found) == 0).all()


def test_the_baseline_ranks_the_sources_of_an_additive_matrix_perfectly() -> None:
    matrix = make_additive([0.3, 0.1, -0.2, 0.0, 0.05], [0.1, 0, 0.2, 0, -0.1])
    assert judge_additive(matrix).to_numpy() == pytest.approx(np.ones(5))


def test_the_paper_s_table_has_its_parts() -> None:
    found = decompose(load_reference("paper:table3"))
    assert set(found.shares) == set(PARTS)
    # WNLI, CB and others have gains of another size than large tasks: targets explain a lot
    assert found.shares["column"] > found.shares["row"]


def test_the_size_rule_counts_signs_of_judged_cells() -> None:
    # t0 is the largest: what it gives should help (row 0 up), what it gets should hurt
    matrix = make_matrix([[0, 0.2, 0.1], [-0.1, 0, -0.3], [0.1, 0.2, 0]])
    found = judge_size_rule(matrix, {"t0": 900, "t1": 50, "t2": 50})
    # t1 and t2 have one size: 4 cells are judged; 0->1, 0->2, 1->0 are right, 2->0 is not
    assert (found.right, found.judged) == (3, 4)


def test_the_size_rule_can_be_judged_by_significant_cells_alone() -> None:
    q = np.full((3, 3), 0.5)
    q[0, 1] = q[2, 0] = 0.01
    matrix = make_matrix([[0, 0.2, 0.1], [-0.1, 0, -0.3], [0.1, 0.2, 0]], q_value=q)
    found = judge_size_rule(matrix, {"t0": 900, "t1": 50, "t2": 50}, level=0.05)
    assert (found.right, found.judged) == (1, 2)


def test_a_size_that_is_missing_is_named() -> None:
    with pytest.raises(InputError, match="`t2`"):
        judge_size_rule(make_matrix(np.ones((3, 3))), {"t0": 1, "t1": 2})
