"""What words alone score, beside single-task scores: a single run below it was not worth training.

    baseline = read_baseline(output, prepared)       # seconds the first time, then from its file
    baseline.scores["rte"]

The table is kept in the output folder and holds a task until its rows change.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from analysis.scores.tfidf import KINDS, score_tfidf
from hmnet.data.task_data import TaskData
from hmnet.errors import InputError
from hmnet.folder.outputs import Output
from hmnet.jobs.prepared import PreparedStudy
from hmnet.runs.store import RunStore
from hmnet.storage.tables import read_table, write_table
from relevance.pairwise.plan import PairwisePlan
from relevance.pairwise.word_baseline_format import WORD_BASELINE


@dataclass(frozen=True)
class WordBaseline:
    """What TF-IDF with a linear model scores.

    Attributes:
        scores: task to the mean of its primary metric over its dev splits; a task that no linear
            model can learn is left out.
    """

    scores: Mapping[str, float]

    def is_beaten(self, task: str, score: float) -> bool:
        """Tell whether a score is above that of words alone, or there is none to beat."""
        return not score <= self.scores.get(task, math.nan)

    def describe(self, task: str, score: float, seed: int) -> str:
        """Return what is to be said of a single run; empty where it beats words alone."""
        if self.is_beaten(task, score):
            return ""
        return (
            f"{task} alone, seed {seed}: {score:.3f}, no more than TF-IDF with a linear model "
            f"({self.scores[task]:.3f}): single words say all that can be learned here, or it "
            "trained too little for its gains to mean much (more epochs, a higher learning rate)"
        )


def read_baseline(output: Output, prepared: PreparedStudy) -> WordBaseline:
    """Return what words alone score on a study's tasks; what is not known yet is measured."""
    known = _read_known(output)
    rows = [
        (name, data.fingerprint, known.get((name, data.fingerprint), math.nan))
        for name, data in prepared.data.items()
        if data.task.kind in KINDS
    ]
    found = [
        (name, key, _measure(prepared.data[name]) if math.isnan(score) else score)
        for name, key, score in rows
    ]
    if found != rows:
        kept = {(name, key): score for name, key, score in found}
        table = pd.DataFrame(
            [(*key, score) for key, score in {**known, **kept}.items()],
            columns=list(WORD_BASELINE.columns),
        )
        write_table(output.word_baseline, table, WORD_BASELINE.schema, {})
    return WordBaseline({name: score for name, _, score in found if not math.isnan(score)})


def _read_known(output: Output) -> dict[tuple[str, str], float]:
    """Return task and fingerprint of its rows to a score that is kept; none of a faulty file."""
    try:
        table, _ = read_table(output.word_baseline, WORD_BASELINE.schema)
        names = zip(table["task"], table["rows"], strict=True)
        return dict(zip(names, table["score"].astype(float), strict=True))
    except (InputError, KeyError, ValueError):
        return {}


def _measure(data: TaskData) -> float:
    score = score_tfidf(data)
    return 0.0 if math.isnan(score) else score


def describe_singles(baseline: WordBaseline, plan: PairwisePlan, store: RunStore) -> Iterator[str]:
    """Yield which tasks' single runs, by the mean of those done, do not beat words alone."""
    scores: dict[str, list[float]] = {}
    for (task, _), job in plan.singles.items():
        if store.is_done(job.spec):
            scores.setdefault(task, []).append(store.result(job.spec).primary[task])
    means = {task: sum(found) / len(found) for task, found in scores.items()}
    named = [
        f"{task} ({mean:.3f}, {baseline.scores[task]:.3f})"
        for task, mean in means.items()
        if not baseline.is_beaten(task, mean)
    ]
    if named:
        yield (
            f"single runs that do not beat TF-IDF with a linear model (score, TF-IDF): "
            f"{', '.join(named)}: single words say all that can be learned there, or they "
            "trained too little for their gains to mean much"
        )
