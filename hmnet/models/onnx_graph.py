"""Paths of a model as one ONNX graph: what tasks share stands in it once.

The stock classifiers that an export writes are what is traced, by torch's own exporter: the packed
attention of training is none that other runtimes know.
"""

from __future__ import annotations

import importlib.util
import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from transformers import (
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    PreTrainedConfig,
)

from hmnet.encoders.quiet import quiet
from hmnet.errors import InputError
from hmnet.models.paths import PathModel
from hmnet.models.shared_prefix import share_prefix
from hmnet.packing.forward import reads_words, takes_segments

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_EXAMPLE = (2, 8)


def require_onnx() -> None:
    """Refuse an export where its packages are missing.

    Raises:
        InputError: that names the extra to install.
    """
    missing = [
        name
        for name in ("onnx", "onnxscript", "onnxruntime")
        if importlib.util.find_spec(name) is None
    ]
    if missing:
        raise InputError(
            "Parameter `format` should be one whose packages are installed. Found `onnx` without "
            f"{', '.join(missing)}: pip install 'task-relevance[onnx]'."
        )


def make_stock_paths(model: PathModel, tasks: Sequence[str]) -> PathModel:
    """Return some paths as the stock models that an export writes, sharing what they share here."""
    stock = {task: _reload(model.path(task)) for task in tasks}
    modules: dict[int, nn.Module] = {}
    parameters: dict[int, nn.Parameter] = {}
    for task, path in stock.items():
        there = dict(path.named_modules())
        for name, module in list(model.path(task).named_modules())[1:]:
            if id(module) in modules:
                path.set_submodule(name, modules[id(module)])
            elif name in there:
                modules[id(module)] = there[name]
        for name, parameter in model.path(task).named_parameters():
            owner, _, attribute = name.rpartition(".")
            holder = path.get_submodule(owner)
            shared = parameters.setdefault(id(parameter), getattr(holder, attribute))
            setattr(holder, attribute, shared)
    return PathModel(stock, is_packable=False).eval()


def _reload(path: nn.Module) -> nn.Module:
    kind = AutoModelForTokenClassification if reads_words(path) else None
    with tempfile.TemporaryDirectory() as folder, quiet():
        path.save_pretrained(folder)  # type: ignore[operator]
        found: nn.Module = (kind or AutoModelForSequenceClassification).from_pretrained(
            folder, attn_implementation="eager", dtype=torch.float32, trust_remote_code=False
        )
    return found.eval()


def list_inputs(model: PathModel) -> tuple[str, ...]:
    """Return what a graph of a model's paths takes, each int64 [B, L]."""
    has_segments = any(takes_segments(model.path(task)) for task in model.tasks)
    return INPUTS if has_segments else INPUTS[:2]


def list_outputs(tasks: Sequence[str]) -> tuple[str, ...]:
    """Return what a graph gives: a task's outputs by its name, those of one task as `logits`."""
    return tuple(tasks) if len(tasks) > 1 else ("logits",)


def write_graph(stock: PathModel, tasks: Sequence[str], path: Path) -> tuple[int, int]:
    """Write one graph of the paths of `tasks`; batch and length may be any.

    Returns:
        How many layers there are in it, and in separate models.
    """
    names = list_inputs(stock)
    axes = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    with share_prefix(stock, tasks) as passes, _silent(), torch.no_grad():
        program = torch.onnx.export(
            _AllPaths(stock, tasks).eval(),
            tuple(torch.ones(_EXAMPLE, dtype=torch.int64) for _ in names),
            input_names=names,
            output_names=list_outputs(tasks),
            dynamic_shapes=(tuple(axes for _ in names),),
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program")
    with _silent():
        program.save(str(path))
    return passes.computed, passes.asked


class _AllPaths(nn.Module):
    """Several paths on the same tokens."""

    def __init__(self, stock: PathModel, tasks: Sequence[str]) -> None:
        super().__init__()
        self.stock = stock
        self.tasks = tuple(tasks)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return each task's logits, [B, C], or [B, L, C] of words."""
        found = []
        for task in self.tasks:
            path = self.stock.path(task)
            count = 3 if takes_segments(path) else 2
            given = dict(zip(INPUTS[:count], inputs, strict=False))
            found.append(path(**given).logits)
        return tuple(found)


@contextmanager
def _silent() -> Iterator[None]:
    """Silence what torch's exporter says of its own insides."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


# Run


class OnnxGraph:
    """A graph in onnxruntime, on the CPU."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self._inputs = [each.name for each in self._session.get_inputs()]

    def run(self, output: str, inputs: Mapping[str, Tensor]) -> npt.NDArray[np.float32]:
        """Return one output for padded inputs, each int64 [B, L]."""
        given = dict(inputs)
        for name in self._inputs:  # a task without segments beside one with them
            given.setdefault(name, torch.zeros_like(inputs["input_ids"]))
        fed = {name: given[name].numpy() for name in self._inputs}
        (found,) = self._session.run([output], fed)
        return np.asarray(found, dtype=np.float32)


class OnnxForSequenceClassification(nn.Module):
    """One output of a graph, called as the stock model that it was traced from.

    Args:
        path: that model.
    """

    def __init__(self, graph: OnnxGraph, output: str, path: nn.Module) -> None:
        super().__init__()
        self.config: PreTrainedConfig = path.config  # type: ignore[assignment]
        self._graph = graph
        self._output = output

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> SimpleNamespace:
        """Return an object with `logits`."""
        given = {"input_ids": input_ids, "attention_mask": attention_mask}
        if token_type_ids is not None:
            given["token_type_ids"] = token_type_ids
        return SimpleNamespace(logits=torch.from_numpy(self._graph.run(self._output, given)))


class OnnxForTokenClassification(OnnxForSequenceClassification):
    """The same for a classifier of tokens."""


def as_path(graph: OnnxGraph, output: str, path: nn.Module) -> OnnxForSequenceClassification:
    """Return one output of a graph as a model that stands in for a stock one."""
    if reads_words(path):
        return OnnxForTokenClassification(graph, output, path)
    return OnnxForSequenceClassification(graph, output, path)
