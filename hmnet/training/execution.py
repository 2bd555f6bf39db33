"""One run from its `RunSpec` to its result in the store; the same for every method."""

from __future__ import annotations

import functools
import importlib.metadata
import json
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd
import torch

from hmnet.data.task_data import HELD_OUT, TaskData, check_arrays, read_record
from hmnet.data.task_data import load as load_data
from hmnet.errors import InputError
from hmnet.models.build import build_paths, load_encoder_of
from hmnet.models.parting import match_encoder, match_parameters, take_values
from hmnet.models.paths import PathModel, find_output
from hmnet.models.saved import load_model, write_model
from hmnet.runs.held_out_scores import write_held_out
from hmnet.runs.job import Job, Machine
from hmnet.runs.loggers import Logger, join_loggers, open_logger
from hmnet.runs.result import RunResult
from hmnet.runs.spec import RunSpec, read_spec
from hmnet.runs.stopping_record import Stopping, write_stopping
from hmnet.runs.store import RunStore
from hmnet.storage.digests import canonical_json
from hmnet.storage.documents import to_plain
from hmnet.storage.files import append_line, write_bytes
from hmnet.storage.limits import MAX_LOSSES_BYTES
from hmnet.storage.regular_files import read_regular_text
from hmnet.study.answers import gather_answers
from hmnet.study.hierarchy import Hierarchy
from hmnet.study.metrics import orient, score
from hmnet.study.stages import write_stages
from hmnet.study.tasks import Task
from hmnet.training.checkpoint import Checkpoint
from hmnet.training.course import Course, ModelStage
from hmnet.training.distributed import ALONE, ProcessGroup
from hmnet.training.evaluation import evaluate, score_split
from hmnet.training.loop import TrainingLog, train
from hmnet.training.loss_record import LossLine
from hmnet.training.stopping import find_best
from hmnet.training.taken_over import take_over_results
from hmnet.training.targets import TargetScale, measure_scales
from hmnet.training.teaching import load_lesson

PACKAGES = ("task-relevance", "torch", "transformers", "tokenizers", "numpy")


def execute(
    job: Job,
    store: RunStore,
    machine: Machine,
    *,
    waits: bool = True,
    group: ProcessGroup = ALONE,
    watch: Logger | None = None,
) -> RunResult:
    """Train, evaluate and store a run, or read its result where it is done.

    Resumes from the run's checkpoint if there is one. Holds the run's lock throughout.

    Args:
        waits: wait for a run that another process is doing.
        group: the processes that share the run's batches; the first one evaluates and stores it,
            the others return its result too.
        watch: told of losses and scores as the machine's loggers are; who calls closes it.

    Raises:
        BusyError: if another process is doing the run and this one is not to wait.
        DivergedError: if the loss is not finite.
        InputError: if the tokenised data is not what the spec says.
    """
    spec = job.spec
    job = _find_parents(job, store)
    if not group.is_first:
        return _help(job, store, machine, group)
    with store.locked(spec, waits=waits):
        state = _find_state(job, store)
        if group.agree(state) == _DONE:
            return store.result(spec)
        store.forget_failure(spec)
        place = store.beside(spec) if state == _AGAIN else store
        with _open_logger(spec, store, machine) as logger:
            _execute(job, place, machine, group, join_loggers(logger, watch))
        if state == _AGAIN:
            store.adopt(spec)
        group.agree(_DONE)
        return store.result(spec)


def _find_parents(job: Job, store: RunStore) -> Job:
    """Return the job with the folders of all runs that it begins with or learns from."""
    runs = [job.spec.start_from] if job.spec.start_from else []
    beside = {run: store.folder / run for run in (*runs, *job.spec.teachers.values())}
    return replace(job, parents={**beside, **job.parents})


_TO_DO, _DONE, _AGAIN = range(3)
"""What the first process of a group says of a run; again: it is done, but kept no model."""


def _find_state(job: Job, store: RunStore) -> int:
    if store.is_done(job.spec, with_model=job.keep_model):
        return _DONE
    return _AGAIN if store.is_done(job.spec) else _TO_DO


