"""What is odd about the rows of a study: labels without rows, dev rows that are training rows.

Legend: N examples of a split.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hmnet.data.label_names import find_alike, says_true_first
from hmnet.data.labels import LabelArray, number_rows
from hmnet.data.raw import list_shadowed, load_split
from hmnet.data.row_sampling import sample_rows
from hmnet.data.summary import count_labels
from hmnet.data.task_data import TaskData, hash_texts, load_text_hashes
from hmnet.study.metrics import METRICS
from hmnet.study.settings import DataSettings
from hmnet.study.study import Study
from hmnet.study.tag_codes import OUTSIDE, is_bio
from hmnet.study.tasks import Task

Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class SplitFacts:
    """What oddities of a split are found in.

    Attributes:
        labels: class codes or values, [N], or a code a word.
        hashes: a number per row that rows of the same texts share, [N].
        numbers: a number per row that rows of the same labels share, [N].
        words, unseen: words that have labels, and those of them that a model does not see.
    """

    labels: LabelArray
    hashes: Hashes
    numbers: npt.NDArray[np.generic]
    words: int = 0
    unseen: int = 0

    def __len__(self) -> int:
        return len(self.numbers)


@dataclass(frozen=True)
class TaskFacts:
    """What oddities of a task are found in.

    Attributes:
        task: the definition.
        splits: our names of splits to their facts.
        notes: a sentence for each oddity that was met while the rows were read.
    """

    task: Task
    splits: Mapping[str, SplitFacts]
    notes: tuple[str, ...] = ()


def find_oddities(data: Mapping[str, TaskData]) -> tuple[str, ...]:
    """Return a sentence for each oddity of each task's rows, and of tasks taken together."""
    return find_in_facts({name: _open_facts(each) for name, each in data.items()})


def find_in_facts(facts: Mapping[str, TaskFacts]) -> tuple[str, ...]:
    """Return what `find_oddities` does, of rows that need not be tokenised."""
    trains = {name: np.unique(each.splits["train"].hashes) for name, each in facts.items()}
    found: list[str] = []
    for name, each in facts.items():
        found += [f"task `{name}`, {note}" for note in each.notes]
        found += (f"task `{name}`, {text}" for text in _find_label_oddities(each))
        found += (f"task `{name}`, {text}" for text in _find_contradictions(each))
        found += (f"task `{name}`, {text}" for text in _find_unseen(each))
        found += _find_leaks(each, trains)
    return tuple(found)


def read_facts(task: Task, settings: DataSettings, data_dir: Path | None = None) -> TaskFacts:
    """Read the facts of a task's rows, as many of them as are trained and scored on.

    Raises:
        InputError: with the problems of a split.
        SourceError: if the hub repository cannot be loaded.
    """
    splits, notes = {}, []
    for split in task.splits:
        raw = load_split(task, split, data_dir)
        notes += [f"split `{split}`: {note}" for note in raw.notes]
        kept = sample_rows(raw, task, split, settings)
        splits[split] = SplitFacts(kept.labels, hash_texts(kept), kept.number_labels())
    return TaskFacts(task, splits, tuple(notes))


def find_shadowed(study: Study) -> Iterator[str]:
    """Yield a sentence for each split of each task that has another file than the one read."""
    for name, task in study.tasks.items():
        for text in list_shadowed(task, study.data_folder):
            yield f"task `{name}`, {text}"


def _open_facts(data: TaskData) -> TaskFacts:
    """Return the facts of tokenised rows."""
    none = np.empty(0, dtype=np.uint64)
    hashes = {
        split: none if data.folder is None else load_text_hashes(data.folder, split)
        for split in data.splits
    }
    splits = {
        split: SplitFacts(
            part.labels,
            hashes[split],
            number_rows(part.labels, part.word_offsets),
            0 if part.places is None else len(part.places),
            0 if part.places is None else int((part.places < 0).sum()),
        )
        for split, part in data.splits.items()
    }
    return TaskFacts(data.task, splits, data.notes)


# Labels


