"""What words alone say: TF-IDF of an example's pieces and a linear model on them, in seconds.

Features of an example are its pieces and pairs of neighbours, counted per segment, sublinear,
weighted by their rareness (Salton and Buckley 1988) and of length 1. Two segments stand beside each
other with the product of both and their cosine, so that it is seen what they have in common. On
them stands a ridge regression, of one-against-rest codes for classes.

Legend: N examples, M pieces of all of them, F features of a segment.
"""

from __future__ import annotations

import functools
import operator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hmnet.study.metrics import METRICS, orient

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import TfidfTransformer

    from hmnet.data.task_data import TaskData
    from hmnet.data.tokens import SplitData

FEATURES = 2**18
"""Features of a segment; pieces and pairs beyond that share one."""
MOST_ROWS = 10_000
"""Training rows that are learned from: more take minutes, and change little."""
_FACTOR = 1_000_003
KINDS = ("classification", "regression", "multilabel")
"""Kinds of task that a linear model on a whole text can learn."""


def score_tfidf(data: TaskData, most_rows: int = MOST_ROWS) -> float:
    """Return the mean of the task's primary metric over its dev splits, learned from words alone.

    Of it more is better: an error is negative.

    Args:
        most_rows: of the training split, evenly spread.
    """
    metric = METRICS[data.task.metric].compute
    predicted = _predict(data, most_rows)
    splits = {name: data.splits[name] for name in data.task.dev_splits}
    mean = np.mean([metric(s.labels, predicted[name], s.questions) for name, s in splits.items()])
    return orient(data.task.metric, float(mean))


def _predict(data: TaskData, most_rows: int) -> dict[str, npt.NDArray[np.generic]]:
    """Return dev split to predictions, [N], or to odds where the metric reads them."""
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.linear_model import Ridge, RidgeClassifier

    train = data.train
    if len(np.unique(train.labels, axis=0)) == 1:
        sizes = {name: len(data.splits[name]) for name in data.task.dev_splits}
        return {name: np.repeat(train.labels[:1], size, axis=0) for name, size in sizes.items()}
    size = min(most_rows, len(train))
    picks = np.unique(np.linspace(0, len(train) - 1, size).round()).astype(int)
    counts = [segment[picks] for segment in count_segments(train)]
    weights = TfidfTransformer(sublinear_tf=True).fit(functools.reduce(operator.add, counts))
    kind = Ridge if data.task.kind == "regression" else RidgeClassifier
    model = kind(solver="sparse_cg", tol=1e-3).fit(_join(counts, weights), train.labels[picks])
    reads_odds = METRICS[data.task.metric].reads_odds
    answer = model.decision_function if reads_odds else model.predict
    return {
        name: answer(_join(count_segments(data.splits[name]), weights))
        for name in data.task.dev_splits
    }


def count_segments(split: SplitData) -> list[csr_matrix]:
    """Return how often each segment of each example has each feature, [N, F]; one or two segments.

    A feature is a piece, or a pair of neighbours in a segment.
    """
    place = np.arange(len(split.tokens)) - np.repeat(split.offsets[:-1], split.lengths)
    is_second = place >= np.repeat(split.first, split.lengths)
    row = np.repeat(np.arange(len(split)), split.lengths)
    parts = [~is_second, is_second] if is_second.any() else [~is_second]
    return [_count(split.tokens[part].astype(np.int64), row[part], len(split)) for part in parts]


def _count(pieces: npt.NDArray[np.int64], row: npt.NDArray[np.int64], size: int) -> csr_matrix:
    from scipy.sparse import csr_matrix

    is_pair = row[1:] == row[:-1]
    pairs = (pieces[:-1] * _FACTOR + pieces[1:])[is_pair]
    columns = np.concatenate([pieces, pairs]) % FEATURES
    rows = np.concatenate([row, row[1:][is_pair]])
    counts = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(size, FEATURES))
    counts.sum_duplicates()
    return counts


def _join(counts: list[csr_matrix], weights: TfidfTransformer) -> csr_matrix:
    """Return an example's features: its segments' side by side, their product and cosine."""
    from scipy.sparse import csr_matrix, hstack

    parts = [weights.transform(segment) for segment in counts]
    if len(parts) == 1:
        return parts[0]
    product = parts[0].multiply(parts[1]).tocsr()
    return hstack([*parts, product, csr_matrix(product.sum(axis=1))], format="csr")
