"""`relevance init`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from hmnet.console.speaking import wrote
from hmnet.errors import raise_problems
from hmnet.starting.folder_study import START_OPTIONS, Ask, StartOptions, begin_study
from hmnet.starting.guesses import TaskGuess
from hmnet.starting.study_text import MARK
from hmnet.starting.written_rows import TaskRows
from hmnet.study.study import STUDY_FILE, Study, write_study

PRESETS = ("paper", "planted")


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
    command = f"relevance init {shlex.quote(str(folder))}"
    begun = begin_study(folder, study, command, options, ask)
    guesses = begun.guesses
    for guess in guesses:
        yield _describe(guess, begun.rows[guess.name])
    yield from begun.skipped
    unsure = [
        f"{guess.name}: {', '.join(sorted(guess.unsure))}" for guess in guesses if guess.unsure
    ]
    if unsure:
        yield f"unsure, marked {MARK.strip(': ')} in the file: {'; '.join(unsure)}"
    written = dict.fromkeys(str(rows.folder) for rows in begun.rows.values() if rows.frames)
    yield wrote(study, *written)
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


def _describe(guess: TaskGuess, rows: TaskRows) -> str:
    kind = f"{len(guess.labels)} labels" if guess.labels else "a regression"
    return (
        f"{guess.name}: {' + '.join(guess.text)} -> {guess.label} ({kind}, {guess.metric}); "
        f"{rows.note}"
    )
