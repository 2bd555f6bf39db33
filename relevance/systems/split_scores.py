"""Scores row by row as the paper's Table 1 counts them: each dev split of a task is a row.

`average` elsewhere is over tasks, each the mean over its dev splits (equation 3). The paper's is
over 14 rows of 13 tasks, as MNLI has two dev splits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from analysis.gains.paired import AVERAGE
from hmnet.data.task_data import JUDGED
from hmnet.jobs.prepared import PreparedStudy
from hmnet.runs.store import RunStore
from hmnet.study.metrics import list_averaged
from relevance.systems.systems import System, plan_system

AVERAGE_OF_ROWS = "average of rows"


def tabulate_split_scores(
    prepared: PreparedStudy, systems: Sequence[System], store: RunStore
) -> pd.DataFrame:
    """Return a row per dev split of tasks with several, and the averages over tasks and over rows.

    A column per system: its mean over seeds, a fraction; NaN for an average where a task has no
    finished run. Empty where every task has one dev split, so that both averages are the same.
    """
    rows = [
        (name, split)
        for name, task in prepared.study.tasks.items()
        for split in (*task.dev_splits, *([JUDGED] if JUDGED in prepared.data[name].splits else []))
    ]
    counts = Counter(name for name, _ in rows)
    several = [row for row in rows if counts[row[0]] > 1]
    if not several:
        return pd.DataFrame()
    found = pd.DataFrame({s.name: _average_seeds(prepared, s, store) for s in systems})
    scores = found.reindex(pd.MultiIndex.from_tuples(rows))
    table = scores.loc[several].rename(index=str)
    table.index = [f"{task} {split}" for task, split in several]
    metrics = {name: task.metric for name, task in prepared.study.tasks.items()}
    counted = scores.loc[list_averaged(metrics)]
    table.loc[AVERAGE] = counted.groupby(level=0, sort=False).mean().mean(skipna=False)
    table.loc[AVERAGE_OF_ROWS] = counted.mean(skipna=False)
    return table


def _average_seeds(prepared: PreparedStudy, system: System, store: RunStore) -> pd.Series:
    """Return (task, dev split) to the mean over seeds of the task's metric."""
    values = [
        (task, split, scores[prepared.study.tasks[task].metric])
        for seed in prepared.study.seeds
        for job in plan_system(prepared, system, seed)
        if store.is_done(job.spec)
        for task, splits in store.result(job.spec).scores.items()
        for split, scores in splits.items()
    ]
    frame = pd.DataFrame(values, columns=["task", "split", "score"])
    return frame.groupby(["task", "split"])["score"].mean()
