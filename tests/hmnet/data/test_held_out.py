"""Held-out training rows: which, how many, and what they leave as it was."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made import make_task
from tiny_study import write_encoder
from transformers import AutoTokenizer

from hmnet.data.held_out import hold_out
from hmnet.data.raw import RawSplit
from hmnet.data.row_sampling import sample_rows
from hmnet.data.task_data import HELD_OUT, TaskData, load, prepare, verify_folder
from hmnet.errors import InputError
from hmnet.study.settings import DataSettings
from hmnet.study.tasks import Task

TASK = make_task("tone", 3)
TEXTS = ("ba la", "ko ne", "mi ro")


def make_rows(size: int, classes: int = 3) -> RawSplit:
    """Return rows of which half have label 0, a third label 1, and the rest label 2."""
    labels = np.array([(0, 0, 0, 1, 1, 2)[i % 6] for i in range(size)], dtype=np.int64)
    values = np.linspace(0, 1, size).astype(np.float32)
    texts = [f"row {i}" for i in range(size)]
    none = np.full(size, -1)
    return RawSplit((texts,), values if classes == 1 else labels, np.arange(size), none)


def split(rows: RawSplit, task: Task = TASK, **limits: Any) -> tuple[RawSplit, RawSplit]:
    settings = DataSettings(**limits)
    return hold_out(rows, sample_rows(rows, task, "train", settings), task, settings)


def test_no_row_is_both_trained_on_and_held_out() -> None:
    rows = make_rows(600)
    train, held = split(rows, holdout=60)
    assert (len(train), len(held)) == (540, 60)
    assert sorted([*train.rows, *held.rows]) == list(range(600))
    assert (np.diff(held.rows) > 0).all()


def test_labels_have_their_shares_among_held_out_rows() -> None:
    _, held = split(make_rows(600), holdout=60)
    assert np.bincount(held.labels).tolist() == [30, 20, 10]
    _, values = split(make_rows(600, classes=1), make_task("grade", 1), holdout=60)
    # one of each tenth row by value
    assert np.array_equal(np.sort(values.labels) * 599 // 10, np.arange(60))


def test_training_rows_of_a_limited_study_stay_the_same() -> None:
    rows = make_rows(600)
    plain = sample_rows(rows, TASK, "train", DataSettings(max_train=100))
    train, held = split(rows, max_train=100, holdout=60)
    assert train.rows.tolist() == plain.rows.tolist()
    assert len(held) == 60
    train, held = split(rows, max_train=580, holdout=60)  # 20 to spare: 40 are given up
    assert (len(train), len(held)) == (540, 60)


def test_a_fifth_of_the_rows_at_most_is_held_out() -> None:
    train, held = split(make_rows(60), holdout=1000)
    assert (len(train), len(held)) == (48, 12)
    with pytest.raises(InputError, match=r"fewer than 5 training rows. Found 4 of `tone`"):
        split(make_rows(4), holdout=1)


def test_the_choice_follows_from_the_seed_alone() -> None:
    rows = make_rows(600)
    once, again, other = (
        split(rows, holdout=60, sample_seed=seed)[1].rows.tolist() for seed in (0, 0, 1)
    )
    assert once == again != other


def test_answers_are_held_out_by_whole_questions() -> None:
    rows = dataclasses.replace(make_rows(600), questions=np.arange(600) // 4)
    task = dataclasses.replace(TASK, question=("text",))
    train, held = split(rows, task, holdout=50)
    assert not np.isin(train.questions, held.questions).any()
    assert len(held) == 48  # 12 questions of 4 answers


# On disk


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("held-out")
    write_encoder(place / "encoder")
    (place / "rows" / "tone").mkdir(parents=True)
    for name, size in (("train", 60), ("validation", 12)):
        rows = [{"text": TEXTS[i % 3], "label": f"label{i % 3}"} for i in range(size)]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (place / "rows" / "tone" / f"{name}.jsonl").write_text(text)
    return place


def tokenise(place: Path, **limits: Any) -> TaskData:
    tokenizer = AutoTokenizer.from_pretrained(place / "encoder")
    return prepare(TASK, tokenizer, DataSettings(**limits), place / "data", place / "rows")


def test_held_out_rows_are_part_of_the_data_where_they_are_asked_for(place: Path) -> None:
    plain, held = tokenise(place), tokenise(place, holdout=6)
    assert set(plain.splits) == {"train", "validation"}
    assert {name: len(part) for name, part in held.splits.items()} == {
        "train": 54,
        "validation": 12,
        HELD_OUT: 6,
    }
    assert held.fingerprint != plain.fingerprint
    assert held.folder is not None
    verify_folder(held.folder)
    assert load(held.folder, TASK).fingerprint == held.fingerprint
    assert TASK.dev_splits == ("validation",)


def test_data_without_them_keeps_its_place_and_fingerprint(place: Path) -> None:
    # as before there were any: found again by what is in the folder's name
    plain = tokenise(place)
    assert plain.folder is not None
    assert plain.folder.name == "tone-345aea6d15"
    assert plain.fingerprint == "351a9714f1dff7f4eb095d009b90f3d9"