def _execute(
    job: Job, store: RunStore, machine: Machine, group: ProcessGroup, logger: Logger
) -> None:
    """Train, evaluate and store a run in a store whose lock is held."""
    spec, folder = job.spec, store.path(job.spec)
    store.write_spec(spec)
    log = _LossLog(folder / "metrics.jsonl", logger)
    model, data, done = _train(job, store, machine, group, log)
    result = _evaluate_all(model, data, spec, store, done, torch.device(machine.device))
    if spec.trained:
        result = take_over_results(result, job, store)
    logger.log(result.steps, dict(_name_scores(result)))
    if done.held_out:
        epochs = {task: find_best(scores) for task, scores in done.held_out.items()}
        scores = {task: tuple(found) for task, found in done.held_out.items()}
        write_stopping(folder, Stopping(scores, epochs))
    precision, device = spec.training.precision, torch.device(machine.device)
    write_held_out(folder, _score_held_out(model, data, precision, device))
    if job.keep_model:
        write_model(folder / "model", model, spec, job.max_length, _read_tokenizer_id(job))
    store.finish(spec, result)


def _help(job: Job, store: RunStore, machine: Machine, group: ProcessGroup) -> RunResult:
    """Take part in a run that the first process of a group stores; return its result."""
    state = group.agree(_TO_DO)
    if state != _DONE:
        _train(job, store.beside(job.spec) if state == _AGAIN else store, machine, group, None)
        group.agree(_DONE)
    return store.result(job.spec)


def _train(
    job: Job, store: RunStore, machine: Machine, group: ProcessGroup, log: _LossLog | None
) -> tuple[PathModel, dict[str, TaskData], TrainingLog]:
    spec = job.spec
    torch.set_num_threads(machine.threads)
    data = {task.name: _load_checked(job, task) for task in spec.trained_tasks}
    begin = partial(begin_model, job, measure_scales(data, spec.training))
    course = plan_course(spec, begin)
    device = torch.device(machine.device)
    lessons = {
        task: load_lesson(job.parents[run], data[task], device)
        for task, run in spec.teachers.items()
    }
    model = begin().to(device)
    done = train(
        model,
        data,
        spec.training,
        spec.seed,
        checkpoint=Checkpoint(store.path(spec) / "checkpoint", machine.checkpoint_s),
        log=log,
        course=replace(course, teachers=lessons, group=group),
    )
    return model, data, done


def plan_course(spec: RunSpec, begin: Callable[[], PathModel]) -> Course:
    """Return the stages of a run with what builds their models.

    Args:
        begin: builds that of the first one.
    """

    def build(hierarchy: Hierarchy) -> PathModel:
        return build_paths(load_encoder_of(spec), spec, hierarchy)

    stages = [
        ModelStage(stage.share, partial(build, hierarchy), stage.lower_rate)
        for stage, hierarchy in zip(spec.stages, spec.list_hierarchies(), strict=bool(spec.stages))
    ]
    first = [replace(stage, build=begin) for stage in stages[:1]]
    return Course([*first, *stages[1:]], trained=spec.trained)


def begin_model(job: Job, scales: Mapping[str, TargetScale]) -> PathModel:
    """Build a run's model as its training begins, with the weights of the run that it begins with.

    From a run of another task it takes all but the output layer; a run that is extended by a task
    has nothing of its own for that one.

    Args:
        scales: of the regressions that are trained on standardised targets.

    Raises:
        InputError: if that run kept no model, or tasks shared less in it.
    """
    spec = job.spec
    model = build_paths(load_encoder_of(spec), spec, spec.list_hierarchies()[0])
    if spec.start_from is not None:
        folder = job.parents[spec.start_from]
        parent = read_spec(folder / "spec.json")
        trained = load_model(folder / "model", parent)
        if not set(spec.names) & set(parent.names):
            take_values(match_encoder(model, trained))
            return model
        known = [name for name in spec.names if name in parent.names or not spec.trained]
        take_values(match_parameters(model, trained, known))
        for task in scales.keys() & set(known):
            scales[task].take_out_of(find_output(model.path(task)))
    return model


def _open_logger(
    spec: RunSpec, store: RunStore, machine: Machine
) -> AbstractContextManager[Logger]:
    settings = {
        "tasks": ", ".join(spec.names),
        "hierarchy": str(spec.varied),
        "stages": write_stages(spec.stages),
        "system": spec.system,
        "seed": spec.seed,
        "encoder": spec.model.name,
        **to_plain(spec.training),
    }
    return open_logger(machine.loggers, store.folder.parent / "logs", spec.run_id, settings)


