"""How often a discriminator of tasks takes one task's rows for another's.

A logistic regression tells the tasks' rows apart by their standardised features; each row is judged
by one that has not seen it (`FOLDS`-fold). Of source s and target t it is the mean probability of t
over the rows of s (FastMTL, EMNLP 2021, which chooses auxiliary rows by it).

Legend: N rows of a task, W width, T tasks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.arrays import Floats
from hmnet.errors import raise_problems

FOLDS = 5


def discriminate(features: Sequence[Floats]) -> Floats:
    """Return the mean probability of each task (column) over each task's rows (row), [T, T].

    Rows sum to 1.

    Args:
        features: of T tasks, [N, W] each.

    Raises:
        InputError: for tasks with fewer rows than folds.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    raise_problems(
        f"Parameter `features` should hold at least {FOLDS} rows of each task. Found {len(each)} "
        f"of task number {number}."
        for number, each in enumerate(features)
        if len(each) < FOLDS
    )
    rows = np.concatenate([each.astype(np.float64) for each in features])
    task = np.repeat(np.arange(len(features)), [len(each) for each in features])
    judge = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    found = cross_val_predict(judge, rows, task, cv=folds, method="predict_proba")
    means: Floats = np.stack(
        [found[task == number].mean(axis=0) for number in range(len(features))]
    )
    return means
