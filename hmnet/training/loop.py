"""Training: one loop for every method, which never asks for the method's name.

1. The steps are planned beforehand (`hmnet.training.steps`), so a position in the plan is all the
   state that data order and random numbers need.
2. A step packs one task's batch, runs that task's path, and updates the parameters on it:
   AdamW with bias correction (per parameter: one that a step does not reach is not touched),
   the norm of the path's gradient clipped, the learning rate decayed linearly.
3. Where a stage of the course begins (`hmnet.training.course`), the model is parted: each new
   owner of a layer begins with the weights and the moments that it had.
4. The weights of the last steps may be averaged (`hmnet.training.averaging`).
5. Each task may have the path of its best epoch in the end (`hmnet.training.stopping`).
6. A checkpoint is parameters, moments, what is averaged and kept, and the position; resuming from
   it gives the numbers of a run that was never stopped.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from hmnet.data.task_data import HELD_OUT, TaskData
from hmnet.data.tokens import Ints
from hmnet.errors import RelevanceError
from hmnet.models.parting import (
    find_held_by_others,
    find_lower,
    match_parameters,
    take_values,
)
from hmnet.models.paths import PathModel, find_output
from hmnet.packing.batch import Batch, pack, sort_by_length
from hmnet.packing.batch_shape import BatchShape, fit_shape
from hmnet.packing.dropout import seed_dropout
from hmnet.packing.resident_split import ResidentSplit
from hmnet.process_memory import frozen_heap
from hmnet.seeding import derive_seed
from hmnet.study.settings import TrainingSettings
from hmnet.training.averaging import TrajectoryMean, plan_snapshots
from hmnet.training.batch_shapes import plan_shapes
from hmnet.training.checkpoint import Checkpoint, TrainingState
from hmnet.training.class_weights import measure_class_weights
from hmnet.training.course import PLAIN, Course
from hmnet.training.embedding_gradients import EmbeddingGradients
from hmnet.training.evaluation import autocast
from hmnet.training.loss_record import LossLine, LossRecord
from hmnet.training.losses import compute_loss
from hmnet.training.optimiser import (
    clip_gradients,
    compute_learning_rate,
    list_decays,
    make_optimizer,
    set_rate,
)
from hmnet.training.step_graphs import StepGraphs
from hmnet.training.step_rows import RowSource, list_parameters, list_sources
from hmnet.training.steps import Step, count_batches, plan_steps
from hmnet.training.stopping import BestEpochs
from hmnet.training.targets import AS_THEY_ARE, measure_scales
from hmnet.training.teaching import Teaching
from hmnet.training.thresholds import check_thresholds, settle_thresholds
from hmnet.training.used_rows import UsedRows, find_table_factor


class OutOfMemoryError(RelevanceError):
    """The device has no room for a single example."""


@dataclass
class TrainingLog:
    """What a training reports.

    Attributes:
        steps, tokens: optimiser steps and training tokens, of the whole run.
        seconds: time spent in this process.
        final_loss: task to its mean loss over the last epoch.
        micro_batches: parts that a batch was cut into because the device ran out of memory.
        held_out: task to its score on held-out rows after each epoch, where it stops by them.
    """

    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0
    final_loss: dict[str, float] = field(default_factory=dict)
    micro_batches: int = 1
    held_out: dict[str, list[float]] = field(default_factory=dict)


def train(
    model: PathModel,
    data: Mapping[str, TaskData],
    settings: TrainingSettings,
    seed: int,
    *,
    checkpoint: Checkpoint | None = None,
    log: Callable[[LossLine], None] | None = None,
    course: Course = PLAIN,
) -> TrainingLog:
    """Train a model in place on the tasks of `data`, on the device where it lies.

    Args:
        checkpoint: where to save and resume; None keeps nothing.
        log: called with step, epoch, task and loss (of the labels) of every step, in order.
        course: the stages of the training, after which the model is that of the last one; its
            teachers; and the processes that share its batches, the first of which saves and logs.

    Raises:
        DivergedError: if the loss is not finite; names step and task.
    """
    trainer = Trainer(model, data, settings, seed, next(model.parameters()).device, course)
    try:
        with frozen_heap(), trainer.graphs.stream():
            done = _train(trainer, checkpoint, log)
    finally:
        trainer.finish()
    settle_thresholds(model, data, settings, trainer.device)
    return done


def _train(
    trainer: Trainer,
    checkpoint: Checkpoint | None,
    log: Callable[[LossLine], None] | None,
) -> TrainingLog:
    group = trainer.group
    log = log if group.is_first else None
    start, record = 0, LossRecord(trainer.steps, log, list_tasks=trainer.list_tasks)
    if checkpoint and (saved := trainer.resume(checkpoint)) is not None:
        start, sums = saved["position"], saved["progress"]
        record = LossRecord(trainer.steps, log, sums, trainer.list_tasks)
    if group.agree(start) != start:  # also: nobody goes on before all have read the checkpoint
        raise RelevanceError(
            f"All processes should go on from one checkpoint. Found step {start + 1} in process "
            f"{group.rank}: is the output folder the same for all of them?"
        )
    began = time.perf_counter()
    for position in range(start, len(trainer.steps)):
        record.add(position, trainer.update(position))
        is_last = position + 1 == len(trainer.steps)
        if checkpoint and group.is_first and not is_last and checkpoint.is_due():
            trainer.save(checkpoint, {"position": position + 1, "progress": record.state()})
    trainer.part_until(len(trainer.steps))
    record.read()
    return TrainingLog(
        steps=len(trainer.steps),
        tokens=record.tokens,
        seconds=time.perf_counter() - began,
        final_loss=record.final_loss(),
        micro_batches=trainer.micro_batches,
        held_out=trainer.best.scores,
    )


class Trainer:
    """A model, its optimiser and its planned steps; `finish` makes the model whole again.

    Attributes:
        steps: every step of the run, in order.
        sources: the rows that steps draw from, by what steps call them: their task, mostly.
        optimizer: AdamW over all parameters.
        micro_batches: parts that a batch is cut into; more than one where memory ran out.
        resident: the tasks' rows that lie on the device; none on a CPU, which reads mapped files.
        shapes: the sizes that each step's batch is filled up to there.
        graphs: the steps that are recorded there.
        scales: how the targets of regressions are standardised; losses are told in their unit.
        class_weights: how much classes count, of tasks that weigh them.
        stage: number of the course's stage that the model is in.
        starts: position of each stage's first step.
        average: the mean of the weights over the last steps, where it is asked for.
        best: the path of each task's best epoch, where each has a stopping point.
        teaching: what teachers predict, where there are some.
    """

    def __init__(
        self,
        model: PathModel,
        data: Mapping[str, TaskData],
        settings: TrainingSettings,
        seed: int,
        device: torch.device,
        course: Course = PLAIN,
    ) -> None:
        self.group = course.group
        self.course = course
        self.scales = measure_scales(data, settings)
        check_thresholds(data, settings)
        self.class_weights = measure_class_weights(data, settings, device)
        self.model = model.to(device).train()
        self.data = data
        self.settings = settings
        self.seed = seed
        self.device = device
        self.sources = list_sources(data, settings)
        sizes = {name: len(source.split) for name, source in self.sources.items()}
        counts = count_batches(sizes, settings)
        self.steps = plan_steps(sizes, settings.epochs, settings.batch_size, seed, counts)
        self.starts = course.plan_starts(len(self.steps))
        self.table_rates: list[float] = []
        self.snapshots = plan_snapshots(self.steps, settings)
        self.average = TrajectoryMean(self.snapshots)
        self.best = BestEpochs(self.steps, data, settings)
        self.teaching = Teaching(course.teachers, settings.distillation, device)
        self.micro_batches = 1
        self.graphs = StepGraphs(device)
        self.resident: dict[str, ResidentSplit] = {}
        self.shapes: list[BatchShape] = []
        self._begin_stage(0)
        if device.type != "cpu":
            self.move_rows_to_device()

    def _begin_stage(self, stage: int) -> None:
        """Make the optimiser of the model as it is in a stage."""
        self.stage = stage
        model, rate = self.model.train(), self.course.lower_rate(stage)
        factors = dict.fromkeys(find_lower(model) if rate != 1 else (), rate)
        factors |= dict.fromkeys(find_held_by_others(model, self.course.trained), 0.0)
        for parameter in model.parameters():
            parameter.requires_grad_(factors.get(parameter, 1.0) > 0)
        is_cpu = self.device.type == "cpu"
        tokens = [each.train.tokens for each in self.data.values()]
        if self.best.ends:
            tokens += [each.splits[HELD_OUT].tokens for each in self.data.values()]
        self.rows = UsedRows(model, tokens) if is_cpu else None
        self.embeddings = EmbeddingGradients(model) if is_cpu else None
        self.optimizer = make_optimizer(model, self.settings, factors)
        self.parameters = list(model.parameters())
        self.table_rates.append(find_table_factor(model, factors))

    def list_tasks(self, step: Step) -> list[tuple[int, str]]:
        """Return the tasks that a step trains, with the places of their losses among its sums."""
        source = self.sources[step.task]
        if not source.is_shared:
            return [(0, step.task)]
        return [(source.tasks.index(task), task) for task in source.list_answered(step.index)]

    def part_until(self, position: int) -> None:
        """Have the model share what it shares at a position in the plan of steps."""
        while self.stage + 1 < len(self.starts) and self.starts[self.stage + 1] <= position:
            self._part(self.stage + 1)

    def _part(self, stage: int) -> None:
        """Go over to a stage: its model takes over weights and moments."""
        finer = self.course.stages[stage].build().to(self.device)
        if self.rows:
            self.rows.restore(1.0)  # what decays them is known in the end
        pairs = match_parameters(finer, self.model)
        take_values(pairs)
        moments = self.optimizer.state
        taken: dict[Tensor, object] = {
            new: _copy(moments[old]) for new, old in pairs.items() if old in moments
        }
        self.average.hand_over(pairs)
        self.graphs.forget()
        self.model.paths = finer.paths
        self._begin_stage(stage)
        self.optimizer.state.update(taken)

    def save(self, checkpoint: Checkpoint, state: TrainingState) -> None:
        """Save what a training goes on from, with `state`, to a checkpoint."""
        sums = self.average.save(dict(self.model.named_parameters()))
        extra = {f"mean/{name}": value for name, value in sums.items()}
        extra |= {f"best/{name}": value for name, value in self.best.save().items()}
        whole: TrainingState = {**state, "held_out": self.best.scores}
        checkpoint.save(self.model, self.optimizer, whole, extra)

    def resume(self, checkpoint: Checkpoint) -> TrainingState | None:
        """Restore what a checkpoint holds, and return its state; None where it holds nothing."""
        self.part_until(checkpoint.read_position() - 1)  # as it was after the step before
        extra: dict[str, Tensor] = {}
        state = checkpoint.load(self.model, self.optimizer, extra)
        if state is not None:
            names = dict(self.model.named_parameters())
            self.average.load(_select(extra, "mean/"), names, state["position"])
            self.best.load(_select(extra, "best/"), state.get("held_out", {}))
        if state is None and self.stage > 0:
            if self.rows:
                self.rows.restore(1.0)
            self.model.paths = self.course.stages[0].build().to(self.device).paths
            self.table_rates = []
            self._begin_stage(0)
        return state

    def move_rows_to_device(self) -> None:
        """Move the tasks' rows to the device, and have batches put together there."""
        splits = {name: source.split for name, source in self.sources.items()}
        self.resident = {name: ResidentSplit(each, self.device) for name, each in splits.items()}
        self.shapes = plan_shapes(self.steps, splits)

    def finish(self) -> None:
        """End the training: the model is again one for any text."""
        self.average.settle()
        self.graphs.stop()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()  # other processes share the device
        if self.rows:
            self.rows.restore(self._decay_tables(len(self.steps) - 1))
        self.model.requires_grad_(True)
        self.best.settle(self.model)
        for task, scale in self.scales.items():
            scale.fold_into(find_output(self.model.path(task)))

    def _decay_tables(self, last: int) -> float:
        """Return the factor of weight decay on rows that no text uses, at the mean snapshot.

        Args:
            last: position of the last step so far.
        """
        decays = list_decays(len(self.steps), self.settings, self._table_rate)
        taken = [decays[position] for position in self.snapshots if position <= last]
        taken = taken or [decays[last]]
        return sum(taken) / len(taken)

    def _look(self, position: int) -> None:
        """Score every task's path on its held-out rows, and keep the best ones."""
        if position not in self.best.ends or not self.group.is_first:
            return
        decay = self._decay_tables(position)

        def expand(parameter: nn.Parameter) -> Tensor:
            return self.rows.expand(parameter, decay) if self.rows else parameter.detach().clone()

        with self.average.applied():
            self.best.look(self.model, self.scales, self.device, expand)

    def _table_rate(self, position: int) -> float:
        """Return the factor of the token tables' learning rate at a step."""
        return self.table_rates[min(bisect_right(self.starts, position), len(self.table_rates)) - 1]

    def update(self, position: int) -> Tensor:
        """Take one step of the plan; return losses and tokens of the batch, float64 [K + 1].

        K is the most tasks that a step trains: 1, unless rows are shared.

        On a GPU nothing is waited for, so what is returned may still have to be computed.

        Where the device runs out of memory, the batch is cut into twice as many parts, whose
        gradients are added up; so are all later ones. The step stays that of the whole batch.

        Raises:
            OutOfMemoryError: if there is no room for a single example.
        """
        self.part_until(position)
        sums = self._update_whole(position)
        self.average.add(position, self.parameters)
        self._look(position)
        return sums

    def _update_whole(self, position: int) -> Tensor:
        """Take one optimiser step on a whole batch, in as many parts as have to be."""
        step = self.steps[position]
        set_rate(self.optimizer, compute_learning_rate(position, len(self.steps), self.settings))
        self.teaching.begin_step(position, len(self.steps))
        while True:
            rank = (self.group.rank,) if self.group.size > 1 else ()
            seed_dropout(derive_seed(self.seed, "dropout", step.task, step.visit, *rank))
            try:
                return self._update(position)
            except torch.OutOfMemoryError as error:
                self._halve(step, error)

    def _update(self, position: int) -> Tensor:
        step = self.steps[position]
        is_whole = self.micro_batches == 1 and self.group.size == 1
        is_whole = is_whole and not self.sources[step.task].is_shared
        if not (self.resident and is_whole):
            return self._optimise(step.task, self._cut(step))
        split, shape = self.resident[step.task], self.shapes[position]
        index, _ = sort_by_length(self.sources[step.task].split, step.index)

        def take(chosen: Tensor) -> Tensor:
            return self._optimise(step.task, [(split.pack(chosen, shape), {step.task: 1.0})])

        return self.graphs.run((step.task, shape), torch.from_numpy(index), take)

    def _cut(self, step: Step) -> Iterator[tuple[Batch, Shares]]:
        """Yield the parts of this process's share of a batch, with their shares of the batch."""
        index, own_share = self.group.share(np.asarray(step.index))
        source = self.sources[step.task]
        tasks = source.list_answered(step.index)
        by_answers = source.is_shared or source.split.places is not None
        for part in np.array_split(index, min(self.micro_batches, len(index))):
            share = own_share * len(part) / len(index)
            shares = dict.fromkeys(tasks or source.tasks, share)
            if by_answers:  # a mean over the labels of the whole batch
                shares = {task: _divide(source, task, part, step) for task in shares}
                shares = {task: float(own_share > 0) * each for task, each in shares.items()}
            yield self._pack(step.task, part), shares

    def _pack(self, name: str, index: Ints) -> Batch:
        split = self.sources[name].split
        if name not in self.resident:
            return pack(split, index)
        index, lengths = sort_by_length(split, index)
        chosen = torch.from_numpy(index).to(self.device, non_blocking=True)
        words = 0 if split.places is None else max(split.count_answers(index), 1)
        batch = self.resident[name].pack(chosen, fit_shape(lengths, words))
        return replace(batch, index=index) if self.sources[name].is_shared else batch

    def _optimise(self, name: str, batches: Iterable[tuple[Batch, Shares]]) -> Tensor:
        """Take a step on batches with their shares; return its losses and its tokens, [K + 1]."""
        try:
            sums = self._add_gradients(name, batches)
            clip_gradients(self.parameters, self.settings.clip_norm)
            self.optimizer.step()
            return sums
        finally:
            self.optimizer.zero_grad(set_to_none=True)

    def _add_gradients(self, name: str, batches: Iterable[tuple[Batch, Shares]]) -> Tensor:
        """Add the gradients of batches; return the losses of the source's tasks, and tokens."""
        source = self.sources[name]
        most = max(len(each.tasks) for each in self.sources.values())
        sums = torch.zeros(most + 1, dtype=torch.float64, device=self.device)
        reached: dict[str, None] = {}
        for batch, shares in batches:
            with autocast(self.settings.precision, self.device):
                outputs = source.run(self.model, list(shares), batch)
            losses = []
            for task, share in shares.items():
                chosen, rows = source.select(self.data[task], outputs[task], batch)
                own, loss = self._measure_loss(task, chosen.float(), rows)
                losses.append(loss * share * self.settings.loss_weights.get(task, 1.0))
                deviation = self.scales.get(task, AS_THEY_ARE).deviation
                sums[source.tasks.index(task)] += (own * share).detach() * deviation**2
            sum(losses[1:], losses[0]).backward()
            sums[-1] += batch.packing.count_tokens() if any(shares.values()) else 0
            reached |= dict.fromkeys(shares)
        if self.embeddings:
            self.embeddings.densify()
        self.group.add_up(list_parameters(self.model, list(reached)), sums)
        return sums

    def _measure_loss(self, task: str, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the mean loss of the labels, and the loss that is lowered."""
        if not outputs.shape[0]:  # of rows without a label of the task, in a part of a batch
            return outputs.sum(), outputs.sum()
        scale, definition = self.scales.get(task, AS_THEY_ARE), self.data[task].task
        labels = scale.standardise(batch.labels)
        own = loss = compute_loss(outputs, labels, definition.kind)
        if task in self.class_weights:
            loss = compute_loss(outputs, labels, definition.kind, self.class_weights[task])
        if self.teaching.teaches(task):
            distance = self.teaching.measure(definition, outputs, batch, scale)
            loss = self.teaching.blend(loss, distance)
        return own, loss

    def _halve(self, step: Step, error: Exception) -> None:
        """Go over to half as large parts of a batch, after the device ran out of memory."""
        self.graphs.stop()
        if self.micro_batches >= len(step.index):
            raise OutOfMemoryError(
                f"Parameter `rows.max_length` should leave room for one example of `{step.task}` "
                f"on {self.device}. Found `out of memory`: lower it, or run fewer jobs at once "
                "(`--jobs-per-gpu`)."
            ) from error
        self.micro_batches *= 2
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


Shares: TypeAlias = Mapping[str, float]
"""Of a part of a batch: each task's share of the labels that it has for the whole batch."""


def _divide(source: RowSource, task: str, part: Ints, step: Step) -> float:
    """Return the share of a task's labels in a batch that a part of it has."""
    return source.count_answers(task, part) / max(source.count_answers(task, step.index), 1)


def _select(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with `prefix`, without it."""
    names = [name for name in tensors if name.startswith(prefix)]
    return {name.removeprefix(prefix): tensors[name] for name in names}


def _copy(moments: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a parameter's moments and step count for another one that goes on from them."""
    return {name: value.clone() for name, value in moments.items()}
