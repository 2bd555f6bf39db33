"""One GPU: training at BERT-base's shapes, many small jobs at once, a sweep, memory, one step.

    make bench ONLY=gpu

The other side is Trainer in its strongest stock setting (`benchmarks.stock`). Speed does not depend
on the weights, so these are random. Without a GPU all parts run on a CPU at a tiny size, which says
nothing but that they run; the entries tell.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
import torch
import transformers
from joblib.externals.loky import get_reusable_executor
from torch.profiler import ProfilerActivity, profile

from benchmarks.entries import Entry
from benchmarks.rows import Material
from benchmarks.stock import make_trainer, train_stock
from benchmarks.sweep import SWEPT
from benchmarks.timing import count_operations, measure_peak, time_pair
from benchmarks.training import prepare
from hmnet.data.task_data import TaskData
from hmnet.data.tokens import SplitData
from hmnet.encoders.locate import load_tokenizer
from hmnet.encoders.quiet import quiet
from hmnet.jobs.gpu_memory import estimate_job_bytes
from hmnet.jobs.prepared import PreparedStudy
from hmnet.jobs.schedule import run_jobs
from hmnet.jobs.workers import Workers
from hmnet.runs.job import Job
from hmnet.runs.store import RunStore
from hmnet.study.settings import DataSettings, TrainingSettings
from hmnet.training.execution import build_model
from hmnet.training.loop import Trainer
from hmnet.training.loss_record import LossRecord
from relevance.pairwise.plan import plan_pairwise

SETTINGS = TrainingSettings(epochs=1, batch_size=32, precision="bf16")
PAPER_TOKENS = 2.5e9
"""Training tokens of the paper's sweep: 13 + 78 runs, 3 epochs, all rows."""


def has_gpu() -> bool:
    """Tell whether there is a GPU to measure."""
    return torch.cuda.is_available()


def _device() -> torch.device:
    return torch.device("cuda:0" if has_gpu() else "cpu")


def _write_encoder(material: Material) -> Material:
    """Return the material with a random encoder of BERT-base's shapes, or a tiny one."""
    folder = material.folder / "bert-base"
    if not folder.exists():
        tokenizer = load_tokenizer(str(material.encoder))
        tiny = {} if has_gpu() else {"hidden_size": 48, "num_hidden_layers": 2}
        config = transformers.BertConfig(vocab_size=len(tokenizer), **tiny)
        with quiet():
            transformers.BertModel(config).save_pretrained(folder)
            tokenizer.save_pretrained(folder)
    return Material(folder, material.data, material.folder / "gpu", material.is_real)


def _words(material: Material) -> str:
    rows = "real rows" if material.is_real else "planted rows (no real ones at hand)"
    if not has_gpu():
        return f"no GPU here: tiny shapes on a CPU, a check that it runs and no more; {rows}"
    return f"BERT-base's shapes, bf16, {torch.cuda.get_device_name(0)}; {rows}"


def _count(rows: int, scale: float) -> int:
    return max(round(rows * scale), 64) if has_gpu() else 64


def _limit(length: int) -> int:
    return length if has_gpu() else min(length, 48)


def measure_gpu_peak(material: Material, repeats: int, scale: float) -> list[Entry]:
    """Time a large matrix product."""
    peak = measure_peak(torch.bfloat16, device=_device()) / 1e12
    words = torch.cuda.get_device_name(0) if has_gpu() else "a CPU"
    return [Entry("gpu_peak", peak, peak, 1.0, "TFLOP/s", f"bf16 matrix product on {words}")]


@dataclass(frozen=True)
class Course:
    """A training to time: tasks, rows of each, examples in a batch, tokens of an example."""

    name: str
    tasks: tuple[str, ...]
    rows: int
    batch: int
    length: int


SHORT = Course("gpu_short", ("mnli",), 6_400, 32, 128)
SHORT_128 = Course("gpu_short_128", ("mnli",), 12_800, 128, 128)
LONG = Course("gpu_long", ("multirc",), 1_600, 32, 512)
MIXED = Course("gpu_mixed", ("mnli", "rte", "sst2", "stsb", "multirc"), 800, 32, 512)


def measure_gpu_course(
    material: Material, repeats: int, scale: float, *, course: Course
) -> list[Entry]:
    """Train with recorded steps, with unrecorded ones, and with Trainer."""
    material = _write_encoder(material)
    settings = dataclasses.replace(SETTINGS, batch_size=course.batch)
    rows = DataSettings(_limit(course.length), _count(course.rows, scale), 64)
    tasks = course.tasks if has_gpu() else course.tasks[:1]
    prepared = prepare(material, tasks, rows, settings)
    peak = measure_peak(torch.bfloat16, device=_device())
    return _compare_training(material, course.name, prepared, peak, repeats)


