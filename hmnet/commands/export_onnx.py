"""One path of a trained model, or all of them, as an ONNX graph that was checked on dev rows.

<folder>/
    model.onnx              float32; batch and length may be any
    model.int8.onnx         weights in int8, on request
    onnx.json               inputs, outputs, labels, and what the checks found
    tokenizer.json, ...     the tokenizer, with the length that inputs are cut to
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pydantic.dataclasses import dataclass as validated
from torch import nn

from hmnet.commands.export import check_new_folder, find_exportable
from hmnet.commands.predict import ALL
from hmnet.commands.stored_run import find_task
from hmnet.data.task_data import TaskData, read_record
from hmnet.data.task_data import load as load_data
from hmnet.data.tokens import SplitData
from hmnet.encoders.locate import load_tokenizer
from hmnet.encoders.quiet import quiet
from hmnet.errors import InputError, RelevanceError
from hmnet.folder.outputs import Output
from hmnet.models.onnx_graph import (
    OnnxGraph,
    as_path,
    list_inputs,
    list_outputs,
    make_stock_paths,
    require_onnx,
    write_graph,
)
from hmnet.models.paths import PathModel
from hmnet.models.saved import load_model, read_saved_model
from hmnet.packing.batch import pack
from hmnet.packing.forward import compute_logits
from hmnet.runs.spec import RunSpec
from hmnet.storage.documents import write_document
from hmnet.storage.files import whole_folder, write_bytes
from hmnet.study.settings import STRICT
from hmnet.study.tasks import Task
from hmnet.training.evaluation import Logits, cut_by_tokens, make_frame
from hmnet.training.execution import compute_primary_score, score_splits

ONNX_SCHEMA = "onnx/1"
TOLERANCE = 1e-4
"""How far outputs may be from those of the stock model in torch."""
CHECKED_ROWS = 128
"""Dev rows a task that both are run on."""
BATCH_TOKENS = 4096


@validated(frozen=True, config=STRICT)
class OnnxTask:
    """A task of a graph, and what was found when it was written.

    Attributes:
        output: name of its output.
        inputs: its text columns, in order.
        labels: in the order of the outputs; none for a value.
        checked_rows: rows whose outputs were compared with torch's: of the dev sets, or made ones
            where these are not at hand.
        largest_difference: of any output of them.
        score, score_int8: primary metric on all dev rows by onnxruntime, in float32 and int8; None
            where it was not measured.
    """

    output: str
    inputs: tuple[str, ...]
    labels: tuple[str, ...]
    metric: str
    checked_rows: int
    largest_difference: float
    score: float | None = None
    score_int8: float | None = None


@validated(frozen=True, config=STRICT)
class OnnxRecord:
    """What `onnx.json` says.

    Attributes:
        run: id of the run.
        inputs: names of the graph's inputs, each int64 [B, L].
        max_length: most tokens of an input, special ones included.
        layers: layers in the graph.
        layers_of_separate_models: those of one graph per task.
        bytes: file to its size.
    """

    run: str
    inputs: tuple[str, ...]
    max_length: int
    layers: int
    layers_of_separate_models: int
    bytes: Mapping[str, int]
    tasks: Mapping[str, OnnxTask]

    def describe(self) -> Iterator[str]:
        """Yield what was checked, as lines."""
        yield (
            f"{self.layers} layers in the graph, {self.layers_of_separate_models} in separate "
            f"models; inputs {', '.join(self.inputs)}, any batch, any length to {self.max_length}"
        )
        for name, size in self.bytes.items():
            yield f"{name}: {size / 1e6:.1f} MB"
        for name, task in self.tasks.items():
            said = f"{name}: within {task.largest_difference:.1e} of torch on "
            said += f"{task.checked_rows} rows"
            if task.score is not None and task.score_int8 is not None:
                said += f"; {task.metric} {task.score:.4f}, in int8 {task.score_int8:.4f}"
            yield said


def export_onnx(
    output: Output, run: str, task: str, folder: Path, *, int8: bool = False
) -> OnnxRecord:
    """Write a task's path, or all of them (`ALL`), as one ONNX graph, and check it.

    Raises:
        InputError: if the packages are missing, the run lacks the task or its model, or the folder
            holds other files.
        RelevanceError: if an output differs from torch's; nothing is left then.
    """
    require_onnx()
    path, spec = find_exportable(output, run)
    tasks = spec.tasks if task == ALL and ALL not in spec.names else (find_task(spec, task),)
    check_new_folder(folder)
    model = load_model(path / "model", spec)
    names = [each.name for each in tasks]
    stock = make_stock_paths(model, names)
    tokenizer = load_tokenizer(str(path / "model" / "encoder"))
    length = tokenizer.model_max_length = read_saved_model(path / "model").max_length
    with whole_folder(Path(os.path.abspath(folder))) as part:  # noqa: PTH100 (keeps links)
        with quiet():
            tokenizer.save_pretrained(part)
        _name_inputs(part / "tokenizer_config.json", list_inputs(stock))
        layers = write_graph(stock, names, part / "model.onnx")
        if int8:
            _quantise(part / "model.onnx", part / "model.int8.onnx")
        found = dict(_check_all(_Exported(output, spec, stock, part), tasks))
        sizes = {each.name: each.stat().st_size for each in sorted(part.glob("model*"))}
        record = OnnxRecord(spec.run_id, list_inputs(stock), length, *layers, sizes, found)
        write_document(part / "onnx.json", ONNX_SCHEMA, record)
    return record


def _name_inputs(path: Path, names: Sequence[str]) -> None:
    """Have a saved tokenizer make what the graph takes; its class alone may not say it."""
    content = json.loads(path.read_text(encoding="utf-8"))
    content["model_input_names"] = list(names)
    write_bytes(path, json.dumps(content, indent=2, ensure_ascii=False).encode())


def _quantise(source: Path, target: Path) -> None:
    """Write a graph with its matrices in int8; what they are multiplied with is so at run time."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it advises to pre-process each time
    try:
        quantize_dynamic(str(source), str(target), weight_type=QuantType.QInt8)
    finally:
        root.setLevel(level)


