"""Training rows that are held out: for choosing, so that dev rows are for judging alone.

Or for judging too, as a further dev split: but never the same rows for both.
"""

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
    rng = _make_rng(task, settings, "held out")
    if task.question:
        chosen = choose_questions(rows.questions, most, rng)
    else:
        chosen = _choose_rows(rows, kept, most, rng)
    held = rows.select(np.sort(chosen))
    remain = np.flatnonzero(~np.isin(kept.rows, held.rows))
    return kept.select(remain), held


def split_by_use(held: RawSplit, task: Task, settings: DataSettings) -> tuple[RawSplit, RawSplit]:
    """Return the held-out rows for choosing and those for judging, none of them both.

    Halves have labels in their shares, and whole questions. Which rows are in which half depends on
    the seed, the task's name and the rows alone.

    Raises:
        InputError: if there are too few rows for two halves.
    """
    index = np.arange(len(held))
    if settings.holdout_use != "both":
        is_judged = np.full(len(held), settings.holdout_use == "judging")
    else:
        rng = _make_rng(task, settings, "judged")
        if task.question:
            chosen = choose_questions(held.questions, len(held) // 2, rng)
        else:
            chosen = _stratify(index, held, len(held) // 2, rng)
        is_judged = np.isin(index, chosen)
        if is_judged.all() or not is_judged.any():
            raise InputError(
                f"Parameter `rows.holdout_use` should be choosing or judging where there is "
                f"nothing to halve. Found `both` with {len(held)} held-out rows of `{task.name}`."
            )
    return held.select(index[~is_judged]), held.select(index[is_judged])


def _make_rng(task: Task, settings: DataSettings, what: str) -> np.random.Generator:
    return np.random.default_rng(int(digest(str(settings.sample_seed), task.name, what), 16))


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
