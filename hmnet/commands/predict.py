"""Predictions for the rows of a file: by one task's path, or by all paths of a model at once."""

from __future__ import annotations

import dataclasses
import io
import json
import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd
import torch
from scipy.special import expit, softmax

from hmnet.commands.stored_run import find_task
from hmnet.data.columns import take
from hmnet.data.raw import RawSplit, load_texts, read_input
from hmnet.data.tagged import iterate_texts
from hmnet.data.tokens import tokenise
from hmnet.encoders.locate import load_tokenizer
from hmnet.errors import InputError
from hmnet.folder.outputs import Output
from hmnet.models.saved import load_model, read_saved_model
from hmnet.models.shared_prefix import LayerPasses
from hmnet.runs.spec import RunSpec
from hmnet.storage.files import write_bytes
from hmnet.study.answers import choose_answers
from hmnet.study.tag_codes import NO_ANSWER, is_bio, iterate_entities, list_types, number_tags
from hmnet.study.tasks import Task
from hmnet.training.evaluation import Logits, predict_tasks

ALL = "all"
"""In place of a task's name: every task whose texts the file holds."""
ANY_TASK = ("text", "text_pair")
"""Columns that a task of one or two texts reads if the file lacks the task's own."""


Entity: TypeAlias = Mapping[str, "str | int | float"]
"""`type`, `text`, its first character `start` and the one after its last `end`, and `score`."""
Prediction: TypeAlias = Mapping[
    str, "str | int | float | Mapping[str, float] | Sequence[str | None] | Sequence[Entity]"
]
"""One row's `label` and `probabilities`, or its `value`; or of tags `words`, `tags`, `entities`."""


@dataclass(frozen=True)
class RowPredictions:
    """Predictions for the rows of a file.

    Attributes:
        inputs: the columns that stand beside the predictions, a value per row: `row`, its number
            from 0, or the column that was asked for; on request the file's other columns too.
        outputs: task to one mapping per row: `label` (or `labels`, where there may be several) and
            `probabilities`, `value`, or `words`, their `tags` and the `entities` that these are of.
        left_out: tasks whose texts the file does not hold.
        passes: layers that were run, and that separate models would have run.
        seconds: time from tokens to outputs.
    """

    inputs: Mapping[str, Sequence[object]]
    outputs: Mapping[str, Sequence[Prediction]]
    left_out: tuple[str, ...]
    passes: LayerPasses
    seconds: float

    def describe(self) -> str:
        """Return what sharing layers saved, as text."""
        rows = len(next(iter(self.outputs.values())))
        asked, computed = self.passes.asked, self.passes.computed
        said = (
            f"{rows:,} rows, {len(self.outputs)} tasks in {self.seconds:.1f} s: "
            f"{computed} layers run where separate models run {asked} "
            f"({asked / computed:.1f} times as many)"
        )
        if self.left_out:
            said += f"\nleft out, as the file lacks their columns: {', '.join(self.left_out)}"
        return said


@dataclass(frozen=True)
class InputColumns:
    """Which columns of the input stand beside its predictions.

    Attributes:
        id: the column that names the rows; None for their numbers from 0, as `row`.
        keeps_all: whether every column of the input is repeated.
    """

    id: str | None = None
    keeps_all: bool = False


