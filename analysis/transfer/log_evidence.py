r"""LogME: the evidence of a linear model from features to labels, per row.

y = F w + noise with w ~ N(0, I / alpha) and noise ~ N(0, I / beta); alpha and beta are those that
make the evidence p(y | F) largest, found by MacKay's fixed point. With sigma the squared singular
values of F, x = U'y and t = alpha / beta:

    gamma = sum sigma / (sigma + t),  |m|^2 = sum sigma x^2 / (sigma + t)^2
    |F m - y|^2 = sum x^2 / (1 + sigma / t)^2 + |y|^2 - |x|^2
    alpha = gamma / |m|^2,  beta = (N - gamma) / |F m - y|^2

Classes count as a column of zeros and ones each, whose evidences are averaged. Source: You et al.
2021, "LogME: practical assessment of pre-trained models for transfer learning".

Legend: N rows, W width, C columns.
"""

from __future__ import annotations

import math

import numpy as np

from analysis.arrays import Floats, Labels
from analysis.transfer.class_scatter import check_classes, check_features
from hmnet.errors import InputError

ROUNDS = 100
_LEAST = 1e-5


def find_class_evidence(features: Floats, classes: Labels) -> float:
    """Return the mean log evidence per row of the classes' columns.

    Raises:
        InputError: for fewer than two classes, or features that are equal in all rows.
    """
    check_features(features)
    check_classes(classes)
    columns = (classes[:, None] == np.unique(classes)).astype(np.float64)
    return _average_evidence(features, columns)


def find_value_evidence(features: Floats, values: Floats) -> float:
    """Return the log evidence per row of a regression's values, standardised.

    Raises:
        InputError: for values or features that are equal in all rows.
    """
    check_features(features)
    spread = float(np.std(values))
    if not spread > 0:
        raise InputError("Parameter `values` should differ between rows. Found equal ones.")
    return _average_evidence(features, ((values - values.mean()) / spread)[:, None])


def _average_evidence(features: Floats, columns: Floats) -> float:
    left, singular, _ = np.linalg.svd(features.astype(np.float64), full_matrices=False)
    known = singular > singular.max() * 1e-10
    left, sigma = left[:, known], singular[known] ** 2
    return float(np.mean([find_evidence(left, sigma, column)[0] for column in columns.T]))


def find_evidence(left: Floats, sigma: Floats, column: Floats) -> tuple[float, float, float]:
    """Return the log evidence per row of one column, with its alpha and beta.

    Args:
        left: left singular vectors of the features, [N, R].
        sigma: squared singular values, [R].
        column: y, [N].
    """
    count = len(column)
    squares = (left.T @ column) ** 2
    outside = max(float(column @ column - squares.sum()), 0.0)
    alpha = beta = 1.0
    for _ in range(ROUNDS):
        ratio = alpha / beta
        gamma = float((sigma / (sigma + ratio)).sum())
        length = float((sigma * squares / (sigma + ratio) ** 2).sum())
        rest = float((squares / (1 + sigma / ratio) ** 2).sum()) + outside
        alpha, beta = gamma / (length + _LEAST), (count - gamma) / (rest + _LEAST)
        if abs(alpha / beta - ratio) <= 1e-6 * ratio:
            break
    return _evaluate(sigma, squares, outside, count, alpha, beta) / count, alpha, beta


def _evaluate(
    sigma: Floats, squares: Floats, outside: float, count: int, alpha: float, beta: float
) -> float:
    """Return log N(y | 0, I / beta + F F' / alpha)."""
    ratio = alpha / beta
    length = float((sigma * squares / (sigma + ratio) ** 2).sum())
    rest = float((squares / (1 + sigma / ratio) ** 2).sum()) + outside
    return (
        len(sigma) / 2 * math.log(alpha)
        + count / 2 * math.log(beta)
        - float(np.log(alpha + beta * sigma).sum()) / 2
        - (beta * rest + alpha * length) / 2
        - count / 2 * math.log(2 * math.pi)
    )
