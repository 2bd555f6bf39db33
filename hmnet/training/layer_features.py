"""What a trained model makes of rows of any task: mean token states of each layer, and logits.

Computed once for a run and some rows, and kept beside the run with what they were computed from:

    runs/<run>/features/<task>.safetensors

Legend: N rows, L layers, W width, C outputs of the run's own task.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from hmnet.data.task_data import TaskData
from hmnet.data.tokens import Ints, SplitData
from hmnet.encoders.layers import find_layers
from hmnet.models.paths import PathModel
from hmnet.models.saved import load_model
from hmnet.packing.batch import LayerOutput, pack
from hmnet.packing.first_token import read_every_token
from hmnet.runs.result import read_result
from hmnet.runs.spec import RunSpec
from hmnet.storage.digests import digest
from hmnet.storage.files import write_bytes
from hmnet.training.embedding import average_tokens
from hmnet.training.evaluation import cut_by_tokens

Array = npt.NDArray[np.float32]
FEATURE_TOKENS = 4096
"""Tokens of a batch."""


@dataclass(frozen=True, eq=False)
class LayerFeatures:
    """What a model makes of some rows.

    Attributes:
        states: mean token state after each layer, bottom first, float32 [N, L, W].
        logits: of the run's own task, float32 [N, C].
    """

    states: Array
    logits: Array


def take_rows(split: SplitData, index: Ints) -> SplitData:
    """Return some rows of a split, in the order of `index`; labels of words are left out, as 0."""
    lengths = split.lengths[index]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    inside = np.arange(int(lengths.sum())) - np.repeat(offsets[:-1], lengths)
    return SplitData(
        tokens=split.tokens[np.repeat(split.offsets[index], lengths) + inside],
        offsets=offsets,
        first=split.first[index],
        labels=split.labels[index] if split.word_offsets is None else np.zeros_like(index),
        rows=split.rows[index],
        questions=split.questions[index],
    )


def compute_features(model: PathModel, task: str, split: SplitData) -> LayerFeatures:
    """Return what a model's path of `task` makes of every row of a split, in fp32.

    The task has one label a row.
    """
    logits, states = _run(model, task, split)
    return LayerFeatures(states, logits)


def compute_states(model: PathModel, task: str, split: SplitData) -> Array:
    """Return the mean token state after each layer of every row of a split, float32 [N, L, W].

    What its head gives is not looked at, so that the task may be of any kind.
    """
    return _run(model, task, split)[1]


@torch.inference_mode()
def _run(model: PathModel, task: str, split: SplitData) -> tuple[Array, Array]:
    """Return what a path's head gives for every row, and the states; of words in no order."""
    path = model.path(task).eval()
    order, states, logits = [], [], []
    with _watched_layers(path) as kept:
        for index in cut_by_tokens(split, FEATURE_TOKENS):
            batch = pack(split, index)
            kept.clear()
            logits.append(model(task, batch).float().numpy())
            lengths = batch.packing.lengths
            means = [average_tokens(each, lengths, model.is_packable) for each in kept]
            states.append(np.stack([np.stack(each) for each in means], axis=1))
            order.append(batch.index)
    back = np.argsort(np.concatenate(order))
    whole = np.concatenate(states)[back].astype(np.float32)
    given = np.concatenate(logits)
    return given[back] if len(given) == len(back) else given, whole


@contextmanager
def _watched_layers(path: nn.Module) -> Iterator[list[Tensor]]:
    """Gather what each layer gives for every token, in their order, before others read it."""
    layers = find_layers(path)
    read_every_token(layers[-1])
    kept: list[Tensor] = []

    def keep(module: nn.Module, args: object, output: LayerOutput) -> None:
        kept.append(output[0] if isinstance(output, tuple) else output)

    handles = [layer.register_forward_hook(keep, prepend=True) for layer in layers]
    try:
        yield kept
    finally:
        for handle in handles:
            handle.remove()


def load_features(folder: Path, spec: RunSpec, data: TaskData, index: Ints) -> LayerFeatures:
    """Return what a finished single run makes of training rows of any task.

    Args:
        folder: of the run, which kept its model.
        data: the task whose rows they are.
        index: the rows' numbers among its training rows.

    Raises:
        InputError: if the run kept no model.
    """
    model = read_result(folder / "result.json").files.get("model/model.safetensors", "")
    origin = f"{model} {data.fingerprint} {digest(index.astype(np.int64).tobytes())}"
    path = folder / "features" / f"{data.task.name}.safetensors"
    if (kept := _read_features(path, origin)) is not None:
        return kept
    (task,) = spec.names
    trained = load_model(folder / "model", spec)
    found = compute_features(trained, task, take_rows(data.train, index))
    facts = {"origin": origin, "digest": _digest(found)}
    tensors = {name: torch.from_numpy(getattr(found, name)) for name in ("states", "logits")}
    write_bytes(path, save(tensors, {"facts": json.dumps(facts, sort_keys=True)}))
    return found


def _digest(found: LayerFeatures) -> str:
    return digest(found.states.tobytes() + found.logits.tobytes())


def _read_features(path: Path, origin: str) -> LayerFeatures | None:
    """Return what is kept, or None where it is missing, damaged, or of another model or rows."""
    try:
        with safe_open(path, framework="np") as file:
            facts = json.loads(file.metadata()["facts"])
            found = LayerFeatures(file.get_tensor("states"), file.get_tensor("logits"))
    except (FileNotFoundError, SafetensorError, KeyError, TypeError, ValueError):
        return None
    return found if facts == {"origin": origin, "digest": _digest(found)} else None