def _compare_training(
    material: Material, name: str, prepared: PreparedStudy, peak: float, repeats: int
) -> list[Entry]:
    tokens = sum(len(each.train.tokens) for each in prepared.data.values())
    plain: list[float] = []
    job = plan_pairwise(prepared, (0,), None).jobs[0]
    spec = dataclasses.replace(job.spec, tasks=tuple(d.task for d in prepared.data.values()))
    spec = dataclasses.replace(spec, groups=(tuple(prepared.data),))

    def ours() -> float:
        plain.append(_train(spec, prepared.data, is_recorded=False))
        return _train(spec, prepared.data, is_recorded=True)

    def other() -> float:
        (first, *_) = prepared.data.values()
        split = join_rows([each.train for each in prepared.data.values()])
        trainer = make_trainer(
            material.encoder,
            first.task,
            split,
            prepared.study.training,
            material.folder / "trainer",
            use_cpu=not has_gpu(),
            loaders=4 if has_gpu() else 0,
        )
        return train_stock(trainer)

    pair = time_pair(ours, other, repeats)
    eager = float(np.median(plain))
    operations = count_operations(build_model(spec).path(next(iter(prepared.data))), tokens)
    shares = [f"{operations / seconds / peak:.0%}" for seconds in (pair.ours, eager, pair.other)]
    rows = sum(len(each.train) for each in prepared.data.values())
    what = (
        f"one epoch over {rows:,} rows ({tokens:,} tokens) of {', '.join(prepared.data)}, "
        f"{prepared.study.training.batch_size} in a batch"
    )
    return [
        Entry(
            name,
            tokens / pair.ours,
            tokens / pair.other,
            pair.ratio,
            "tokens/s",
            f"{what}, against Trainer with group_by_length; of the matrix peak: {shares[0]} "
            f"recorded, {shares[1]} unrecorded, {shares[2]} Trainer; {_words(material)}",
        ),
        Entry(
            f"{name}_graphs",
            tokens / pair.ours,
            tokens / eager,
            eager / pair.ours,
            "tokens/s",
            f"{what}, steps recorded as graphs against steps that are not; {_words(material)}",
        ),
    ]


def join_rows(splits: Iterable[SplitData]) -> SplitData:
    """Return one split with the rows of several, labelled 0: a Trainer has one head."""
    splits = list(splits)
    lengths = np.concatenate([split.lengths for split in splits])
    count = len(lengths)
    labels = splits[0].labels if len(splits) == 1 else np.zeros(count, dtype=np.int64)
    return SplitData(
        tokens=np.concatenate([split.tokens for split in splits]),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        first=np.concatenate([split.first for split in splits]),
        labels=labels,
        rows=np.arange(count),
        questions=np.full(count, -1),
    )


def _train(spec: object, data: dict[str, TaskData], *, is_recorded: bool) -> float:
    """Train as `hmnet.engine.train` does; return the seconds of the steps."""
    model = build_model(spec)  # type: ignore[arg-type]
    trainer = Trainer(model, data, spec.training, 0, _device())  # type: ignore[attr-defined]
    trainer.graphs.is_on &= is_recorded
    record = LossRecord(trainer.steps)
    _synchronise()
    began = time.perf_counter()
    with trainer.graphs.stream():
        for position in range(len(trainer.steps)):
            record.add(position, trainer.update(position))
        record.read()
    _synchronise()
    seconds = time.perf_counter() - began
    trainer.finish()
    return seconds


def _synchronise() -> None:
    if has_gpu():
        torch.cuda.synchronize()


def measure_gpu_jobs(material: Material, repeats: int, scale: float) -> list[Entry]:
    """Share the GPU among 1, 2, 4 and 8 runs of two tasks."""
    material = _write_encoder(material)
    rows = DataSettings(128, _count(1_000, scale), 64)
    prepared = prepare(material, ("mnli", "qnli"), rows, SETTINGS)
    found: list[Entry] = []
    first = 0.0
    for at_once in (1, 2, 4, 8) if has_gpu() else (1,):
        jobs = plan_pairwise(prepared, range(2 * at_once), None).jobs
        jobs = [job for job in jobs if len(job.spec.tasks) == 2]
        store = RunStore(material.folder / f"jobs-{at_once}")
        workers = Workers.choose([0] if has_gpu() else None, at_once if has_gpu() else None)
        _run(jobs, store, workers)
        results = [store.result(job.spec) for job in jobs]
        seconds = np.mean([sum(result.seconds.values()) for result in results])
        pace = at_once * results[0].train_tokens / float(seconds)
        first = first or pace
        found.append(
            Entry(
                f"gpu_jobs_{at_once}",
                pace,
                first,
                pace / first,
                "tokens/s",
                f"{at_once} runs at a time against one (other): two tasks, {rows.max_train:,} rows "
                f"each, evaluation included, start of workers left out; {_words(material)}",
            )
        )
    return found


