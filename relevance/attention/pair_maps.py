"""Attention of a task's own model beside that of its pair's model: `relevance attention`.

The models are those of the pairwise sweep (`--keep-models`); missing ones are trained as its jobs.
A pair's table is written once and kept until its runs change.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from analysis.arrays import Floats
from analysis.gains.attention_layers import relate_to_gains
from analysis.gains.scales import compute_gains
from analysis.scores.baselines import find_undefined
from analysis.scores.predictions import collect_predictions
from hmnet.errors import InputError, raise_problems, suggest
from hmnet.folder.freshness import Sources, deriving, note_runs
from hmnet.folder.outputs import Output
from hmnet.jobs.cost import estimate_work
from hmnet.jobs.prepared import PreparedStudy
from hmnet.jobs.progress_line import SweepProgress
from hmnet.jobs.schedule import raise_failures, run_jobs
from hmnet.jobs.workers import Workers
from hmnet.runs.job import Job
from hmnet.runs.store import RunStore
from hmnet.storage.tables import read_table, write_table
from hmnet.study.metrics import is_error
from relevance.attention.attention_format import ATTENTION, ATTENTION_LAYERS


@dataclass(frozen=True)
class PairJobs:
    """The runs behind a pair's comparison.

    Attributes:
        tasks: both tasks.
        seeds: S of them.
        singles: task to its single runs, by seed.
        joint: the pair's runs, by seed.
    """

    tasks: tuple[str, str]
    seeds: tuple[int, ...]
    singles: dict[str, tuple[Job, ...]]
    joint: tuple[Job, ...]

    @property
    def jobs(self) -> list[Job]:
        """Every job."""
        return [*itertools.chain(*self.singles.values()), *self.joint]

    @property
    def runs(self) -> list[str]:
        """The ids of all runs."""
        return [job.spec.run_id for job in self.jobs]


def parse_pairs(tasks: Collection[str], given: Sequence[str]) -> list[tuple[str, str]]:
    """Read pairs given as ONE,OTHER; the order of two tasks does not matter.

    Raises:
        InputError: if there is none, or with every pair that is not two different tasks of the
            study.
    """
    if not given:
        raise InputError("Parameter `pair` should be given, or `all_pairs`. Found neither.")
    parts = [tuple(name.strip() for name in text.split(",")) for text in given]
    problems = [
        f"Parameter `pair` should be two different tasks, such as qqp,rte. Found `{text}`."
        for text, names in zip(given, parts, strict=True)
        if len(names) != 2 or names[0] == names[1]
    ]
    problems += [
        f"Parameter `pair` should name tasks of the study. Found `{name}`.{suggest(name, tasks)}"
        for name in dict.fromkeys(itertools.chain(*parts))
        if name not in tasks
    ]
    raise_problems(problems)
    return list(dict.fromkeys((min(names), max(names)) for names in parts))


def list_all_pairs(prepared: PreparedStudy) -> list[tuple[str, str]]:
    """Return every pair of the study's tasks.

    Raises:
        InputError: if the study has fewer than two tasks.
    """
    pairs = list(itertools.combinations(sorted(prepared.study.tasks), 2))
    if not pairs:
        raise InputError("Parameter `tasks` should name at least two tasks. Found one.")
    return pairs


def plan_pairs(prepared: PreparedStudy, pairs: Sequence[tuple[str, str]]) -> list[PairJobs]:
    """Plan the runs of each pair, all of which keep their models."""
    seeds = prepared.study.seeds
    return [
        PairJobs(
            tasks=pair,
            seeds=seeds,
            singles={
                name: tuple(prepared.single(name, seed, keep_model=True) for seed in seeds)
                for name in pair
            },
            joint=tuple(prepared.shared(pair, seed, keep_model=True) for seed in seeds),
        )
        for pair in pairs
    ]


def measure_pairs(
    output: Output, prepared: PreparedStudy, pairs: Sequence[tuple[str, str]], workers: Workers
) -> list[Path]:
    """Compare attention for each pair, on this machine; train the models that are missing.

    Returns:
        A file per pair in the folder `attention`, with a row per task, layer and head: `task`,
        `partner`, `layer` and `head` (from 1), `similarity` (mean over dev examples and seeds).

    Raises:
        InputError: if the architecture does not let attention be watched.
        RunsFailedError: if runs failed.
    """
    return _measure(output, prepared, plan_pairs(prepared, pairs), output.attention, workers)


def measure_all_pairs(output: Output, prepared: PreparedStudy, workers: Workers) -> pd.DataFrame:
    """Compare attention for every pair of the study's tasks, and with the pairs' gains.

    Writes the pairs' files to `attention/all`, and `attention-layers.parquet`.

    Returns:
        A row per layer; see `relate_to_gains`.

    Raises:
        InputError: if the study has fewer than two tasks.
        RunsFailedError: if runs failed.
    """
    planned = plan_pairs(prepared, list_all_pairs(prepared))
    files = _measure(output, prepared, planned, output.attention / "all", workers)
    similarities = pd.concat([read_table(path, ATTENTION.schema)[0] for path in files])
    table = relate_to_gains(similarities, read_gains(planned, output.runs))
    runs = sorted({run for pair in planned for run in pair.runs})
    sources = Sources("relevance attention --all-pairs", runs=note_runs(output, runs))
    with deriving(sources):
        write_table(output.attention_layers, table, ATTENTION_LAYERS.schema, {"runs": runs})
    return table


def _measure(
    output: Output,
    prepared: PreparedStudy,
    planned: Sequence[PairJobs],
    folder: Path,
    workers: Workers,
) -> list[Path]:
    files = {pair.tasks: folder / f"{'.'.join(pair.tasks)}.parquet" for pair in planned}
    missing = [pair for pair in planned if not _is_measured(files[pair.tasks], pair)]
    summary = run_jobs(
        [job for pair in missing for job in pair.jobs],
        output.runs,
        workers,
        cost=lambda job: estimate_work(job, prepared.data),
        watcher=SweepProgress(output.progress),
    )
    raise_failures(summary)
    here = workers.here()
    parallel = Parallel(n_jobs=here.count, inner_max_num_threads=here.threads)
    parallel(
        delayed(_measure_pair)(pair, output.runs.folder, files[pair.tasks], device)
        for pair, device in zip(missing, itertools.cycle(here.devices), strict=False)
    )
    return list(files.values())


def _is_measured(path: Path, pair: PairJobs) -> bool:
    return path.exists() and read_table(path, ATTENTION.schema)[1].get("runs") == pair.runs


def _measure_pair(pair: PairJobs, store: Path, path: Path, device: str) -> None:
    """Write a pair's table."""
    frames = [
        _measure_task(pair, task, partner, RunStore(store), device)
        for task, partner in (pair.tasks, pair.tasks[::-1])
    ]
    provenance = {"runs": pair.runs, "seeds": list(pair.seeds)}
    output = Output(store.parent)
    sources = Sources(
        f"relevance attention --pair {','.join(pair.tasks)}", runs=note_runs(output, pair.runs)
    )
    with deriving(sources):
        write_table(path, pd.concat(frames, ignore_index=True), ATTENTION.schema, provenance)


