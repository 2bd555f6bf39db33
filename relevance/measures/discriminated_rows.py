"""Discriminator similarity: how often the source's rows are taken for the target's.

r(s, t) is the mean probability that a discriminator of tasks gives to t over rows of s
(`analysis.transfer.discriminator`), by what one multi-task model makes of at most `MOST_ROWS`
training rows of each task: token states after the last shared layer, averaged over tokens. Between
0 and 1; a source's values add up to 1, its own among them.

Source: FastMTL (EMNLP 2021), which chooses the auxiliary rows that look like the target's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.arrays import Floats
from relevance.matrices.matrix import RelevanceMatrix
from relevance.measures.measure import Measure
from relevance.measures.watched_run import MOST_ROWS, WATCHED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from relevance.measures.measure_inputs import MeasureInputs


def confuse_tasks(states: Mapping[str, Floats]) -> RelevanceMatrix:
    """Return r, shape [T, T], from the features of each task's rows, [N, W]."""
    from analysis.transfer.discriminator import discriminate

    values = discriminate(list(states.values()))
    provenance = {"rows": {task: len(each) for task, each in states.items()}}
    return RelevanceMatrix.from_array(values, list(states), MEASURE.name, provenance)


def _measure(inputs: MeasureInputs) -> RelevanceMatrix:
    return confuse_tasks(inputs.watched.states).select(tuple(inputs.study.tasks))


MEASURE = Measure(
    name="discriminator",
    title="how often the source's rows are taken for the target's",
    values="probability of the target's rows",
    needs="multi-task run",
    direction="directed",
    comparability="within a target",
    cost=f"{WATCHED}; a pass over at most {MOST_ROWS} rows a task",
    source="FastMTL, EMNLP 2021",
    compute=_measure,
)
