"""A guessed task's rows in files that a study can name: train and validation, beside the study.

Files of splits that lie in a folder of their own are used where they are. Of one file, or of files
that only their names tell apart, a folder with `train.parquet` and `validation.parquet` is made; it
holds every column, so that another label or text can be chosen in the study. Several label columns
of one file have one such folder, with their gaps, so that their texts are known to be the same.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from hmnet.data.file_formats import split_name
from hmnet.errors import InputError
from hmnet.starting.dev_split import SPLIT_OPTIONS, SplitOptions, draw_dev
from hmnet.starting.file_columns import look_at
from hmnet.starting.guesses import TaskGuess, find_numbers, read_as_text
from hmnet.storage.files import write_bytes

FOLDER = "study-rows"


@dataclass(frozen=True, eq=False)
class TaskRows:
    """Where a task's rows lie.

    Attributes:
        folder: with a file a split.
        splits: split to the stem of its file.
        note: how the splits came to be, in a few words.
        frames: split to rows that are to be written; none for files that are used as they are.
    """

    folder: Path
    splits: Mapping[str, str]
    note: str
    frames: Mapping[str, pd.DataFrame]

    def write(self) -> None:
        """Write what is to be written."""
        for split, frame in self.frames.items():
            write_bytes(self.folder / f"{split}.parquet", frame.to_parquet(index=False))


def arrange_rows(guess: TaskGuess, base: Path, options: SplitOptions = SPLIT_OPTIONS) -> TaskRows:
    """Return where a task's rows lie or are to lie; nothing is written yet.

    Args:
        base: the folder of the study file.

    Raises:
        InputError: if the dev file lacks a column, or dev rows cannot be drawn.
    """
    group = guess.group
    folder = base / FOLDER / (group.name if guess.siblings and group.dev is None else guess.name)
    frame = read_as_text(group.train)
    if group.dev is None:
        return _draw(guess, frame, folder, options)
    dev = read_as_text(group.dev)
    lacking = [name for name in (*guess.text, guess.label) if name not in dev.columns]
    if lacking:
        raise InputError(
            f"{group.dev}: the table should have the columns of {group.train.name}. Missing: "
            f"{', '.join(lacking)}."
        )
    stems = [split_name(path)[0] for path in (group.train, group.dev)]
    alone = group.train.parent == group.dev.parent and stems[0].lower() == "train"
    note = f"{group.train.name} and {group.dev.name}: {group.reason}"
    if alone and _is_whole(frame, guess) and _is_whole(dev, guess):
        return TaskRows(
            group.train.parent, dict(zip(("train", "validation"), stems, strict=True)), note, {}
        )
    kept = [_keep_whole(part, guess) for part in (frame, dev)]
    frames = {"train": kept[0][0], "validation": kept[1][0]}
    return _make(folder, note + _tell_left_out(kept[0][1] + kept[1][1]), frames)


def _draw(guess: TaskGuess, frame: pd.DataFrame, folder: Path, options: SplitOptions) -> TaskRows:
    count = len(frame)
    if guess.siblings:  # each task leaves out its own gaps
        frame = frame[(frame[list(guess.text)] != "").all(axis=1)]
    else:
        frame = frame[_is_filled(frame, guess)]
    labels = guess.siblings or (guess.label,)
    is_value = look_at(labels[0], frame[labels[0]]).role == "values"
    try:
        is_dev = draw_dev(
            frame,
            guess.text,
            labels,
            options,
            is_regression=is_value and len(labels) == 1,
        )
    except InputError as error:
        raise InputError(*(f"{guess.group.train}: {p}" for p in error.problems)) from None
    filled = _is_filled(frame, guess)
    together = "" if options.group is None else f" and rows of one `{options.group}`"
    note = (
        f"{guess.group.train.name}: {int(is_dev[filled].sum()):,} of {int(filled.sum()):,} rows "
        "drawn as dev rows "
        f"(seed {options.seed}, stratified; duplicates{together} on one side)"
    )
    frames = {"train": frame[~is_dev], "validation": frame[is_dev]}
    return _make(folder, note + _tell_left_out(count - int(filled.sum())), frames, guess.labelled)


def _make(
    folder: Path, note: str, frames: Mapping[str, pd.DataFrame], labels: Sequence[str] = ()
) -> TaskRows:
    whole = pd.concat(frames.values(), ignore_index=True)
    numbers = find_numbers(whole)
    ends = np.cumsum([len(frame) for frame in frames.values()])
    parts: dict[str, pd.DataFrame] = {}
    for (split, frame), end in zip(frames.items(), ends, strict=True):
        rows = slice(int(end) - len(frame), int(end))
        typed = {name: c.iloc[rows].reset_index(drop=True) for name, c in numbers.items()}
        plain = frame.reset_index(drop=True)
        gaps = {name: plain[name].where(plain[name] != "", None) for name in labels}
        parts[split] = plain.assign(**gaps).assign(**typed)
    return TaskRows(folder, {"train": "train", "validation": "validation"}, note, parts)


def _is_filled(frame: pd.DataFrame, guess: TaskGuess) -> npt.NDArray[np.bool_]:
    """Return which rows have a label and every text, [N]."""
    filled: npt.NDArray[np.bool_] = (frame[[*guess.text, guess.label]] != "").all(axis=1).to_numpy()
    return filled


def _is_whole(frame: pd.DataFrame, guess: TaskGuess) -> bool:
    return bool(_is_filled(frame, guess).all())


def _keep_whole(frame: pd.DataFrame, guess: TaskGuess) -> tuple[pd.DataFrame, int]:
    """Return the rows that have a label and every text, and how many have not."""
    filled = _is_filled(frame, guess)
    return frame[filled].reset_index(drop=True), int((~filled).sum())


def _tell_left_out(count: int) -> str:
    return f"; {count:,} rows without a label or a text left out" if count else ""


def locate_from_study(path: Path, base: Path) -> str:
    """Return a path relative to the study file's folder, as a study file has it."""
    found = Path(os.path.relpath(path, base)).as_posix()
    return found if found.startswith("..") else f"./{found}" if "/" not in found else found
