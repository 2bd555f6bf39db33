"""Dev-set metrics (paper, Tables 1 and 4), computed from stored per-example predictions.

1 is perfect for all but errors; correlations and kappa lie between -1 and 1, the others between 0
and 1. An error (MAE, RMSE) is in the unit of its task's labels, and lower is better: 0 is perfect,
and there is no worst. A metric of a corpus is computed from the whole split at once, never as a
mean over batches.

Everything that compares goes by the f of equations 3 and 4, of which more is better: the metric
itself, or an error's negative (`orient`). Only what shows an error turns it back.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from hmnet.study.tag_codes import match_entities
from hmnet.study.task_kinds import KindName

Array = npt.NDArray[np.generic]


@dataclass(frozen=True)
class Metric:
    """A metric: `compute(labels [N], predictions [N], questions [N])` gives a float.

    Of words, N of them, the arrays are those of `hmnet.study.answers`; of sets of labels, labels
    and predictions are 0 and 1, [N, L].

    Attributes:
        kind: of the tasks that it is for.
        compute: the metric of one split.
        binary: whether it is for two labels alone.
        needs_question: whether it reads the questions.
        needs_bio: whether it is of entities, which plain tags have none of.
        reads_odds: whether its predictions are not the classes but the log odds of the one with
            code 1, of sets those of each label (`hmnet.study.answers.find_odds`), or any other
            numbers that grow with their probability.
        lower_is_better: whether it is an error.
    """

    kind: KindName
    compute: Callable[[Array, Array, Array], float]
    binary: bool = False
    needs_question: bool = False
    needs_bio: bool = False
    reads_odds: bool = False
    lower_is_better: bool = False


def _accuracy(labels: Array, predictions: Array, questions: Array) -> float:
    return float(np.mean(labels == predictions))


def _f1_positive(labels: Array, predictions: Array, questions: Array) -> float:
    """F1 of the class with code 1."""
    from sklearn.metrics import f1_score

    return float(f1_score(labels, predictions, pos_label=1, zero_division=0.0))


def _f1_macro(labels: Array, predictions: Array, questions: Array) -> float:
    """Unweighted mean of the F1 of each class that occurs."""
    from sklearn.metrics import f1_score

    return float(f1_score(labels, predictions, average="macro", zero_division=0.0))


def _f1_weighted(labels: Array, predictions: Array, questions: Array) -> float:
    """Mean of the F1 of each class, weighted by its rows among the labels."""
    from sklearn.metrics import f1_score

    return float(f1_score(labels, predictions, average="weighted", zero_division=0.0))


def _matthews(labels: Array, predictions: Array, questions: Array) -> float:
    """Matthews correlation of two or more classes; 0 where either side names a single one."""
    from sklearn.metrics import matthews_corrcoef

    if len(np.union1d(labels, predictions)) < 2:  # scikit-learn gives 0 too, with a warning
        return 0.0
    return float(matthews_corrcoef(labels, predictions))


def _balanced_accuracy(labels: Array, predictions: Array, questions: Array) -> float:
    """Unweighted mean of the recall of each class among the labels."""
    from sklearn.metrics import recall_score

    present = np.unique(labels)
    found = recall_score(labels, predictions, labels=present, average="macro", zero_division=0.0)
    return float(found)


def _f1_micro(labels: Array, predictions: Array, questions: Array) -> float:
    """F1 of all classes' counts in one; with one label a row, that is the accuracy."""
    from sklearn.metrics import f1_score

    return float(f1_score(labels, predictions, average="micro", zero_division=0.0))


def _quadratic_kappa(labels: Array, predictions: Array, questions: Array) -> float:
    """Cohen's kappa of ordered classes: a miss counts as the square of its distance in codes.

    Codes follow the order of the task's labels, which whoever chooses this metric says is a scale;
    0 where both sides name the same single class.
    """
    from sklearn.metrics import cohen_kappa_score

    named = np.union1d(labels, predictions)
    if len(named) < 2:  # 0 divided by 0
        return 0.0
    codes = np.arange(int(named.max()) + 1)  # those that do not occur count as steps too
    return float(cohen_kappa_score(labels, predictions, labels=codes, weights="quadratic"))


