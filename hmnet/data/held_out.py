"""Training rows that are held out: for choosing, so that dev rows are for judging alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hmnet.data.raw import RawSplit
from hmnet.data.row_sampling import choose_questions
from hmnet.errors import InputError
from hmnet.storage.digests import digest
from hmnet.study.settings import DataSettings
from hmnet.study.tasks import Task

MOST_FRAC = 0.2
"""Most of a task's training rows that are held out: the rest is needed for training."""
Index = npt.NDArray[np.int64]


def hold_out(
    rows: RawSplit, kept: RawSplit, task: Task, settings: DataSettings
) -> tuple[RawSplit, RawSplit]:
    """Return the rows to train on and those that are held out, each in their order.

    Rows that would not be trained on anyhow are taken first, so that a study with `max_train` has
    the same training rows as without. Labels have their shares among them. Answers are held out by
    whole questions. The choice depends on the seed, the task's name and its rows alone.

    Args:
        rows: all training rows.
        kept: those that are trained on without held-out ones.

    Raises:
        InputError: if there are too few rows.
    """
    most = min(settings.holdout or 0, int(MOST_FRAC * len(rows)))
    if most < 1:
        raise InputError(
            f"Parameter `rows.holdout` should be left out where a task has fewer than "
            f"{1 / MOST_FRAC:.0f} training rows. Found {len(rows)} of `{task.name}`."
        )
    rng = np.random.default_rng(int(digest(str(settings.sample_seed), task.name, "held out"), 16))
    if task.question:
        chosen = choose_questions(rows.questions, most, rng)
    else:
        chosen = _choose_rows(rows, kept, most, rng)
    held = rows.select(np.sort(chosen))
    remain = np.flatnonzero(~np.isin(kept.rows, held.rows))
    return kept.select(remain), held


def _choose_rows(rows: RawSplit, kept: RawSplit, most: int, rng: np.random.Generator) -> Index:
    is_kept = np.isin(rows.rows, kept.rows)
    spare, used = np.flatnonzero(~is_kept), np.flatnonzero(is_kept)
    first = _stratify(spare, rows, min(most, len(spare)), rng)
    return np.concatenate([first, _stratify(used, rows, most - len(first), rng)])


def _stratify(index: Index, rows: RawSplit, count: int, rng: np.random.Generator) -> Index:
    """Return `count` of the rows `index`, one from each of as many ranges of the sorted labels."""
    if count == 0:
        return index[:0]
    order = np.lexsort((rng.random(len(index)), rows.number_labels()[index]))
    return np.array([rng.choice(part) for part in np.array_split(index[order], count)])
