r"""What each task's steps do to the other tasks' losses, watched in one multi-task training.

At every `interval`-th step of each task, losses of all tasks on fixed probe batches are taken right
before and right after the step, without dropout:

    lookahead       Z_ji = 1 - L_i(after a step of j) / L_i(before)     (TAG; Fifty et al. 2021)
    first order     <g_i, theta - theta'> / L_i                         the same to first order
    cosine          cos(g_i, g_j)                                       of probe gradients

The step is the optimiser's own, with its moments, clipping and rate, and it is the one that the
training takes anyway: nothing is undone or restored, and dropout is seeded by the step alone, so
that the training is bit for bit the one that nobody watches. Each task has two probe batches of
different training rows: lookahead is given for each, and a cosine is of the gradients of different
ones, so that no example meets itself. Gradients are of the layers that all tasks share, and taken
at every `GRADIENT_LOOKS`-th look only, as they cost more.

Legend: T tasks, L layers, D = 2 draws of probe rows; rows are the task whose step it is (source),
columns the task whose loss it is (target).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hmnet.data.task_data import TaskData
from hmnet.encoders.layers import find_layers
from hmnet.packing.batch import Batch, pack
from hmnet.seeding import derive_seed
from hmnet.training.evaluation import autocast
from hmnet.training.layer_gradients import find_gradients
from hmnet.training.loop import Trainer
from hmnet.training.losses import compute_loss
from hmnet.training.targets import AS_THEY_ARE

INTERVAL = 20
"""Steps of a task from one look to its next, at least; a look passes over every task's probes."""
TASKS_AN_INTERVAL = 1.2
"""Steps from one look to the next for each task: looks at many tasks cost more, and come later."""
PROBE_ROWS = 16
GRADIENT_LOOKS = 4
DRAWS = 2
Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Influences:
    """What was seen, each a mean over looks; NaN where a task was never looked at.

    Attributes:
        tasks: T names.
        lookahead: Z of each draw of probe rows, [D, T, T].
        first_order: of each layer's part of the step; they add up to all layers', [L, T, T].
        cosine: of each layer's gradients, [L, T, T].
        looks: looks at each task's steps, [T].
    """

    tasks: tuple[str, ...]
    lookahead: Array
    first_order: Array
    cosine: Array
    looks: npt.NDArray[np.int64]


