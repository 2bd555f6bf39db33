"""What gains advise where little is known of them, or some of them say nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from analysis.arrays import Floats
from analysis.gains.posterior import LEAST_DRAWS, GainPosterior
from analysis.partitions.decision import decide
from relevance.groups.advice import advise
from relevance.groups.doubt import DoubtedGroups, describe_doubt, group_matrix
from relevance.matrices.matrix import RelevanceMatrix


def make(gains: Any, **columns: Any) -> RelevanceMatrix:
    values = np.array(gains, dtype=float)
    np.fill_diagonal(values, 0.0)
    names = [f"t{i}" for i in range(len(values))]
    return RelevanceMatrix.from_array(values, names, "pairwise", {}, **columns)


def draw(matrix: RelevanceMatrix, sd: float = 0.01, count: int = 200) -> Floats:
    values = matrix.to_frame().to_numpy(dtype=np.float64)
    drawn = values + np.random.default_rng(0).normal(0, sd, (count, *values.shape))
    drawn[:, range(len(values)), range(len(values))] = 0.0
    return np.asarray(drawn, dtype=np.float64)


def say(found: DoubtedGroups) -> str:
    return "\n".join(describe_doubt(found))


def test_what_gains_nothing_is_no_reason_to_share() -> None:
    nothing = make(np.zeros((6, 6)))
    for draws in (None, draw(nothing, 0.0), draw(nothing)):
        found = group_matrix(nothing, None, None, 0, draws)
        assert found.decision is not None
        assert found.decision.verdict == "alone"
        assert say(found).startswith("no evidence for sharing")


def test_equal_gains_are_no_surer_than_their_noise() -> None:
    # 56 cells of SD .01: the mean's SD is .01 / sqrt(56) = .00134, its 95 % interval +- .0026
    matrix = make(np.full((8, 8), -0.03))
    together = advise(matrix, draw(matrix)).others["all"]
    assert together.high - together.low == pytest.approx(2 * 0.0026, rel=0.1)
    assert together.low < -0.03 < together.high


def test_equal_gains_of_unknown_noise_have_no_interval() -> None:
    text = say(group_matrix(make(np.full((6, 6), -0.03)), None))
    assert "expected to gain -3.0%\n" in text


@pytest.mark.parametrize("size", [2, 3])
def test_two_or_three_tasks_are_as_sure_as_their_draws(size: int) -> None:
    matrix = make(np.tile(0.03 + 0.01 * np.arange(size), (size, 1)))
    found = group_matrix(matrix, None, None, 0, draw(matrix, 0.02))
    assert "is not known" not in say(found)
    assert found.decision is not None
    chosen = found.decision.chosen
    # SD of the mean of n cells: .02 / sqrt(n), and what the tasks' own gains add is in the measured
    plain = 2 * 1.96 * 0.02 / np.sqrt(size * (size - 1))
    assert chosen.high - chosen.low == pytest.approx(plain, rel=0.15)


def test_few_targets_without_draws_have_the_interval_of_a_t_test() -> None:
    # targets' means .02 and .04: mean .03, standard error .01, t(1) = 12.7
    decision = decide(GainPosterior.of_unknown_noise(np.array([[0.0, 0.04], [0.02, 0.0]])))
    together = decision.others["all"]
    assert together.gain == pytest.approx(0.03, abs=1e-3)
    assert (together.high - together.low) / 2 == pytest.approx(0.127, rel=0.05)


def test_too_few_draws_say_nothing_of_noise() -> None:
    matrix = make(np.random.default_rng(1).normal(0.03, 0.02, (6, 6)))
    for count in (1, 2, LEAST_DRAWS - 1):
        found = group_matrix(matrix, None, None, 0, draw(matrix, count=count))
        assert not found.knows_noise
        assert f"too few ({count} of {LEAST_DRAWS})" in say(found)
        assert "nan" not in say(found)
        assert found.stability is None
    assert group_matrix(matrix, None, None, 0, draw(matrix, count=LEAST_DRAWS)).knows_noise


@pytest.mark.parametrize("has_draws", [False, True])
def test_gains_over_what_learned_nothing_do_not_count(has_draws: bool) -> None:
    gains = np.random.default_rng(2).normal(-0.03, 0.01, (8, 8))
    gains[:, 0] = 1.5
    matrix = make(gains, undefined=np.tile(np.arange(8) == 0, (8, 1)))
    found = group_matrix(matrix, None, None, 0, draw(matrix) if has_draws else None)
    assert found.decision is not None
    assert found.decision.verdict == "alone"
    assert found.decision.others["all"].high < 0
    assert "learned nothing alone: t0" in say(found)
    whole = make(gains, undefined=np.ones((8, 8), bool))
    assert "no task learned anything alone" in say(group_matrix(whole, None))


def test_a_sure_gain_is_not_taken_back_where_other_groups_would_do_as_well() -> None:
    gains = 0.05 + 0.005 * np.random.default_rng(5).normal(size=(8, 8))
    gains[:, 0] = -0.2  # t0 is hurt by all, the others help each other alike
    matrix = make(gains)
    found = group_matrix(matrix, None, None, 0, draw(matrix))
    assert found.decision is not None
    assert found.stability is not None
    assert found.decision.verdict == "groups"
    assert not found.stability.is_beyond_chance
    assert "others would do about as well" in say(found)
    assert "do not rely" not in say(found)


def test_sharing_that_helps_is_not_doubted_where_groups_alone_are() -> None:
    # of each pair one gains .06 and the other loses .05: +.5 % together, no groups beside it
    gains = np.triu(np.full((8, 8), 0.06)) + np.tril(np.full((8, 8), -0.05))
    text = say(group_matrix(make(gains), None, None, 0, draw(make(gains))))
    assert text.startswith("warning: sharing helps, but there is little evidence for these groups")


def test_groups_that_follow_dev_rows_are_told() -> None:
    rows = np.array([50, 55, 60, 65, 9000, 9100, 9200, 9300.0])
    family = np.arange(8) // 4
    gains = np.where(family[:, None] == family, 0.05, -0.04)
    matrix = make(gains, n_dev=np.tile(rows, (8, 1)))
    found = group_matrix(matrix, 2, "exact")
    assert "follow the size of the tasks' dev sets" in say(found)
    assert found.groups.origin["follows_sizes"]["of"] == "dev sets"  # type: ignore[index]
    mixed = make(gains, n_dev=np.tile(rows[[0, 4, 1, 5, 2, 6, 3, 7]], (8, 1)))
    assert "follow the size" not in say(group_matrix(mixed, 2, "exact"))


def test_groups_of_a_given_number_keep_what_would_be_better() -> None:
    matrix = make(np.random.default_rng(3).normal(-0.1, 0.01, (6, 6)))
    origin = group_matrix(matrix, 2, "exact", 0, draw(matrix)).groups.origin
    advice: Any = origin["advice"]
    assert advice["best"]["verdict"] == "alone"
    assert advice["given"]["high"] < 0 == advice["best"]["gain"]


def test_a_great_loss_is_told_as_a_loss() -> None:
    gains = np.zeros((4, 4))
    gains[1, 2] = -3.0
    assert "warning: gains of -300%" in say(group_matrix(make(gains), None))
