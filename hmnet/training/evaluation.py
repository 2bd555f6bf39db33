"""Predictions and scores of a model on whole splits."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from hmnet.data.task_data import TaskData
from hmnet.data.tokens import SplitData
from hmnet.models.paths import PathModel
from hmnet.models.shared_prefix import LayerPasses, share_prefix
from hmnet.packing.batch import pack
from hmnet.study.answers import Array, arrange_answers, choose_answers, find_odds
from hmnet.study.metrics import orient, score
from hmnet.study.tasks import Task
from hmnet.training.divergence import DivergedError

Logits = npt.NDArray[np.float32]
EVALUATION_TOKENS = 32768
"""Tokens of an evaluation batch on a GPU, enough to hide the launching of kernels."""
CORE_TOKENS = 2048
"""The same for each CPU thread: larger batches do not fit the caches, and take a tenth longer.
Scores do not depend on it."""


def autocast(precision: str, device: torch.device) -> contextlib.AbstractContextManager[object]:
    """bfloat16 autocast, or nothing for fp32."""
    if precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def evaluate(
    model: PathModel,
    data: TaskData,
    *,
    precision: str = "fp32",
    device: torch.device | None = None,
) -> pd.DataFrame:
    """Predict every dev example of a task.

    Returns:
        A row per example with `split`, `row`, `label`, `prediction`, `question` and `logits`; where
        words have labels, these are lists of one entry a word.

    Raises:
        DivergedError: if an output is not finite.
    """
    device = device or torch.device("cpu")
    frames = []
    for split in data.judged_splits:
        logits = predict(model, data.task.name, data.splits[split], precision, device)
        frames.append(make_frame(data.task, split, data.splits[split], logits))
    return pd.concat(frames, ignore_index=True)


def predict(
    model: PathModel, task: str, split: SplitData, precision: str, device: torch.device
) -> Logits:
    """Return the outputs for every example of a split, float32 [N, C], in its order.

    Of a kind per word, for every word, [W, C]; NaN for those that the model does not see.
    """
    return predict_tasks(model, [task], split, precision, device)[0][task]


def score_split(
    model: PathModel, data: TaskData, split: str, *, precision: str, device: torch.device
) -> float:
    """Return a task's primary metric on one of its splits."""
    rows = data.splits[split]
    return score_outputs(data.task, predict(model, data.task.name, rows, precision, device), rows)


def score_outputs(task: Task, outputs: Logits, rows: SplitData) -> float:
    """Return a task's primary metric of outputs for a split, as `predict` gives them.

    Of it more is better: an error is negative.
    """
    predictions = choose_answers(task, outputs)
    found = arrange_answers(task, rows.labels, predictions, rows.questions, rows.word_offsets)
    metric, odds = task.metric, find_odds(task, outputs)
    value = score((metric,), found.labels, found.predictions, found.questions, odds)[metric]
    return orient(metric, value)


@torch.inference_mode()
def predict_tasks(
    model: PathModel, tasks: Sequence[str], split: SplitData, precision: str, device: torch.device
) -> tuple[dict[str, Logits], LayerPasses]:
    """Return each task's outputs for every example; what paths share is computed once.

    Returns:
        Task to outputs as of `predict`; and how many layers were run.

    Raises:
        DivergedError: if an output is not finite.
    """
    model.to(device).eval()
    parts: dict[str, list[Tensor]] = {task: [] for task in tasks}
    numbers: list[Numbers] = []
    # one autocast around all batches: weights are converted once
    with share_prefix(model, tasks) as passes, autocast(precision, device):
        for index in cut_by_tokens(split, _evaluation_tokens(device)):
            batch = pack(split, index).to(device)
            numbers.append(Numbers(batch.index, None if batch.words is None else batch.words.cpu()))
            for task in tasks:
                parts[task].append(model(task, batch).float().cpu())
    outputs = {task: _restore(model, task, split, numbers, part) for task, part in parts.items()}
    return outputs, passes


class Numbers(NamedTuple):
    """What the outputs of a batch belong to: examples, or words, by their numbers in the split."""

    examples: npt.NDArray[np.int64]
    words: Tensor | None


def _restore(
    model: PathModel,
    task: str,
    split: SplitData,
    numbers: Sequence[Numbers],
    parts: Sequence[Tensor],
) -> Logits:
    """Return the outputs of all batches in the order of the split; see `predict`."""
    outputs = _check_outputs(torch.cat(list(parts)).numpy(), task)
    if not model.reads_words(task):
        return outputs[np.argsort(np.concatenate([each.examples for each in numbers]))]
    found = np.full((len(split.labels), outputs.shape[1]), np.nan, dtype=np.float32)
    words = [each.words for each in numbers if each.words is not None]
    found[torch.cat(words).numpy()] = outputs
    return found


def _evaluation_tokens(device: torch.device) -> int:
    return CORE_TOKENS * torch.get_num_threads() if device.type == "cpu" else EVALUATION_TOKENS


def _check_outputs(outputs: Logits, task: str) -> Logits:
    if np.isfinite(outputs).all():
        return outputs
    raise DivergedError(f"The outputs for task `{task}` are not finite: the training diverged.")


def cut_by_tokens(split: SplitData, most_tokens: int) -> Iterator[npt.NDArray[np.int64]]:
    """Yield examples sorted by length, in batches of about `most_tokens` tokens."""
    order = np.argsort(split.lengths, kind="stable")
    batch_of = np.cumsum(split.lengths[order]) // most_tokens
    yield from np.split(order, np.flatnonzero(np.diff(batch_of)) + 1)


def make_frame(task: Task, split: str, data: SplitData, logits: Logits) -> pd.DataFrame:
    """Return a row per example of a split, from its outputs; see `evaluate`."""
    return pd.DataFrame(
        {
            "split": split,
            "row": data.rows,
            "label": _cut(data.labels, data),
            "prediction": _cut(choose_answers(task, logits), data),
            "question": data.questions,
            "logits": [each.ravel() for each in _cut(logits, data)],
        }
    )


def _cut(answers: Array, data: SplitData) -> Array | list[Array]:
    """Return answers by row, where rows have several."""
    if answers.ndim > 1 and data.word_offsets is None:
        return list(answers)
    return answers if data.word_offsets is None else np.split(answers, data.word_offsets[1:-1])
