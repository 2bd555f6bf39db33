"""Dev predictions of every run that touches a task: what all uncertainty is computed from.

    predictions = collect_sweep(read_stored(plan, store))     # relevance.pairwise.results
    predictions["rte"].joint["mnli"].values                   # [S, N]

Legend: N dev examples of a task, or all their words where words have labels, S runs that differ in
their seed alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from hmnet.errors import raise_problems
from hmnet.study.answers import gather_answers
from hmnet.study.metrics import METRICS
from hmnet.study.task_kinds import TASK_KINDS
from hmnet.study.tasks import Task

Array = npt.NDArray[Any]

ROW_COLUMNS = ("split", "row", "label", "question")
"""What every run of a task must agree on, row by row."""


@dataclass(frozen=True, eq=False)
class Arm:
    """Runs that differ in their seed alone: a task's single runs, or those with one partner.

    Attributes:
        seeds: the runs' seeds, each once, S of them.
        values: predicted class codes or values, shape [S, N], or sets of L labels, [S, N, L]; log
            odds where the metric reads them.
    """

    seeds: tuple[int, ...]
    values: Array

    def drop(self, seeds: Iterable[int]) -> Arm:
        """Return the arm without the runs of some seeds."""
        kept = [i for i, seed in enumerate(self.seeds) if seed not in set(seeds)]
        return Arm(tuple(self.seeds[i] for i in kept), self.values[kept])


@dataclass(frozen=True, eq=False)
class Predictions:
    """Dev predictions for one task, of its single runs and of its joint runs with each partner.

    Attributes:
        task: its name.
        metric: its primary metric, a name in `hmnet.study.metrics.METRICS`.
        labels: true class codes or values, shape [N].
        splits: the dev split of each example, shape [N]; a score is the mean over splits.
        questions: the question that each example answers, -1 where there is none, shape [N]; of a
            word, its example, since those of one example are drawn together.
        single: the single runs.
        joint: partner to the joint runs; an arm without a run is left out.

    Raises:
        InputError: if shapes, seeds or the metric do not fit.
    """

    task: str
    metric: str
    labels: Array
    splits: Array
    questions: Array
    single: Arm
    joint: Mapping[str, Arm]

    def __post_init__(self) -> None:
        raise_problems(f"Predictions of `{self.task}`: {p}" for p in self._problems())

    def _problems(self) -> Iterator[str]:
        if self.metric not in METRICS:
            yield f"Parameter `metric` should be a known metric. Found `{self.metric}`."
        if len(self.labels) == 0:
            yield "Parameter `labels` should hold at least one dev example. Found none."
        if not self.single.seeds:
            yield "Parameter `single` should hold at least one run. Found none."
        if self.task in self.joint:
            yield "Parameter `joint` should hold other tasks. Found the task itself."
        for name, arm in self.arms.items():
            yield from self._arm_problems(name or "single", arm)

    def _arm_problems(self, name: str, arm: Arm) -> Iterator[str]:
        expected = (len(arm.seeds), *self.labels.shape)
        if arm.values.shape != expected:
            yield (
                f"The values of `{name}` should have shape {list(expected)}. "
                f"Found {list(arm.values.shape)}."
            )
        if len(set(arm.seeds)) < len(arm.seeds):
            yield f"The seeds of `{name}` should each be named once. Found `{arm.seeds}`."

    @property
    def n_examples(self) -> int:
        """Dev examples: of words, how many examples they are of."""
        if TASK_KINDS[METRICS[self.metric].kind].reads_words:
            return len(np.unique(self.questions))
        return len(self.labels)

    @property
    def arms(self) -> dict[str, Arm]:
        """Every arm: the single runs under "", then each partner's joint runs."""
        return {"": self.single, **self.joint}

    def drop(self, runs: Iterable[tuple[str, int]]) -> Predictions:
        """Return the predictions without some runs, named by partner ("" for single) and seed.

        An arm that loses its last run is left out; the single runs cannot all be dropped.
        """
        gone: dict[str, list[int]] = {}
        for partner, seed in runs:
            gone.setdefault(partner, []).append(seed)
        joint = {name: arm.drop(gone.get(name, ())) for name, arm in self.joint.items()}
        kept = {name: arm for name, arm in joint.items() if arm.seeds}
        return replace(self, single=self.single.drop(gone.get("", ())), joint=kept)


@dataclass(frozen=True, eq=False)
class StoredPredictions:
    """A task's runs as they are stored, columns as in `RunStore.write_predictions`.

    Attributes:
        task: its definition.
        single: seed to the predictions of a single run.
        joint: partner to seed to the predictions of a joint run.
    """

    task: Task
    single: Mapping[int, pd.DataFrame]
    joint: Mapping[str, Mapping[int, pd.DataFrame]]


def collect_sweep(stored: Iterable[StoredPredictions]) -> dict[str, Predictions]:
    """Gather the dev predictions of several tasks, by their names (`collect_predictions`)."""
    return {
        found.task.name: collect_predictions(found.task, found.single, found.joint)
        for found in stored
    }


def collect_predictions(
    task: Task,
    single: Mapping[int, pd.DataFrame],
    joint: Mapping[str, Mapping[int, pd.DataFrame]],
) -> Predictions:
    """Gather the dev predictions for one task (columns as in `RunStore.write_predictions`).

    Args:
        single: seed to the predictions of a single run.
        joint: partner to seed to the predictions of a joint run.

    Raises:
        InputError: if there is no single run, or the runs' dev rows differ.
    """
    raise_problems(
        [] if single else [f"Task `{task.name}` should have a finished single run. Found none."]
    )
    rows = _list_rows(next(iter(single.values())))
    arms = {"": single, **{name: runs for name, runs in joint.items() if runs}}
    raise_problems(
        f"Every run of `{task.name}` should have the same dev rows in the same order. "
        f"Found others in {_name_run(partner, seed)}."
        for partner, runs in arms.items()
        for seed, frame in runs.items()
        if not _same_rows(rows, frame)
    )
    answers = gather_answers(task, next(iter(single.values())))
    stacked = {name: _stack(task, runs) for name, runs in arms.items()}
    return Predictions(
        task=task.name,
        metric=task.metric,
        labels=answers.labels,
        splits=rows["split"].astype(object)[answers.rows],
        questions=answers.questions,
        single=stacked.pop(""),
        joint=stacked,
    )


def _list_rows(frame: pd.DataFrame) -> dict[str, Array]:
    return {name: frame[name].to_numpy() for name in ROW_COLUMNS}


def _same_rows(rows: Mapping[str, Array], frame: pd.DataFrame) -> bool:
    other = _list_rows(frame)
    return len(rows["row"]) == len(frame) and all(
        _same_values(rows[name], other[name]) for name in ROW_COLUMNS
    )


def _same_values(one: Array, other: Array) -> bool:
    if len(one) and isinstance(one[0], np.ndarray):  # a list of labels a row
        return all(map(np.array_equal, one, other))
    return np.array_equal(one, other)


def _name_run(partner: str, seed: int) -> str:
    return f"the run with `{partner}`, seed {seed}" if partner else f"the single run, seed {seed}"


def _stack(task: Task, runs: Mapping[int, pd.DataFrame]) -> Arm:
    values = np.stack([gather_answers(task, frame).read(task.metric) for frame in runs.values()])
    return Arm(tuple(runs), values)
