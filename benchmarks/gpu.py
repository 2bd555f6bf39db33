"""Training and a sweep of many small jobs on one GPU, at BERT-base's shapes, against Trainer.

    make bench ONLY="gpu_train gpu_sweep"

Speed does not depend on the weights, so these are random. Without a GPU both parts run on a CPU
at a tiny size, which says nothing but that they run; the entries tell.
"""

from __future__ import annotations

import time
from pathlib import Path

import torch
import transformers

from benchmarks.entries import Entry
from benchmarks.rows import Material
from benchmarks.stock import make_trainer, train_stock
from benchmarks.sweep import SWEPT
from benchmarks.timing import count_operations, measure_peak, time_pair
from benchmarks.training import prepare
from hmnet.data.tokens import SplitData
from hmnet.encoders.layers import quiet
from hmnet.encoders.locate import load_tokenizer
from hmnet.jobs.schedule import run_jobs
from hmnet.jobs.workers import Workers
from hmnet.runs.store import RunStore
from hmnet.study.settings import DataSettings, TrainingSettings
from hmnet.study.tasks import Task
from hmnet.training.execute import build_model
from hmnet.training.train import train
from relevance.pairwise.plan import plan_pairwise

SETTINGS = TrainingSettings(epochs=1, batch_size=32, precision="bf16")
PAPER_TOKENS = 2.5e9
"""Training tokens of the paper's sweep: 13 + 78 runs, 3 epochs, all rows."""


def _write_encoder(material: Material) -> Material:
    """Return the material with a random encoder of BERT-base's shapes, or a tiny one."""
    folder = material.folder / "bert-base"
    if not folder.exists():
        tokenizer = load_tokenizer(str(material.encoder))
        tiny = {} if _has_gpu() else {"hidden_size": 48, "num_hidden_layers": 2}
        config = transformers.BertConfig(vocab_size=len(tokenizer), **tiny)
        with quiet():
            transformers.BertModel(config).save_pretrained(folder)
            tokenizer.save_pretrained(folder)
    return Material(folder, material.data, material.folder / "gpu", material.is_real)


def _has_gpu() -> bool:
    return torch.cuda.is_available()


def _device() -> torch.device:
    return torch.device("cuda:0" if _has_gpu() else "cpu")


def _words(material: Material) -> str:
    rows = "real rows" if material.is_real else "planted rows (no real ones at hand)"
    if not _has_gpu():
        return f"no GPU here: tiny shapes on a CPU, a check that it runs and no more; {rows}"
    return f"BERT-base's shapes, {torch.cuda.get_device_name(0)}; {rows}"


def measure_gpu_training(material: Material, repeats: int, scale: float) -> list[Entry]:
    """Train on MNLI's rows, 32 in a batch."""
    material = _write_encoder(material)
    count = max(round(20_000 * scale), 64) if _has_gpu() else 64
    prepared = prepare(material, ("mnli",), DataSettings(128, count, 64), SETTINGS)
    (own,) = prepared.data
    split = prepared.data[own].train
    spec = prepared.single(own, 0).spec
    peak = measure_peak(torch.bfloat16, device=_device())
    task = prepared.data[own].task

    def ours() -> float:
        model = build_model(spec).to(_device())
        return train(model, prepared.data, SETTINGS, 0, device=_device()).seconds

    def other() -> float:
        return train_stock(_make_trainer(material, task, split, material.folder / "trainer"))

    pair = time_pair(ours, other, repeats)
    tokens = len(split.tokens)
    share = count_operations(build_model(spec), tokens) / pair.ours / peak
    return [
        Entry(
            "gpu_train",
            tokens / pair.ours,
            tokens / pair.other,
            pair.ratio,
            "tokens/s",
            f"one epoch over {len(split):,} rows of {own}, 32 in a batch, bf16, against Trainer "
            f"with group_by_length; {share:.0%} of the bf16 matrix peak; {_words(material)}",
        )
    ]


def _make_trainer(
    material: Material, task: Task, split: SplitData, folder: Path
) -> transformers.Trainer:
    return make_trainer(
        material.encoder,
        task,
        split,
        SETTINGS,
        folder,
        use_cpu=not _has_gpu(),
        loaders=4 if _has_gpu() else 0,
    )


def measure_gpu_sweep(material: Material, repeats: int, scale: float) -> list[Entry]:
    """Run 6 single and 15 pair runs of 2,000 rows a task, as many at a time as fit."""
    material = _write_encoder(material)
    tasks = SWEPT if _has_gpu() else SWEPT[:2]
    count = max(round(2_000 * scale), 64) if _has_gpu() else 64
    prepared = prepare(material, tasks, DataSettings(128, count, 64), SETTINGS)
    plan = plan_pairwise(prepared, (0,), None)
    workers = Workers.choose([0] if _has_gpu() else None).fill(plan.jobs)
    began = time.perf_counter()
    summary = run_jobs(plan.jobs, RunStore(material.folder / "swept"), workers)
    ours = time.perf_counter() - began
    if summary.failed:
        raise RuntimeError(f"runs failed: {summary.failed}")
    runs = [job.spec.names for job in plan.jobs]
    began = time.perf_counter()
    for name in (name for names in runs for name in names):
        data = prepared.data[name]
        train_stock(_make_trainer(material, data.task, data.train, material.folder / "trainer"))
    other = time.perf_counter() - began
    tokens = sum(len(prepared.data[name].train.tokens) for names in runs for name in names)
    return [
        Entry(
            "gpu_sweep",
            tokens / ours,
            tokens / other,
            other / ours,
            "tokens/s",
            f"{len(runs)} runs of {len(tasks)} tasks with {count:,} rows each, {workers.count} at "
            "a time, start-up and evaluation included, against a loop over Trainer in one process "
            "without evaluation; at this pace the paper's sweep takes "
            f"{PAPER_TOKENS * ours / tokens / 3600:.1f} h; {_words(material)}",
        )
    ]
