"""A metric as a function of how often each example is drawn, for all draws and runs at once.

A metric of the drawn rows is a function of weighted sums: hits for accuracy, confusion counts for
F1 and Matthews correlation, moments for kappa and Pearson's correlation, weighted ranks for
Spearman's. A metric that has no such form here is computed from the rows of each draw, by its
function in `hmnet.study.metrics`: the same number, some milliseconds a draw and run.

Legend: B draws, N examples of a split, R runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from analysis.arrays import Floats
from analysis.scores.predictions import Array
from hmnet.study.metrics import METRICS
from hmnet.study.tag_codes import match_entities

Weights: TypeAlias = npt.NDArray[np.float32]
Scorer: TypeAlias = Callable[[Weights], Floats]
_Counter: TypeAlias = Callable[[Weights], tuple[Floats, Floats]]
"""From weights [B, N], whole numbers, to scores [B, R]."""

_Order: TypeAlias = tuple[Array, Array, Array]
"""Sorted order of the examples, where each group of ties begins, and its size."""

RANK_CELLS = 100_000
"""Weights ranked at once: what stays in a core's cache is ranked three times as fast."""


def make_scorer(metric: str, labels: Array, values: Array, units: npt.NDArray[np.int64]) -> Scorer:
    """Prepare a metric for resampling.

    Args:
        metric: a name in `hmnet.study.metrics.METRICS`.
        labels: shape [N].
        values: predictions, shape [R, N].
        units: the unit of each example, shape [N]; `exact_match` counts units that are all right.
    """
    if metric in SCORERS:
        return SCORERS[metric](labels, values, units)
    return _prepare_any(METRICS[metric].compute, labels, values, units)


def _prepare_any(
    compute: Callable[[Array, Array, Array], float], labels: Array, values: Array, units: Array
) -> Scorer:
    """Return the metric of the rows that each draw holds, whatever the metric."""

    def score(weights: Weights) -> Floats:
        scores = np.empty((len(weights), len(values)))
        for i, counts in enumerate(weights.astype(np.int64)):
            rows, questions = _list_drawn(counts, units)
            scores[i] = [compute(labels[rows], run[rows], questions) for run in values]
        return scores

    return score


def _list_drawn(counts: Array, units: Array) -> tuple[Array, Array]:
    """Return the drawn rows, and the question of each: every copy of a unit is one of its own."""
    rows = np.repeat(np.arange(len(counts)), counts)
    begins = np.repeat(np.cumsum(counts) - counts, counts)
    copies = np.arange(len(rows)) - begins
    questions = units[rows] * (int(counts.max()) + 1) + copies
    if int(units.max(initial=-1)) + 1 == len(units):
        return rows, questions
    order = np.argsort(questions, kind="stable")  # those of one question stand together
    return rows[order], questions[order]


def _prepare_accuracy(labels: Array, values: Array, units: Array) -> Scorer:
    hits = _columns(values == labels)

    def score(weights: Weights) -> Floats:
        return _count(weights, hits) / _total(weights)

    return score


def _prepare_f1(labels: Array, values: Array, units: Array) -> Scorer:
    count = _prepare_class(labels, values, 1)

    def score(weights: Weights) -> Floats:
        return _f1(*count(weights))

    return score


def _prepare_f1_macro(labels: Array, values: Array, units: Array) -> Scorer:
    """Mean over the classes that occur among the drawn labels or the run's drawn predictions."""
    classes = np.union1d(labels, values)
    return _average_f1([_prepare_class(labels, values, code) for code in classes], len(values))


def _average_f1(counts: Sequence[_Counter], runs: int) -> Scorer:
    """Return the mean F1 of the classes that occur; 0 where none does."""

    def score(weights: Weights) -> Floats:
        total = np.zeros((len(weights), runs))
        occurring = np.zeros_like(total)
        for count in counts:
            hits, named = count(weights)
            total += _f1(hits, named)
            occurring += named > 0
        return np.divide(total, occurring, out=np.zeros_like(total), where=occurring > 0)

    return score