@dataclass(frozen=True)
class _Exported:
    """What was written, and what it was written from."""

    output: Output
    spec: RunSpec
    stock: PathModel
    folder: Path


def _check_all(exported: _Exported, tasks: Sequence[Task]) -> Iterator[tuple[str, OnnxTask]]:
    graphs = {
        name: OnnxGraph(exported.folder / f"{name}.onnx")
        for name in ("model", "model.int8")
        if (exported.folder / f"{name}.onnx").exists()
    }
    outputs = list_outputs([task.name for task in tasks])
    for task, output in zip(tasks, outputs, strict=True):
        stock = exported.stock.path(task.name)
        paths = {name: as_path(graph, output, stock) for name, graph in graphs.items()}
        data = find_rows(exported.output, exported.spec, task)
        rows, difference = _compare(paths["model"], stock, data, task.name)
        scores = {name: _score(path, data) for name, path in paths.items()} if data else {}
        yield (
            task.name,
            OnnxTask(
                output,
                task.text,
                tuple(str(label) for label in task.labels),
                task.metric,
                rows,
                difference,
                scores.get("model"),
                scores.get("model.int8"),
            ),
        )


def find_rows(output: Output, spec: RunSpec, task: Task) -> TaskData | None:
    """Return the rows that a run had of a task, where they still lie in the output folder."""
    for path in sorted(output.data.glob(f"{task.name}-{'?' * 10}/data.json")):
        with contextlib.suppress(InputError):
            if read_record(path.parent).fingerprint == spec.data[task.name]:
                return load_data(path.parent, task)
    return None


def _compare(
    ours: nn.Module, stock: nn.Module, data: TaskData | None, task: str
) -> tuple[int, float]:
    """Return how many rows were run in both runtimes, and the largest difference of an output.

    Raises:
        RelevanceError: if that is above the tolerance.
    """
    if data is None:
        count, (one, other) = 3, _run_made_rows(ours, stock)
    else:
        split = data.splits[data.task.dev_splits[0]]
        rows = np.arange(min(len(split), CHECKED_ROWS))
        count = len(rows)
        one, other = (_run(path, split, [rows]) for path in (ours, stock))
    difference = float(np.nanmax(np.abs(one - other)))
    if not difference <= TOLERANCE:
        raise RelevanceError(
            f"The exported graph should give what torch gives for task `{task}`, within "
            f"{TOLERANCE:g}. Found {difference:g}; no file was written. This is a fault of the "
            "exporter with this architecture: export without `--format onnx`."
        )
    return count, difference


@torch.no_grad()
def _run_made_rows(ours: nn.Module, stock: nn.Module) -> tuple[Logits, Logits]:
    most = min(int(stock.config.vocab_size), 1000)  # type: ignore[union-attr, arg-type]
    ids = torch.randint(5, most, (3, 11), generator=torch.Generator().manual_seed(0))
    inside = (torch.arange(11)[None] < torch.tensor([[11], [7], [4]])).long()
    one, other = (path(input_ids=ids, attention_mask=inside).logits for path in (ours, stock))
    return one.numpy(), other.numpy()


@torch.no_grad()
def _run(path: nn.Module, split: SplitData, batches: Sequence[np.ndarray]) -> Logits:
    """Return a model's outputs for some rows of a split; NaN for all others."""
    width = int(path.config.num_labels)  # type: ignore[union-attr, arg-type]
    outputs = np.full((len(split.labels), width), np.nan, dtype=np.float32)
    for index in batches:
        batch = pack(split, index)
        found = compute_logits(path, batch, is_packable=False)
        outputs[batch.index if batch.words is None else batch.words.numpy()] = found.numpy()
    return outputs


def _score(path: nn.Module, data: TaskData) -> float:
    """Return a task's primary metric over its dev splits."""
    frames = [
        make_frame(
            data.task,
            name,
            data.splits[name],
            _run(path, data.splits[name], list(cut_by_tokens(data.splits[name], BATCH_TOKENS))),
        )
        for name in data.judged_splits
    ]
    return compute_primary_score(data.task, score_splits(data.task, pd.concat(frames)))
