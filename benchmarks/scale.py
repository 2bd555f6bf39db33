"""A sweep of 100 tasks, 4,950 pairs and 3 seeds, whose jobs take no time: what all else costs.

    python -m benchmarks.scale                  # 15,150 jobs; --tasks 20 for a quick look

Jobs go through the real scheduler, on real worker processes, into the real run store; only the
training is left out: predictions are drawn, with gains between tasks of the same of three groups.
Then the matrix with its intervals is measured, the tasks are grouped and the report is written, as
after any sweep. The exit code is 1 where a job costs more than `MOST_MS`, or where the scheduling
process grows with the number of jobs.
"""

from __future__ import annotations

import dataclasses
import resource
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer

from benchmarks.timing import peak_mib
from hmnet.folder.outputs import Output, open_output
from hmnet.folder.status import describe_status
from hmnet.jobs.prepared import prepare_study
from hmnet.jobs.schedule import Watcher, run_jobs
from hmnet.jobs.worker_process import Outcome
from hmnet.jobs.workers import Workers
from hmnet.planted import write_planted
from hmnet.runs.job import Job, Machine
from hmnet.runs.result import RunResult
from hmnet.runs.store import RunStore
from hmnet.seeding import derive_seed
from hmnet.study.settings import DataSettings, TrainingSettings
from hmnet.study.study import Study, write_study
from hmnet.training.execution import compute_primary_score, find_versions, score_splits
from relevance.cli import app
from relevance.measures.registry import list_stages
from relevance.pairwise.measurement import MeasureOptions, measure_sweep
from relevance.pairwise.plan import plan_pairwise

DEV_ROWS = 200
GROUPS = 3
MOST_MS = 20.0
"""Most milliseconds from one job's end to the next one's, in the last nine tenths of a sweep."""
MOST_GROWTH = 1.1
"""Most memory of the scheduling process in the last tenth of a sweep, over that in the first."""


def write_tasks(folder: Path, count: int) -> Study:
    """Write one small planted task under many names."""
    planted = write_planted(folder, 0, train_rows=40, dev_rows=DEV_ROWS)
    name = "sentiment-coast"
    tasks = {}
    for i in range(count):
        own = f"task-{i:03d}"
        (planted.data / own).symlink_to(planted.data / name)
        tasks[own] = dataclasses.replace(planted.tasks[name], name=own)
    return Study(
        tasks=tasks,
        model=str(planted.encoder),
        data_folder=planted.data,
        training=TrainingSettings(epochs=1, batch_size=8),
        rows=DataSettings(max_length=48),
    )


def pretend(job: Job, store: RunStore, machine: Machine, *, waits: bool = True) -> RunResult:
    """Store a run with drawn predictions in place of a trained model's."""
    spec = job.spec
    with store.locked(spec, waits=waits):
        store.write_spec(spec)
        groups = {int(name[-3:]) % GROUPS for name in spec.names}
        accuracy = 0.75 + 0.05 * (len(spec.names) == 2 and len(groups) == 1)
        scores = {}
        for task in spec.tasks:
            frame = _draw(accuracy, derive_seed(spec.seed, *spec.names, task.name))
            store.write_predictions(spec, task.name, frame)
            scores[task.name] = score_splits(task, frame)
        store.finish(
            spec,
            RunResult(
                scores=scores,
                primary={
                    task.name: compute_primary_score(task, scores[task.name]) for task in spec.tasks
                },
                n_dev={name: {"validation": DEV_ROWS} for name in spec.names},
                steps=1,
                train_tokens=1,
                seconds={"train": 0.0, "evaluate": 0.0},
                parameters={"overall": 1, "activated": 1},
                final_loss=dict.fromkeys(spec.names, 0.1),
                versions=find_versions(),
            ),
        )
        return store.result(spec)


def _draw(accuracy: float, seed: int) -> pd.DataFrame:
    labels = np.random.default_rng(0).integers(0, 2, DEV_ROWS)
    right = np.random.default_rng(seed).random(DEV_ROWS) < accuracy
    predictions = np.where(right, labels, 1 - labels)
    return pd.DataFrame(
        {
            "split": "validation",
            "row": np.arange(DEV_ROWS),
            "label": labels,
            "prediction": predictions,
            "question": -1,
            "logits": [[float(1 - p), float(p)] for p in predictions],
        }
    )


class Course(Watcher):
    """Notes when runs end, and the memory of the scheduling process then."""

    def __init__(self) -> None:
        self.ended_s: list[float] = []
        self.mib: list[float] = []

    def finish(self, outcome: Outcome, cost: float) -> None:
        """Note that a run ended now."""
        self.ended_s.append(time.perf_counter())
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        self.mib.append(pages * resource.getpagesize() / 2**20)


