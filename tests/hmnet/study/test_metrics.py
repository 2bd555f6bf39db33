"""Metrics against values worked out by hand, and the properties that define them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmnet.study.answers import gather_answers
from hmnet.study.metrics import METRICS, is_error, list_averaged, score
from hmnet.study.tasks import PAPER_TASKS, Task

NONE = np.full(100, -1)


def compute(
    name: str, labels: Sequence[Any], predictions: Sequence[Any], questions: object = None
) -> float:
    asked = NONE[: len(labels)] if questions is None else np.asarray(questions)
    return METRICS[name].compute(np.asarray(labels), np.asarray(predictions), asked)


def test_accuracy() -> None:
    # Right: rows 1, 2 and 4 of 5.
    assert compute("accuracy", [0, 1, 2, 2, 0], [0, 1, 1, 2, 1]) == 3 / 5


def test_f1_of_the_class_with_code_1() -> None:
    # Class 1: true positives 2 (rows 1, 2), false positives 1 (row 5), false negatives 1 (row 3):
    # precision 2/3, recall 2/3, F1 = 2 * 2 / (2 * 2 + 1 + 1) = 4/6.
    labels, predictions = [1, 1, 1, 0, 0], [1, 1, 0, 0, 1]
    assert compute("f1", labels, predictions) == pytest.approx(4 / 6)
    assert compute("f1_answers", labels, predictions) == pytest.approx(4 / 6)


def test_f1_without_a_true_positive_is_zero_and_does_not_warn() -> None:
    assert compute("f1", [0, 0], [0, 0]) == 0.0
    assert compute("f1", [1, 1], [0, 0]) == 0.0
    assert compute("f1", [0, 0], [1, 1]) == 0.0


def test_f1_macro_is_the_plain_mean_over_classes() -> None:
    # Labels 0 0 0 1 1 2, predictions 0 0 1 1 2 2:
    # class 0: tp 2, fp 0, fn 1 -> 4/5; class 1: tp 1, fp 1, fn 1 -> 2/4; class 2: tp 1, fp 1,
    # fn 0 -> 2/3. Mean = (4/5 + 1/2 + 2/3) / 3 = (24 + 15 + 20) / 90 = 59/90.
    found = compute("f1_macro", [0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 2, 2])
    assert found == pytest.approx(59 / 90)


def test_f1_macro_counts_a_class_that_is_never_predicted_as_zero() -> None:
    # Class 0: tp 3, fp 1, fn 0 -> 6/7; class 1: tp 0 -> 0. Mean = 3/7.
    assert compute("f1_macro", [0, 0, 0, 1], [0, 0, 0, 0]) == pytest.approx(3 / 7)


def test_f1_weighted_counts_each_class_by_its_rows() -> None:
    # As above: 4/5 for 3 rows, 1/2 for 2 rows, 2/3 for 1 row:
    # (3 * 4/5 + 2 * 1/2 + 1 * 2/3) / 6 = (36 + 15 + 10) / 90 = 61/90.
    found = compute("f1_weighted", [0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 2, 2])
    assert found == pytest.approx(61 / 90)


def test_f1_weighted_gives_no_weight_to_a_class_that_is_only_predicted() -> None:
    # Class 0, all the rows: tp 1, fp 0, fn 1 -> 2/3. Class 3 has no row and counts for nothing.
    assert compute("f1_weighted", [0, 0], [0, 3]) == pytest.approx(2 / 3)


def test_matthews_of_two_classes() -> None:
    # Class 1: tp 2 (rows 1, 2), fn 1 (row 3), tn 1 (row 4), fp 1 (row 5):
    # (2 * 1 - 1 * 1) / sqrt((2 + 1)(2 + 1)(1 + 1)(1 + 1)) = 1 / 6.
    labels = [1, 1, 1, 0, 0]
    assert compute("matthews", labels, [1, 1, 0, 0, 1]) == pytest.approx(1 / 6)
    assert compute("matthews", labels, [0, 0, 0, 1, 1]) == -1
    assert compute("matthews", labels, labels) == 1


def test_matthews_of_three_classes() -> None:
    # Labels 0 0 0 1 1 2, predictions 0 0 1 1 2 2: 4 of 6 right; labels 3 2 1 and predictions
    # 2 2 2 per class. Covariance 4 * 6 - (3 * 2 + 2 * 2 + 1 * 2) = 12; squares 36 - (9 + 4 + 1)
    # = 22 and 36 - (4 + 4 + 4) = 24: 12 / sqrt(22 * 24) = 3 / sqrt(33).
    found = compute("matthews", [0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 2, 2])
    assert found == pytest.approx(3 / math.sqrt(33))


@pytest.mark.parametrize(
    ("labels", "predictions"), [([0, 1], [1, 1]), ([1, 1], [0, 1]), ([1, 1], [1, 1]), ([0], [2])]
)
def test_matthews_is_0_where_it_is_undefined_and_does_not_warn(
    labels: list[float], predictions: list[float]
) -> None:
    assert compute("matthews", labels, predictions) == 0


def test_balanced_accuracy_is_the_plain_mean_of_the_recalls() -> None:
    # Class 0: 2 of 3 found; class 1: 1 of 2; class 2: 1 of 1. (2/3 + 1/2 + 1) / 3 = 13/18.
    found = compute("balanced_accuracy", [0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 2, 2])
    assert found == pytest.approx(13 / 18)
    # A class that is predicted alone, and not among the labels, has no recall: 1 of 2 rows of 0.
    assert compute("balanced_accuracy", [0, 0], [0, 3]) == 1 / 2


def test_micro_f1_of_one_label_a_row_is_the_accuracy() -> None:
    # tp 4, fp 2, fn 2: 8 / (8 + 2 + 2) = 4/6, as 4 of 6 rows are right.
    found = compute("f1_micro", [0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 2, 2])
    assert found == pytest.approx(4 / 6)


def test_quadratic_kappa_counts_a_miss_as_the_square_of_its_distance() -> None:
    # Labels 0 1 2 2, predictions 0 1 2 0: one miss, of distance 2: observed 4 / 4 = 1.
    # By chance, over all 16 pairs of a label and a prediction: label 0 with 0 1 2 0 gives
    # 0 + 1 + 4 + 0 = 5, label 1 gives 1 + 0 + 1 + 1 = 3, each label 2 gives 4 + 1 + 0 + 4 = 9:
    # 26 / 16. Kappa = 1 - 1 / (26 / 16) = 10 / 26.
    assert compute("quadratic_kappa", [0, 1, 2, 2], [0, 1, 2, 0]) == pytest.approx(10 / 26)


def test_quadratic_kappa_counts_codes_that_do_not_occur_as_steps() -> None:
    # Labels 0 1 3, predictions 0 3 3: one miss of distance 2, observed 4 / 3. By chance: label 0
    # gives 0 + 9 + 9 = 18, label 1 gives 1 + 4 + 4 = 9, label 3 gives 9 + 0 + 0 = 9: 36 / 9 = 4.
    # Kappa = 1 - (4 / 3) / 4 = 2 / 3. Were 3 taken for 2: 1 - (1 / 3) / (14 / 9) = 11 / 14.
    assert compute("quadratic_kappa", [0, 1, 3], [0, 3, 3]) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("labels", "predictions"), [([0, 1], [1, 1]), ([1, 1], [0, 1]), ([1, 1], [1, 1]), ([0], [2])]
)
def test_quadratic_kappa_is_0_where_one_side_names_one_class_and_does_not_warn(
    labels: list[float], predictions: list[float]
) -> None:
    assert compute("quadratic_kappa", labels, predictions) == 0


def test_exact_match_needs_every_answer_of_a_question() -> None:
    # Question 7: rows 1 and 3, both right. Question 2: rows 2 and 4, row 4 wrong. Question 5:
    # row 5, right. So 2 of 3 questions.
    found = compute("exact_match", [1, 0, 0, 1, 1], [1, 0, 0, 0, 1], [7, 2, 7, 2, 5])
    assert found == pytest.approx(2 / 3)


def test_pearson() -> None:
    # x = 1 2 3 4 (mean 2.5), y = 2 1 4 3 (mean 2.5): covariance sum = (-1.5)(-.5) + (-.5)(-1.5)
    # + (.5)(1.5) + (1.5)(.5) = 3; both square sums are 5. r = 3/5.
    assert compute("pearson", [1, 2, 3, 4], [2, 1, 4, 3]) == pytest.approx(0.6)


def test_spearman_is_pearsons_of_the_ranks() -> None:
    # Ranks of y = 10 100 20 1000 are 1 3 2 4; differences to 1 2 3 4 are 0 1 -1 0:
    # rho = 1 - 6 * 2 / (4 * 15) = 0.8.
    assert compute("spearman", [1, 2, 3, 4], [10, 100, 20, 1000]) == pytest.approx(0.8)


def test_spearman_gives_ties_their_mean_rank() -> None:
    # x = 1 2 3, y = 5 5 9: ranks of y are 1.5 1.5 3, deviations -.5 -.5 1 and -1 0 1:
    # covariance sum 0.5 + 1 = 1.5; square sums 2 and 1.5. rho = 1.5 / sqrt(3) = sqrt(3) / 2.
    assert compute("spearman", [1, 2, 3], [5, 5, 9]) == pytest.approx(math.sqrt(3) / 2)


def test_correlation_is_the_mean_of_both() -> None:
    # Pearson 0.6 as above; the values are their own ranks, so Spearman is 0.6 too; for
    # y = 10 100 20 1000 Spearman is 0.8 and the two differ.
    assert compute("correlation", [1, 2, 3, 4], [2, 1, 4, 3]) == pytest.approx(0.6)
    both = [compute(name, [1, 2, 3, 4], [10, 100, 20, 1000]) for name in ("pearson", "spearman")]
    assert both[0] != pytest.approx(both[1])
    found = compute("correlation", [1, 2, 3, 4], [10, 100, 20, 1000])
    assert found == pytest.approx(sum(both) / 2)


@pytest.mark.parametrize("name", ["pearson", "spearman", "correlation"])
@pytest.mark.parametrize("value", [0.0, 2.0, -1e9])
def test_constant_predictions_have_no_correlation_and_do_not_warn(name: str, value: float) -> None:
    assert compute(name, [1, 2, 3], [value] * 3) == 0.0
    assert compute(name, [value] * 3, [1, 2, 3]) == 0.0


def test_nearly_constant_predictions_have_one_and_do_not_warn() -> None:
    found = compute("correlation", [1, 2, 3], [1e9, 1e9, 1e9 + 1e-6])
    assert 0 < found <= 1


def test_auroc_counts_pairs_of_both_classes_that_are_in_order() -> None:
    # Positives .8 .4, negatives .4 .1: pairs .8>.4, .8>.1, .4=.4 (half), .4>.1: 3.5 of 4.
    assert compute("auroc", [1, 0, 1, 0], [0.8, 0.4, 0.4, 0.1]) == pytest.approx(3.5 / 4)
    assert compute("auroc", [1, 1], [0.2, 0.9]) == 0.5  # no pair


def test_average_precision_is_the_mean_precision_at_each_positive() -> None:
    # In order .9 (positive), .7 (negative), .6 (positive), .2: precision 1/1 and 2/3 at the two
    # positives. (1 + 2/3) / 2 = 5/6.
    found = compute("average_precision", [1, 0, 1, 0], [0.9, 0.7, 0.6, 0.2])
    assert found == pytest.approx(5 / 6)
    assert compute("average_precision", [0, 0], [0.2, 0.9]) == 0  # none to be found


SETS = [[1, 1, 0], [0, 1, 0], [0, 0, 0], [1, 0, 0]]
NAMED = [[1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 1, 0]]


def test_micro_f1_of_sets_counts_all_labels_in_one() -> None:
    # Right: (row 1, a), (row 2, b), (row 4, a): 3. True: 4, named: 4. F1 = 2 * 3 / (4 + 4).
    assert compute("label_f1_micro", SETS, NAMED) == pytest.approx(6 / 8)


def test_macro_f1_of_sets_is_the_mean_over_the_labels_that_occur() -> None:
    # a: right 2 of 2 true and 2 named: 1. b: right 1, true 2, named 2: 2 / 4. c does not occur.
    assert compute("label_f1_macro", SETS, NAMED) == pytest.approx((1 + 1 / 2) / 2)
    assert compute("label_f1_macro", [[0, 0]], [[0, 0]]) == 0


def test_sample_f1_is_the_mean_over_rows_and_1_where_none_is_rightly_named() -> None:
    # Row 1: 2 * 1 / (2 + 1) = 2/3; row 2: 1; row 3 has none and gets none: 1; row 4: 2/3.
    assert compute("sample_f1", SETS, NAMED) == pytest.approx((2 / 3 + 1 + 1 + 2 / 3) / 4)
    assert compute("sample_f1", [[0, 0]], [[0, 1]]) == 0


def test_label_ranking_precision_looks_at_what_is_above_each_true_label() -> None:
    # Row 1, a true: ranks b .9, a .5, c .1: 1 of the 2 down to a is true, 1/2. Row 2, a and c true:
    # a first, 1/1; c third, 2/3: 5/6. Row 3 has none: 1.
    odds = [[0.5, 0.9, 0.1], [0.9, 0.5, 0.1], [0.3, 0.2, 0.1]]
    found = compute("label_ranking", [[1, 0, 0], [1, 0, 1], [0, 0, 0]], odds)
    assert found == pytest.approx((1 / 2 + 5 / 6 + 1) / 3)


@given(rows=st.lists(st.lists(st.integers(0, 1), min_size=3, max_size=3), min_size=1))
def test_metrics_of_sets_are_1_where_all_is_right(rows: list[list[int]]) -> None:
    labels = np.array(rows)
    names = tuple(name for name, m in METRICS.items() if m.kind == "multilabel")
    found = score(names, labels, labels, NONE[: len(labels)])
    has_any = float(labels.any())
    undefined = {"label_f1_micro": has_any, "label_f1_macro": has_any}
    assert found == pytest.approx({name: undefined.get(name, 1.0) for name in names})


def test_errors_are_in_the_unit_of_the_labels() -> None:
    # Off by 1, 0 and 2: (1 + 0 + 2) / 3 = 1 and sqrt((1 + 0 + 4) / 3) = sqrt(5 / 3).
    assert compute("mae", [1, 2, 5], [2, 2, 3]) == pytest.approx(1)
    assert compute("rmse", [1, 2, 5], [2, 2, 3]) == pytest.approx(math.sqrt(5 / 3))


def test_metrics_of_odds_read_the_odds_and_the_others_the_classes() -> None:
    # Both rows are predicted as class 0, but the positive one with better odds.
    stored = {"label": [0, 1], "prediction": [0, 0], "question": [-1, -1]}
    frame = pd.DataFrame({**stored, "logits": [[2.0, 0.0], [1.0, 0.5]]})
    task = Task(name="x", text=("t",), labels=("no", "yes"), metric="auroc", metrics=("accuracy",))
    answers = gather_answers(task, frame)
    assert answers.odds is not None
    assert answers.odds.tolist() == [-2.0, -0.5]
    assert answers.read("auroc") is answers.odds
    assert answers.read("accuracy").tolist() == [0, 0]
    read = (answers.labels, answers.predictions, answers.questions, answers.odds)
    assert score(task.all_metrics, *read) == {"auroc": 1.0, "accuracy": 0.5}


def test_a_mean_over_tasks_leaves_out_errors_unless_all_are() -> None:
    assert list_averaged({"a": "accuracy", "b": "mae"}) == ["a"]
    assert list_averaged({"a": "rmse", "b": "mae"}) == ["a", "b"]


def test_one_example_has_no_correlation() -> None:
    assert compute("correlation", [1], [1]) == 0.0


ROWS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(0, 3)), min_size=1)


@given(rows=ROWS)
def test_every_metric_of_classes_stays_in_its_range(rows: list[tuple[int, int, int]]) -> None:
    labels, predictions, questions = np.array(rows).T
    names = tuple(name for name, m in METRICS.items() if m.kind == "classification")
    found = score(names, labels, predictions, questions)
    assert all(-1 <= found.pop(name) <= 1 for name in ("matthews", "quadratic_kappa"))
    assert all(0 <= value <= 1 for value in found.values())


@given(rows=ROWS)
def test_every_metric_of_classes_is_1_where_all_is_right_unless_undefined(
    rows: list[tuple[int, int, int]],
) -> None:
    labels, _, questions = np.array(rows).T
    names = tuple(name for name, m in METRICS.items() if m.kind == "classification")
    has_two = float(len(np.unique(labels)) > 1)
    undefined = {"f1": float(1 in labels), "matthews": has_two, "quadratic_kappa": has_two}
    undefined["f1_answers"] = undefined["average_precision"] = undefined["f1"]
    undefined["auroc"] = 0.5 + 0.5 * has_two
    found = score(names, labels, labels, questions)
    assert found == pytest.approx({name: undefined.get(name, 1.0) for name in names})


@given(rows=ROWS)
def test_an_error_is_never_negative_and_0_where_all_is_right(
    rows: list[tuple[int, int, int]],
) -> None:
    labels, predictions, questions = np.array(rows).T
    errors = tuple(name for name in METRICS if is_error(name))
    assert all(value >= 0 for value in score(errors, labels, predictions, questions).values())
    assert score(errors, labels, labels, questions) == dict.fromkeys(errors, 0.0)


@given(rows=ROWS, seed=st.integers(0, 9))
def test_the_order_of_rows_does_not_matter(rows: list[tuple[int, int, int]], seed: int) -> None:
    content = np.array(rows)
    shuffled = np.random.default_rng(seed).permutation(content)
    for metric in (metric for metric in METRICS.values() if metric.kind != "multilabel"):
        assert metric.compute(*content.T) == pytest.approx(metric.compute(*shuffled.T))


@given(rows=ROWS)
def test_with_a_question_per_answer_exact_match_is_accuracy(
    rows: list[tuple[int, int, int]],
) -> None:
    labels, predictions, _ = np.array(rows).T
    own = np.arange(len(rows))
    found = score(("accuracy", "exact_match"), labels, predictions, own)
    assert found["accuracy"] == pytest.approx(found["exact_match"])


def test_every_task_of_the_paper_has_the_metrics_of_its_tables() -> None:
    # Table 1: "Corr." for STS-B, "F1_a" for MultiRC, "Acc." for all others.
    primary = {name: task.metric for name, task in PAPER_TASKS.items()}
    assert primary.pop("stsb") == "correlation"
    assert primary.pop("multirc") == "f1_answers"
    assert set(primary.values()) == {"accuracy"}
    assert PAPER_TASKS["cb"].metrics == ("f1_macro",)
    assert PAPER_TASKS["qqp"].metrics == PAPER_TASKS["mrpc"].metrics == ("f1",)
    assert PAPER_TASKS["multirc"].metrics == ("exact_match",)
