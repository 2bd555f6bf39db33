"""The rows that a step draws its batch from: one task's, or those of all tasks on the same texts.

Where a study asks for it (`training.shared_rows`), tasks whose training rows are the same rows of
one file are trained on together: a batch of their rows passes the layers that they share once, and
the losses of all labels that its rows have are summed. A row without a label of a task is no row
of that task's loss.

Legend: N rows of a source, B rows of a batch, C outputs of a task.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from hmnet.data.task_data import TaskData
from hmnet.data.tokens import Ints, SplitData
from hmnet.data.word_spans import index_spans, make_offsets
from hmnet.models.paths import PathModel
from hmnet.models.shared_prefix import share_prefix
from hmnet.packing.batch import Batch
from hmnet.study.settings import TrainingSettings


@dataclass(frozen=True, eq=False)
class RowSource:
    """Training rows that some steps draw their batches from.

    Attributes:
        tasks: the tasks that have labels for them, in alphabetical order.
        split: the rows; of several tasks without labels.
        numbers: task to the number of each row among its own training rows, -1 where it has no
            label for the row, int64 [N]; empty for a single task, whose rows they are.
    """

    tasks: tuple[str, ...]
    split: SplitData
    numbers: Mapping[str, Ints] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What steps call it: the task, or all of them; a space is in no task's name."""
        return " + ".join(self.tasks)

    @property
    def is_shared(self) -> bool:
        """Whether several tasks have labels for the rows."""
        return len(self.tasks) > 1

    def list_answered(self, index: Sequence[int] | Ints) -> tuple[str, ...]:
        """Return the tasks that have a label for some of the rows `index`."""
        return tuple(task for task in self.tasks if self.count_answers(task, index))

    def count_answers(self, task: str, index: Sequence[int] | Ints) -> int:
        """Return how many labels a task has for the rows `index`."""
        rows = np.asarray(index)
        if not self.is_shared:
            return self.split.count_answers(rows)
        return int((self.numbers[task][rows] >= 0).sum())

    def run(self, model: PathModel, tasks: Sequence[str], batch: Batch) -> dict[str, Tensor]:
        """Return some tasks' outputs for a batch, [B, C] each; layers that they share run once."""
        together = share_prefix(model, tasks) if len(tasks) > 1 else contextlib.nullcontext()
        with together:
            return {task: model(task, batch) for task in tasks}

    def select(self, data: TaskData, outputs: Tensor, batch: Batch) -> tuple[Tensor, Batch]:
        """Return a task's outputs for the rows that have its labels, and these rows of a batch."""
        if not self.is_shared:
            return outputs, batch
        own = self.numbers[data.task.name][batch.index]
        kept = np.flatnonzero(own >= 0)
        labels = torch.from_numpy(np.asarray(data.train.labels[own[kept]]))
        place = torch.from_numpy(kept).to(outputs.device)
        rows = replace(batch, labels=labels.to(outputs.device), index=own[kept], chosen=None)
        return outputs[place], rows


def list_sources(data: Mapping[str, TaskData], settings: TrainingSettings) -> dict[str, RowSource]:
    """Return the sources of all steps by name."""
    groups = [[name] for name in data]
    if settings.shared_rows == "together":
        groups = group_by_rows(data)
    found = [_join(names, data) if len(names) > 1 else _take(names[0], data) for names in groups]
    return {source.name: source for source in found}


def group_by_rows(data: Mapping[str, TaskData]) -> list[list[str]]:
    """Return the tasks in groups that train on the same rows; most are alone.

    Two tasks do where rows of the same number have the same tokens in both, and there are some.
    Tasks with a label a word stay by themselves.
    """
    groups: list[list[str]] = []
    for name in sorted(data):
        own = data[name].train
        group = next(
            (g for g in groups if all(_shares_rows(own, data[other].train) for other in g)), None
        )
        if group is None:
            groups.append([name])
        else:
            group.append(name)
    return groups


def _shares_rows(one: SplitData, other: SplitData) -> bool:
    if one.word_offsets is not None or other.word_offsets is not None:
        return False
    _, a, b = np.intersect1d(one.rows, other.rows, assume_unique=True, return_indices=True)
    if not len(a) or not np.array_equal(one.lengths[a], other.lengths[b]):
        return False
    return np.array_equal(one.first[a], other.first[b]) and np.array_equal(
        _take_tokens(one, a), _take_tokens(other, b)
    )


def _take_tokens(split: SplitData, index: Ints) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    return split.tokens[index_spans(split.offsets[index], split.lengths[index])]


def _take(name: str, data: Mapping[str, TaskData]) -> RowSource:
    return RowSource((name,), data[name].train)


def _join(names: Sequence[str], data: Mapping[str, TaskData]) -> RowSource:
    """Return the rows that any of some tasks has, in the order of their numbers."""
    splits = [data[name].train for name in names]
    rows, first = np.unique(np.concatenate([split.rows for split in splits]), return_index=True)
    begins = np.cumsum([0, *(len(split) for split in splits)])
    owner = np.searchsorted(begins, first, side="right") - 1
    index = first - begins[owner]
    lengths = np.concatenate([split.lengths for split in splits])[first]
    parts = [
        _take_tokens(splits[each], np.array([number]))
        for each, number in zip(owner, index, strict=True)
    ]
    whole = SplitData(
        tokens=np.concatenate(parts),
        offsets=make_offsets(lengths),
        first=np.concatenate([split.first for split in splits])[first],
        labels=np.zeros(len(rows), dtype=np.int64),
        rows=rows,
        questions=np.full(len(rows), -1),
    )
    numbers = {name: _number(rows, data[name].train.rows) for name in names}
    return RowSource(tuple(names), whole, numbers)


def _number(rows: Ints, own: Ints) -> Ints:
    """Return the place of each row among a task's own, -1 where it is not there, [N]."""
    places = np.searchsorted(own, rows)
    is_there = own[np.minimum(places, len(own) - 1)] == rows
    return np.where(is_there, places, -1)


def list_parameters(model: PathModel, tasks: Sequence[str]) -> list[torch.nn.Parameter]:
    """Return the parameters that the paths of some tasks reach, each once."""
    found = itertools.chain.from_iterable(model.path(task).parameters() for task in tasks)
    return list(dict.fromkeys(found))
