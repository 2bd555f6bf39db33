"""Likeness of two tasks' label names: words that both have, as a share of words that either has.

With W_s and W_t the words of the labels' names, as the study file gives them:
r = |W_s & W_t| / |W_s | W_t| (Jaccard), from 0 (no word in common) to 1. `not_entailment` is two
words; case does not matter. A regression has no labels: 1 with another regression, else 0.

It sees names and no row: `positive` of reviews and of blood tests is one word, `False` and `0` are
two, and `not` is a word like others. It is there to ask whether reading the label names would do in
place of measuring gains, and is no finding of anyone's that it does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from hmnet.study.tag_codes import list_types
from relevance.matrices.matrix import RelevanceMatrix
from relevance.measures.measure import Measure

if TYPE_CHECKING:
    from hmnet.study.tasks import Task
    from relevance.measures.measure_inputs import MeasureInputs


def compare_label_names(tasks: Iterable[Task]) -> RelevanceMatrix:
    """Return r, shape [T, T], symmetric, with ones on the diagonal."""
    words = {task.name: split_labels(_list_names(task)) for task in tasks}
    values = [[_compute_jaccard(one, other) for other in words.values()] for one in words.values()]
    provenance = {"label_words": {name: sorted(found) for name, found in words.items()}}
    return RelevanceMatrix.from_array(np.array(values), list(words), MEASURE.name, provenance)


def _list_names(task: Task) -> Iterable[str | int]:
    """Return a task's labels; of tags, the types of entities without `O`, `B-` and `I-`."""
    return list_types(list(map(str, task.labels))) if task.facts.reads_words else task.labels


def split_labels(labels: Iterable[str | int]) -> frozenset[str]:
    """Return the words of label names in small letters; a name without any stands as it is.

    >>> sorted(split_labels(["Entailment", "not_entailment", "+", 1]))
    ['+', '1', 'entailment', 'not']
    """
    names = [str(label).casefold() for label in labels]
    return frozenset(word for name in names for word in re.findall(r"[^\W_]+", name) or [name])


def _compute_jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other) if one or other else 1.0


def _measure(inputs: MeasureInputs) -> RelevanceMatrix:
    return compare_label_names(inputs.study.tasks.values())


MEASURE = Measure(
    name="label-names",
    title="likeness of the words in the labels' names",
    values="share of the words in either task's label names that both have",
    needs="study",
    direction="symmetric",
    comparability="across targets",
    cost="nothing",
    source="Jaccard 1912; untried as a measure of relevance",
    compute=_measure,
)
