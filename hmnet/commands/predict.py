"""Predictions for the rows of a file: by one task's path, or by all paths of a model at once."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from scipy.special import softmax

from hmnet.commands.stored_run import find_task
from hmnet.data.raw import load_texts, read_input
from hmnet.data.tokens import tokenise
from hmnet.encoders.locate import load_tokenizer
from hmnet.folder.outputs import Output
from hmnet.models.saved import load_model, read_saved
from hmnet.models.shared_prefix import LayerPasses
from hmnet.runs.spec import RunSpec
from hmnet.study.tasks import Task
from hmnet.training.evaluation import Logits, predict_tasks

ALL = "all"
"""In place of a task's name: every task whose texts the file holds."""
ANY_TASK = ("text", "text_pair")
"""Columns that a task of one or two texts reads if the file lacks the task's own."""


Prediction: TypeAlias = Mapping[str, "str | int | float | Mapping[str, float]"]
"""One row's `label` and `probabilities`, or its `value`."""


@dataclass(frozen=True)
class Predictions:
    """Predictions for the rows of a file.

    Attributes:
        outputs: task to one mapping per row: `label` and `probabilities`, or `value`.
        left_out: tasks whose texts the file does not hold.
        passes: layers that were run, and that separate models would have run.
        seconds: from tokens to outputs.
    """

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


def predict_file(output: Output, run: str, task: str, source: Path) -> Predictions:
    """Predict the rows of a file by a task, or by all of them (`ALL`).

    Layers that tasks share are run once for the tasks that read the same columns.

    Raises:
        InputError: if the run lacks the task or its model, or the file lacks the text columns.
    """
    folder, spec = output.runs.find(run)
    wanted = _choose_tasks(spec, task)
    asked = [column for each in wanted for column in (*each.text, *ANY_TASK)]
    by_columns, left_out = _match_columns(wanted, read_input(source, asked).names)
    if not by_columns:
        by_columns = {wanted[0].text: [wanted[0]]}  # whose columns are then said to be missing
    model = load_model(folder / "model", spec)
    tokenizer = load_tokenizer(str(folder / "model" / "encoder"))
    max_length = read_saved(folder / "model").max_length
    outputs: dict[str, list[Prediction]] = {}
    passes, seconds = LayerPasses(), 0.0
    for columns, tasks in by_columns.items():
        rows = load_texts(dataclasses.replace(tasks[0], text=columns, question=()), source)
        split = tokenise(rows, tokenizer, max_length)
        began = time.perf_counter()
        names = [each.name for each in tasks]
        precision = spec.training.precision
        logits, run_passes = predict_tasks(model, names, split, precision, torch.device("cpu"))
        seconds += time.perf_counter() - began
        passes.asked += run_passes.asked
        passes.computed += run_passes.computed
        outputs |= {each.name: list(_name_outputs(each, logits[each.name])) for each in tasks}
    return Predictions(
        {each.name: outputs[each.name] for each in wanted if each.name in outputs},
        tuple(left_out),
        passes,
        seconds,
    )


def to_lines(predictions: Predictions, task: str) -> list[str]:
    """Return a JSON line per row: a task's prediction, or for `ALL` those of each task by name."""
    outputs = predictions.outputs
    if task in outputs:
        return [json.dumps(row) + "\n" for row in outputs[task]]
    rows = zip(*outputs.values(), strict=True)
    return [json.dumps(dict(zip(outputs, row, strict=True))) + "\n" for row in rows]


def _choose_tasks(spec: RunSpec, task: str) -> list[Task]:
    if task == ALL and task not in spec.names:
        return list(spec.tasks)
    return [find_task(spec, task)]


def _match_columns(
    tasks: Sequence[Task], columns: Sequence[str]
) -> tuple[dict[tuple[str, ...], list[Task]], list[str]]:
    """Group tasks by the columns that they read; name those that find none."""
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
    if {name.partition(".")[0] for name in task.text} <= set(columns):
        return task.text
    general = ANY_TASK[: len(task.text)]
    return general if len(general) == len(task.text) and set(general) <= set(columns) else None


def _name_outputs(task: Task, logits: Logits) -> Iterator[Prediction]:
    if task.kind == "regression":
        yield from ({"value": float(value)} for value in logits[:, 0])
        return
    for row in softmax(logits.astype(np.float64), axis=1):
        label = task.labels[int(row.argmax())]
        named = {str(name): float(p) for name, p in zip(task.labels, row, strict=True)}
        yield {"label": label, "probabilities": named}
