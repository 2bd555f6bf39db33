"""Two matrices of the same tasks: rank agreement, regret, the joint permutation test, noise."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_predictions import make_sweep
from scipy import stats
from sklearn.metrics import ndcg_score

from analysis.gains.bootstrap import bootstrap_gains
from hmnet.errors import InputError
from relevance.cli import app
from relevance.matrices.comparison import (
    MatrixComparison,
    _expect_by_chance,
    _rank_all,
    compare_matrices,
    describe_matrix_comparison,
    disattenuate,
    measure_reliability,
    permute_jointly,
)
from relevance.matrices.draws import write_draws
from relevance.matrices.matrix import RelevanceMatrix
from relevance.matrices.reference import load_reference
from relevance.pairwise.uncertainty import to_matrix


def make_matrix(values: Any, tasks: str = "", **columns: Any) -> RelevanceMatrix:
    array = np.array(values, dtype=float)
    np.fill_diagonal(array, 0.0)
    names = list(tasks or "abcdefghijklm"[: len(array)])
    return RelevanceMatrix.from_array(array, names, "pairwise", None, **columns)


def draw(seed: int, size: int = 6) -> Any:
    return np.random.default_rng(seed).normal(size=(size, size))


def test_a_matrix_agrees_with_itself_entirely() -> None:
    matrix = make_matrix(draw(0))
    found = compare_matrices(matrix, matrix, 1)
    assert found.spearman == pytest.approx(1)
    assert found.rows == pytest.approx(1)
    assert found.targets["ndcg"].to_numpy() == pytest.approx(np.ones(6))
    assert (found.targets["regret"] == 0).all()
    assert found.p_value < 0.01


def test_figures_of_a_target_by_hand() -> None:
    one, other = np.zeros((4, 4)), np.zeros((4, 4))
    # target a: the first ranks b, c, d; in the second they are worth .1, .5, .3
    one[1:, 0], other[1:, 0] = [3, 2, 1], [0.1, 0.5, 0.3]
    found = compare_matrices(make_matrix(one), make_matrix(other), 1, permutations=9)
    row = found.targets.set_index("task").loc["a"]
    # ranks 3 2 1 and 1 3 2: 1 - 6 (4 + 1 + 1) / (3 * 8)
    assert row["spearman"] == pytest.approx(-0.5)
    assert row["regret"] == pytest.approx(0.5 - 0.1)
    # worth above the least: 0 .4 .2, discounted by log2(2, 3, 4)
    dcg = 0.4 / math.log2(3) + 0.2 / 2
    assert row["ndcg"] == pytest.approx(dcg / (0.4 + 0.2 / math.log2(3)))
    assert np.isnan(found.targets.set_index("task").loc["b", "spearman"])  # all equal
    two = compare_matrices(make_matrix(one), make_matrix(other), 2, permutations=9)
    assert two.targets["regret"][0] == 0  # c is among the top two


def test_columns_and_rows_agree_with_scipy_and_scikit_learn() -> None:
    a, b = draw(1), draw(1) + draw(2)
    found = compare_matrices(make_matrix(a), make_matrix(b), permutations=9)
    columns = [np.delete(np.arange(6), t) for t in range(6)]
    expected = [stats.spearmanr(a[s, t], b[s, t]).statistic for t, s in enumerate(columns)]
    assert found.targets["spearman"].to_numpy() == pytest.approx(np.array(expected))
    rows = [stats.spearmanr(a[t, s], b[t, s]).statistic for t, s in enumerate(columns)]
    assert found.rows == pytest.approx(np.mean(rows))
    gains = b[columns[2], 2]
    ndcg = ndcg_score((gains - gains.min())[None], a[columns[2], 2][None])
    assert found.targets["ndcg"][2] == pytest.approx(ndcg)


def test_the_permutation_test_is_that_of_all_permutations() -> None:
    a = draw(3, 5)
    b = a + 1.2 * draw(4, 5)

    def agree(x: Any) -> float:
        cells = [(np.delete(np.arange(5), t), t) for t in range(5)]
        return float(np.mean([stats.spearmanr(x[s, t], b[s, t]).statistic for s, t in cells]))

    orders = [np.array(order) for order in itertools.permutations(range(5))]
    exact = np.mean([agree(a[np.ix_(o, o)]) >= agree(a) - 1e-12 for o in orders])
    found = permute_jointly(a, b, 3000)
    # 3,000 draws: a standard error below 0.01
    assert found == pytest.approx(exact, abs=0.03)


def test_unrelated_matrices_are_seldom_significant() -> None:
    p = [permute_jointly(draw(2 * i, 7), draw(2 * i + 1, 7), 99) for i in range(60)]
    assert np.mean(np.array(p) <= 0.05) <= 0.15  # 3 of 60 are expected
    assert np.mean(p) == pytest.approx(0.5, abs=0.12)


def test_helpful_sources_of_one_matrix_do_not_make_the_other_one_agree() -> None:
    """Rows and columns move together, so that a row's effect is not many observations."""
    a = np.add.outer(np.arange(8.0), np.zeros(8)) + 0.01 * draw(0, 8)
    rng, alarms = np.random.default_rng(1), 0
    for i in range(30):
        b = np.add.outer(rng.permutation(np.arange(8.0)), np.zeros(8)) + 0.01 * draw(i, 8)
        alarms += permute_jointly(a, b, 99, seed=i) <= 0.05
    assert alarms <= 6


