"""Scores under resampled examples: exactly those of the drawn rows, for every metric."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from made_predictions import make_target

from analysis.scores import resampling, scorers
from analysis.scores.predictions import Predictions
from analysis.scores.resampling import (
    count_units,
    draw_weights,
    number_units,
    resample_scores,
    score_runs,
)
from analysis.scores.scorers import SCORERS
from hmnet.study.metrics import METRICS, Metric, orient

SIZE, RUNS, DRAWS = 41, 3, 25


def make_predictions(metric: str, seed: int = 0, *, in_questions: bool = False) -> Predictions:
    """Return random predictions with ties, three classes where the metric allows them."""
    rng = np.random.default_rng(seed)
    classes = 2 if METRICS[metric].binary else 3
    if METRICS[metric].kind == "regression":
        labels = np.round(5 * rng.random(SIZE)) / 5
        values = np.round(labels + rng.normal(0, 0.4, (RUNS, SIZE)), 1)
    else:
        is_set = METRICS[metric].kind == "multilabel"
        shape, classes = ((SIZE, 4), 2) if is_set else ((SIZE,), classes)
        labels = rng.integers(0, classes, shape) * (rng.random(shape) < 0.7 if is_set else 1)
        wrong = rng.random((RUNS, *shape)) < 0.4
        values = np.where(wrong, rng.integers(0, classes, (RUNS, *shape)), labels)
        if METRICS[metric].reads_odds:
            values = np.round(values + rng.normal(0, 0.6, (RUNS, *shape)), 1)
    questions = rng.integers(0, 12, SIZE) if in_questions else None
    if METRICS[metric].kind == "tags":  # words of a sentence stand together
        questions = np.sort(rng.integers(0, 12, SIZE))
    return make_target("made", labels, values, {}, metric, questions)


def repeat_rows(predictions: Predictions, weights: Any, run: int) -> float:
    """Return the metric of the rows that a draw holds, by `hmnet.study.metrics`.

    Each copy of a question is a question of its own.
    """
    counts = weights.astype(int)
    index = np.repeat(np.arange(SIZE), counts)
    copy = np.concatenate([np.arange(count) for count in counts])
    questions = predictions.questions[index] * 1000 + copy
    order = np.argsort(questions, kind="stable")
    index, questions = index[order], questions[order]
    compute = METRICS[predictions.metric].compute
    found = compute(predictions.labels[index], predictions.single.values[run, index], questions)
    return orient(predictions.metric, found)


@pytest.mark.parametrize("metric", METRICS)
def test_a_resampled_score_is_the_metric_of_the_drawn_rows(metric: str) -> None:
    in_questions = METRICS[metric].needs_question or metric == "f1_answers"
    predictions = make_predictions(metric, in_questions=in_questions)
    values = predictions.single.values
    scores = resample_scores(predictions, values, DRAWS, np.random.default_rng(7))
    units = number_units(predictions.questions)
    weights = np.concatenate(list(draw_weights(units, DRAWS, np.random.default_rng(7))))
    expected = [[repeat_rows(predictions, w, run) for run in range(RUNS)] for w in weights]
    np.testing.assert_allclose(scores, expected, atol=1e-9)


@pytest.mark.parametrize("metric", METRICS)
def test_without_resampling_it_is_the_metric_itself(metric: str) -> None:
    predictions = make_predictions(metric, 3, in_questions=METRICS[metric].needs_question)
    found = score_runs(predictions, predictions.single.values)
    expected = [repeat_rows(predictions, np.ones(SIZE), run) for run in range(RUNS)]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_metric_needs_no_fast_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """One entry in `METRICS`: whether the first row of a draw has label 1."""
    entry = Metric("classification", lambda labels, predictions, _: float(labels[0] == 1))
    monkeypatch.setitem(METRICS, "first_is_one", entry)
    labels = np.array([0, 1])
    predictions = make_target("made", labels, labels, {}, "first_is_one")
    scores = resample_scores(predictions, labels[None], 200, np.random.default_rng(0))
    assert set(scores.ravel().tolist()) == {0, 1}  # both rows are the first of some draw


def test_fast_forms_are_of_metrics_that_there_are() -> None:
    assert set(SCORERS) <= set(METRICS)


@pytest.mark.parametrize("metric", SCORERS)
def test_without_its_fast_form_a_metric_has_the_same_scores(
    metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_questions = METRICS[metric].needs_question or metric == "f1_answers"
    predictions = make_predictions(metric, 5, in_questions=in_questions)
    values = predictions.single.values
    fast = resample_scores(predictions, values, DRAWS, np.random.default_rng(1))
    monkeypatch.setattr(scorers, "SCORERS", {})
    slow = resample_scores(predictions, values, DRAWS, np.random.default_rng(1))
    np.testing.assert_allclose(slow, fast, atol=1e-9)


def test_every_copy_of_a_question_is_a_question_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Question 0 (rows 0 and 1, row 1 wrong) is drawn twice, question 1 (row 2, right) three
    # times: 3 of 5 questions are all right.
    monkeypatch.setattr(scorers, "SCORERS", {})
    labels, values, units = np.zeros(3, int), np.array([[0, 1, 0]]), np.array([0, 0, 1])
    scorer = scorers.make_scorer("exact_match", labels, values, units)
    assert scorer(np.array([[2, 2, 3]], np.float32)) == pytest.approx(3 / 5)


@pytest.mark.parametrize("metric", ["pearson", "spearman", "correlation"])
def test_constant_predictions_correlate_0_in_every_draw(metric: str) -> None:
    labels = np.random.default_rng(0).random(SIZE)
    predictions = make_target("made", labels, np.full((1, SIZE), 0.1), {}, metric)
    scores = resample_scores(predictions, predictions.single.values, 50, np.random.default_rng(0))
    assert (scores == 0).all()


def test_matthews_of_predictions_that_name_one_class_is_0_in_every_draw() -> None:
    labels = np.random.default_rng(0).integers(0, 3, SIZE)
    predictions = make_target("made", labels, np.full((2, SIZE), 7), {}, "matthews")
    scores = resample_scores(predictions, predictions.single.values, 50, np.random.default_rng(0))
    assert (scores == 0).all()


@pytest.mark.parametrize("labels", [np.zeros(SIZE, int), np.arange(SIZE) % 2])
def test_kappa_of_predictions_that_name_one_class_is_0_in_every_draw(
    labels: np.ndarray[Any, Any],
) -> None:
    values = np.stack([np.zeros(SIZE, int), np.full(SIZE, 3)])
    predictions = make_target("made", labels, values, {}, "quadratic_kappa")
    scores = resample_scores(predictions, values, 50, np.random.default_rng(0))
    np.testing.assert_allclose(scores, 0, atol=1e-12)


def test_a_score_is_the_mean_over_dev_splits() -> None:
    labels = np.zeros(40, int)
    values = np.concatenate([np.zeros(30, int), np.ones(10, int)])
    splits = np.array(["m"] * 20 + ["mm"] * 20, dtype=object)
    predictions = make_target("made", labels, values, {}, splits=splits)
    # all 20 of `m` are right, 10 of the 20 of `mm`
    assert score_runs(predictions, predictions.single.values) == pytest.approx([(1 + 0.5) / 2])
    drawn = resample_scores(predictions, predictions.single.values, 400, np.random.default_rng(0))
    # half the SD of a share of 20 examples: splits are drawn apart, and keep their sizes
    assert drawn.std() == pytest.approx(np.sqrt(0.25 / 20) / 2, rel=0.15)


def test_questions_are_drawn_whole() -> None:
    questions = np.array([3, 3, -1, 7, 7, 7, -1])
    units = number_units(questions)
    assert len(set(units.tolist())) == 4  # two questions, and two examples without one
    (weights,) = draw_weights(units, 60, np.random.default_rng(0))
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 3] == weights[:, 5]).all()
    per_unit = weights[:, [0, 2, 3, 6]]
    assert (per_unit.sum(axis=1) == 4).all()
    predictions = make_target("made", np.zeros(7), np.zeros(7), {}, "exact_match", questions)
    assert count_units(predictions) == 4


def test_the_draws_spread_as_a_share_of_n_examples_does() -> None:
    predictions = make_predictions("accuracy")
    values = predictions.single.values
    scores = score_runs(predictions, values)
    drawn = resample_scores(predictions, values, 4000, np.random.default_rng(0))
    np.testing.assert_allclose(drawn.mean(axis=0), scores, atol=0.006)
    np.testing.assert_allclose(drawn.std(axis=0), np.sqrt(scores * (1 - scores) / SIZE), rtol=0.06)


def test_more_runs_do_not_change_the_draws_of_others() -> None:
    predictions = make_predictions("f1_macro")
    values = predictions.single.values
    whole = resample_scores(predictions, values, 30, np.random.default_rng(2))
    part = resample_scores(predictions, values[1:2], 30, np.random.default_rng(2))
    np.testing.assert_allclose(whole[:, 1:2], part, atol=1e-12)


@pytest.mark.parametrize("metric", ["spearman", "accuracy"])
def test_the_size_of_chunks_changes_nothing_but_the_draws_order(
    metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictions = make_predictions(metric)
    values = predictions.single.values
    whole = resample_scores(predictions, values, 30, np.random.default_rng(2))
    monkeypatch.setattr(scorers, "RANK_CELLS", 3 * SIZE)
    monkeypatch.setattr(resampling, "CHUNK_CELLS", 4 * SIZE)
    chunked = resample_scores(predictions, values, 30, np.random.default_rng(2))
    np.testing.assert_allclose(chunked, whole, atol=1e-9)