def _find_label_oddities(data: TaskFacts) -> Iterator[str]:
    if not data.task.facts.has_labels:
        yield from _find_constant_values(data)
        return
    counts = {split: _count(part, data.task) for split, part in data.splits.items()}
    unit = data.task.facts.per
    names = [str(label) for label in data.task.labels]
    binary = [name for name in data.task.all_metrics if METRICS[name].binary]
    if binary and says_true_first(names):
        yield (
            f"the metric `{binary[0]}` is that of the second label, `{names[1]}`: list "
            f"`{names[0]}` second if it is meant, with names, not codes, in the column"
        )
    for one, other in find_alike(names):
        yield f"the labels `{one}` and `{other}` differ in case or spaces alone: are they one?"
    for split, found in counts.items():
        missing = [name for name, count in zip(names, found, strict=True) if not count]
        if len(missing) == len(names) - 1 and data.task.facts.answer == "class":
            only = names[int(np.argmax(found))]
            yield (
                f"split `{split}`: every {unit} has the label `{only}` of the {len(names)} that "
                "are declared, so its scores tell nothing about a model"
            )
        elif missing:
            shown = ", ".join(f"`{n}` {c:,}" for n, c in zip(names, found, strict=True) if c)
            yield f"split `{split}`: no {unit} has the label {_quote(missing)}; found {shown}"
    totals = {split: len(part.labels) for split, part in data.splits.items()}
    yield from _find_unlearnable(names, counts, totals, unit)
    if not any(found[0] for found in counts.values()) and not names[0].lstrip("-").isdigit():
        yield (
            f"no split has the label `{names[0]}`, the first: if the column holds codes, these "
            "count from 0"
        )


def _find_unlearnable(
    names: Sequence[str],
    counts: Mapping[str, npt.NDArray[np.int64]],
    totals: Mapping[str, int],
    unit: str,
) -> Iterator[str]:
    for split, found in counts.items():
        for name, here, learned in zip(names, found, counts["train"], strict=True):
            if here and not learned:
                yield (
                    f"split `{split}`: {here:,} of {totals[split]:,} {unit}s have the label "
                    f"`{name}`, which no training {unit} has: no model can learn it"
                )


def _find_constant_values(data: TaskFacts) -> Iterator[str]:
    for split, part in data.splits.items():
        if len(part) and (part.labels == part.labels[0]).all():
            yield (
                f"split `{split}`: every row has the value {part.labels[0]:g}, so its scores tell "
                "nothing about a model"
            )


def _count(part: SplitFacts, task: Task) -> npt.NDArray[np.int64]:
    return count_labels(part.labels, task)


def _quote(names: Sequence[str]) -> str:
    return " or ".join(f"`{name}`" for name in names)


# Repeats


def _find_contradictions(data: TaskFacts) -> Iterator[str]:
    for split, part in data.splits.items():
        number = np.unique(part.hashes, return_inverse=True)[1]
        low = np.full(len(part), np.inf)
        high = np.full(len(part), -np.inf)
        np.minimum.at(low, number, part.numbers)
        np.maximum.at(high, number, part.numbers)
        count = int((low < high)[number].sum())
        if count:
            yield (
                f"split `{split}`: {count:,} of {len(part):,} rows repeat another row word for "
                "word and have another label"
            )


def _find_unseen(data: TaskFacts) -> Iterator[str]:
    answer = OUTSIDE if is_bio(str(label) for label in data.task.labels) else "wrong"
    for split, part in data.splits.items():
        if part.unseen:
            yield (
                f"split `{split}`: {part.unseen:,} of {part.words:,} words are beyond "
                "`rows.max_length`, or no token stands for them: nothing is learned from them, and "
                f"metrics count them as `{answer}`"
            )


def _find_leaks(data: TaskFacts, trains: Mapping[str, Hashes]) -> Iterator[str]:
    """Yield how many dev rows of a task are training rows, of its own or of another task."""
    task = data.task
    for split in task.dev_splits:
        dev = data.splits[split].hashes
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