def _prepare_f1_weighted(labels: Array, values: Array, units: Array) -> Scorer:
    """Mean over the classes among the labels, each as often as it is drawn."""
    classes = np.unique(labels)
    counts = [_prepare_class(labels, values, code) for code in classes]
    true = [_columns((labels == code)[None]) for code in classes]

    def score(weights: Weights) -> Floats:
        total = np.zeros((len(weights), len(values)))
        for count, is_class in zip(counts, true, strict=True):
            total += _f1(*count(weights)) * _count(weights, is_class)
        return total / _total(weights)

    return score


def _prepare_matthews(labels: Array, values: Array, units: Array) -> Scorer:
    """Covariance of labels and predictions as indicators of their class, over both spreads.

    All are summed counts, whole numbers: a spread is exactly 0 where one class is drawn.
    """
    classes = np.union1d(labels, values)
    hits = _columns(values == labels)
    named = [_columns(values == code) for code in classes]
    true = [_columns((labels == code)[None]) for code in classes]

    def score(weights: Weights) -> Floats:
        total = _total(weights)
        covariance = total * _count(weights, hits)
        spread, own_spread = total * total, np.tile(total * total, len(values))
        for each_named, each_true in zip(named, true, strict=True):
            predicted, actual = _count(weights, each_named), _count(weights, each_true)
            covariance -= predicted * actual
            own_spread -= predicted * predicted
            spread -= actual * actual
        return _correlate(covariance, spread, own_spread)

    return score


def _prepare_balanced_accuracy(labels: Array, values: Array, units: Array) -> Scorer:
    """Mean recall over the classes that occur among the drawn labels."""
    hits = _columns(values == labels)
    true = [(labels == code).astype(np.float32)[:, None] for code in np.unique(labels)]

    def score(weights: Weights) -> Floats:
        total = np.zeros((len(weights), len(values)))
        occurring = np.zeros((len(weights), 1))
        for is_class in true:
            count = _count(weights, is_class)
            found = _count(weights, hits * is_class)
            total += np.divide(found, count, out=np.zeros_like(found), where=count > 0)
            occurring += count > 0
        return total / occurring

    return score


def _prepare_quadratic_kappa(labels: Array, values: Array, units: Array) -> Scorer:
    """Mean squared distance of labels and predictions over that of pairs drawn apart.

    All are summed whole numbers: the latter is exactly 0 where both sides name one class alone.
    """
    x, y = labels.astype(np.float64)[:, None], values.T.astype(np.float64)
    sums = np.concatenate([x, x * x, y, y * y, (x - y) ** 2], axis=1)
    bounds = np.cumsum([1, 1, *[len(values)] * 2])

    def score(weights: Weights) -> Floats:
        total = _total(weights)
        x1, x2, y1, y2, distance = np.split(weights.astype(np.float64) @ sums, bounds, axis=1)
        apart = total * (x2 + y2) - 2 * x1 * y1
        share = np.divide(total * distance, apart, out=np.ones_like(apart), where=apart > 0)
        return 1 - share

    return score


def _prepare_entity_f1(labels: Array, values: Array, units: Array) -> Scorer:
    """Entities are counted once by sentence, which is what is drawn."""
    found = match_entities(labels, values, units)
    true, named, right = (_sum_by_unit(each > 0, units) for each in found)
    first = np.unique(units, return_index=True)[1]

    def score(weights: Weights) -> Floats:
        drawn = weights[:, first]
        return _f1(_count(drawn, right), _count(drawn, named) + _count(drawn, true))

    return score


def _prepare_token_accuracy(labels: Array, values: Array, units: Array) -> Scorer:
    hits = _sum_by_unit(values == labels, units)
    words = _sum_by_unit(np.ones_like(labels), units)
    first = np.unique(units, return_index=True)[1]

    def score(weights: Weights) -> Floats:
        drawn = weights[:, first]
        return _count(drawn, hits) / _count(drawn, words)

    return score


