"""How many examples, tokens and labels the splits of a task have."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from pydantic.dataclasses import dataclass as validated

from hmnet.data.labels import LabelArray
from hmnet.data.tokens import SplitData
from hmnet.storage.documents import to_plain
from hmnet.study.settings import STRICT
from hmnet.study.tasks import Task


@validated(frozen=True, config=STRICT)
class SplitSummary:
    """What a split holds (the paper's Table 4, and what the maximal length cost).

    Attributes:
        rows: examples, N.
        tokens: tokens of all examples, special tokens included, M.
        truncated: examples that lost tokens to the maximal length.
        median_tokens, p95_tokens, max_tokens: quantiles of the examples' lengths.
        label_counts: label to its number of examples, or of words; empty for a regression.
        words: words that have a label; 0 where examples have one label each.
        unscored_words: those without a token: beyond the maximal length, or of no piece. A model
            is not trained on them, and has no answer for them.
    """

    rows: int
    tokens: int
    truncated: int
    median_tokens: float
    p95_tokens: float
    max_tokens: int
    label_counts: Mapping[str, int]
    words: int = 0
    unscored_words: int = 0


def to_plain_summary(summary: SplitSummary) -> dict[str, object]:
    """Return a summary as JSON's types; what only words have stands where there are words."""
    plain: dict[str, object] = to_plain(summary)
    of_words = () if summary.words else ("words", "unscored_words")
    return {name: value for name, value in plain.items() if name not in of_words}


def summarise(data: SplitData, task: Task) -> SplitSummary:
    """Return counts and quantiles of one split."""
    median, p95 = np.quantile(data.lengths, (0.5, 0.95))
    return SplitSummary(
        rows=len(data),
        tokens=len(data.tokens),
        truncated=data.truncated,
        median_tokens=float(median),
        p95_tokens=float(p95),
        max_tokens=int(data.lengths.max()),
        label_counts=_count_labels(data, task),
        words=0 if data.places is None else len(data.places),
        unscored_words=0 if data.places is None else int((data.places < 0).sum()),
    )


def _count_labels(data: SplitData, task: Task) -> dict[str, int]:
    if not task.facts.has_labels:
        return {}
    counts = count_labels(data.labels, task)
    return {str(label): int(count) for label, count in zip(task.labels, counts, strict=True)}


def count_labels(labels: LabelArray, task: Task) -> npt.NDArray[np.int64]:
    """Return how many rows (or words) have each label of a task, [C]."""
    if labels.ndim > 1:
        return labels.sum(axis=0, dtype=np.int64)
    return np.bincount(labels.astype(np.int64), minlength=len(task.labels))


def name_label(task: Task, label: float | npt.NDArray[np.generic]) -> str:
    """Return how a message names a label of a task: by its name, or the value itself.

    Those of a set are listed.
    """
    if np.ndim(label):
        named = [str(name) for name, has in zip(task.labels, np.asarray(label), strict=True) if has]
        return ", ".join(named) or "none of the labels"
    return str(task.labels[int(label)]) if task.facts.has_labels else f"{label:g}"
