"""A study begun from a folder of files: every file looked at, dev rows drawn, study.toml written.

begun = begin_study(Path("tickets"), Path("study.toml"), "relevance init tickets")
load_study(Path("study.toml"))
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hmnet.errors import InputError, raise_problems
from hmnet.starting.dev_split import SPLIT_OPTIONS, SplitOptions
from hmnet.starting.file_groups import find_files, make_name
from hmnet.starting.guesses import TaskGuess, guess_tasks, rename
from hmnet.starting.study_text import render_study
from hmnet.starting.written_rows import TaskRows, arrange_rows
from hmnet.storage.files import write_bytes
from hmnet.study.study import STUDY_FILE, Study, load_study
from hmnet.study.study_file import PAPER_MODEL

HUB_ROWS = "hub-rows"
"""Folder beside the study for rows of a repository on the hub."""
_OUTPUT_MARKER = "output.json"
Ask = Callable[[str, Sequence[str], str], str]
"""From a question, its possible answers and the likely one to an answer."""


@dataclass(frozen=True)
class StartOptions:
    """How a study is begun.

    Attributes:
        preset: `paper` or `planted`, in place of a folder of files.
        label: the label column of every file; None to guess.
        skip: leave files out that are no task, in place of refusing them.
        split: how dev rows are drawn.
        model: the encoder, a hub id or a folder.
    """

    preset: str | None = None
    label: str | None = None
    skip: bool = False
    split: SplitOptions = SPLIT_OPTIONS
    model: str = PAPER_MODEL


START_OPTIONS = StartOptions()


@dataclass(frozen=True)
class BegunStudy:
    """What was written.

    Attributes:
        study: the file.
        guesses: a task each.
        rows: task to where its rows lie.
        skipped: a sentence for each file that was left out.
    """

    study: Path
    guesses: Sequence[TaskGuess]
    rows: Mapping[str, TaskRows]
    skipped: Sequence[str]


def begin_study(
    folder: Path,
    study: Path,
    command: str,
    options: StartOptions = START_OPTIONS,
    ask: Ask | None = None,
) -> BegunStudy:
    """Look at a folder of files and write a study of them, and rows where splits are missing.

    Args:
        folder: of files; or `owner/name` of a data set on the hub, with a configuration as
            `owner/name:config`, whose rows are put beside the study.
        study: the file to write.
        command: what the file says that it was written by.
        ask: how to ask for what is unsure; None on no terminal, where it is marked in the file.

    Raises:
        InputError: with every problem of every file; nothing is written then.
        SourceError: if the hub's repository cannot be loaded.
    """
    if folder.exists() or not is_hub_id(str(folder)):
        return _begin(folder, study, command, options, ask)
    place = study.parent / HUB_ROWS / make_name(str(folder))
    if place.exists():
        raise InputError(f"{place}: the folder should be new. It is there: remove it first.")
    try:
        _fetch(str(folder), place)
        return _begin(place, study, command, options, ask)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        if place.parent.is_dir() and not any(place.parent.iterdir()):
            place.parent.rmdir()
        raise


def is_hub_id(text: str) -> bool:
    """Tell whether a text may name a data set on the hub.

    >>> is_hub_id("nyu-mll/glue:rte"), is_hub_id("./tickets"), is_hub_id("a/b/c")
    (True, False, False)
    """
    return re.fullmatch(r"[\w-][\w.-]*/[\w.-]+(:[\w.-]+)?", text) is not None


def _fetch(text: str, place: Path) -> None:
    from hmnet.data.hub import read_repository

    repository, _, config = text.partition(":")
    for split, frame in read_repository(repository, config or None).items():
        write_bytes(place / f"{split}.parquet", frame.to_parquet(index=False))


def _begin(
    folder: Path, study: Path, command: str, options: StartOptions, ask: Ask | None
) -> BegunStudy:
    guesses, skipped = _guess_all(folder, options)
    guesses = [_settle(guess, ask) for guess in guesses]
    rows = _arrange_all(guesses, study.parent, options)
    text = render_study(guesses, rows, study.parent, command, options.model)
    for each in rows.values():
        each.write()
    _write_checked(study, text)
    return BegunStudy(study, guesses, rows, skipped)


def study_of_folder(
    folder: str | os.PathLike[str],
    *,
    label: str | None = None,
    skip: bool = False,
    split: SplitOptions = SPLIT_OPTIONS,
) -> Study:
    """Return the study of a folder of files: that of its `study.toml`, which is written first.

    Args:
        folder: as for `relevance init`; a data set on the hub gets a folder of its name here.
        label, skip, split: as in `StartOptions`.

    Raises:
        InputError: with every problem of every file.
    """
    path = Path(folder)
    is_hub = not path.exists() and is_hub_id(str(folder))
    study = (Path(make_name(str(folder))) if is_hub else path) / STUDY_FILE
    if not study.exists():
        options = StartOptions(label=label, skip=skip, split=split)
        begin_study(path, study, f"Study.from_folder({str(folder)!r})", options)
    return load_study(study)


def _guess_all(folder: Path, options: StartOptions) -> tuple[list[TaskGuess], list[str]]:
    guesses: list[TaskGuess] = []
    problems: list[str] = []
    for group in find_files(folder):
        if (group.train.parent / _OUTPUT_MARKER).exists():
            continue  # an output folder's own tables
        try:
            found = guess_tasks(group, options.label, options.split.group)
        except InputError as error:
            problems += error.problems
            continue
        for guess in found:
            guesses.append(rename(guess, [known.name for known in guesses]))
    if problems and (not options.skip or not guesses):
        raise InputError(*problems, *([] if not guesses else [_WAY_ON]))
    if not guesses:
        raise InputError(f"{folder}: the folder should hold tables of rows. Found none.")
    return guesses, [f"left out: {problem}" for problem in problems]


_WAY_ON = "The other files can be used: --skip leaves these out."


def _settle(guess: TaskGuess, ask: Ask | None) -> TaskGuess:
    """Return a guess with the label that a person chose, where it was unsure."""
    if ask is None or "label" not in guess.unsure:
        return guess
    known = (guess.label, *guess.others)
    question = f"{guess.group.train.name}: which column is the label of `{guess.name}`?"
    chosen = ask(question, known, guess.label)
    if chosen == guess.label:
        return replace(guess, unsure=guess.unsure - {"label"})
    (other,) = guess_tasks(guess.group, chosen)
    return replace(other, name=guess.name)


def _arrange_all(
    guesses: Sequence[TaskGuess], base: Path, options: StartOptions
) -> dict[str, TaskRows]:
    rows: dict[str, TaskRows] = {}
    problems: list[str] = []
    for guess in guesses:
        try:
            rows[guess.name] = arrange_rows(guess, base, options.split)
        except InputError as error:
            problems += error.problems
        else:
            folder = rows[guess.name].folder
            if rows[guess.name].frames and folder.exists():
                problems.append(
                    f"{folder}: the folder should be new. It is there: remove it first."
                )
    raise_problems(problems)
    return rows


def _write_checked(study: Path, text: str) -> None:
    """Write the file; one that would not load is taken away again."""
    write_bytes(study, text.encode())
    try:
        load_study(study)
    except InputError:
        study.unlink()
        raise
