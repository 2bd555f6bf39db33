"""Runs and targets whose numbers mean little: collapsed runs, and gains over a failed single run.

    collapsed = find_collapsed(predictions["rte"], losses)
    kept = predictions["rte"].drop((run.partner, run.seed) for run in collapsed)   # in the open

Small-set instability is mostly failed optimisation (Mosbach et al. 2021): a run that ends at the
loss of guessing, or names one class for every example. Such a run is not a bad draw of the same
distribution, so it is listed; whether it counts is the caller's open decision.

Legend: N dev examples, C classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from analysis.bootstrap import LEVEL, GainBootstrap
from analysis.predictions import Array, Predictions
from analysis.resampling import score_runs
from hmnet.metrics import METRICS
from hmnet.runs import RunStore
from relevance.pairwise import PairwisePlan

CHANCE_FRAC = 0.97
"""A run whose last epoch's loss is at least this share of chance has not learned its task."""

Losses = Mapping[tuple[str, int], float]
Beats = Literal["yes", "not shown", "no"]

COLLAPSED_COLUMNS = ("task", "partner", "seed", "reason")


@dataclass(frozen=True)
class CollapsedRun:
    """A run that did not learn one of its tasks.

    Attributes:
        partner: the task it was trained with; empty for a single run.
        reasons: `one class predicted`, `constant predictions`, `loss at chance`.
    """

    task: str
    partner: str
    seed: int
    reasons: tuple[str, ...]


def find_collapsed(
    predictions: Predictions, losses: Losses | None = None, chance_frac: float = CHANCE_FRAC
) -> list[CollapsedRun]:
    """Return the runs of a task that predict one class (or value), or end at the loss of guessing.

    A task with a single class among its dev labels is not judged by its predictions.

    Args:
        losses: (partner or "", seed) to the task's mean training loss over the last epoch.
        chance_frac: share of the loss of guessing from which a loss counts as chance.
    """
    losses = losses or {}
    chance = measure_chance_loss(predictions)
    found = []
    for partner, arm in predictions.arms.items():
        for seed, values in zip(arm.seeds, arm.values, strict=True):
            reasons = _judge(predictions, values)
            if losses.get((partner, seed), -np.inf) >= chance_frac * chance > 0:
                reasons.append("loss at chance")
            if reasons:
                found.append(CollapsedRun(predictions.task, partner, seed, tuple(reasons)))
    return found


def _judge(predictions: Predictions, values: Array) -> list[str]:
    is_constant = len(np.unique(values)) == 1 and len(np.unique(predictions.labels)) > 1
    word = "one class predicted" if _is_classification(predictions) else "constant predictions"
    return [word] if is_constant else []


def measure_chance_loss(predictions: Predictions) -> float:
    """Return the loss of the best guess that ignores the text, from the dev labels.

    Cross-entropy in nats: the entropy of the labels. Squared error: their variance.
    """
    if not _is_classification(predictions):
        return float(np.var(predictions.labels))
    frac = np.unique(predictions.labels, return_counts=True)[1] / len(predictions.labels)
    return float(-(frac * np.log(frac)).sum())


def measure_majority(predictions: Predictions) -> float:
    """Return the best score of a constant answer: the majority class for accuracy, 0 correlation.

    For F1 it is the better of both classes (that of naming the positive class everywhere).
    """
    if not _is_classification(predictions):
        return 0.0
    classes = np.unique(predictions.labels)
    constant = np.repeat(classes[:, None], len(predictions.labels), axis=1)
    return float(score_runs(predictions, constant).max())


def compare_with_majority(
    predictions: Mapping[str, Predictions], found: GainBootstrap, level: float = LEVEL
) -> pd.DataFrame:
    """Return a row per target: does its single run beat the best constant answer?

    Columns: `task`, `single`, `majority`, `single_low` (lower end of the interval of the single
    score) and `beats`: `no` where the mean does not, `not shown` where the interval reaches down
    to it, else `yes`. Gains of a target with `no` are undefined in practice: there was nothing
    learned to gain on.
    """
    low = np.quantile(found.single_draws, (1 - level) / 2, axis=0)
    rows = [
        (task, single, majority, bound, _compare(single, majority, bound))
        for task, single, bound in zip(found.tasks, found.single, low, strict=True)
        for majority in [measure_majority(predictions[task])]
    ]
    columns = ["task", "single", "majority", "single_low", "beats"]
    return pd.DataFrame(rows, columns=columns)


def _compare(single: float, majority: float, low: float) -> Beats:
    if single <= majority + 1e-9:
        return "no"
    return "yes" if low > majority else "not shown"


def find_undefined(predictions: Mapping[str, Predictions]) -> list[str]:
    """Return the targets whose mean single score does not beat the best constant answer."""
    return [
        task
        for task, found in predictions.items()
        if score_runs(found, found.single.values).mean() <= measure_majority(found) + 1e-9
    ]


def read_losses(plan: PairwisePlan, store: RunStore) -> dict[str, dict[tuple[str, int], float]]:
    """Return task to (partner or "", seed) to its last epoch's loss, for all finished runs."""
    losses: dict[str, dict[tuple[str, int], float]] = {name: {} for name in plan.tasks}
    for (task, seed), job in plan.singles.items():
        if store.is_done(job.spec):
            losses[task]["", seed] = store.result(job.spec).final_loss[task]
    for (one, other, seed), job in plan.pairs.items():
        if store.is_done(job.spec):
            final = store.result(job.spec).final_loss
            losses[one][other, seed], losses[other][one, seed] = final[one], final[other]
    return losses


def tabulate_collapsed(runs: Iterable[CollapsedRun]) -> pd.DataFrame:
    """Return a row per collapsed run with the columns `COLLAPSED_COLUMNS`."""
    rows: list[tuple[Any, ...]] = [
        (run.task, run.partner, run.seed, "; ".join(run.reasons)) for run in runs
    ]
    return pd.DataFrame(rows, columns=list(COLLAPSED_COLUMNS))


def _is_classification(predictions: Predictions) -> bool:
    return METRICS[predictions.metric].kind == "classification"