def _name_scores(result: RunResult) -> Iterator[tuple[str, float]]:
    for task, splits in result.scores.items():
        for split, metrics in splits.items():
            for metric, value in metrics.items():
                yield f"{metric}/{task}/{split}", value


def build_model(spec: RunSpec) -> PathModel:
    """Build a run's model from its pretrained encoder, before any training."""
    return build_paths(load_encoder_of(spec), spec)


def _read_tokenizer_id(job: Job) -> str:
    """Return what identifies the tokenizer behind a job's rows."""
    folder = next(iter(job.data.values()))
    return read_record(folder).tokenizer


def _load_checked(job: Job, task: Task) -> TaskData:
    check_arrays(job.data[task.name])
    data = load_data(job.data[task.name], task)
    expected = job.spec.data[task.name]
    if data.fingerprint != expected:
        raise InputError(
            f"The tokenised rows of `{task.name}` should have fingerprint {expected}. "
            f"Found {data.fingerprint} in {job.data[task.name]}."
        )
    return data


def _evaluate_all(
    model: PathModel,
    data: Mapping[str, TaskData],
    spec: RunSpec,
    store: RunStore,
    log: TrainingLog,
    device: torch.device,
) -> RunResult:
    began = time.perf_counter()
    scores = {}
    for task in spec.trained_tasks:
        frame = evaluate(model, data[task.name], precision=spec.training.precision, device=device)
        store.write_predictions(spec, task.name, frame)
        scores[task.name] = score_splits(task, frame)
    return RunResult(
        scores=scores,
        primary={
            task.name: compute_primary_score(task, scores[task.name]) for task in spec.trained_tasks
        },
        n_dev={
            name: {split: len(d.splits[split]) for split in d.judged_splits}
            for name, d in data.items()
        },
        steps=log.steps,
        train_tokens=log.tokens,
        seconds={"train": log.seconds, "evaluate": time.perf_counter() - began},
        parameters=model.count_parameters(),
        final_loss=log.final_loss,
        micro_batches=log.micro_batches,
        versions=find_versions(),
    )


def _score_held_out(
    model: PathModel, data: Mapping[str, TaskData], precision: str, device: torch.device
) -> dict[str, float]:
    """Return task to its primary metric on the rows held out for choosing, where there are any."""
    return {
        name: score_split(model, found, HELD_OUT, precision=precision, device=device)
        for name, found in data.items()
        if HELD_OUT in found.splits
    }


def score_splits(task: Task, frame: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return dev split to metric to value, errors as they are, from per-example predictions."""
    found = {}
    for split, rows in frame.groupby("split", sort=False):
        each = gather_answers(task, rows)
        read = (each.labels, each.predictions, each.questions, each.odds)
        found[str(split)] = score(task.all_metrics, *read)
    return found


def compute_primary_score(task: Task, scores: Mapping[str, Mapping[str, float]]) -> float:
    """Return the mean of the primary metric over the dev splits (f in equation 3).

    Of it more is better: a mean error is its negative (`hmnet.study.metrics.orient`).
    """
    mean = sum(values[task.metric] for values in scores.values()) / len(scores)
    return orient(task.metric, mean)


@functools.cache
def find_versions() -> Mapping[str, str]:
    """Return the versions of Python and the packages that numbers depend on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


class _LossLog:
    """Appends one JSON line per step; a resumed run first drops lines it will write again."""

    def __init__(self, path: Path, logger: Logger) -> None:
        self.path = path
        self.logger = logger
        self.is_open = False

    def __call__(self, line: LossLine) -> None:
        if not self.is_open:
            self._drop_from(line["step"])
            self.is_open = True
        append_line(self.path, canonical_json(line))
        self.logger.log(line["step"], {f"loss/{line['task']}": line["loss"]})

    def _drop_from(self, step: int) -> None:
        """Keep the lines of the steps before `step`; there is one for each task of a step."""
        lines = (
            read_regular_text(self.path, MAX_LOSSES_BYTES).splitlines()
            if self.path.exists()
            else []
        )
        kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] < step]
        write_bytes(self.path, "".join(line + "\n" for line in kept).encode())