class StepWatcher:
    """Watches the steps of a trainer.

    Args:
        trainer: of a model whose tasks share every layer.
        interval: steps of a task from one look to its next; None for the usual number.
        rows: training rows of a probe batch.
    """

    def __init__(
        self, trainer: Trainer, interval: int | None = None, rows: int = PROBE_ROWS
    ) -> None:
        self.trainer = trainer
        self.tasks = tuple(trainer.data)
        usual = max(INTERVAL, math.ceil(TASKS_AN_INTERVAL * len(self.tasks)))
        self.interval = usual if interval is None else interval
        counts = Counter(step.task for step in trainer.steps)
        # in the middle of an interval, as the first steps of all are small ones of new heads
        self.first = {t: min(self.interval // 2, (counts[t] - 1) // 2) for t in self.tasks}
        self.probes = {
            task: list(_draw_probes(data, trainer.seed, rows))
            for task, data in trainer.data.items()
        }
        path = trainer.model.path(self.tasks[0])
        self.layers = [list(layer.parameters()) for layer in find_layers(path)]
        self.seen: Counter[str] = Counter()
        size, depth = len(self.tasks), len(self.layers)
        self.looks = np.zeros(size, np.int64)
        self.gradient_looks = np.zeros(size, np.int64)
        self.lookahead = np.zeros((DRAWS, size, size))
        self.first_order = np.zeros((depth, size, size))
        self.cosine = np.zeros((depth, size, size))
        self.cosines = 0

    def update(self, position: int) -> Tensor:
        """Take one step of the plan, as `Trainer.update` does, and look where it is time to."""
        task = self.trainer.steps[position].task
        self.seen[task] += 1
        if (self.seen[task] - 1 - self.first[task]) % self.interval:
            return self.trainer.update(position)
        source = self.tasks.index(task)
        has_gradients = self.looks[source] % GRADIENT_LOOKS == 0
        before = self._measure_losses()
        gradients = self._find_gradients() if has_gradients else []
        weights = self._copy_layers() if has_gradients else []
        sums = self.trainer.update(position)
        after = self._measure_losses()
        self.looks[source] += 1
        self.lookahead[:, source] += 1 - after / before
        if has_gradients:
            self._add_gradients(source, gradients, weights, before.mean(axis=0))
        return sums

    def read(self) -> Influences:
        """Return what was seen."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return Influences(
                self.tasks,
                self.lookahead / self.looks[:, None],
                self.first_order / self.gradient_looks[:, None],
                self.cosine / self.cosines if self.cosines else np.full_like(self.cosine, np.nan),
                self.looks,
            )

    @torch.no_grad()
    def _measure_losses(self) -> Array:
        """Return the loss of every task on each of its probe batches, [D, T]."""
        with self._without_dropout():
            return np.array(
                [
                    [float(self._find_loss(task, self.probes[task][draw])) for task in self.tasks]
                    for draw in range(DRAWS)
                ]
            )

    def _find_loss(self, task: str, batch: Batch) -> Tensor:
        trainer = self.trainer
        scale = trainer.scales.get(task, AS_THEY_ARE)
        with autocast(trainer.settings.precision, trainer.device):
            outputs = trainer.model(task, batch)
        labels = scale.standardise(batch.labels)
        return compute_loss(outputs.float(), labels, trainer.data[task].task.kind)

    @contextmanager
    def _without_dropout(self) -> Iterator[None]:
        self.trainer.model.eval()
        try:
            yield
        finally:
            self.trainer.model.train()

    def _find_gradients(self) -> list[list[list[Tensor]]]:
        """Return the gradient of each task's loss on each draw, layer by layer as one vector."""
        with self._without_dropout():
            return [
                [find_gradients(self._find_loss(t, batch), self.layers) for batch in self.probes[t]]
                for t in self.tasks
            ]

    def _copy_layers(self) -> list[Tensor]:
        return [torch.cat([p.detach().flatten() for p in layer]) for layer in self.layers]

    def _add_gradients(
        self, source: int, gradients: list[list[list[Tensor]]], weights: list[Tensor], loss: Array
    ) -> None:
        moved = [old - new for old, new in zip(weights, self._copy_layers(), strict=True)]
        for layer, step in enumerate(moved):
            for target, draws in enumerate(gradients):
                slope = sum(float(draw[layer] @ step) for draw in draws) / DRAWS
                self.first_order[layer, source, target] += slope / loss[target]
        self.gradient_looks[source] += 1
        self.cosine += _compare_gradients(gradients)
        self.cosines += 1


def _compare_gradients(gradients: list[list[list[Tensor]]]) -> Array:
    """Return the cosines of gradients of different draws, symmetric, [L, T, T]."""
    first, second = (_to_units([task[draw] for task in gradients]) for draw in range(DRAWS))
    found = [(a @ b.T).double().numpy() for a, b in zip(first, second, strict=True)]
    return np.stack([(each + each.T) / 2 for each in found])


def _to_units(tasks: list[list[Tensor]]) -> list[Tensor]:
    """Return each layer's gradients of all tasks with length 1, [T, n] each; 0 stays 0."""
    layers = [torch.stack(parts).float() for parts in zip(*tasks, strict=True)]
    return [torch.nn.functional.normalize(layer, dim=1) for layer in layers]


def _draw_probes(data: TaskData, seed: int, rows: int) -> Iterator[Batch]:
    """Yield probe batches of different training rows, as far as there are enough."""
    count = len(data.train)
    rng = np.random.default_rng(derive_seed(seed, "probe", data.task.name))
    order = rng.permutation(count)
    size = max(min(rows, count // DRAWS), 1)
    for draw in range(DRAWS):
        yield pack(data.train, order[draw * size : (draw + 1) * size] if count > 1 else order)


def watch_training(
    trainer: Trainer, interval: int | None = None, rows: int = PROBE_ROWS
) -> Influences:
    """Train a model to the end, and return what each task's steps did to the others' losses."""
    watcher = StepWatcher(trainer, interval, rows)
    try:
        for position in range(len(trainer.steps)):
            watcher.update(position)
        trainer.part_until(len(trainer.steps))
        return watcher.read()
    finally:
        trainer.finish()
