"""Runs that did not learn, and gains over single runs that did not: found, listed, named."""

from __future__ import annotations

import math

import numpy as np
import pytest
from made_predictions import make_sweep, make_target

from analysis.gains.bootstrap import bootstrap_gains
from analysis.gains.flags import compare_with_majority
from analysis.scores.baselines import find_undefined, measure_majority
from analysis.scores.collapse import (
    CollapsedRun,
    beats_constant,
    find_collapsed,
    measure_chance_loss,
    tabulate_collapsed,
)
from analysis.scores.predictions import Predictions
from hmnet.errors import InputError

LABELS = [0, 0, 0, 1, 1, 0, 0, 1]  # 5 of 8 are 0


def make_rte(single: object, joint: object = None) -> Predictions:
    return make_target("rte", LABELS, single, {} if joint is None else {"mnli": joint})


def test_a_run_that_names_one_class_has_collapsed() -> None:
    found = find_collapsed(make_rte([LABELS, [0] * 8], [[1] * 8, LABELS]))
    assert found == [
        CollapsedRun("rte", "", 1, ("one class predicted",)),
        CollapsedRun("rte", "mnli", 0, ("one class predicted",)),
    ]


def test_a_single_class_among_the_dev_labels_proves_nothing() -> None:
    assert find_collapsed(make_target("easy", [1, 1, 1], [[1, 1, 1]], {})) == []


def test_constant_values_of_a_regression_have_collapsed() -> None:
    target = make_target("stsb", [0.1, 0.5, 0.9], [[0.4, 0.4, 0.4]], {}, "pearson")
    assert [run.reasons for run in find_collapsed(target)] == [("constant predictions",)]


def test_a_loss_at_chance_is_found_though_classes_vary() -> None:
    # entropy of 5/8 and 3/8: 0.6616 nats; 97 % of it are 0.6417
    varied = [0, 0, 0, 1, 1, 1, 1, 0]  # 5 hits, where 4 are to be expected of chance
    target = make_rte([varied, varied], [varied])
    losses = {("", 0): 0.65, ("", 1): 0.63, ("mnli", 0): 0.70}
    found = find_collapsed(target, losses)
    assert [(run.partner, run.seed) for run in found] == [("", 0), ("mnli", 0)]
    assert all(run.reasons == ("loss at chance",) for run in found)


def test_the_loss_of_guessing_by_hand() -> None:
    entropy = -(5 / 8 * math.log(5 / 8) + 3 / 8 * math.log(3 / 8))
    assert measure_chance_loss(make_rte(LABELS)) == pytest.approx(entropy)
    regression = make_target("stsb", [1.0, 3.0], [[1.0, 2.0]], {}, "pearson")
    assert measure_chance_loss(regression) == pytest.approx(1.0)  # mean 2, both 1 away


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("accuracy", 5 / 8),
        ("f1", 2 * 3 / (8 + 3)),  # all named 1: 3 hits, 8 named, 3 true
        ("f1_macro", 2 * 5 / (8 + 5) / 2),  # all named 0, and an F1 of 0 for the other class
        ("matthews", 0),
    ],
)
def test_the_best_constant_answer_by_hand(metric: str, expected: float) -> None:
    target = make_target("rte", LABELS, LABELS, {}, metric)
    assert measure_majority(target) == pytest.approx(expected)


def test_a_constant_answer_correlates_with_nothing() -> None:
    assert measure_majority(make_target("s", [0.1, 0.2], [[0.1, 0.2]], {}, "spearman")) == 0


def test_a_single_run_at_the_majority_leaves_gains_undefined_in_practice() -> None:
    right = make_rte(LABELS)
    assert find_undefined({"rte": make_rte([0] * 8)}) == ["rte"]
    assert find_undefined({"rte": right}) == []


def test_a_target_is_told_apart_by_how_surely_it_beats_the_majority() -> None:
    sweep = make_sweep(np.zeros((2, 2)), dev=60, base=0.9)
    labels = sweep["b"].labels
    share = max(labels.mean(), 1 - labels.mean())
    barely = np.where(np.arange(60) < 60 * share + 2, labels, 1 - labels)
    sweep["b"] = make_target("b", labels, barely, {"a": labels})
    table = compare_with_majority(sweep, bootstrap_gains(sweep, draws=200)).set_index("task")
    assert table["beats"].to_dict() == {"a": "yes", "b": "not shown"}
    assert table.loc["b", "majority"] == pytest.approx(share)


def test_runs_are_dropped_in_the_open_only() -> None:
    target = make_rte([LABELS, [0] * 8], [[1] * 8])
    collapsed = find_collapsed(target)
    kept = target.drop((run.partner, run.seed) for run in collapsed)
    assert kept.single.seeds == (0,)
    assert kept.joint == {}  # an arm without a run is gone
    with pytest.raises(InputError, match="at least one run"):
        make_rte([[0] * 8]).drop([("", 0)])


def test_the_table_of_collapsed_runs_names_task_partner_seed_and_reason() -> None:
    table = tabulate_collapsed([CollapsedRun("cb", "rte", 3, ("a", "b"))])
    assert table.to_dict("records") == [
        {"task": "cb", "partner": "rte", "seed": 3, "reason": "a; b"}
    ]
    assert list(tabulate_collapsed([]).columns) == ["task", "partner", "seed", "reason"]


@pytest.mark.parametrize("right", [0.76, 0.5, 0.45])
def test_a_run_that_beats_a_constant_answer_has_not_collapsed_whatever_its_loss(
    right: float,
) -> None:
    # 3 classes, a constant answer is right in 34 %; 90 examples: beyond noise from about 42 %
    labels = np.arange(100) % 3
    rng = np.random.default_rng(0)
    given = np.where(np.arange(100) < 100 * right, labels, (labels + rng.integers(1, 3, 100)) % 3)
    target = make_target("tickets", labels, given, {})
    assert find_collapsed(target, {("", 0): 1.5}) == []
    shuffled = make_target("tickets", labels, rng.permutation(given), {})
    assert [run.reasons for run in find_collapsed(shuffled, {("", 0): 1.5})] == [
        ("loss at chance",)
    ]


def test_values_that_follow_the_labels_have_not_collapsed() -> None:
    rng = np.random.default_rng(1)
    labels = rng.normal(3.0, 1.0, 200)
    for noise, is_collapsed in ((1.0, False), (3.0, False)):
        given = 0.1 * labels + noise * 0.1 * rng.normal(size=200)  # far off, but in order
        target = make_target("stsb", labels, given, {}, "pearson")
        assert bool(find_collapsed(target, {("", 0): 9.0})) is is_collapsed
    aside = make_target("stsb", labels, -labels, {}, "pearson")
    assert find_collapsed(aside, {("", 0): 9.0})


def test_hits_beyond_chance_by_hand() -> None:
    # labels 0 0 0 0 0 1 1 1, all right: 8 hits; by chance (25 + 9) / 8 = 4.25, variance
    # [25 * 3 * 3 + 9 * 5 * 5 + 34^2 - 25^2 - 9^2] / (64 * 7) = 900 / 448 = 2.0089; z = 2.65
    target = make_rte(LABELS)
    assert beats_constant(target, np.array(LABELS))
    assert not beats_constant(target, np.zeros(8, int))
    assert not beats_constant(target, 1 - np.array(LABELS))
    # five of eight right, 0 0 0 1 1 1 1 0 against 0 0 0 1 1 0 0 1: 5 hits, 4 expected, z < 1
    assert not beats_constant(target, np.array([0, 0, 0, 1, 1, 1, 1, 0]))
