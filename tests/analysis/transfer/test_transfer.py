"""Scores of transfer: each equals a value by hand or an independent formula."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from analysis.transfer.class_scatter import score_classes
from analysis.transfer.discriminator import discriminate
from analysis.transfer.label_likelihood import cut_values, find_leep, find_nce, soften
from analysis.transfer.likeness import (
    compare_information,
    compare_representations,
    find_cosine,
)
from analysis.transfer.log_evidence import (
    find_class_evidence,
    find_evidence,
    find_value_evidence,
)
from hmnet.errors import InputError

LABELS = np.array([0, 0, 1, 1, 2, 2, 0, 1, 2, 2])


def draw(rows: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, width))


def score_plainly(features: np.ndarray, classes: np.ndarray) -> float:
    """Return the shrunk H-score, its formula word for word."""
    f = features - features.mean(axis=0)
    count, width = f.shape
    s = f.T @ f / count
    mu = np.trace(s) / width
    beta = (np.mean([np.linalg.norm(row) ** 4 for row in f]) - (s**2).sum()) / (width * count)
    delta = ((s**2).sum() - mu**2 * width) / width
    lam = np.clip(beta / delta, 0, 1)
    shrunk = (1 - lam) * s + lam * mu * np.eye(width)
    between = np.zeros((width, width))
    for c in set(classes.tolist()):
        mean = f[classes == c].mean(axis=0)
        between += (classes == c).sum() * np.outer(mean, mean) / (count - 1)
    return float((1 - lam) * np.trace(np.linalg.inv(shrunk) @ between))


@pytest.mark.parametrize(("rows", "width"), [(10, 3), (10, 25)])
def test_the_h_score_is_its_formula_with_few_and_many_columns(rows: int, width: int) -> None:
    features = draw(rows, width) + LABELS[:, None]
    assert score_classes(features, LABELS) == pytest.approx(score_plainly(features, LABELS))


def test_a_rotation_and_a_common_scale_change_no_h_score() -> None:
    features = draw(10, 4)
    turn = np.linalg.qr(draw(4, 4, 1))[0]
    found = score_classes(features, LABELS)
    assert score_classes(3 * features @ turn + 7, LABELS) == pytest.approx(found)
    assert score_classes(features, LABELS[::-1] * 0 + (LABELS + 1) % 3) == pytest.approx(found)


def test_logme_is_the_largest_evidence_of_a_gaussian() -> None:
    """Held against scipy's density of N(0, I / beta + F F' / alpha)."""
    features = draw(12, 4)
    y = features @ [1.0, -0.5, 0, 0] + 0.3 * draw(12, 1, 2)[:, 0]
    left, singular, _ = np.linalg.svd(features, full_matrices=False)
    found, alpha, beta = find_evidence(left, singular**2, y)

    def density(a: float, b: float) -> float:
        covariance = np.eye(12) / b + features @ features.T / a
        return float(stats.multivariate_normal.logpdf(y, cov=covariance)) / 12

    assert found == pytest.approx(density(alpha, beta))
    for a, b in ((1.3, 1), (0.7, 1), (1, 1.3), (1, 0.7)):
        assert density(alpha * a, beta * b) < found + 1e-4
    standard = (y - y.mean()) / y.std()
    assert find_value_evidence(features, y) == pytest.approx(
        find_evidence(left, singular**2, standard)[0]
    )


def test_logme_prefers_features_that_tell_the_classes() -> None:
    telling = np.eye(3)[LABELS] + 0.1 * draw(10, 3)
    assert find_class_evidence(telling, LABELS) > find_class_evidence(draw(10, 3), LABELS)


def test_leep_by_hand() -> None:
    # theta = (1, 0), (.5, .5) with labels 0, 1. P(0, .) = (.5, 0); P(1, .) = (.25, .25).
    # P(0 | z) = (2/3, 0), P(1 | z) = (1/3, 1). Row 1: 2/3; row 2: (1/3 + 1) / 2 = 2/3.
    theta = np.array([[1.0, 0.0], [0.5, 0.5]])
    assert find_leep(theta, np.array([0, 1])) == pytest.approx(math.log(2 / 3))


def test_nce_is_minus_the_conditional_entropy() -> None:
    # Z = 0: labels 0, 0, 1; Z = 1: label 1. H(Y | Z) = 3/4 (2/3 log 3/2 + 1/3 log 3).
    found = find_nce(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]))
    assert found == pytest.approx(-0.75 * (2 / 3 * math.log(3 / 2) + 1 / 3 * math.log(3)))


def test_leep_lies_between_minus_the_labels_entropy_and_0() -> None:
    entropy = -sum(p * math.log(p) for p in (0.3, 0.3, 0.4))
    assert find_leep(np.full((10, 2), 0.5), LABELS) == pytest.approx(-entropy)
    assert -entropy <= find_leep(soften(draw(10, 4)), LABELS) <= 0
    assert find_leep(np.eye(3)[LABELS], LABELS) == pytest.approx(0)


def test_cka_by_hand_and_its_invariances() -> None:
    # X = (1, -1)', Y = (1, -1)': 1. Centred (1, 0, -1) and (1, -2, 1): products with each other 0.
    one, other = np.array([[1.0], [0], [-1]]), np.array([[1.0], [-2], [1]])
    assert compare_representations(one, other) == pytest.approx(0)
    x, y = draw(9, 4), draw(9, 6, 1)
    # |Y'X|^2 / (|X'X| |Y'Y|), column by column
    a, b = x - x.mean(axis=0), y - y.mean(axis=0)
    norms = [np.linalg.norm(e.T @ f) for e, f in ((b, a), (a, a), (b, b))]
    found = compare_representations(x, y)
    assert found == pytest.approx(norms[0] ** 2 / norms[1] / norms[2])
    assert compare_representations(y, x) == pytest.approx(found)
    turn = np.linalg.qr(draw(4, 4, 2))[0]
    assert compare_representations(5 * x @ turn + 1, y) == pytest.approx(found)
    assert compare_representations(x, x) == pytest.approx(1)


def test_information_is_compared_by_its_shares() -> None:
    # F_a = (1, 0), F_b = (1, 2): shares (1/2, 0) and (1/2, 1): cosine 1/4 / (1/2 sqrt(5/4)).
    found = compare_information(np.array([1.0, 0]), np.array([1.0, 2]))
    assert found == pytest.approx(0.25 / (0.5 * math.sqrt(1.25)))
    assert compare_information(np.array([1.0, 3]), np.array([1.0, 3])) == pytest.approx(1)


def test_values_are_cut_into_classes_of_equal_size() -> None:
    counts = np.bincount(cut_values(draw(100, 1)[:, 0]))
    assert counts.tolist() == [20] * 5
    assert len(set(cut_values(np.array([1.0, 1, 1, 2])).tolist())) == 2  # ties stay together


def test_rows_are_taken_for_those_of_a_task_that_they_look_like() -> None:
    one, other = draw(30, 3), draw(30, 3, 1)
    found = discriminate([one, other, draw(30, 3, 2) + 50])
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert found[2, 2] > 0.95  # nothing looks like the third
    assert found[0, 1] > 0.3 > 0.05 > found[0, 2]
    with pytest.raises(InputError, match="at least 5 rows of each task"):
        discriminate([one, other[:4]])


@pytest.mark.parametrize(
    "score",
    [
        lambda: score_classes(draw(4, 2), np.zeros(4, np.int64)),
        lambda: find_class_evidence(draw(4, 2), np.zeros(4, np.int64)),
        lambda: find_leep(np.full((4, 2), 0.5), np.zeros(4, np.int64)),
        lambda: find_nce(np.arange(4), np.zeros(4, np.int64)),
    ],
)
def test_one_class_is_refused(score: Callable[[], float]) -> None:
    with pytest.raises(InputError, match=r"at least two classes\. Found 1"):
        score()


@pytest.mark.parametrize(
    "score",
    [
        lambda: score_classes(np.ones((10, 2)), LABELS),
        lambda: find_class_evidence(np.ones((10, 2)), LABELS),
        lambda: find_value_evidence(np.ones((10, 2)), draw(10, 1)[:, 0]),
        lambda: compare_representations(np.ones((10, 2)), draw(10, 2)),
        lambda: score_classes(np.full((10, 2), np.nan), LABELS),
    ],
)
def test_features_that_tell_no_rows_apart_are_refused(score: Callable[[], float]) -> None:
    with pytest.raises(InputError, match="should tell rows apart"):
        score()


def test_vectors_without_direction_and_equal_values_are_refused() -> None:
    with pytest.raises(InputError, match="not 0"):
        find_cosine(np.zeros(2), np.ones(2))
    with pytest.raises(InputError, match="should differ"):
        find_value_evidence(draw(4, 2), np.ones(4))
