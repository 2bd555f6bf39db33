r"""How alike two representations, or two vectors, of the same things are.

Linear CKA of features X [N, V] and Y [N, W], centred: |Y'X|^2 / (|X'X| |Y'Y|), Frobenius norms,
from 0 to 1; it knows no rotation and no scale of either side (Kornblith et al. 2019).

The likeness of two diagonals of Fisher information, F_a and F_b, both at least 0, is the cosine of
F_a / (F_a + F_b) and F_b / (F_a + F_b) (Task2Vec; Achille et al. 2019).

Legend: N rows.
"""

from __future__ import annotations

import numpy as np

from analysis.arrays import Floats
from analysis.transfer.class_scatter import check_features
from hmnet.errors import InputError


def compare_representations(one: Floats, other: Floats) -> float:
    """Return linear CKA of two sets of features of the same rows.

    Raises:
        InputError: for features that are equal in all rows.
    """
    check_features(one)
    check_features(other)
    a, b = (_multiply_rows(each) for each in (one, other))
    scale = np.sqrt((a * a).sum() * (b * b).sum())
    return float(np.clip((a * b).sum() / scale, 0.0, 1.0))


def _multiply_rows(features: Floats) -> Floats:
    centred = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    products: Floats = centred @ centred.T
    return products


def find_cosine(one: Floats, other: Floats) -> float:
    """Return the cosine of two vectors, from -1 to 1.

    Raises:
        InputError: for a vector that is 0 or not finite.
    """
    lengths = [float(np.linalg.norm(each.astype(np.float64))) for each in (one, other)]
    if not all(np.isfinite(length) and length > 0 for length in lengths):
        raise InputError(
            f"Parameter `vectors` should be finite and not 0. Found lengths {lengths}."
        )
    product = float(one.astype(np.float64) @ other.astype(np.float64))
    return float(np.clip(product / lengths[0] / lengths[1], -1.0, 1.0))


def compare_information(one: Floats, other: Floats) -> float:
    """Return the likeness of two diagonals of Fisher information, from 0 to 1.

    Raises:
        InputError: for a diagonal that is 0 everywhere.
    """
    total = one + other
    shares = [np.divide(e, total, out=np.zeros_like(total), where=total > 0) for e in (one, other)]
    return find_cosine(*shares)
