"""`relevance init`."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hmnet.console.speaking import wrote
from hmnet.errors import InputError, raise_problems
from hmnet.folder.outputs import MARKER
from hmnet.starting.dev_split import SPLIT_OPTIONS, SplitOptions
from hmnet.starting.file_groups import find_files
from hmnet.starting.guesses import TaskGuess, guess_tasks, rename
from hmnet.starting.study_text import MARK, render_study
from hmnet.starting.written_rows import TaskRows, arrange_rows
from hmnet.storage.files import write_bytes
from hmnet.study.study import STUDY_FILE, Study, load_study, write_study

PRESETS = ("paper", "planted")
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
    """

    preset: str | None = None
    label: str | None = None
    skip: bool = False
    split: SplitOptions = SPLIT_OPTIONS


START_OPTIONS = StartOptions()


def run_init(
    folder: Path, study: Path, options: StartOptions = START_OPTIONS, ask: Ask | None = None
) -> Iterator[str]:
    """Look at a folder of files and write a study of them, and rows where splits are missing.

    Args:
        study: the file to write, which is not there yet.
        ask: how to ask for what is unsure; None on no terminal, where it is marked in the file.

    Raises:
        InputError: with every problem of every file; nothing is written then.
    """
    _check(study, options)
    if options.preset is not None:
        yield from _write_preset(study, options)
        return
    guesses, skipped = _guess_all(folder, options)
    guesses = [_settle(guess, ask) for guess in guesses]
    rows = _arrange_all(guesses, study.parent, options)
    command = f"relevance init {shlex.quote(str(folder))}"
    text = render_study(guesses, rows, study.parent, command)
    for each in rows.values():
        each.write()
    _write_checked(study, text)
    for guess in guesses:
        yield _describe(guess, rows[guess.name])
    yield from skipped
    unsure = [
        f"{guess.name}: {', '.join(sorted(guess.unsure))}" for guess in guesses if guess.unsure
    ]
    if unsure:
        yield f"unsure, marked {MARK.strip(': ')} in the file: {'; '.join(unsure)}"
    yield wrote(study)
    yield "next: relevance check" + ("" if study == Path(STUDY_FILE) else f" --study {study}")


def _check(study: Path, options: StartOptions) -> None:
    problems = []
    if study.exists():
        problems.append(
            f"Parameter `study` should be a new file. Found `{study}`: remove it first."
        )
    if options.preset is not None and options.preset not in PRESETS:
        problems.append(
            f"Parameter `from` should be one of {list(PRESETS)}. Found `{options.preset}`."
        )
    raise_problems(problems)


def _write_preset(study: Path, options: StartOptions) -> Iterator[str]:
    base = study.parent
    if options.preset == "paper":
        write_study(study, Study(seeds=(0, 1, 2)), base)
        yield f"the paper's 13 tasks, from the hub: wrote {study}"
    else:
        from hmnet.planted import PLANTED_DATA, PLANTED_TRAINING, write_planted

        planted = write_planted(base / "planted", options.split.seed)
        made = Study(
            tasks=dict(planted.tasks),
            model=str(planted.encoder.resolve()),
            data_folder=planted.data.resolve(),
            training=PLANTED_TRAINING,
            rows=PLANTED_DATA,
        )
        write_study(study, made, base)
        yield f"13 planted tasks and an encoder, in {base / 'planted'}: wrote {study}"
    yield "next: relevance pairwise --dry-run"


def _guess_all(folder: Path, options: StartOptions) -> tuple[list[TaskGuess], list[str]]:
    guesses: list[TaskGuess] = []
    problems: list[str] = []
    for group in find_files(folder):
        if (group.train.parent / MARKER).exists():
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


def _describe(guess: TaskGuess, rows: TaskRows) -> str:
    kind = f"{len(guess.labels)} labels" if guess.labels else "a regression"
    return (
        f"{guess.name}: {' + '.join(guess.text)} -> {guess.label} ({kind}, {guess.metric}); "
        f"{rows.note}"
    )
