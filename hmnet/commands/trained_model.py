"""A trained model in a notebook: `HMNet.from_pretrained`, then `predict` on texts.

model = HMNet.from_pretrained("relevance-out/runs/13tasks-s0-...")
model.predict(["it was fine", "never again"], task="sst2")
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from hmnet.commands.export import export_task
from hmnet.commands.predict import Prediction, name_outputs
from hmnet.commands.stored_run import find_task
from hmnet.data.raw import RawSplit
from hmnet.data.tagged import place_words, split_words
from hmnet.data.tokens import tokenise
from hmnet.encoders.locate import load_tokenizer
from hmnet.errors import InputError, raise_problems
from hmnet.folder.outputs import Output, find_output_folder
from hmnet.models.paths import PathModel
from hmnet.models.saved import load_model, read_saved_model
from hmnet.runs.result import RunResult, read_result
from hmnet.runs.spec import RunSpec
from hmnet.study.tasks import Task
from hmnet.training.evaluation import predict_tasks

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A run's model with all that it needs to read texts.

    Attributes:
        folder: the run's.
        spec: what it was trained with.
        model: a path per task.
    """

    folder: Path
    spec: RunSpec
    model: PathModel

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks' names."""
        return self.spec.names

    @property
    def result(self) -> RunResult:
        """The run's scores."""
        return read_result(self.folder / "result.json")

    def predict(self, texts: Sequence[str | Sequence[str]], task: str) -> list[Prediction]:
        """Return `label` and `probabilities`, `value`, or words and their `tags`, of each text.

        Args:
            texts: a string each; for a task of pairs, a sequence of its texts each.
            task: whose path is used.

        Raises:
            InputError: for an unknown task, or texts of another number than the task reads.
        """
        return self.predict_together(texts, [task])[task]

    def predict_together(
        self, texts: Sequence[str | Sequence[str]], tasks: Sequence[str]
    ) -> dict[str, list[Prediction]]:
        """Return each task's predictions for the same texts; layers that tasks share run once.

        Raises:
            InputError: as `predict`, for any of the tasks.
        """
        definitions = [find_task(self.spec, task) for task in tasks]
        if not len(texts):
            return {task: [] for task in tasks}
        for definition in definitions:
            _check_counts(texts, definition)
        reader = next((each for each in definitions if each.facts.reads_words), definitions[0])
        rows = _to_rows(texts, reader)
        split = tokenise(rows, self.tokenizer, self.max_length)
        precision, device = self.spec.training.precision, torch.device("cpu")
        logits, _ = predict_tasks(self.model, tasks, split, precision, device)
        return {
            each.name: list(name_outputs(each, logits[each.name], rows)) for each in definitions
        }

    @functools.cached_property
    def tokenizer(self) -> PreTrainedTokenizerFast:
        """The encoder's tokenizer."""
        return load_tokenizer(str(self.folder / "model" / "encoder"))

    @functools.cached_property
    def max_length(self) -> int:
        """Most tokens of a row, special ones included."""
        return read_saved_model(self.folder / "model").max_length

    def export(self, task: str, folder: str | os.PathLike[str]) -> Path:
        """Write a task's path as an ordinary Hugging Face model folder; return it."""
        output = Output(self.folder.parent.parent)
        export_task(output, str(self.folder), task, Path(folder))
        return Path(folder)


def load_trained(
    run: str | os.PathLike[str], out: str | os.PathLike[str] | None = None
) -> TrainedModel:
    """Return the model of a finished run that kept it.

    Args:
        run: its folder, its id, or the start of its id.
        out: the output folder; None for the one of the commands.

    Raises:
        InputError: if there is no such run, or it kept no model.
    """
    output = Output(find_output_folder(None if out is None else Path(out)))
    folder, spec = output.runs.find(str(run))
    return TrainedModel(folder, spec, load_model(folder / "model", spec))


def _list_rows(texts: Sequence[str | Sequence[str]]) -> list[tuple[str, ...]]:
    return [(each,) if isinstance(each, str) else tuple(each) for each in texts]


def _check_counts(texts: Sequence[str | Sequence[str]], task: Task) -> None:
    rows = _list_rows(texts)
    wanted = len(task.text)
    raise_problems(
        f"Parameter `texts` should hold {wanted} texts a row for `{task.name}` "
        f"({', '.join(task.text)}). Found {len(row)} in row {number}."
        for number, row in enumerate(rows[:1000])
        if len(row) != wanted
    )
    if not all(isinstance(text, str) for row in rows for text in row):
        raise InputError("Parameter `texts` should hold strings. Found another type.")


def _to_rows(texts: Sequence[str | Sequence[str]], task: Task) -> RawSplit:
    rows = _list_rows(texts)
    columns = tuple([str(text) for text in column] for column in zip(*rows, strict=True))
    count, words = len(rows), None
    if task.facts.reads_words:
        words = place_words([split_words(text) for text in columns[0]])
    return RawSplit(
        columns,
        np.zeros(count if words is None else len(words.starts), dtype=np.int64),
        np.arange(count, dtype=np.int64),
        np.full(count, -1, dtype=np.int64),
        words=words,
    )
