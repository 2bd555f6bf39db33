"""Which rows of a split are kept when a study limits them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hmnet.data.raw import RawSplit
from hmnet.storage.digests import digest
from hmnet.study.settings import DataSettings
from hmnet.study.tasks import Task


def sample_rows(rows: RawSplit, task: Task, split: str, settings: DataSettings) -> RawSplit:
    """Return a random sample of at most `max_train` or `max_dev` rows, in their order.

    Dev rows that answer questions are drawn by whole questions, as exact match needs all answers.
    The sample depends on the seed, the task's name, the split and the number of rows alone (and
    on which rows belong to a question).
    """
    most = settings.max_train if split == "train" else settings.max_dev
    if most is None or most >= len(rows):
        return rows
    rng = np.random.default_rng(int(digest(str(settings.sample_seed), task.name, split), 16))
    if split != "train" and task.question:
        return rows.select(choose_questions(rows.questions, most, rng))
    chosen = rng.choice(len(rows), size=most, replace=False)
    return rows.select(np.sort(chosen).astype(np.int64))


def choose_questions(
    questions: npt.NDArray[np.int64], most: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Return the rows of random questions: as many as stay within `most` rows, at least one."""
    names, number, counts = np.unique(questions, return_inverse=True, return_counts=True)
    order = rng.permutation(len(names))
    kept = order[: max(1, int((np.cumsum(counts[order]) <= most).sum()))]
    return np.flatnonzero(np.isin(number, kept))
