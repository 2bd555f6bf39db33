"""Tokenised rows in flat, memory-mapped arrays, shared by every job of a study.

    <folder>/<task>-<10 hex>/
        train.tokens.npy  train.offsets.npy  train.first.npy  train.labels.npy  train.rows.npy  ...
        data.json                  written last: its presence means complete

Legend: N examples, M tokens of a split in all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hmnet.tasks import Task


@dataclass(frozen=True)
class SplitData:
    """One tokenised split.

    Attributes:
        tokens: ids of all examples, one after the other, special tokens included, int32 [M].
        offsets: example i is `tokens[offsets[i]:offsets[i + 1]]`, int64 [N + 1].
        first: tokens of each example that have segment id 0 (the others have 1), int32 [N].
        labels: class codes (int64) or values (float32), [N].
        rows: row numbers in the source's split, int64 [N].
        questions: which question each answer belongs to, -1 where there is none, int64 [N].
    """

    tokens: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]
    first: npt.NDArray[np.int32]
    labels: npt.NDArray[np.int64] | npt.NDArray[np.float32]
    rows: npt.NDArray[np.int64]
    questions: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each example, [N]."""
        return np.diff(self.offsets)


@dataclass(frozen=True)
class TaskData:
    """A task's tokenised splits.

    Attributes:
        task: the definition.
        splits: `train` and the dev splits, by our names.
        fingerprint: hash of all arrays and of the tokenizer; part of every run's identity.
    """

    task: Task
    splits: Mapping[str, SplitData]
    fingerprint: str

    @property
    def train(self) -> SplitData:
        """The training split."""
        return self.splits["train"]
