"""What bfloat16 does to dev scores: the same runs in fp32 and in bf16, over several seeds."""

from __future__ import annotations

import dataclasses

import numpy as np
import typer
from scipy import stats

from benchmarks.better_precision import find_better_precision
from benchmarks.entries import Entry
from benchmarks.rows import Material
from benchmarks.training import prepare
from hmnet.jobs.schedule import run_jobs
from hmnet.jobs.workers import Workers
from hmnet.runs.store import RunStore
from hmnet.study.settings import DataSettings, TrainingSettings

TASKS = ("mnli", "sst2", "mrpc")
SEEDS = range(5)
SETTINGS = TrainingSettings(epochs=2, batch_size=16, learning_rate=1e-4, warmup_frac=0.1)


def measure_precision(material: Material, repeats: int, scale: float) -> list[Entry]:
    """Train three tasks with five seeds in both precisions; compare by seed.

    Nothing on a CPU without instructions for bf16, where this would take a day.
    """
    if find_better_precision() == "fp32":
        typer.echo("precision is left out: this CPU has no instructions for bf16", err=True)
        return []
    rows = DataSettings(128, max(round(1000 * scale), 64), max(round(1000 * scale), 64))
    scores = [_train_all(material, rows, precision) for precision in ("bf16", "fp32")]
    words = [_describe(name, scores[0][name], scores[1][name]) for name in scores[0]]
    means = [float(np.mean(list(by_task.values()))) for by_task in scores]
    return [
        Entry(
            "precision",
            100 * means[0],
            100 * means[1],
            means[0] / means[1],
            "points",
            f"mean dev score in bf16 (ours) and fp32 (other) after training {len(TASKS)} tasks "
            f"alone, {len(SEEDS)} seeds, {rows.max_train:,} rows, {SETTINGS.epochs} epochs; "
            f"bf16 less fp32 by seed: {', '.join(words)} points; {material.words}",
        )
    ]


def _train_all(
    material: Material, rows: DataSettings, precision: str
) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Return task to its score by seed."""
    settings = dataclasses.replace(SETTINGS, precision=precision)
    prepared = prepare(material, TASKS, rows, settings)
    store = RunStore(material.folder / "precision")
    jobs = {(name, seed): prepared.single(name, seed) for name in prepared.data for seed in SEEDS}
    summary = run_jobs(list(jobs.values()), store, Workers.choose())
    if summary.failed:
        raise RuntimeError(f"runs failed: {summary.failed}")
    return {
        name: np.array([store.result(jobs[name, s].spec).primary[name] for s in SEEDS])
        for name in prepared.data
    }


def _describe(
    name: str,
    bf16: np.ndarray[tuple[int], np.dtype[np.float64]],
    fp32: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> str:
    """Return `mnli +0.1 [-0.4, +0.6]`: the mean difference and its 95 % interval (paired t)."""
    low, high = stats.ttest_rel(bf16, fp32).confidence_interval()
    mean = float(np.mean(bf16 - fp32))
    return f"{name} {100 * mean:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"