def measure_gpu_sweep(material: Material, repeats: int, scale: float) -> list[Entry]:
    """Run 6 single and 15 pair runs of 1,000 rows a task, as many at a time as fit."""
    material = _write_encoder(material)
    tasks = SWEPT if has_gpu() else SWEPT[:2]
    count = _count(1_000, scale)
    prepared = prepare(material, tasks, DataSettings(128, count, 64), SETTINGS)
    plan = plan_pairwise(prepared, (0,), None)
    workers = Workers.choose([0] if has_gpu() else None).fill(plan.jobs)
    began = time.perf_counter()
    _run(plan.jobs, RunStore(material.folder / "swept"), workers)
    ours = time.perf_counter() - began
    began = time.perf_counter()
    for data in prepared.data.values():
        trainer = make_trainer(
            material.encoder,
            data.task,
            data.train,
            SETTINGS,
            material.folder / "trainer",
            use_cpu=not has_gpu(),
        )
        train_stock(trainer)
    other = time.perf_counter() - began
    swept, single = (
        sum(len(prepared.data[name].train.tokens) for names in runs for name in names)
        for runs in ([job.spec.names for job in plan.jobs], [tuple(prepared.data)])
    )
    pace, other_pace = swept / ours, single / other
    return [
        Entry(
            "gpu_sweep",
            pace,
            other_pace,
            pace / other_pace,
            "tokens/s",
            f"{len(plan.jobs)} runs of {len(tasks)} tasks with {count:,} rows each, {workers.count}"
            f" at a time, start-up and evaluation included ({ours:.0f} s), against Trainer on one "
            f"task after the other in one process, without evaluation ({other:.0f} s for the "
            f"{len(tasks)} single runs); at this pace the paper's sweep takes "
            f"{PAPER_TOKENS / pace / 3600:.1f} h; {_words(material)}",
        )
    ]


def _run(jobs: list[Job], store: RunStore, workers: Workers) -> None:
    summary = run_jobs(jobs, store, workers)
    if summary.failed:
        raise RuntimeError(f"runs failed: {summary.failed}")
    get_reusable_executor().shutdown(wait=True, kill_workers=True)  # they hold a share of the GPU


def measure_gpu_memory(material: Material, repeats: int, scale: float) -> list[Entry]:
    """Compare what a run takes on the GPU with what `--jobs-per-gpu` counts on."""
    material = _write_encoder(material)
    found = []
    for name, task, length in (("short", "mnli", 128), ("long", "multirc", 512)):
        rows = DataSettings(_limit(length), _count(1_600, scale), 64)
        prepared = prepare(material, (task,), rows, SETTINGS)
        job = prepared.single(next(iter(prepared.data)), 0)
        estimate = estimate_job_bytes(job) / 2**20
        used = _measure_used(job) if has_gpu() else estimate
        found.append(
            Entry(
                f"gpu_memory_{name}",
                estimate,
                used,
                estimate / used,
                "MiB",
                f"what a run is thought to need (ours) and what it took (other): {task}, at most "
                f"{length} tokens, 32 in a batch; the ratio should be 1; {_words(material)}",
            )
        )
    return found


def _measure_used(job: Job) -> float:
    """Return the MiB that a fresh process takes on the GPU to train a job."""
    free, _ = torch.cuda.mem_get_info()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        left = pool.submit(_train_and_look, job).result()
    return (free - left) / 2**20


def _train_and_look(job: Job) -> int:
    from hmnet.data.task_data import load

    data = {task.name: load(job.data[task.name], task) for task in job.spec.tasks}
    _train(job.spec, data, is_recorded=True)
    return int(torch.cuda.mem_get_info()[0])


def measure_gpu_step(material: Material, repeats: int, scale: float) -> list[Entry]:
    """Profile steps over short rows: kernels, launches, and what the GPU waits for."""
    material = _write_encoder(material)
    prepared = prepare(material, ("mnli",), DataSettings(128, _count(1_600, scale), 64), SETTINGS)
    spec = prepared.single(next(iter(prepared.data)), 0).spec
    return [
        _profile(spec, prepared.data, is_recorded=flag, words=_words(material))
        for flag in (False, True)
    ]


PROFILED = 10


def _profile(spec: object, data: dict[str, TaskData], *, is_recorded: bool, words: str) -> Entry:
    model = build_model(spec)  # type: ignore[arg-type]
    trainer = Trainer(model, data, spec.training, 0, _device())  # type: ignore[attr-defined]
    trainer.graphs.is_on &= is_recorded
    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if has_gpu() else [])]
    with trainer.graphs.stream():
        for _ in range(3):
            trainer.update(0)
        _synchronise()
        began = time.perf_counter()
        for _ in range(PROFILED):
            trainer.update(0)
        _synchronise()
        wall = (time.perf_counter() - began) / PROFILED
        with profile(activities=kinds) as found:
            for _ in range(PROFILED):
                trainer.update(0)
            _synchronise()
    events = found.key_averages()
    print(events.table(sort_by="self_device_time_total" if has_gpu() else None, row_limit=25))
    kernels = [each for each in events if "cuda" in str(each.device_type).lower()]
    busy = sum(each.self_device_time_total for each in kernels) / PROFILED / 1e3
    count = sum(each.count for each in kernels) / PROFILED
    name = "recorded" if is_recorded else "unrecorded"
    return Entry(
        f"gpu_step_{name}",
        busy,
        wall * 1e3,
        busy / (wall * 1e3),
        "ms",
        f"time in kernels (ours) and time of a step (other) over MNLI rows, 32 in a batch, {name}: "
        f"{count:.0f} kernels; the ratio is the share of time that the GPU works; {words}",
    )