def predict_file(
    output: Output, run: str, task: str, source: Path, columns: InputColumns | None = None
) -> RowPredictions:
    """Predict the rows of a file by a task, or by all of them (`ALL`).

    Layers that tasks share are run once for the tasks that read the same columns. What was odd
    about the file is logged.

    Raises:
        InputError: if the run lacks the task or its model, or the file lacks the text columns.
    """
    folder, spec = output.runs.find(run)
    wanted = _choose_tasks(spec, task)
    asked = [column for each in wanted for column in (*each.text, *ANY_TASK)]
    names = read_input(source, asked).names
    by_columns, left_out = match_columns(wanted, names)
    inputs = _read_inputs(source, names, asked, columns or InputColumns())
    if not by_columns:
        by_columns = {wanted[0].text: [wanted[0]]}  # whose columns are then said to be missing
    model = load_model(folder / "model", spec)
    tokenizer = load_tokenizer(str(folder / "model" / "encoder"))
    max_length = read_saved_model(folder / "model").max_length
    outputs: dict[str, list[Prediction]] = {}
    passes, seconds = LayerPasses(), 0.0
    notes: dict[str, None] = {}
    for read, tasks in by_columns.items():
        reader = next((each for each in tasks if each.facts.reads_words), tasks[0])
        rows = load_texts(dataclasses.replace(reader, text=read, question=()), source)
        notes |= dict.fromkeys(rows.notes)
        split = tokenise(rows, tokenizer, max_length)
        began = time.perf_counter()
        together = [each.name for each in tasks]
        precision = spec.training.precision
        logits, run_passes = predict_tasks(model, together, split, precision, torch.device("cpu"))
        seconds += time.perf_counter() - began
        passes.asked += run_passes.asked
        passes.computed += run_passes.computed
        outputs |= {each.name: list(name_outputs(each, logits[each.name], rows)) for each in tasks}
    for note in notes:
        _LOG.warning("note: %s", note)
    return RowPredictions(
        inputs,
        {each.name: outputs[each.name] for each in wanted if each.name in outputs},
        tuple(left_out),
        passes,
        seconds,
    )


def _read_inputs(
    source: Path, names: Sequence[str], asked: Sequence[str], columns: InputColumns
) -> dict[str, list[object]]:
    """Return the columns that stand beside the predictions; one named as these are has a prefix."""
    wanted = [*(names if columns.keeps_all else ()), *([columns.id] if columns.id else ())]
    rows = read_input(source, (*wanted, *asked))
    found: dict[str, list[object]] = {}
    if columns.id is None:
        found["row"] = list(range(len(rows)))
    for name in dict.fromkeys((*([columns.id] if columns.id else ()), *wanted)):
        shown = f"input.{name}" if name in _OURS or name in found else name
        found[shown] = take(rows, name, "id").to_pylist()
    if columns.id is not None and (repeated := _count_repeated(found[columns.id])):
        _LOG.warning(
            "note: %d of %d rows have a value in column `%s` that another row has, too: it does "
            "not name them",
            repeated,
            len(rows),
            columns.id,
        )
    return found


def _count_repeated(values: Sequence[object]) -> int:
    return sum(count for count in Counter(map(str, values)).values() if count > 1)


_OURS = ("row", "label", "probabilities", "value", "words", "tags", "entities")
_LOG = logging.getLogger(__name__)


# Written


TARGETS = (".jsonl", ".csv", ".tsv", ".parquet")
"""Suffixes of files that predictions are written to."""


def check_target(path: Path) -> None:
    """Refuse a file of no known format, before anything is run."""
    if path.suffix.lower() not in TARGETS:
        raise InputError(
            f"Parameter `to` should be a {', '.join(s[1:] for s in TARGETS)} file. Found `{path}`."
        )


def write_predictions(predictions: RowPredictions, task: str, path: Path) -> int:
    """Write a row per row of the input, in the format of the suffix; return how many.

    A table has a column for each label's probability; a line of JSON holds them as an object.
    """
    check_target(path)
    suffix = path.suffix.lower()
    if suffix == ".jsonl":
        content = "".join(to_lines(predictions, task)).encode()
    else:
        table = pd.DataFrame(_flatten(row) for row in _join(predictions, task))
        target = io.BytesIO()
        if suffix == ".parquet":
            table.to_parquet(target, index=False)
        else:
            table = table.map(lambda cell: json.dumps(cell) if isinstance(cell, list) else cell)
            table.to_csv(target, index=False, sep="\t" if suffix == ".tsv" else ",")
        content = target.getvalue()
    write_bytes(path, content)
    return len(next(iter(predictions.outputs.values())))


def to_lines(predictions: RowPredictions, task: str) -> list[str]:
    """Return a JSON line per row: a task's prediction, or for `ALL` those of each task by name."""
    return [json.dumps(row, default=str) + "\n" for row in _join(predictions, task)]


def _join(predictions: RowPredictions, task: str) -> Iterator[dict[str, object]]:
    """Yield each row's columns of the input, then its prediction or those of each task by name."""
    inputs, outputs = predictions.inputs, predictions.outputs
    for number, row in enumerate(zip(*outputs.values(), strict=True)):
        known = {name: column[number] for name, column in inputs.items()}
        yield {**known, **(row[0] if task in outputs else dict(zip(outputs, row, strict=True)))}