def _exact_match(labels: Array, predictions: Array, questions: Array) -> float:
    """Share of questions of which every answer is classified rightly (MultiRC's EM)."""
    _, inverse = np.unique(questions, return_inverse=True)
    wrong = np.bincount(inverse, weights=labels != predictions)
    return float(np.mean(wrong == 0))


def _auroc(labels: Array, odds: Array, questions: Array) -> float:
    """Area under the ROC curve of the class with code 1; 1/2 where a single class occurs."""
    from sklearn.metrics import roc_auc_score

    if len(np.unique(labels)) < 2:  # no pair to put in order
        return 0.5
    return float(roc_auc_score(labels == 1, odds))


def _average_precision(labels: Array, odds: Array, questions: Array) -> float:
    """Mean precision at each recall of the class with code 1; 0 where it does not occur."""
    from sklearn.metrics import average_precision_score

    is_positive = labels == 1
    return float(average_precision_score(is_positive, odds)) if is_positive.any() else 0.0


class _Correlation(Protocol):
    """What scipy's correlations return."""

    @property
    def statistic(self) -> float: ...


def _correlation(which: Literal["pearson", "spearman"], labels: Array, predictions: Array) -> float:
    """The correlation; 0 where it is undefined (constant predictions)."""
    from scipy import stats

    if len(labels) < 2:
        return 0.0
    function: Callable[[Array, Array], _Correlation] = getattr(stats, f"{which}r")
    # of 32-bit values, a mean far from 0 would leave few digits
    labels, predictions = (np.asarray(each, dtype=np.float64) for each in (labels, predictions))
    with warnings.catch_warnings():  # constant input is handled below
        warnings.simplefilter("ignore", stats.ConstantInputWarning)
        warnings.simplefilter("ignore", stats.NearConstantInputWarning)
        value = float(function(labels, predictions).statistic)
    return value if np.isfinite(value) else 0.0


def _pearson(labels: Array, predictions: Array, questions: Array) -> float:
    return _correlation("pearson", labels, predictions)


def _spearman(labels: Array, predictions: Array, questions: Array) -> float:
    return _correlation("spearman", labels, predictions)


def _mean_correlation(labels: Array, predictions: Array, questions: Array) -> float:
    """Mean of Pearson's and Spearman's correlation (Table 1's "Corr." for STS-B)."""
    both = _pearson(labels, predictions, questions) + _spearman(labels, predictions, questions)
    return both / 2


def _mean_absolute_error(labels: Array, predictions: Array, questions: Array) -> float:
    from sklearn.metrics import mean_absolute_error

    return float(mean_absolute_error(*_as_doubles(labels, predictions)))


def _root_mean_squared_error(labels: Array, predictions: Array, questions: Array) -> float:
    from sklearn.metrics import root_mean_squared_error

    return float(root_mean_squared_error(*_as_doubles(labels, predictions)))


def _as_doubles(*arrays: Array) -> list[npt.NDArray[np.float64]]:
    return [np.asarray(each, dtype=np.float64) for each in arrays]


def _entity_f1(labels: Array, predictions: Array, questions: Array) -> float:
    """F1 of all entities of a corpus: an entity is right if its words and its type are.

    0 where there is no entity on either side. These are seqeval's rules, and conlleval's.
    """
    found = match_entities(*(each.astype(np.int64) for each in (labels, predictions, questions)))
    true, named, right = (int(np.count_nonzero(each)) for each in found)
    return 2 * right / (true + named) if true + named else 0.0


def _label_f1_micro(labels: Array, predictions: Array, questions: Array) -> float:
    """F1 of all labels' counts in one; 0 where neither side names any."""
    from sklearn.metrics import f1_score

    return float(f1_score(labels, predictions, average="micro", zero_division=0.0))


def _label_f1_macro(labels: Array, predictions: Array, questions: Array) -> float:
    """Unweighted mean of the F1 of each label that either side names; 0 where there is none."""
    from sklearn.metrics import f1_score

    occurring = labels.any(axis=0) | predictions.any(axis=0)
    each = f1_score(labels, predictions, average=None, zero_division=0.0)
    return float(np.mean(each[occurring])) if occurring.any() else 0.0


