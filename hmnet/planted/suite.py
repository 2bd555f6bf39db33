"""The 13 tasks, and those of other kinds, what was planted in them, and their files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hmnet.planted.dialects import DIALECTS, FALSE_FRIENDS_FRAC, Dialect, make_dialects
from hmnet.planted.encoder import write_encoder
from hmnet.planted.kinds import KINDS, make_rows
from hmnet.seeding import derive_seed
from hmnet.storage.files import write_bytes
from hmnet.study.hierarchy import Groups
from hmnet.study.settings import DataSettings, TrainingSettings
from hmnet.study.tasks import Task

TRAIN_ROWS = 160
DEV_ROWS = 600
KNOWN_FRAC = 0.5
"""Share of its dialect's words that a task's training rows hold; its dev rows hold all."""

PLANTED_TRAINING = TrainingSettings(epochs=15, batch_size=16, learning_rate=1e-3, warmup_frac=0.1)
PLANTED_DATA = DataSettings(max_length=64)

TASK_NAMES = (
    "entailment-coast",
    "entailment-hills",
    "inference-coast",
    "inference-town",
    "sentiment-coast",
    "sentiment-hills",
    "sentiment-town",
    "paraphrase-coast",
    "paraphrase-town",
    "closeness-hills",
    "yesno-coast",
    "yesno-hills",
    "answers-town",
)
"""The tasks, named kind-dialect, in the order of every table."""
OTHER_TASK_NAMES = (
    "opinions-coast",
    "opinions-hills",
    "opinions-town",
    "verdicts-coast",
    "verdicts-town",
)
"""Tasks of the kinds that the paper's 13 have none of; `relevance demo --kinds all`."""


@dataclass(frozen=True)
class Planted:
    """A written suite.

    Attributes:
        tasks: task name to task.
        truth: the planted groups.
        description: what was planted, in words.
        encoder: folder of the encoder and its tokenizer.
        data: folder with `<task>/{train,validation}.parquet`.
    """

    tasks: Mapping[str, Task]
    truth: Groups
    description: str
    encoder: Path
    data: Path


def write_planted(
    folder: Path,
    seed: int,
    *,
    train_rows: int = TRAIN_ROWS,
    dev_rows: int = DEV_ROWS,
    all_kinds: bool = False,
) -> Planted:
    """Write the tasks' rows and the encoder under `folder`; equal seeds give equal bytes.

    Args:
        seed: decides the words' meanings, every text, and the encoder's weights.
        all_kinds: whether there are tasks of other kinds beside the 13.
    """
    dialects = make_dialects(seed)
    for name in _list_names(all_kinds):
        splits = make_splits(name, dialects, seed, train_rows, dev_rows)
        for split, frame in splits.items():
            _write_parquet(folder / "data" / name / f"{split}.parquet", frame)
    return Planted(
        tasks=make_planted_tasks(all_kinds),
        truth=make_planted_truth(seed, all_kinds),
        description=describe_planted(all_kinds),
        encoder=write_encoder(folder / "encoder", seed),
        data=folder / "data",
    )


def _list_names(all_kinds: bool) -> tuple[str, ...]:
    return (*TASK_NAMES, *(OTHER_TASK_NAMES if all_kinds else ()))


def make_planted_tasks(all_kinds: bool = False) -> dict[str, Task]:
    """Return the definitions of the tasks; they are the same for every seed."""
    return {name: _define(name) for name in _list_names(all_kinds)}


def _define(name: str) -> Task:
    kind = KINDS[_kind_of(name)]
    return Task(
        name=name,
        text=kind.text,
        kind=kind.kind,
        labels=kind.labels,
        metric=kind.metrics[0],
        metrics=kind.metrics[1:],
        category=kind.category,
        question=kind.question,
    )


def _kind_of(name: str) -> str:
    return name.partition("-")[0]


def find_task_dialect(name: str) -> str:
    """Return the dialect that a task's texts are written in: its true group."""
    return name.partition("-")[2]


def make_planted_truth(seed: int, all_kinds: bool = False) -> Groups:
    """Return the groups that measured transfer should find: the dialects."""
    groups = {
        dialect: tuple(n for n in _list_names(all_kinds) if find_task_dialect(n) == dialect)
        for dialect in DIALECTS
    }
    return Groups(groups, {"method": "planted", "k": len(groups), "seed": seed})


def describe_planted(all_kinds: bool = False) -> str:
    """Say what was planted."""
    others = len(OTHER_TASK_NAMES)
    kinds = "four kinds (inference, sentiment, similarity, question answering"
    if all_kinds:
        kinds = f"{kinds.replace('four', 'six')}, the opinions in a text, word by word, and all"
        kinds = f"{kinds} that may be said of a text at once"
    return (
        f"{13 + others * all_kinds} tasks of {kinds}) in three "
        "made dialects: coast, hills and town. A dialect's made adjectives approve or disapprove, "
        f"which only labels reveal, and each task's training texts hold {KNOWN_FRAC:.0%} of them: "
        "tasks of one dialect teach each other the rest (positive transfer). Hills and town share "
        f"their words, but {FALSE_FRIENDS_FRAC:.0%} of them are false friends that approve in one "
        "and disapprove in the other (negative transfer); the coast has other words (neither). So "
        "grouping by kind mixes the dialects, vocabulary joins hills and town, and measured "
        "transfer tells all three apart."
    )


def make_splits(
    name: str, dialects: Mapping[str, Dialect], seed: int, train_rows: int, dev_rows: int
) -> dict[str, pd.DataFrame]:
    """Return a task's rows by split, with the columns of its definition."""
    kind = KINDS[_kind_of(name)]
    whole = dialects[find_task_dialect(name)]
    rng = np.random.default_rng(derive_seed(seed, "planted", name))
    known = whole.sample_part(KNOWN_FRAC, rng)
    rows = {
        "train": make_rows(kind, known, train_rows, rng),
        "validation": make_rows(kind, whole, dev_rows, rng),
    }
    columns = [*kind.text, *kind.question, "label"]
    return {split: pd.DataFrame(rows[split], columns=columns) for split in rows}


def _write_parquet(path: Path, frame: pd.DataFrame) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), sink, compression="zstd")
    write_bytes(path, sink.getvalue().to_pybytes())
