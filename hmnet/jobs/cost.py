"""What runs cost: tokens from the data, seconds from a short timing on this machine."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hmnet.data.task_data import TaskData
from hmnet.data.task_data import load as load_data
from hmnet.data.tokens import SplitData
from hmnet.study.settings import TrainingSettings
from hmnet.study.skills import find_skills
from hmnet.study.tasks import Task
from hmnet.training.steps import count_batches

if TYPE_CHECKING:
    from hmnet.runs.job import Job, Machine
    from hmnet.training.loop import Trainer

TIMED_TASKS = 3
TIMED_STEPS = 3
MOST_TIMED_S = 10.0
"""Seconds of steps of a task after which no other is timed: long rows take a minute each."""


@dataclass(frozen=True)
class Speed:
    """Seconds per token by mean example length, and per run.

    Attributes:
        lengths: mean tokens per example of the timed tasks, ascending.
        train_s: training seconds per token at these lengths.
        evaluate_s: evaluation seconds per token at these lengths.
        start_s: seconds to build a run's model.
    """

    lengths: tuple[float, ...]
    train_s: tuple[float, ...]
    evaluate_s: tuple[float, ...]
    start_s: float


def count_tokens(job: Job, data: Mapping[str, TaskData]) -> dict[str, tuple[int, int]]:
    """Return task to the tokens that a run trains on and evaluates, by `settings.sampling`."""
    settings = job.spec.training
    sizes = {name: len(data[name].train) for name in job.spec.names}
    batches = count_batches(sizes, settings)
    whole = count_batches(sizes, TrainingSettings(batch_size=settings.batch_size))
    return {
        name: (
            settings.epochs * len(data[name].train.tokens) * batches[name] // whole[name],
            sum(len(data[name].splits[split].tokens) for split in data[name].judged_splits),
        )
        for name in job.spec.names
    }


def measure_path(task: Task, system: str) -> float:
    """Return the work of a task's path, as a multiple of the plain encoder's.

    Two thirds of a layer's parameters are its feed-forward block, of which a SkillNet-style path
    has one for each active skill.
    """
    return 1 / 3 + 2 / 3 * (len(find_skills(task)) if system == "skillnet" else 1)


def estimate_seconds(job: Job, data: Mapping[str, TaskData], speed: Speed) -> float:
    """Return a job's expected seconds on one worker."""
    counts = count_tokens(job, data)
    total = speed.start_s
    for task in job.spec.tasks:
        train, dev = counts[task.name]
        length = float(np.mean(data[task.name].train.lengths))
        seconds = train * float(np.interp(length, speed.lengths, speed.train_s))
        seconds += dev * float(np.interp(length, speed.lengths, speed.evaluate_s))
        total += seconds * measure_path(task, job.spec.system)
    return total


def estimate_work(job: Job, data: Mapping[str, TaskData]) -> float:
    """Return a job's relative cost without a timing: training tokens, a third of dev tokens."""
    counts = count_tokens(job, data)
    return sum(
        (counts[task.name][0] + counts[task.name][1] / 3) * measure_path(task, job.spec.system)
        for task in job.spec.tasks
    )


def choose_timed(data: Mapping[str, TaskData]) -> list[str]:
    """Return a few tasks that span the mean lengths: the shortest, the longest, some between."""
    ordered = sorted(data, key=lambda name: (float(np.mean(data[name].train.lengths)), name))
    picks = np.linspace(0, len(ordered) - 1, min(TIMED_TASKS, len(ordered))).round().astype(int)
    return [ordered[i] for i in picks]


def measure_speed(jobs: Sequence[Job], machine: Machine) -> Speed:
    """Time a few steps and evaluation batches of single-task jobs, spanning their lengths."""
    rows = []
    starts = []
    for job in jobs:
        name = job.spec.names[0]
        data = load_data(job.data[name], job.spec.tasks[0])
        start_s, train_s, evaluate_s = _time_job(job, data, machine)
        rows.append((float(np.mean(data.train.lengths)), train_s, evaluate_s))
        starts.append(start_s)
    rows.sort()
    lengths, train, evaluate = zip(*rows, strict=True)
    return Speed(lengths, train, evaluate, float(np.median(starts)))


def _time_job(job: Job, data: TaskData, machine: Machine) -> tuple[float, float, float]:
    """Return seconds to build the model, per training token and per evaluation token."""
    import torch

    from hmnet.training.evaluation import predict
    from hmnet.training.execution import build_model

    torch.set_num_threads(machine.threads)
    device = torch.device(machine.device)
    build_model(job.spec)  # reads the encoder, which later runs of a worker find in memory
    began = time.perf_counter()
    model = build_model(job.spec)
    start_s = time.perf_counter() - began
    train_s = _time_steps(model, data, job.spec.training, job.spec.seed, device)
    dev = _sample(data.splits[data.task.dev_splits[0]], 64)
    name = data.task.name
    predict(model, name, _sample(dev, 8), job.spec.training.precision, device)
    began = time.perf_counter()
    predict(model, name, dev, job.spec.training.precision, device)
    return start_s, train_s, (time.perf_counter() - began) / len(dev.tokens)


def _time_steps(
    model: object, data: TaskData, settings: TrainingSettings, seed: int, device: object
) -> float:
    """Return the seconds per token of training steps, from a few of them after a first one."""
    from hmnet.training.loop import Trainer

    trainer = Trainer(model, {data.task.name: data}, settings, seed, device)  # type: ignore[arg-type]
    with trainer.graphs.stream():
        timed = _time_recorded(trainer) if trainer.graphs.is_on else _time_each(trainer)
    trainer.finish()
    return timed


def _time_each(trainer: Trainer) -> float:
    """Return the median seconds per token."""
    began = time.perf_counter()
    seconds: list[float] = []
    for position in range(min(TIMED_STEPS + 1, len(trainer.steps))):
        if seconds and time.perf_counter() - began > MOST_TIMED_S:
            break
        seconds.append(_time_step(trainer, position))
    return float(np.median(seconds[1:] or seconds))


def _time_recorded(trainer: Trainer) -> float:
    """Return the mean seconds per token where steps of a shape are recorded at its second one.

    One step is repeated: run as it is, then recorded, then replayed.
    """
    _, recorded, *replayed = [_time_step(trainer, 0) for _ in range(TIMED_STEPS + 2)]
    slow = min(2 * len(set(trainer.shapes)) / len(trainer.steps), 1.0)
    return float(slow * recorded + (1 - slow) * np.median(replayed))


def _time_step(trainer: Trainer, position: int) -> float:
    began = time.perf_counter()
    _, tokens = trainer.update(position).tolist()  # waits for the device
    return (time.perf_counter() - began) / float(tokens)


def _sample(split: SplitData, count: int) -> SplitData:
    """Return up to `count` examples, evenly spread over a split."""
    picks = np.unique(np.linspace(0, len(split) - 1, min(count, len(split))).round().astype(int))
    return split.select(picks)