def _sum_by_unit(flags: Array, units: Array) -> npt.NDArray[np.float32]:
    """Return the sums of flags, [N] or [R, N], by their unit, [U, 1] or [U, R]."""
    each = np.atleast_2d(flags).astype(np.float64)
    sums = [np.bincount(units, weights=row) for row in each]
    return np.stack(sums, axis=1).astype(np.float32)


def _prepare_exact_match(labels: Array, values: Array, units: Array) -> Scorer:
    """A unit's weight is that of its first example; only that example is counted."""
    first = np.unique(units, return_index=True)[1]
    wrong = np.zeros((len(first), len(values)))
    np.add.at(wrong, units, (values != labels).T)
    all_right = (wrong == 0).astype(np.float32)

    def score(weights: Weights) -> Floats:
        drawn = weights[:, first]
        return _count(drawn, all_right) / _total(drawn)

    return score


def _prepare_class(labels: Array, values: Array, code: float) -> _Counter:
    """Return a function to (hits, predicted plus true examples) of a class, each [B, R]."""
    is_class = labels == code
    hits, named = _columns((values == code) & is_class), _columns(values == code)
    true = is_class.astype(np.float32)[:, None]

    def count(weights: Weights) -> tuple[Floats, Floats]:
        return _count(weights, hits), _count(weights, named) + _count(weights, true)

    return count


def _f1(hits: Floats, named: Floats) -> Floats:
    return np.divide(2 * hits, named, out=np.zeros_like(named), where=named > 0)


def _prepare_pearson(labels: Array, values: Array, units: Array) -> Scorer:
    """Moments of centred values; a correlation with constant values is 0."""
    x = _centre(labels[:, None])
    y = _centre(values.T)
    moments = np.concatenate([x, x * x, y, y * y, x * y], axis=1)
    bounds = np.cumsum([1, 1, *[y.shape[1]] * 2])

    def score(weights: Weights) -> Floats:
        means = weights.astype(np.float64) @ moments / _total(weights)
        x1, x2, y1, y2, xy = np.split(means, bounds, axis=1)
        return _correlate(xy - x1 * y1, _vary(x1, x2), _vary(y1, y2))

    return score


def _vary(mean: Floats, square: Floats) -> Floats:
    """Return the variance, exactly 0 where rounding is all that is left of it."""
    variance = square - mean * mean
    return np.where(variance > 1e-12 * square, variance, 0.0)


def _centre(columns: Array) -> Floats:
    """Centre and scale columns; a constant one becomes exactly 0."""
    values = columns.astype(np.float64)
    spread = values.max(axis=0) - values.min(axis=0)
    centred: Floats = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return np.where(spread > 0, centred, 0.0)


def _correlate(covariance: Floats, one: Floats, other: Floats) -> Floats:
    scale = np.sqrt(one * other)
    return np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > 0)


def _prepare_spearman(labels: Array, values: Array, units: Array) -> Scorer:
    """Correlation of the mid-ranks that the drawn rows have among themselves."""
    order_of_labels = _sort(labels)
    orders = [_sort(row) for row in values]
    step = max(1, RANK_CELLS // len(labels))

    def score(weights: Weights) -> Floats:
        cuts = range(step, len(weights), step)
        parts = np.split(weights, cuts)
        return np.concatenate([_correlate_ranks(part, order_of_labels, orders) for part in parts])

    return score


def _correlate_ranks(weights: Weights, order_of_labels: _Order, orders: list[_Order]) -> Floats:
    """Return Spearman's correlation of each run, [B, R]."""
    drawn = weights.T.astype(np.float64)  # [N, B]: whole rows are gathered
    total = drawn.sum(axis=0)
    ranks, spread = _rank(drawn, order_of_labels, total)
    by_example = np.empty_like(drawn)
    by_example[order_of_labels[0]] = np.repeat(ranks, order_of_labels[2], axis=0)
    weighted = drawn * by_example
    columns = []
    for order in orders:
        own, own_spread = _rank(drawn, order, total)
        covariance = np.einsum("gb,gb->b", _sum_ties(weighted, order), own)
        columns.append(_correlate(covariance, spread, own_spread))
    return np.stack(columns, axis=1)


def _sort(values: Array) -> _Order:
    order = np.argsort(values, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(values[order]) != 0]))
    return order, starts, np.diff(np.append(starts, len(values)))