def test_common_tasks_are_compared_whatever_their_order() -> None:
    matrix = make_matrix(draw(0))
    turned = matrix.select(list("fedcb"))
    found = compare_matrices(matrix, turned, permutations=9)
    assert found.tasks == tuple("bcdef")
    assert found.spearman == pytest.approx(1)


def test_reliability_of_draws_is_the_share_that_is_not_noise() -> None:
    rng = np.random.default_rng(0)
    true = rng.normal(0, 2, (13, 13))
    noisy = true + rng.normal(0, 1, (13, 13))
    shared = rng.normal(0, 3, (400, 1, 13))  # moves a whole column, and ranks nothing anew
    draws = noisy + rng.normal(0, 1, (400, 13, 13)) + shared
    matrix = make_matrix(noisy)
    # variances 4 and 1
    assert measure_reliability(matrix, draws) == pytest.approx(0.8, abs=0.06)
    low, high = noisy - 1.959964, noisy + 1.959964
    with_intervals = make_matrix(noisy, ci_low=low, ci_high=high)
    assert measure_reliability(with_intervals) == pytest.approx(0.8, abs=0.06)


def test_noise_is_divided_out_of_a_correlation() -> None:
    rng = np.random.default_rng(2)
    true = rng.normal(0, 1, (13, 13))
    sides = [true + rng.normal(0, 1, (13, 13)) for _ in range(2)]
    draws = [side + rng.normal(0, 1, (300, 13, 13)) for side in sides]
    found = compare_matrices(
        make_matrix(sides[0]), make_matrix(sides[1]), draws=(draws[0], draws[1]), permutations=9
    )
    assert found.spearman < 0.65  # half of each side's variance is noise
    assert found.disattenuated is not None
    assert found.disattenuated > found.spearman + 0.2
    assert disattenuate(0.3, 0.5, 0.72) == pytest.approx(0.3 / 0.6)
    assert disattenuate(0.9, 0.5, None) == 1
    assert disattenuate(0.9, None, None) is None
    assert disattenuate(0.9, 0.01, 0.5) is None


def test_a_published_table_says_nothing_of_its_noise() -> None:
    found = compare_matrices(load_reference("paper:table2"), load_reference("paper:table3"))
    assert found.reliability == (None, None)
    assert found.disattenuated is None
    lines = list(describe_matrix_comparison(found, ("table2", "table3")))
    assert "reliability of table2: cannot be said" in lines
    assert not any("disattenuated" in line for line in lines)


def test_too_few_common_tasks_are_refused() -> None:
    with pytest.raises(InputError, match="at least 4 tasks"):
        compare_matrices(make_matrix(draw(0), "abcdef"), make_matrix(draw(0), "defxyz"))
    with pytest.raises(InputError, match="`0`"):
        compare_matrices(make_matrix(draw(0)), make_matrix(draw(0)), 0)