def _measure_task(
    pair: PairJobs, task: str, partner: str, store: RunStore, device: str
) -> pd.DataFrame:
    found = [
        _compare_runs(single, joint, task, store, device)
        for single, joint in zip(pair.singles[task], pair.joint, strict=True)
    ]
    mean = np.mean(found, axis=0)  # [N, H]
    layers, heads = np.indices(mean.shape)
    return pd.DataFrame(
        {
            "task": task,
            "partner": partner,
            "layer": layers.ravel() + 1,
            "head": heads.ravel() + 1,
            "similarity": mean.ravel(),
        }
    )


def _compare_runs(single: Job, joint: Job, task: str, store: RunStore, device: str) -> Floats:
    """Return the similarity of a task's heads in two runs, [N, H]."""
    import torch

    from analysis.attention_similarity import compare_attention
    from hmnet.data.task_data import load
    from hmnet.models.saved import load_model

    one, other = (
        load_model(store.path(job.spec) / "model", job.spec).path(task) for job in (single, joint)
    )
    data = load(single.data[task], single.spec.tasks[0])
    splits = [data.splits[split] for split in data.task.dev_splits]
    return compare_attention(one, other, splits, torch.device(device))


def read_gains(planned: Sequence[PairJobs], store: RunStore) -> pd.DataFrame:
    """Return a row per task and partner with its relative gain (equation 4), means over seeds.

    The gain is NaN where the task learned nothing alone
    (`analysis.scores.baselines.find_undefined`).
    """
    undefined = _find_undefined(planned, store)
    rows = []
    for pair in planned:
        joint = [store.result(job.spec).primary for job in pair.joint]
        for task, partner in (pair.tasks, pair.tasks[::-1]):
            alone = np.mean([store.result(job.spec).primary[task] for job in pair.singles[task]])
            together = np.mean([scores[task] for scores in joint])
            spec = pair.singles[task][0].spec
            is_lower = is_error(spec.tasks[0].metric)
            gain = compute_gains(together, alone, is_error=is_lower)
            gain = gain if task not in undefined else np.array(np.nan)
            rows.append((task, partner, float(gain)))
    return pd.DataFrame(rows, columns=["task", "partner", "gain"])


def _find_undefined(planned: Sequence[PairJobs], store: RunStore) -> list[str]:
    """Return the tasks that learned nothing alone."""
    singles = {name: jobs for pair in planned for name, jobs in pair.singles.items()}
    predictions = {
        name: collect_predictions(
            jobs[0].spec.tasks[0],
            {job.spec.seed: store.predictions(job.spec, name) for job in jobs},
            {},
        )
        for name, jobs in singles.items()
    }
    return find_undefined(predictions)


def describe_pairs(files: Sequence[Path]) -> str:
    """Return the mean similarity of each pair's layers, as text."""
    table = pd.concat([read_table(path, ATTENTION.schema)[0] for path in files])
    named = table.assign(pair=table["task"] + " with " + table["partner"])
    wide = named.pivot_table(index="pair", columns="layer", values="similarity", sort=False)
    text = wide.round(4).rename_axis(index=None, columns="layer").to_string()
    return f"mean cosine similarity of attention maps, by layer\n{text}"


def describe_layers(table: pd.DataFrame) -> str:
    """Return the layers' table as text."""
    shown = table.to_string(index=False, float_format=lambda value: f"{value:.4f}")
    return (
        f"similarity of attention and the pairs' gains, by layer\n{shown}\n"
        "spearman: over all ordered pairs; spearman_within: over the partners of one task, mean of "
        "the tasks. A task that learned nothing alone has no gain and is left out of both."
    )