def find_problems(course: Course, most_ms: float = MOST_MS) -> list[str]:
    """Return a sentence for each promise that a sweep did not keep."""
    tenth = max(len(course.mib) // 10, 1)
    rest_s = course.ended_s[-1] - course.ended_s[tenth - 1]
    job_ms = 1000 * rest_s / max(len(course.ended_s) - tenth, 1)
    growth = max(course.mib[-tenth:]) / max(course.mib[:tenth])
    problems = []
    if job_ms > most_ms:
        problems.append(f"A job should cost at most {most_ms:g} ms. Found {job_ms:.1f} ms.")
    if growth > MOST_GROWTH:
        problems.append(
            "The memory of the scheduling process should not grow: in the last tenth of the jobs "
            f"it should be at most {MOST_GROWTH:g} of what it was in the first. Found {growth:.2f}."
        )
    return problems


def _timed(words: str, run: Callable[[], Any]) -> Any:
    began = time.perf_counter()
    found = run()
    typer.echo(f"{words}: {time.perf_counter() - began:,.1f} s")
    return found


def measure_scale(folder: Path, tasks: int, seeds: int, draws: int, workers: int | None) -> Course:
    """Run the whole chain; print what each part takes, return how the sweep went."""
    study = dataclasses.replace(write_tasks(folder, tasks), seeds=tuple(range(seeds)))
    output = open_output(folder / "out")
    write_study(output.study_file, study)
    prepared = _timed("tokenised rows", lambda: prepare_study(study, output.data))
    plan = _timed("plan", lambda: plan_pairwise(prepared, study.seeds, None))
    chosen = Workers.choose(workers=workers)
    course = Course()
    began = time.perf_counter()
    jobs = list(plan.jobs)
    summary = run_jobs(jobs, output.runs, chosen, watcher=course, execute=pretend)
    seconds = time.perf_counter() - began
    if summary.failed:
        raise RuntimeError(f"{len(summary.failed)} failed: {next(iter(summary.failed.values()))}")
    typer.echo(
        f"sweep: {len(jobs):,} jobs in {seconds:,.1f} s on {chosen.count} workers, "
        f"{1000 * seconds / len(jobs):.1f} ms a job; memory of the scheduling process "
        f"{course.mib[len(course.mib) // 10]:,.0f} MiB after a tenth, {course.mib[-1]:,.0f} MiB "
        "in the end"
    )
    files = [path for path in output.folder.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    typer.echo(f"store: {len(files):,} files, {size / 2**20:,.0f} MiB")
    _timed("the same sweep again", lambda: run_jobs(jobs, output.runs, chosen, execute=pretend))
    _timed("relevance status", lambda: list(describe_status(output, list_stages(output))))
    _measure_rest(output, prepared, plan, draws)
    return course


def _measure_rest(output: Output, prepared: Any, plan: Any, draws: int) -> None:
    """Measure the matrix, group the tasks and write the report."""

    def measure() -> None:
        options = MeasureOptions(draws=draws)
        measure_sweep(prepared, plan, output.runs, options).write(output)

    _timed(f"matrix with {draws} bootstrap draws", measure)
    for words in (["cluster", "--k", "3"], ["cluster", "--k", "auto"], ["report"]):
        command = [*words, "--out", str(output.folder)]
        _timed(f"relevance {' '.join(words)}", partial(app, command, standalone_mode=False))
    typer.echo(f"report: {output.report.stat().st_size / 2**20:.1f} MiB")
    peak = peak_mib()
    typer.echo(f"peak memory of all this: {peak:,.0f} MiB")


def run(
    tasks: Annotated[int, typer.Option(help="Tasks.", min=3)] = 100,
    seeds: Annotated[int, typer.Option(help="Seeds of every run.", min=1)] = 3,
    draws: Annotated[int, typer.Option(help="Bootstrap draws.", min=2)] = 200,
    workers: Annotated[int | None, typer.Option(help="Worker processes.")] = None,
    most_ms: Annotated[float, typer.Option(help="Most that a job may cost.")] = MOST_MS,
) -> None:
    """Run a sweep of instant jobs through the real scheduler and store."""
    warnings.filterwarnings("ignore")
    with tempfile.TemporaryDirectory(prefix="relevance-scale-") as name:
        course = measure_scale(Path(name), tasks, seeds, draws, workers)
    problems = find_problems(course, most_ms)
    for problem in problems:
        typer.echo(problem, err=True)
    if problems:
        raise typer.Exit(1)


if __name__ == "__main__":
    command_line = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    command_line.command()(run)
    command_line()
