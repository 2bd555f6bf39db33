"""Tasks with few steps are named before a sweep, and the report advises to train longer."""

from __future__ import annotations

import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pandas as pd
import pytest
from report_fixture import make_study, write_doubts, write_pairwise, write_runs

from hmnet.jobs.prepared import PreparedStudy
from hmnet.storage.tables import write_table
from hmnet.study.own_steps import advise_epochs, count_own_steps
from hmnet.study.settings import TrainingSettings
from relevance.pairwise.few_steps import describe_few_steps
from relevance.pairwise.word_baseline_format import WORD_BASELINE
from reports.inputs.report_inputs import read_inputs
from reports.words.next_steps import plan_next

DEFAULT = TrainingSettings()


@pytest.mark.parametrize(("rows", "steps"), [(240, 24), (32, 3), (33, 6), (2490, 234)])
def test_steps_are_whole_batches_of_every_epoch(rows: int, steps: int) -> None:
    assert count_own_steps(rows, DEFAULT) == steps


@pytest.mark.parametrize("rows", [20, 240, 1000, 100_000])
def test_the_advised_epochs_are_enough(rows: int) -> None:
    epochs = advise_epochs(rows, DEFAULT)
    assert count_own_steps(rows, TrainingSettings(epochs=epochs)) >= 100
    assert epochs >= DEFAULT.epochs


def test_small_tasks_are_named_with_what_helps_them() -> None:
    data = {"cb": SimpleNamespace(train=range(240)), "mnli": SimpleNamespace(train=range(9000))}
    made = SimpleNamespace(study=SimpleNamespace(training=DEFAULT), data=data)
    (said,) = describe_few_steps(cast(PreparedStudy, made))
    assert "cb 24;" in said
    assert "`--set training.epochs=13`" in said
    assert "mnli" not in said


def test_the_report_advises_to_train_longer_as_it_is_typed(tmp_path: Path) -> None:
    made = make_study(tmp_path / "my out")
    write_runs(made, pairs=False)
    matrix = write_pairwise(made)
    write_doubts(made, matrix)
    assert not any("-longer" in step.command for step in plan_next(read_inputs(made.out)))
    words = pd.DataFrame({"task": ["wnli"], "rows": ["x"], "score": [0.99]})
    write_table(made.out / "word-baseline.parquet", words, WORD_BASELINE.schema, {})
    step = plan_next(read_inputs(made.out))[0]
    assert "alone, wnli (" in step.reason
    assert "steps) learned too little" in step.reason
    typed = shlex.split(step.command)
    assert typed[:4] == ["relevance", "pairwise", "--study", "my out/study.toml"]
    assert typed[4] == "--set"
    assert typed[-2:] == ["--out", "my out-longer"]
