"""From a model's outputs to predictions, and from stored predictions to what metrics take.

Legend: N rows of a split; U answers, one a row, or one a word where words have labels; C outputs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hmnet.study.metrics import METRICS
from hmnet.study.tag_codes import find_outside, number_tags
from hmnet.study.tasks import Task

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Answers:
    """The labels and predictions of a task's rows, as metrics take them.

    Attributes:
        labels, predictions: class codes or values, [U]; of words, `hmnet.study.tag_codes`; of sets
            of L labels, 0 and 1, [U, L].
        questions: what is drawn together, -1 where an answer stands for itself, [U]: the question
            that a row answers, or the row of a word.
        rows: the number of each answer's row, [U].
        odds: log odds of the class with code 1, [U], or of each label of a set, [U, L], where a
            metric of the task reads them.
    """

    labels: Array
    predictions: Array
    questions: Array
    rows: npt.NDArray[np.int64]
    odds: npt.NDArray[np.float64] | None = None

    def read(self, metric: str) -> Array:
        """Return what a metric reads as predictions, [U]: the answers, or their odds."""
        reads_odds = METRICS[metric].reads_odds and self.odds is not None
        return self.odds if reads_odds and self.odds is not None else self.predictions


def find_odds(task: Task, logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64] | None:
    """Return the log odds of the class with code 1, [U], from a model's outputs, [U, 2].

    Of sets those of each label, [U, L]. None where no metric of the task reads them.
    """
    if not any(METRICS[name].reads_odds for name in task.all_metrics):
        return None
    both = logits.astype(np.float64)
    if task.facts.answer == "set":
        return both
    odds: npt.NDArray[np.float64] = both[:, 1] - both[:, 0]
    return odds


def choose_answers(task: Task, logits: npt.NDArray[np.float32]) -> Array:
    """Return the prediction for each answer, [U], from a model's outputs, [U, C]; sets as [U, C].

    A word that the model did not see, which has no outputs but NaN, gets `O`, or no tag where tags
    are plain.
    """
    if task.facts.answer == "value":
        return logits[:, 0]
    if task.facts.answer == "set":
        return (logits > 0).astype(np.int8)
    if not task.facts.reads_words:
        return logits.argmax(1)
    is_seen = ~np.isnan(logits[:, 0])
    outside = find_outside([str(label) for label in task.labels])
    return np.where(is_seen, np.where(is_seen[:, None], logits, 0).argmax(1), outside)


def gather_answers(task: Task, frame: pd.DataFrame) -> Answers:
    """Return what metrics take of predictions as they are stored (`RunStore.predictions`)."""
    labels, predictions, questions = (
        frame[name].to_numpy() for name in ("label", "prediction", "question")
    )
    if task.facts.answer == "set":  # stored as a list a row
        labels, predictions = (np.stack(each.tolist()) for each in (labels, predictions))
    if not task.facts.reads_words:
        plain = arrange_answers(task, labels, predictions, questions)
        reads_odds = any(METRICS[name].reads_odds for name in task.all_metrics)
        odds = find_odds(task, np.stack(frame["logits"].tolist())) if reads_odds else None
        return replace(plain, odds=odds)
    counts = [len(row) for row in labels]
    labels, predictions = (np.concatenate(list(each)) for each in (labels, predictions))
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return arrange_answers(task, labels, predictions, questions, offsets)


def arrange_answers(
    task: Task,
    labels: Array,
    predictions: Array,
    questions: Array,
    word_offsets: npt.NDArray[np.int64] | None = None,
) -> Answers:
    """Return what metrics take of the labels and predictions of N rows, [U].

    Args:
        questions: the question that each row answers, [N].
        word_offsets: row i has the answers `word_offsets[i]` to `word_offsets[i + 1] - 1`, where
            words have labels, [N + 1].
    """
    if word_offsets is None:
        return Answers(labels, predictions, questions, np.arange(len(questions), dtype=np.int64))
    numbers = number_tags([str(label) for label in task.labels])
    rows = np.repeat(np.arange(len(questions)), np.diff(word_offsets))
    return Answers(numbers[labels], numbers[predictions], rows, rows)
