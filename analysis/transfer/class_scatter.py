r"""H-score: how well features separate a task's classes, with a shrunk covariance.

For features f [N, W], centred, and classes y: S = f'f / N is shrunk towards a multiple of the
identity as far as its sampling noise demands (Ledoit and Wolf 2004), and compared with the scatter
of the class means m_c of n_c rows:

    mu = tr S / W,  beta = (mean of |f_n|^4 - |S|^2) / (W N),  delta = (|S|^2 - mu^2 W) / W
    lam = clip(beta / delta, 0, 1),  S' = (1 - lam) S + lam mu I
    G = sum over c of n_c m_c m_c' / (N - 1),   H = (1 - lam) tr(S'^-1 G)

Source: Bao et al. 2019, "An information-theoretic approach to transferability"; shrunk by Ibrahim
et al. 2021, "Newer is not always better". Scores of different targets cannot be compared.

Legend: N rows, W width, C classes.
"""

from __future__ import annotations

import numpy as np

from analysis.arrays import Floats, Labels
from hmnet.errors import InputError


def score_classes(features: Floats, classes: Labels) -> float:
    """Return the shrunk H-score, at least 0; it is C - 1 at most, and 0 for equal class means.

    Raises:
        InputError: for fewer than two classes, or features that are equal in all rows.
    """
    check_features(features)
    check_classes(classes)
    centred = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    count, width = centred.shape
    gram = centred @ centred.T  # [N, N], which has the covariance's norm and eigenvalues
    weight, level = _find_shrinkage(gram, width)
    between = _average_classes(gram, classes) / (count - 1)
    # S'^-1 = (I - f' (c I + a f f')^-1 a f) / c with a = (1 - lam) / N and c = lam mu
    if weight == 0:
        return float(np.trace(np.linalg.pinv(gram / count) @ between))
    share, ridge = (1 - weight) / count, weight * level
    inner = np.linalg.solve(ridge * np.eye(count) + share * gram, between)
    return max(float((1 - weight) * np.trace(inner)), 0.0)


def _find_shrinkage(gram: Floats, width: int) -> tuple[float, float]:
    """Return lam and mu, from the products of rows [N, N]."""
    count = len(gram)
    norm = float((gram**2).sum()) / count**2
    mean = float(np.trace(gram)) / count / width
    beta = (float((np.diag(gram) ** 2).mean()) - norm) / (width * count)
    delta = (norm - mean**2 * width) / width
    return (float(np.clip(beta / delta, 0.0, 1.0)) if delta > 0 else 1.0), mean


def _average_classes(gram: Floats, classes: Labels) -> Floats:
    """Return f G' f' (N - 1) in the rows' products: P f f' with P the projection on classes."""
    member = (classes[:, None] == np.unique(classes)).astype(np.float64)
    means: Floats = member @ ((member.T @ gram) / member.sum(axis=0)[:, None])
    return means


def check_features(features: Floats) -> None:
    """Raise an `InputError` for features that are not finite, or equal in all rows."""
    is_finite = bool(np.isfinite(features).all())
    if not is_finite or len(features) < 2 or not np.ptp(features, axis=0).any():
        found = "equal ones in all rows" if is_finite else "values that are not finite"
        raise InputError(f"Parameter `features` should tell rows apart. Found {found}.")


def check_classes(classes: Labels) -> None:
    """Raise an `InputError` for fewer than two classes."""
    found = len(np.unique(classes))
    if found < 2:
        raise InputError(f"Parameter `classes` should hold at least two classes. Found {found}.")