def test_the_command_compares_two_files_with_their_draws(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gains = 0.1 * np.random.default_rng(0).normal(size=(5, 5))
    for name, seed in (("one", 0), ("two", 1)):
        found = bootstrap_gains(make_sweep(gains, dev=800, seed=seed), draws=60)
        matrix = to_matrix(found)
        matrix.write(tmp_path / f"{name}.parquet")
        write_draws(tmp_path / f"{name}-draws.parquet", matrix, found)
    words = [str(tmp_path / "one.parquet"), str(tmp_path / "two.parquet"), "--k", "2"]
    app(["compare", *words], standalone_mode=False)
    printed = capsys.readouterr().out
    assert "regret@2" in printed
    assert "disattenuated" in printed
    app(["compare", "paper:table2", "paper:table3"], standalone_mode=False)
    assert "mean over 13 targets" in capsys.readouterr().out


def compare_arrays(one: np.ndarray, other: np.ndarray, **options: Any) -> MatrixComparison:
    names = [f"t{i}" for i in range(len(one))]
    a, b = (RelevanceMatrix.from_array(values, names, "made") for values in (one, other))
    return compare_matrices(a, b, **options)


def test_a_random_ranking_has_the_stated_chance_level() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(8, 8))
    found = [_rank_all(rng.normal(size=(8, 8)), truth, 3) for _ in range(100)]
    chance = _expect_by_chance(truth, truth, 3)
    assert np.mean(found, axis=0) == pytest.approx(chance, abs=0.04)


def test_the_truth_itself_is_the_best_and_beyond_chance() -> None:
    truth = np.random.default_rng(1).normal(size=(8, 8))
    figures = compare_arrays(truth, truth, permutations=199).figures
    assert figures["ndcg"].value == pytest.approx(1)
    assert figures["regret"].value == 0
    assert all(figure.p_value < 0.02 for figure in figures.values())


def test_chance_and_regret_by_hand() -> None:
    # sources of a target worth 3, 1, 0; the best of two drawn is 3 in two of three cases, else 1
    values = np.array([[np.nan] * 4, [3.0] * 4, [1.0] * 4, [0.0] * 4])
    values[0] = 0.0
    values[3, 0] = 0.0
    found = compare_arrays(values, values, top=2, permutations=1).figures["regret"]
    # target 0: 3, 1, 0 -> 3 - (3 + 3 + 1) / 3 = 2/3; target 1: 0, 1, 0 -> 1 - 2/3 = 1/3
    # targets 2 and 3: 0, 3, 0 and 0, 3, 1 -> 3 - 2 = 1 and 2/3
    assert found.chance == pytest.approx((2 / 3 + 1 / 3 + 1 + 2 / 3) / 4)


def test_noisy_draws_of_the_yardstick_lower_the_best_that_can_be_had() -> None:
    rng = np.random.default_rng(2)
    truth = rng.normal(size=(8, 8))
    draws = truth + rng.normal(size=(60, 8, 8))
    figures = compare_arrays(truth, truth, draws=(None, draws), permutations=1).figures
    assert 0.3 < figures["spearman"].best < 0.95
    assert figures["ndcg"].chance < figures["ndcg"].best < 1
    assert figures["regret"].best > 0


def test_a_target_without_values_has_no_row() -> None:
    values = np.random.default_rng(3).normal(size=(6, 6))
    empty = values.copy()
    empty[:, 2] = np.nan
    lines = list(describe_matrix_comparison(compare_arrays(empty, values), ("one", "two")))
    assert "nothing to rank for t2" in lines
    assert not any("NaN" in line for line in lines)


def test_a_matrix_that_tells_no_sources_apart_is_never_significant() -> None:
    constant, other = make_matrix(np.ones((6, 6))), make_matrix(draw(1))
    unknown = make_matrix(np.full((6, 6), np.nan))
    for one, two in ((other, constant), (constant, constant), (unknown, other)):
        found = compare_matrices(one, two, 3, permutations=19)
        assert np.isnan(found.figures["ndcg"].p_value)
        text = "\n".join(describe_matrix_comparison(found, ("one", "other")))
        assert "NDCG cannot be said" in text
        assert "nan" not in text.split("over 6 targets")[-1].split("which targets")[0]
        assert "Empty" not in text


def test_ties_of_a_ranking_count_as_all_their_orders() -> None:
    one, other = make_matrix(np.round(draw(2))), make_matrix(draw(3))
    found = compare_matrices(one, other, 3, permutations=9)
    assert found.figures["ndcg"].value == pytest.approx(found.targets["ndcg"].mean())
    # a ranking that says nothing is worth what a random one is
    empty = compare_matrices(make_matrix(np.ones((6, 6))), other, 3, permutations=9)
    assert empty.figures["ndcg"].value == pytest.approx(empty.figures["ndcg"].chance)
