"""Each task's gradients in every layer of a trained model, short enough to be held together.

Dot products of gradients say whether two tasks would move a layer the same way. A layer's gradient
is cut into rows of K numbers, each number gets a random sign, and the rows are added up (a count
sketch: Charikar et al. 2002): dot products of sketches are those of gradients, right on average.

Legend: L layers, T tasks, P probe batches of a task, K numbers of a sketch, D parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from hmnet.data.task_data import TaskData
from hmnet.encoders.layers import find_layers
from hmnet.errors import InputError
from hmnet.models.paths import PathModel
from hmnet.packing.batch import pack
from hmnet.seeding import derive_seed
from hmnet.training.losses import compute_loss

Sketches = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Probe:
    """Which gradients are taken.

    Attributes:
        batches: P, batches of a task.
        rows: training rows in each, drawn without replacement as far as there are enough.
        numbers: K.
        seed: of rows and signs.
    """

    batches: int = 8
    rows: int = 32
    numbers: int = 8192
    seed: int = 0


def sketch_gradients(
    model: PathModel, data: Mapping[str, TaskData], probe: Probe | None = None
) -> Sketches:
    """Return the sketch of each gradient, [L, T, P, K], tasks in the model's order.

    The loss is that of the labels, without dropout; weights stay as they are.

    Args:
        model: all tasks of which share every layer.

    Raises:
        InputError: if they do not.
    """
    probe = probe or Probe()
    layers = [list(layer.parameters()) for layer in _list_shared(model)]
    signs = [_draw_signs(layer, probe, number) for number, layer in enumerate(layers)]
    found = np.zeros((len(layers), len(model.tasks), probe.batches, probe.numbers), np.float32)
    model.eval()
    for t, task in enumerate(model.tasks):
        for b, index in enumerate(_draw_rows(data[task], probe)):
            gradients = _take_gradients(model, data[task], index, layers)
            for number, gradient in enumerate(gradients):
                found[number, t, b] = _sketch(gradient, signs[number], probe.numbers)
    return found


def _list_shared(model: PathModel) -> Sequence[nn.Module]:
    """Return the layers that all tasks share."""
    first, *others = (find_layers(model.path(task)) for task in model.tasks)
    if any(one is not other for layers in others for one, other in zip(first, layers, strict=True)):
        raise InputError(
            "Parameter `run` should name a run whose tasks share all layers. Found one whose tasks "
            "have layers of their own."
        )
    return list(first)


def _draw_signs(layer: Sequence[nn.Parameter], probe: Probe, number: int) -> Tensor:
    """Return a sign for each parameter of a layer, int8 [D]."""
    generator = torch.Generator().manual_seed(derive_seed(probe.seed, "signs", str(number)))
    count = sum(p.numel() for p in layer)
    return torch.randint(2, (count,), generator=generator, dtype=torch.int8) * 2 - 1


def _draw_rows(data: TaskData, probe: Probe) -> list[npt.NDArray[np.int64]]:
    """Return the numbers of each batch's training rows."""
    rng = np.random.default_rng(derive_seed(probe.seed, "probe", data.task.name))
    size = len(data.train)
    rows = min(probe.rows, max(size // probe.batches, 1))
    order = rng.permutation(size)[np.arange(rows * probe.batches) % size]
    return np.split(order, probe.batches)


def _take_gradients(
    model: PathModel,
    data: TaskData,
    index: npt.NDArray[np.int64],
    layers: Sequence[Sequence[nn.Parameter]],
) -> list[Tensor]:
    """Return the gradient of a batch's loss in each layer, [D] on the CPU."""
    device = next(model.parameters()).device
    batch = pack(data.train, index).to(device)
    outputs = model(data.task.name, batch).float()
    loss = compute_loss(outputs, batch.labels, data.task.kind)
    return [gradient.cpu() for gradient in find_gradients(loss, layers)]


def find_gradients(loss: Tensor, layers: Sequence[Sequence[nn.Parameter]]) -> list[Tensor]:
    """Return the gradient of a loss in each layer, [D]; 0 for what it does not depend on."""
    flat = [parameter for layer in layers for parameter in layer]
    taken = iter(torch.autograd.grad(loss, flat, materialize_grads=True))
    return [torch.cat([next(taken).flatten() for _ in layer]) for layer in layers]


def _sketch(gradient: Tensor, signs: Tensor, numbers: int) -> npt.NDArray[np.float32]:
    signed = gradient * signs
    padded = nn.functional.pad(signed, (0, -len(signed) % numbers))
    sketch: npt.NDArray[np.float32] = padded.view(-1, numbers).sum(0).numpy()
    return sketch
