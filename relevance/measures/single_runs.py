"""Each task's own trained model, for measures that read it: found in the run store, or trained.

A measure of this kind needs the model of each task's single run with the study's first seed. A
sweep keeps it with `--keep-models`; a run that kept none is done again, which costs no more than
one seed of the single runs. What a model makes of another task's rows is computed once and kept
beside its run (`hmnet.training.layer_features`).

Legend: N rows, L layers, W width, T tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.arrays import Floats, Labels
from analysis.transfer.label_likelihood import cut_values
from hmnet.errors import InputError, raise_problems
from hmnet.runs.job import Job
from hmnet.runs.store import RunStore
from relevance.matrices.matrix import RelevanceMatrix

if TYPE_CHECKING:
    from pathlib import Path

    from hmnet.jobs.prepared import PreparedStudy
    from hmnet.jobs.workers import Workers
    from hmnet.models.paths import PathModel
    from hmnet.training.layer_features import LayerFeatures

MOST_PROBED = 300
"""Training rows of a target that sources' models read."""


@dataclass(frozen=True, eq=False)
class SingleRuns:
    """The trained models of a study's tasks, one each.

    Attributes:
        prepared: the study's rows.
        store: where the runs lie.
        jobs: task name to its single run.
    """

    prepared: PreparedStudy
    store: RunStore
    jobs: Mapping[str, Job]

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks' names, in the study's order."""
        return tuple(self.jobs)

    def describe(self) -> dict[str, object]:
        """Return what matrices were computed from, for their provenance."""
        rows = {name: len(self.find_rows(name)) for name in self.tasks}
        return {"runs": {n: job.spec.run_id for n, job in self.jobs.items()}, "rows": rows}

    def find_rows(self, task: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Return the numbers of the training rows that are probed, ascending."""
        count = len(self.prepared.data[task].train)
        if count <= MOST_PROBED:
            return np.arange(count)
        return np.sort(np.random.default_rng(0).choice(count, MOST_PROBED, replace=False))

    def find_classes(self, task: str) -> Labels:
        """Return the probed rows' labels, [N]; values of a regression in five classes."""
        labels = self.find_labels(task)
        return cut_values(labels) if self.is_regression(task) else labels.astype(np.int64)

    def find_labels(self, task: str) -> Floats:
        """Return the probed rows' labels as numbers, [N]."""
        return self.prepared.data[task].train.labels[self.find_rows(task)].astype(np.float64)

    def is_regression(self, task: str) -> bool:
        """Tell whether a task's labels are values."""
        return self.prepared.study.tasks[task].facts.answer == "value"

    def read(self, source: str, target: str) -> LayerFeatures:
        """Return what the source's model makes of the target's probed rows."""
        from hmnet.training.layer_features import load_features

        spec = self.jobs[source].spec
        data = self.prepared.data[target]
        return load_features(self.store.path(spec), spec, data, self.find_rows(target))

    def load(self, task: str) -> PathModel:
        """Return a task's trained model."""
        from hmnet.models.saved import load_model

        spec = self.jobs[task].spec
        return load_model(self.store.path(spec) / "model", spec)


def train_singles(
    prepared: PreparedStudy, store: RunStore, workers: Workers, progress: Path
) -> SingleRuns:
    """Return each task's single run of the first seed, trained where its model is not there.

    Raises:
        RunsFailedError: if runs failed.
    """
    from hmnet.jobs.cost import estimate_work
    from hmnet.jobs.progress_line import SweepProgress
    from hmnet.jobs.schedule import raise_failures, run_jobs

    study = prepared.study
    jobs = {name: prepared.single(name, study.seeds[0], keep_model=True) for name in study.tasks}
    summary = run_jobs(
        list(jobs.values()),
        store,
        workers,
        cost=lambda job: estimate_work(job, prepared.data),
        watcher=SweepProgress(progress),
    )
    raise_failures(summary)
    return SingleRuns(prepared, store, jobs)


Score = Callable[[str, str], float]
"""From a source and a target to a cell."""
KEPT_MODEL = "each task's single run of the first seed, done again where its model was not kept"
"""What measures of this kind cost beside what they say themselves."""


def score_cells(runs: SingleRuns, name: str, score: Score) -> RelevanceMatrix:
    """Return the matrix of a score of every source and target, the diagonal included.

    Raises:
        InputError: with the problems of all cells, each named by its tasks.
    """
    values, problems = np.full((len(runs.tasks), len(runs.tasks)), np.nan), []
    for i, source in enumerate(runs.tasks):
        for j, target in enumerate(runs.tasks):
            try:
                values[i, j] = score(source, target)
            except InputError as error:
                problems += [f"{name} of `{source}` on `{target}`: {p}" for p in error.problems]
    raise_problems(problems)
    return RelevanceMatrix.from_array(values, runs.tasks, name, runs.describe())
