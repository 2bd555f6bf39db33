r"""Slopes of learning curves: does the source still learn when the target's loss has levelled off?

With l_t(u) the mean training loss of t's own run over the part u of its steps,
slope_t = log l_t(10 to 30 %) - log l_t(the last 30 %), the more the steeper, and
r(s, t) = slope_s - slope_t. Within a target it ranks sources by their slopes alone.

Source: Bingel and Søgaard 2017, "Identifying beneficial task relations for multi-task learning in
deep neural networks": targets that level off early gain, from sources that do not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from hmnet.errors import raise_problems
from relevance.matrices.matrix import RelevanceMatrix
from relevance.measures.measure import Measure
from relevance.measures.single_runs import KEPT_MODEL

if TYPE_CHECKING:
    from relevance.measures.measure_inputs import MeasureInputs

EARLY = (0.1, 0.3)
LATE = (0.7, 1.0)


def compare_slopes(losses: Mapping[str, Sequence[float]]) -> RelevanceMatrix:
    """Return r, shape [T, T], antisymmetric, from each task's losses in the order of its steps.

    Raises:
        InputError: for every task with fewer than ten losses.
    """
    raise_problems(
        f"The single run of task `{task}` should have at least 10 recorded losses. Found "
        f"{len(curve)}. Train for more steps, or on more rows."
        for task, curve in losses.items()
        if len(curve) < 10
    )
    slopes = np.array([find_slope(curve) for curve in losses.values()])
    values = slopes[:, None] - slopes
    provenance = {"slopes": dict(zip(losses, slopes.tolist(), strict=True))}
    return RelevanceMatrix.from_array(values, list(losses), MEASURE.name, provenance)


def find_slope(curve: Sequence[float]) -> float:
    """Return the log of the early losses' mean, less that of the late ones'."""
    early, late = (_average(curve, *part) for part in (EARLY, LATE))
    return math.log(early) - math.log(late)


def _average(curve: Sequence[float], begin: float, end: float) -> float:
    part = curve[math.floor(begin * len(curve)) : math.ceil(end * len(curve))]
    return max(float(np.mean(part)), 1e-6)


def _measure(inputs: MeasureInputs) -> RelevanceMatrix:
    from dataclasses import replace

    from hmnet.runs.late_losses import read_task_curve

    runs = inputs.singles
    found = {
        task: read_task_curve(runs.store.path(runs.jobs[task].spec) / "metrics.jsonl", task)
        for task in runs.tasks
    }
    matrix = compare_slopes(found)
    return replace(matrix, provenance={**runs.describe(), **matrix.provenance})


MEASURE = Measure(
    name="learning-curves",
    title="how much longer the source's training loss falls than the target's",
    values="difference of slopes of log losses",
    needs="single runs",
    direction="directed",
    comparability="within a target",
    cost=KEPT_MODEL,
    source="Bingel and Søgaard 2017",
    compute=_measure,
)
