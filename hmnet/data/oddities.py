"""What is odd about the rows of a study: labels without rows, dev rows that are training rows.

Legend: N examples of a split.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from hmnet.data.task_data import TaskData, load_text_hashes
from hmnet.data.tokens import SplitData
from hmnet.study.tasks import Task

Hashes = npt.NDArray[np.uint64]


def find_oddities(data: Mapping[str, TaskData]) -> tuple[str, ...]:
    """Return a sentence for each oddity of each task's rows, and of tasks taken together."""
    hashes = {name: _read_hashes(each) for name, each in data.items()}
    trains = {name: np.unique(found["train"]) for name, found in hashes.items()}
    found: list[str] = []
    for name, each in data.items():
        found += [f"task `{name}`, {note}" for note in each.notes]
        found += (f"task `{name}`, {text}" for text in _find_label_oddities(each))
        found += (f"task `{name}`, {text}" for text in _find_contradictions(each, hashes[name]))
        found += _find_leaks(each.task, hashes[name], trains)
    return tuple(found)


def _read_hashes(data: TaskData) -> dict[str, Hashes]:
    """Return a number per row of each split that rows of the same texts share, [N] each."""
    if data.folder is None:
        return {}
    return {split: load_text_hashes(data.folder, split) for split in data.splits}


# Labels


def _find_label_oddities(data: TaskData) -> Iterator[str]:
    if data.task.kind == "regression":
        yield from _find_constant_values(data)
        return
    counts = {split: _count(part, data.task) for split, part in data.splits.items()}
    names = [str(label) for label in data.task.labels]
    for split, found in counts.items():
        missing = [name for name, count in zip(names, found, strict=True) if not count]
        if len(missing) == len(names) - 1:
            only = names[int(np.argmax(found))]
            yield (
                f"split `{split}`: every row has the label `{only}` of the {len(names)} that are "
                "declared, so its scores tell nothing about a model"
            )
        elif missing:
            shown = ", ".join(f"`{n}` {c:,}" for n, c in zip(names, found, strict=True) if c)
            yield f"split `{split}`: no row has the label {_quote(missing)}; found {shown}"
    yield from _find_unlearnable(names, counts)
    if not any(found[0] for found in counts.values()) and not names[0].lstrip("-").isdigit():
        yield (
            f"no split has the label `{names[0]}`, the first: if the column holds codes, these "
            "count from 0"
        )


def _find_unlearnable(
    names: Sequence[str], counts: Mapping[str, npt.NDArray[np.int64]]
) -> Iterator[str]:
    for split, found in counts.items():
        for name, here, learned in zip(names, found, counts["train"], strict=True):
            if here and not learned:
                yield (
                    f"split `{split}`: {here:,} of {int(found.sum()):,} rows have the label "
                    f"`{name}`, which no training row has: no model can learn it"
                )


def _find_constant_values(data: TaskData) -> Iterator[str]:
    for split, part in data.splits.items():
        if len(part) and (part.labels == part.labels[0]).all():
            yield (
                f"split `{split}`: every row has the value {part.labels[0]:g}, so its scores tell "
                "nothing about a model"
            )


def _count(part: SplitData, task: Task) -> npt.NDArray[np.int64]:
    return np.bincount(part.labels.astype(np.int64), minlength=len(task.labels))


def _quote(names: Sequence[str]) -> str:
    return " or ".join(f"`{name}`" for name in names)


# Repeats


def _find_contradictions(data: TaskData, hashes: Mapping[str, Hashes]) -> Iterator[str]:
    for split, part in data.splits.items():
        number = np.unique(hashes[split], return_inverse=True)[1]
        low = np.full(len(part), np.inf)
        high = np.full(len(part), -np.inf)
        np.minimum.at(low, number, part.labels)
        np.maximum.at(high, number, part.labels)
        count = int((low < high)[number].sum())
        if count:
            yield (
                f"split `{split}`: {count:,} of {len(part):,} rows repeat another row word for "
                "word and have another label"
            )


def _find_leaks(
    task: Task, hashes: Mapping[str, Hashes], trains: Mapping[str, Hashes]
) -> Iterator[str]:
    """Yield how many dev rows of a task are training rows, of its own or of another task."""
    for split in task.dev_splits:
        dev = hashes[split]
        for name, train in trains.items():
            count = int(np.isin(dev, train).sum())
            if not count:
                continue
            where = f"task `{task.name}`, split `{split}`: {count:,} of {len(dev):,} rows are"
            if name == task.name:
                yield f"{where} in its training split word for word: their scores measure memory"
            else:
                yield (
                    f"{where} training rows of task `{name}` word for word: what `{task.name}` "
                    f"gains beside `{name}` may be memory"
                )
