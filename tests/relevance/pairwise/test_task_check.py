"""`relevance check`: what is wrong comes at once, and each task is shown as it will be trained."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny_study import WORDS, write_study
from typer.testing import CliRunner

from hmnet.encoders.locate import load_tokenizer
from hmnet.errors import InputError
from hmnet.jobs.prepared import prepare_study
from hmnet.study.study import load_study
from relevance.cli import app
from relevance.pairwise.task_check import check_tasks, describe_check, prepare_checked, show_example


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """The tiny study, with texts of `tone` that are known by hand."""
    path = write_study(tmp_path)
    texts = [" ".join(WORDS[:2]), " ".join(WORDS[:2]), WORDS[5], " ".join(WORDS[:10])]
    train = pd.DataFrame({"text": texts, "label": ["low", "low", "high", "low"]})
    train.to_parquet(tmp_path / "data/tone/train.parquet")
    dev = pd.DataFrame({"text": [WORDS[5], *WORDS[1:4]], "label": ["high", "low", "low", "low"]})
    dev.to_parquet(tmp_path / "data/tone/validation.parquet")
    return path


def test_a_task_is_shown_with_what_decides_its_worth(study: Path, tmp_path: Path) -> None:
    changes = {"rows.max_length": 8, "seeds": [0, 1, 2]}
    prepared = prepare_study(load_study(study, changes), tmp_path / "prepared")
    check = next(each for each in check_tasks(prepared) if each.task.name == "tone")
    assert check.rows == {"train": 4, "validation": 4}
    assert check.labels["train"] == {"low": 3, "high": 1}
    assert check.constant == 0.75  # 3 of 4 dev rows are low
    assert check.tokens["train"][2] == 0.25  # ten words do not fit into 8 pieces
    assert check.repeated == 1
    assert check.leaked == {"tone": 1}
    assert check.steps == 2  # one batch of 8 in each of 2 epochs
    assert check.example == f"[CLS] {WORDS[0]} {WORDS[1]} [SEP] -> low"
    said = "\n".join(describe_check(check))
    assert "labels of train: low 3 (75%), high 1 (25%)" in said
    assert "dev rows trained on: 1 its own" in said
    assert "steps alone: 2: few; `--set training.epochs=100`" in said  # of one batch each


def test_segments_are_told_apart_and_a_value_is_a_label(study: Path, tmp_path: Path) -> None:
    prepared = prepare_study(load_study(study), tmp_path / "prepared")
    check = next(each for each in check_tasks(prepared) if each.task.name == "grade")
    pieces, _, label = check.example.partition(" -> ")
    assert pieces.split().count("[SEP]") == 2
    assert float(label) >= 0
    assert check.constant == 0.0
    data = prepared.data["grade"]
    cut = dataclasses.replace(data.train, first=np.full_like(data.train.first, 8))  # [CLS] 6 [SEP]
    tokenizer = load_tokenizer(prepared.model.name, prepared.model.revision)
    shown = show_example(dataclasses.replace(data, splits={"train": cut}), tokenizer).split()
    assert shown[8] == "|"


def test_problems_of_encoder_and_rows_come_at_once(study: Path, tmp_path: Path) -> None:
    for name in ("match", "grade"):
        path = tmp_path / "data" / name / "train.parquet"
        pd.read_parquet(path).rename(columns={"left": "lost"}).to_parquet(path)
    broken = load_study(study, {"model": "./no-encoder"})
    with pytest.raises(InputError) as error:
        prepare_checked(broken, tmp_path / "prepared")
    text = str(error.value)
    assert "no-encoder" in text
    assert "Task `match`" in text
    assert "Task `grade`" in text


def test_the_command_prints_every_task_and_trains_nothing(study: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["check", "--study", str(study), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "3 tasks can run" in done.output
    assert not (out / "runs").exists()
