"""A study of the user's own rows on disk: made sentences, a small encoder, tasks as given."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tiny_study import WORDS, write_encoder

from hmnet.jobs.prepared import PreparedStudy, prepare_study
from hmnet.study.study import load_study

Row = tuple[str, Any]


def make_texts(count: int, start: int = 0) -> list[str]:
    """Return sentences of four made words, all different for up to 1,600 of them."""
    size = len(WORDS)
    numbers = range(start, start + count)
    return [
        " ".join((WORDS[i % size], WORDS[i // size % size], WORDS[(i * 7) % size], WORDS[i // 400]))
        for i in numbers
    ]


def write_rows(path: Path, rows: Sequence[Row]) -> Path:
    """Write rows of a text and a label as JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"text": text, "label": label}) + "\n" for text, label in rows]
    path.write_text("".join(lines))
    return path


def write_own_study(
    folder: Path,
    tasks: Mapping[str, tuple[Sequence[str | int], Sequence[Row], Sequence[Row]]],
) -> Path:
    """Write a study of tasks, each with its labels, training rows and dev rows; return its file."""
    if not (folder / "encoder").exists():
        write_encoder(folder / "encoder")
    tables = []
    for name, (labels, train, dev) in tasks.items():
        write_rows(folder / "rows" / name / "train.jsonl", train)
        write_rows(folder / "rows" / name / "validation.jsonl", dev)
        kind = f"labels = {json.dumps(list(labels))}" if labels else 'kind = "regression"'
        tables.append(f'[task.{name}]\ntext = ["text"]\n{kind}\n')
    head = f'schema = "study/1"\ntasks = {json.dumps(list(tasks))}\nmodel = "encoder"\n'
    path = folder / "study.toml"
    path.write_text(
        f'{head}data = "rows"\n[training]\nprecision = "fp32"\n[rows]\nmax_length = 16\n'
        + "".join(tables)
    )
    return path


def prepare_own(folder: Path, tasks: Mapping[str, Any]) -> PreparedStudy:
    """Write a study and prepare it."""
    return prepare_study(load_study(write_own_study(folder, tasks)), folder / "data-out")
