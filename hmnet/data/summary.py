"""How many examples, tokens and labels the splits of a task have."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from pydantic.dataclasses import dataclass as validated

from hmnet.data.tokens import SplitData
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
        label_counts: label to its number of examples; empty for a regression.
    """

    rows: int
    tokens: int
    truncated: int
    median_tokens: float
    p95_tokens: float
    max_tokens: int
    label_counts: Mapping[str, int]


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
    )


def _count_labels(data: SplitData, task: Task) -> dict[str, int]:
    if task.kind == "regression":
        return {}
    counts = np.bincount(data.labels.astype(np.int64), minlength=len(task.labels))
    return {str(label): int(count) for label, count in zip(task.labels, counts, strict=True)}
