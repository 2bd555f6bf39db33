"""Training speed of one process, on short and on long rows; evaluation speed."""

from __future__ import annotations

import dataclasses
import time

import torch

from benchmarks.better_precision import DTYPES, find_better_precision
from benchmarks.entries import Entry
from benchmarks.rows import Material
from benchmarks.stock import make_trainer, predict_stock, train_stock
from benchmarks.timing import Pair, count_operations, measure_peak, time_pair
from hmnet.encoders.locate import read_max_positions
from hmnet.jobs.prepared import PreparedStudy, prepare_study
from hmnet.models.paths import PathModel
from hmnet.planted import make_planted_tasks
from hmnet.study.settings import DataSettings, TrainingSettings
from hmnet.study.study import Study
from hmnet.study.tasks import PAPER_TASKS, Task
from hmnet.training.evaluation import predict
from hmnet.training.execution import build_model
from hmnet.training.loop import train

GROUPED = 50
"""The Trainer groups by length within this many batches: rows are a multiple of it."""


def prepare(
    material: Material, names: tuple[str, ...], rows: DataSettings, settings: TrainingSettings
) -> PreparedStudy:
    """Return a study of some of the paper's tasks, or their stand-ins, tokenised."""
    return _prepare(material, [material.task(name) for name in names], rows, settings)


def prepare_named(
    material: Material, names: list[str], rows: DataSettings, settings: TrainingSettings
) -> PreparedStudy:
    """Return a study of tasks by their own names, tokenised."""
    known = PAPER_TASKS if material.is_real else make_planted_tasks()
    return _prepare(material, [known[name] for name in names], rows, settings)


def _prepare(
    material: Material, tasks: list[Task], rows: DataSettings, settings: TrainingSettings
) -> PreparedStudy:
    most = read_max_positions(str(material.encoder), None) or rows.max_length
    study = Study(
        tasks={task.name: task for task in tasks},
        model=str(material.encoder),
        data_folder=material.data,
        training=settings,
        rows=dataclasses.replace(rows, max_length=min(rows.max_length, most)),
        seeds=(0,),
    )
    return prepare_study(study, material.folder / "rows")


def measure_short(material: Material, repeats: int, scale: float) -> list[Entry]:
    """Train on MNLI's rows, 32 in a batch, with every thread."""
    return [_measure_training(material, "train_short", "mnli", 32, 128, repeats, scale)]


def measure_long(material: Material, repeats: int, scale: float) -> list[Entry]:
    """Train on MultiRC's rows of up to 512 tokens, 8 in a batch, with every thread."""
    return [_measure_training(material, "train_long", "multirc", 8, 512, repeats, scale)]


def _measure_training(
    material: Material, name: str, task: str, batch: int, length: int, repeats: int, scale: float
) -> Entry:
    settings = TrainingSettings(epochs=1, batch_size=batch, precision=find_better_precision())
    count = max(round(GROUPED * batch * scale), batch)
    prepared = prepare(material, (task,), DataSettings(length, count, 64), settings)
    (own,) = prepared.data
    split = prepared.data[own].train
    tokens = len(split.tokens)
    spec = prepared.single(own, 0).spec

    def ours() -> float:
        return train(build_model(spec), prepared.data, settings, 0).seconds

    def other() -> float:
        folder = material.folder / "trainer"
        return train_stock(
            make_trainer(material.encoder, prepared.data[own].task, split, settings, folder)
        )

    pair = time_pair(ours, other, repeats)
    peak = measure_peak(DTYPES[settings.precision])
    share = count_operations(build_model(spec), tokens) / pair.ours / peak
    return Entry(
        name,
        tokens / pair.ours,
        tokens / pair.other,
        pair.ratio,
        "tokens/s",
        f"one epoch over {len(split):,} rows of {own} ({tokens:,} tokens, at most {length} each), "
        f"{batch} in a batch, {settings.precision}, {torch.get_num_threads()} threads, "
        f"against Trainer with group_by_length; {_describe(pair, repeats)}; {share:.0%} of the "
        f"{settings.precision} matrix peak; "
        f"{material.words}",
    )


def _describe(pair: Pair, repeats: int) -> str:
    return f"medians of {repeats} in turns (spread {pair.spread:.2f})"


def measure_evaluation(material: Material, repeats: int, scale: float) -> list[Entry]:
    """Predict the dev rows of a task with short texts and of one with long texts."""
    settings = TrainingSettings(epochs=1, batch_size=32, precision=find_better_precision())
    count = max(round(1000 * scale), 32)
    prepared = prepare(material, ("mnli", "multirc"), DataSettings(512, 64, count), settings)
    models, trainers = {}, {}
    for name, data in prepared.data.items():
        models[name] = build_model(prepared.single(name, 0).spec)
        folder = material.folder / "trainer"
        trainers[name] = make_trainer(material.encoder, data.task, data.train, settings, folder)
    splits = [(n, d.splits[s]) for n, d in prepared.data.items() for s in d.task.dev_splits]

    def ours() -> float:
        return sum(_predict_ours(models[name], name, split) for name, split in splits)

    def other() -> float:
        return sum(predict_stock(trainers[name], split) for name, split in splits)

    pair = time_pair(ours, other, repeats)
    tokens = sum(len(split.tokens) for _, split in splits)
    return [
        Entry(
            "evaluate",
            tokens / pair.ours,
            tokens / pair.other,
            pair.ratio,
            "tokens/s",
            f"dev rows of {' and '.join(prepared.data)} ({tokens:,} tokens), "
            f"{settings.precision}, {torch.get_num_threads()} threads, against "
            f"Trainer.predict sorted by length, 64 in a batch; {_describe(pair, repeats)}; "
            f"{material.words}",
        )
    ]


def _predict_ours(model: PathModel, name: str, split: object) -> float:
    began = time.perf_counter()
    predict(model, name, split, find_better_precision(), torch.device("cpu"))  # type: ignore[arg-type]
    return time.perf_counter() - began
