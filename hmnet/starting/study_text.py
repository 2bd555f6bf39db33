"""A study file as text, each guess on a line of its own with its reason beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hmnet.starting.guesses import TaskGuess
from hmnet.starting.written_rows import TaskRows, locate_from_study
from hmnet.study.own_steps import advise_epochs, count_own_steps
from hmnet.study.settings import TrainingSettings
from hmnet.study.study_file import PAPER_MODEL, STUDY_SCHEMA

MARK = "CHECK: "
"""What stands before the reason of a guess that may well be otherwise."""
MOST_EPOCHS = 20
"""Epochs that enough steps of a small task may take."""
MANY_ROWS = 5000
"""Rows of a task with which more epochs than the paper's cost much."""


def render_study(
    guesses: Sequence[TaskGuess],
    rows: Mapping[str, TaskRows],
    base: Path,
    command: str,
    model: str = PAPER_MODEL,
) -> str:
    """Return the text of a study file.

    Args:
        rows: task to where its rows lie.
        base: the folder of the study file.
        command: what wrote it.
        model: the encoder, a hub id or a folder.
    """
    names = json.dumps([guess.name for guess in guesses], ensure_ascii=False)
    unsure = sum(len(guess.unsure) for guess in guesses)
    verb = "is" if unsure == 1 else "are"
    marked = f" {unsure} {verb} unsure, marked {MARK.strip(': ')}." if unsure else ""
    said = "the paper's encoder; " if model == PAPER_MODEL else ""
    lines = [
        f"# Written by `{command}`. Every line is a guess that can be changed.{marked}",
        f"schema = {_quote(STUDY_SCHEMA)}",
        f"tasks = {names}",
        f"model = {_quote(model)}  # {said}a hub id or a local folder",
        "seeds = [0, 1, 2]  # one seed cannot tell gains from noise",
        "",
        "[training]",
        _choose_epochs([len(each.frames.get("train", ())) for each in rows.values()]),
        "",
        "[rows]",
        "max_length = 256  # tokens of an example; `relevance check` says how many are cut",
    ]
    for guess in guesses:
        lines += ["", *_render_task(guess, rows[guess.name], base)]
    return "\n".join(lines) + "\n"


def _choose_epochs(counts: Sequence[int]) -> str:
    """Return the line of the number of epochs, more of them where all tasks are small.

    >>> _choose_epochs([240, 400])
    'epochs = 13  # 104 steps of the smallest task; the paper has 3'
    """
    if not min(counts) or max(counts) > MANY_ROWS:
        return "epochs = 3  # the paper's; tasks of a few hundred rows deserve 10 or more"
    epochs = min(advise_epochs(min(counts), TrainingSettings()), MOST_EPOCHS)
    steps = count_own_steps(min(counts), TrainingSettings(epochs=epochs))
    return f"epochs = {epochs}  # {steps} steps of the smallest task; the paper has 3"


def _render_task(guess: TaskGuess, rows: TaskRows, base: Path) -> Iterator[str]:
    yield f"[task.{guess.name}]"
    source = f"{{ folder = {_quote(locate_from_study(rows.folder, base))} }}"
    yield _line(guess, "source", source, rows.note)
    if dict(rows.splits) != {"train": "train", "validation": "validation"}:
        splits = ", ".join(f"{split} = {_quote(stem)}" for split, stem in rows.splits.items())
        yield f"splits = {{ {splits} }}"
    yield _line(guess, "text", json.dumps(list(guess.text), ensure_ascii=False))
    yield _line(guess, "label", _quote(guess.label))
    yield _line(guess, "kind", _quote(guess.kind))
    if guess.labels:
        labels = ", ".join(map(_show_label, guess.labels))
        yield f"labels = [{labels}]  # in the order of their codes"
    yield _line(guess, "metric", _quote(guess.metric))
    yield 'category = "other"  # what it is for, by hand: the groups of --matrix manual'


def _line(guess: TaskGuess, part: str, value: str, reason: str | None = None) -> str:
    said = reason or guess.reasons.get(part, "")
    mark = MARK if part in guess.unsure else ""
    said = " ".join(said.split())
    return f"{part} = {value}  # {mark}{said}" if said else f"{part} = {value}"


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _show_label(label: str) -> str:
    """Return a label as TOML: whole numbers as such, as the written rows have them."""
    try:
        number = float(label)
    except ValueError:
        return _quote(label)
    return str(int(number)) if number.is_integer() else _quote(label)