def _sum_ties(columns: Floats, order: _Order) -> Floats:
    sorted_columns = columns[order[0]]
    has_ties = len(order[1]) < len(order[0])
    return np.add.reduceat(sorted_columns, order[1], axis=0) if has_ties else sorted_columns


def _rank(drawn: Floats, order: _Order, total: Floats) -> tuple[Floats, Floats]:
    """Return the centred mid-rank of each group of ties, and their weighted sum of squares."""
    counts = _sum_ties(drawn, order)
    ranks = np.cumsum(counts, axis=0) - counts / 2 - total / 2
    return ranks, np.einsum("gb,gb,gb->b", counts, ranks, ranks)


def _prepare_correlation(labels: Array, values: Array, units: Array) -> Scorer:
    pearson = _prepare_pearson(labels, values, units)
    spearman = _prepare_spearman(labels, values, units)

    def score(weights: Weights) -> Floats:
        return (pearson(weights) + spearman(weights)) / 2

    return score


def _prepare_auroc(labels: Array, values: Array, units: Array) -> Scorer:
    """Pairs of both classes that are in order, ties counting half, over all such pairs."""
    is_positive, orders = labels == 1, [_sort(row) for row in values]

    def score(weights: Weights) -> Floats:
        drawn = weights.T.astype(np.float64)
        positive, negative = drawn * is_positive[:, None], drawn * ~is_positive[:, None]
        pairs = positive.sum(axis=0) * negative.sum(axis=0)
        columns = []
        for order in orders:
            above, below = _sum_ties(positive, order), _sum_ties(negative, order)
            won = (above * (np.cumsum(below, axis=0) - below / 2)).sum(axis=0)
            columns.append(np.divide(won, pairs, out=np.full_like(pairs, 0.5), where=pairs > 0))
        return np.stack(columns, axis=1)

    return score


def _prepare_average_precision(labels: Array, values: Array, units: Array) -> Scorer:
    """Precision from each value upwards, weighted by the positives that have the value."""
    is_positive, orders = labels == 1, [_sort(-row) for row in values]

    def score(weights: Weights) -> Floats:
        drawn = weights.T.astype(np.float64)
        positive = drawn * is_positive[:, None]
        count = positive.sum(axis=0)
        columns = []
        for order in orders:
            hits, named = _sum_ties(positive, order), np.cumsum(_sum_ties(drawn, order), axis=0)
            found = np.cumsum(hits, axis=0)
            precision = np.divide(found, named, out=np.zeros_like(found), where=named > 0)
            total = (precision * hits).sum(axis=0)
            columns.append(np.divide(total, count, out=np.zeros_like(total), where=count > 0))
        return np.stack(columns, axis=1)

    return score


def _prepare_label_f1_micro(labels: Array, values: Array, units: Array) -> Scorer:
    """Counts of labels, L of them, that are named and right, in all drawn rows."""
    hits, named = _count_labels(labels, values)

    def score(weights: Weights) -> Floats:
        drawn = weights.astype(np.float64)
        return _f1(drawn @ hits, drawn @ named)

    return score


def _prepare_label_f1_macro(labels: Array, values: Array, units: Array) -> Scorer:
    """Mean over the labels that occur among the drawn rows or the run's predictions of them."""
    counts = [_prepare_class(labels[:, i], values[:, :, i], 1) for i in range(labels.shape[1])]
    return _average_f1(counts, len(values))


