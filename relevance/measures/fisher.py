"""Likeness of Fisher information: do both tasks' labels depend on the same units of the encoder?

F_t is the diagonal of the Fisher information of t's own trained model on at most `MOST_ROWS` of its
training rows, averaged over the weights into each unit (`hmnet.training.fisher_information`).
r(s, t) is the cosine of F_s / (F_s + F_t) and F_t / (F_s + F_t): symmetric, from 0 to 1.

Source: Achille et al. 2019, "Task2Vec"; of text, Vu et al. 2020 (TaskEmb).
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from analysis.arrays import Floats
from analysis.transfer.likeness import compare_information
from hmnet.errors import raise_problems
from relevance.matrices.matrix import RelevanceMatrix
from relevance.measures.measure import ONE_LABEL_KINDS, Measure
from relevance.measures.single_runs import KEPT_MODEL

if TYPE_CHECKING:
    from relevance.measures.measure_inputs import MeasureInputs
    from relevance.measures.single_runs import SingleRuns

MOST_ROWS = 100


def compare_units(information: dict[str, Floats]) -> RelevanceMatrix:
    """Return r, shape [T, T], symmetric, with ones on the diagonal.

    Raises:
        InputError: for every task whose loss depends on no unit.
    """
    raise_problems(
        f"The Fisher information of task `{task}` should be finite and not 0 everywhere. Its "
        "model's outputs depend on none of its layers, or are not finite."
        for task, each in information.items()
        if not (np.isfinite(each).all() and each.any())
    )
    values = np.eye(len(information))
    for (i, one), (j, other) in itertools.combinations(enumerate(information.values()), 2):
        values[i, j] = values[j, i] = compare_information(one, other)
    return RelevanceMatrix.from_array(values, list(information), MEASURE.name)


def _measure(inputs: MeasureInputs) -> RelevanceMatrix:
    from dataclasses import replace

    runs = inputs.singles
    found = {task: _find_information(runs, task) for task in runs.tasks}
    return replace(compare_units(found), provenance=runs.describe())


def _find_information(runs: SingleRuns, task: str) -> Floats:
    from hmnet.training.fisher_information import find_information
    from hmnet.training.layer_features import take_rows
    from hmnet.training.targets import AS_THEY_ARE, TargetScale

    train = runs.prepared.data[task].train
    rows = runs.find_rows(task)
    index = rows[:: max(len(rows) // MOST_ROWS, 1)][:MOST_ROWS]
    scale = TargetScale.of(train.labels) if runs.is_regression(task) else AS_THEY_ARE
    return find_information(
        runs.load(task), runs.prepared.study.tasks[task], take_rows(train, index), scale
    )


MEASURE = Measure(
    name="fisher",
    title="likeness of the units of the encoder that both tasks' labels depend on",
    values="cosine of shares of Fisher information",
    needs="single runs",
    direction="symmetric",
    comparability="across targets",
    cost=f"{KEPT_MODEL}; a backward pass for each of at most {MOST_ROWS} rows a task",
    source="Achille et al. 2019 (Task2Vec); Vu et al. 2020 (TaskEmb)",
    compute=_measure,
    kinds=ONE_LABEL_KINDS,
)
