"""Made dev predictions of a sweep: exact ones by hand, and random ones of stated accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analysis.scores.predictions import Arm, Predictions


def make_arm(values: Any, seeds: Sequence[int] | None = None) -> Arm:
    """Return an arm from predictions [S, N], with the seeds 0 to S - 1 if none are given."""
    array = np.atleast_2d(np.asarray(values))
    return Arm(tuple(range(len(array)) if seeds is None else seeds), array)


def make_target(
    task: str,
    labels: Any,
    single: Any,
    joint: Mapping[str, Any],
    metric: str = "accuracy",
    questions: Any = None,
    splits: Any = None,
) -> Predictions:
    """Return the predictions for a task; `single` and `joint` hold arrays [S, N]."""
    labels = np.asarray(labels)
    return Predictions(
        task=task,
        metric=metric,
        labels=labels,
        splits=np.full(len(labels), "validation", object) if splits is None else splits,
        questions=np.full(len(labels), -1) if questions is None else np.asarray(questions),
        single=make_arm(single),
        joint={partner: make_arm(values) for partner, values in joint.items()},
    )


def draw_arm(
    labels: np.ndarray[Any, Any], share: float, seeds: int, rng: np.random.Generator, sd: float = 0
) -> np.ndarray[Any, Any]:
    """Return predictions of binary labels, [S, N], right with probability `share` + N(0, sd)."""
    level = np.clip(share + sd * rng.standard_normal((seeds, 1)), 0.02, 0.98)
    return np.where(rng.random((seeds, len(labels))) < level, labels, 1 - labels)


def make_sweep(
    gains: Any,
    dev: int = 200,
    seeds: int = 3,
    single_seeds: int | None = None,
    base: float = 0.7,
    sd: float = 0.01,
    seed: int = 0,
) -> dict[str, Predictions]:
    """Return a sweep of binary tasks a, b, c, ... whose true gains, in points, are `gains` [T, T].

    Args:
        base: accuracy of single runs.
        sd: over seeds, of a run's accuracy.
    """
    rng = np.random.default_rng(seed)
    names = [chr(ord("a") + i) for i in range(len(gains))]
    found = {}
    for t, task in enumerate(names):
        labels = rng.integers(0, 2, dev)
        joint = {
            names[s]: draw_arm(labels, base + gains[s][t], seeds, rng, sd)
            for s in range(len(names))
            if s != t
        }
        single = draw_arm(labels, base, single_seeds or seeds, rng, sd)
        found[task] = make_target(task, labels, single, joint)
    return found