def _flatten(row: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Return a row's objects as columns: `probability.yes`, or `task.probability.yes`."""
    flat: dict[str, object] = {}
    for name, value in row.items():
        if name == "probabilities" and isinstance(value, Mapping):
            flat |= {f"{prefix}probability.{label}": p for label, p in value.items()}
        elif isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _choose_tasks(spec: RunSpec, task: str) -> list[Task]:
    if task == ALL and task not in spec.names:
        return list(spec.tasks)
    return [find_task(spec, task)]


def match_columns(
    tasks: Sequence[Task], columns: Sequence[str]
) -> tuple[dict[tuple[str, ...], list[Task]], list[str]]:
    """Return the columns that are read to the tasks that read them, and tasks that find none."""
    groups: dict[tuple[str, ...], list[Task]] = {}
    left_out = []
    for task in tasks:
        found = _find_columns(task, columns)
        if found is None:
            left_out.append(task.name)
        else:
            groups.setdefault(found, []).append(task)
    return groups, left_out


def _find_columns(task: Task, columns: Sequence[str]) -> tuple[str, ...] | None:
    """Return the task's own columns, else those for any task, else None."""
    known = {name.strip() for name in columns} | set(columns)
    if {name.partition(".")[0] for name in task.text} <= known:
        return task.text
    general = ANY_TASK[: len(task.text)]
    return general if len(general) == len(task.text) and set(general) <= known else None


def name_outputs(task: Task, logits: Logits, rows: RawSplit) -> Iterator[Prediction]:
    """Yield each row's prediction from its outputs, [N, C], or those of its words, [U, C]."""
    if task.facts.reads_words:
        yield from _name_words(task, logits, rows)
        return
    if task.facts.answer == "value":
        yield from ({"value": float(value)} for value in logits[:, 0])
        return
    if task.facts.answer == "set":
        yield from _name_sets(task, logits)
        return
    for row in softmax(logits.astype(np.float64), axis=1):
        label = task.labels[int(row.argmax())]
        named = {str(name): float(p) for name, p in zip(task.labels, row, strict=True)}
        yield {"label": label, "probabilities": named}


def _name_sets(task: Task, logits: Logits) -> Iterator[Prediction]:
    """Yield each row's labels, and the probability of each."""
    for flags, row in zip(
        choose_answers(task, logits), expit(logits.astype(np.float64)), strict=True
    ):
        named = {str(name): float(p) for name, p in zip(task.labels, row, strict=True)}
        labels = [str(name) for name, has in zip(task.labels, flags, strict=True) if has]
        yield {"labels": labels, "probabilities": named}


def _name_words(task: Task, logits: Logits, rows: RawSplit) -> Iterator[Prediction]:
    """Yield each row's words, their tags, and the entities that these are of.

    A word that the model does not see is `O`, and has no tag where tags are plain.
    """
    words = rows.words
    if words is None:
        raise TypeError("a file without words")
    labels = [str(label) for label in task.labels]
    codes, numbers = choose_answers(task, logits), number_tags(labels)
    scores = softmax(logits.astype(np.float64), axis=1).max(axis=1)
    for row, found in enumerate(iterate_texts(words, rows.texts[0])):
        own = slice(words.offsets[row], words.offsets[row + 1])
        tags = [None if code == NO_ANSWER else labels[code] for code in codes[own].tolist()]
        named: dict[str, Sequence[str | None] | Sequence[Entity]] = {"words": found, "tags": tags}
        if is_bio(labels):
            spans = np.stack([words.starts[own], words.ends[own]], axis=1)
            types, text = list_types(labels), rows.texts[0][row]
            named["entities"] = [
                _name_entity(types[kind], text, spans[first, 0], spans[last, 1])
                | {"score": float(np.nanmean(scores[own][first : last + 1]))}
                for kind, first, last in iterate_entities(numbers[codes[own]])
            ]
        yield named


def _name_entity(kind: str, text: str, start: int, end: int) -> dict[str, str | int | float]:
    return {"type": kind, "text": text[start:end], "start": int(start), "end": int(end)}