def _sample_f1(labels: Array, predictions: Array, questions: Array) -> float:
    """Mean of each row's F1; a row without labels is right, 1, where none is predicted."""
    from sklearn.metrics import f1_score

    return float(f1_score(labels, predictions, average="samples", zero_division=1.0))


def _label_ranking(labels: Array, odds: Array, questions: Array) -> float:
    """Label ranking average precision: of the labels above a true one, the share that are true.

    1 for a row that has none of the labels, or all.
    """
    from sklearn.metrics import label_ranking_average_precision_score

    return float(label_ranking_average_precision_score(labels, odds))


METRICS: dict[str, Metric] = {
    "accuracy": Metric("classification", _accuracy),
    "f1": Metric("classification", _f1_positive, binary=True),
    "f1_macro": Metric("classification", _f1_macro),
    "f1_weighted": Metric("classification", _f1_weighted),
    "f1_answers": Metric("classification", _f1_positive, binary=True),
    "matthews": Metric("classification", _matthews),
    "balanced_accuracy": Metric("classification", _balanced_accuracy),
    "f1_micro": Metric("classification", _f1_micro),
    "quadratic_kappa": Metric("classification", _quadratic_kappa),
    "exact_match": Metric("classification", _exact_match, needs_question=True),
    "auroc": Metric("classification", _auroc, binary=True, reads_odds=True),
    "average_precision": Metric("classification", _average_precision, binary=True, reads_odds=True),
    "pearson": Metric("regression", _pearson),
    "spearman": Metric("regression", _spearman),
    "correlation": Metric("regression", _mean_correlation),
    "mae": Metric("regression", _mean_absolute_error, lower_is_better=True),
    "rmse": Metric("regression", _root_mean_squared_error, lower_is_better=True),
    "label_f1_micro": Metric("multilabel", _label_f1_micro),
    "label_f1_macro": Metric("multilabel", _label_f1_macro),
    "sample_f1": Metric("multilabel", _sample_f1),
    "label_ranking": Metric("multilabel", _label_ranking, reads_odds=True),
    "entity_f1": Metric("tags", _entity_f1, needs_bio=True),
    "token_accuracy": Metric("tags", _accuracy),
}
"""Metric name to metric. `f1_answers` is MultiRC's F1_a: F1 over all answers of all questions.

A metric needs no more than its entry here. Under resampling it is computed anew from the rows of
each draw, or faster by a second form in `analysis.scores.scorers.SCORERS`."""


def score(
    metrics: tuple[str, ...],
    labels: Array,
    predictions: Array,
    questions: Array,
    odds: Array | None = None,
) -> dict[str, float]:
    """Return each named metric of one dev split, errors as they are.

    Args:
        metrics: names in `METRICS`.
        labels: true class codes or values, shape [N].
        predictions: predicted class codes or values, shape [N].
        questions: the question that each row belongs to, shape [N] (only `exact_match` reads it).
        odds: log odds of the class with code 1, shape [N], for metrics that read them.
    """
    answers = {False: predictions, True: odds}
    found = {}
    for name in metrics:
        metric = METRICS[name]
        read = answers[metric.reads_odds]
        found[name] = metric.compute(labels, predictions if read is None else read, questions)
    return found


def is_error(metric: str) -> bool:
    """Tell whether lower is better; of a metric that is not known here, more is."""
    return metric in METRICS and METRICS[metric].lower_is_better


def orient(metric: str, value: float) -> float:
    """Return the f of equation 3, of which more is better: an error's negative, else the value.

    >>> orient("accuracy", 0.8), orient("mae", 0.25)
    (0.8, -0.25)
    """
    return -value if is_error(metric) else value


def list_averaged(metrics: Mapping[str, str]) -> list[str]:
    """Return the tasks that a mean over tasks is of: errors, each in a unit of its own, are not.

    Where all tasks are scored by errors, it is of all of them.

    Args:
        metrics: task to its metric.
    """
    return [task for task, metric in metrics.items() if not is_error(metric)] or list(metrics)
