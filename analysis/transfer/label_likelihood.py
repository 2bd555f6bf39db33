r"""LEEP and NCE: how well a source's answers tell a target's labels.

With the source's probabilities theta_z(x_i) of its classes z on the target's rows, and
P(y, z) = mean over i of theta_z(x_i) [y_i = y], the expected empirical predictor says
p(y | x) = sum over z of P(y | z) theta_z(x), and

    LEEP = mean over i of log p(y_i | x_i)            (Nguyen et al. 2020)
    NCE  = -H(Y | Z), with Z the likeliest class      (Tran et al. 2019)

Both are at most 0, and at least -H(Y). Scores of different targets cannot be compared.

Legend: N rows, Z classes of the source.
"""

from __future__ import annotations

import numpy as np

from analysis.arrays import Floats, Labels
from analysis.transfer.class_scatter import check_classes


def find_leep(probabilities: Floats, classes: Labels) -> float:
    """Return LEEP of a source's probabilities [N, Z] and the target's labels [N].

    Raises:
        InputError: for fewer than two classes of the target.
    """
    check_classes(classes)
    labels, code = np.unique(classes, return_inverse=True)
    member = (code[:, None] == np.arange(len(labels))).astype(np.float64)
    joint = member.T @ probabilities / len(classes)  # [Y, Z]
    seen = joint.sum(axis=0)
    given = np.divide(joint, seen, out=np.zeros_like(joint), where=seen > 0)
    predicted = (probabilities @ given.T)[np.arange(len(code)), code]
    return float(np.log(np.maximum(predicted, 1e-300)).mean())


def find_nce(answers: Labels, classes: Labels) -> float:
    """Return NCE of a source's answers [N] and the target's labels [N].

    Raises:
        InputError: for fewer than two classes of the target.
    """
    hard = (answers[:, None] == np.unique(answers)).astype(np.float64)
    return find_leep(hard, classes)


def soften(logits: Floats) -> Floats:
    """Return the probabilities of logits, [N, Z]."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Floats = shifted / shifted.sum(axis=1, keepdims=True)
    return shares


def cut_values(values: Floats, bins: int = 5) -> Labels:
    """Return values as classes of about equal size, [N]: a regression's, for scores of classes.

    >>> cut_values(np.array([0.1, 0.2, 5.0, 9.0]), bins=2).tolist()
    [0, 0, 1, 1]
    """
    edges = np.quantile(values, np.arange(1, bins) / bins)
    return np.searchsorted(np.unique(edges), values, side="left").astype(np.int64)