def _prepare_sample_f1(labels: Array, values: Array, units: Array) -> Scorer:
    hits, named = _count_labels(labels, values)
    return _average_rows(np.where(named > 0, _f1(hits, named), 1.0))


def _prepare_label_ranking(labels: Array, values: Array, units: Array) -> Scorer:
    """Each row's mean share of true labels, among those at least as likely as each true one."""
    is_true = labels == 1
    total = np.zeros(values.shape[:2])
    for label in np.flatnonzero(is_true.any(axis=0)):
        above = values >= values[:, :, [label]]  # [R, N, L]
        total += is_true[:, label] * (above & is_true).sum(axis=-1) / above.sum(axis=-1)
    count = is_true.sum(axis=1)
    whole = (count == 0) | (count == labels.shape[1])
    return _average_rows(np.where(whole, 1.0, total / np.maximum(count, 1)).T)


def _count_labels(labels: Array, values: Array) -> tuple[Floats, Floats]:
    """Return each row's labels that are named and right, and named plus true ones, [N, R]."""
    hits = np.einsum("rnl,nl->nr", values.astype(np.float64), labels.astype(np.float64))
    named = values.sum(axis=-1).T + labels.sum(axis=1)[:, None]
    return hits, named.astype(np.float64)


def _average_rows(scores: Floats) -> Scorer:
    """Return the mean of scores that are each row's own, [N, R]."""

    def score(weights: Weights) -> Floats:
        return weights.astype(np.float64) @ scores / _total(weights)

    return score


def _prepare_mae(labels: Array, values: Array, units: Array) -> Scorer:
    off = np.abs(values.astype(np.float64) - labels).T

    def score(weights: Weights) -> Floats:
        return weights.astype(np.float64) @ off / _total(weights)

    return score


def _prepare_rmse(labels: Array, values: Array, units: Array) -> Scorer:
    squares = ((values.astype(np.float64) - labels) ** 2).T

    def score(weights: Weights) -> Floats:
        return np.sqrt(weights.astype(np.float64) @ squares / _total(weights))

    return score


def _columns(flags: Array) -> npt.NDArray[np.float32]:
    """Return flags [R, N] as columns [N, R] for a product with weights."""
    return np.ascontiguousarray(flags.T, dtype=np.float32)


def _count(weights: Weights, columns: npt.NDArray[np.float32]) -> Floats:
    return (weights @ columns).astype(np.float64)


def _total(weights: Weights) -> Floats:
    return weights.sum(axis=1, dtype=np.float64, keepdims=True)


SCORERS: Mapping[str, Callable[[Array, Array, Array], Scorer]] = {
    "accuracy": _prepare_accuracy,
    "f1": _prepare_f1,
    "f1_macro": _prepare_f1_macro,
    "f1_weighted": _prepare_f1_weighted,
    "f1_micro": _prepare_accuracy,  # the same number where a row has one label
    "f1_answers": _prepare_f1,
    "balanced_accuracy": _prepare_balanced_accuracy,
    "quadratic_kappa": _prepare_quadratic_kappa,
    "matthews": _prepare_matthews,
    "exact_match": _prepare_exact_match,
    "pearson": _prepare_pearson,
    "spearman": _prepare_spearman,
    "correlation": _prepare_correlation,
    "label_f1_micro": _prepare_label_f1_micro,
    "label_f1_macro": _prepare_label_f1_macro,
    "sample_f1": _prepare_sample_f1,
    "label_ranking": _prepare_label_ranking,
    "auroc": _prepare_auroc,
    "average_precision": _prepare_average_precision,
    "mae": _prepare_mae,
    "rmse": _prepare_rmse,
    "entity_f1": _prepare_entity_f1,
    "token_accuracy": _prepare_token_accuracy,
}
"""The fast forms: metric name, as in `hmnet.study.metrics.METRICS`, to a function of labels [N],
predictions [R, N] and units [N]. None is needed; see `make_scorer`."""
