"""The embedded default: the whole chain runs, and finds what was planted."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

import hmnet.planted.suite
import relevance.demo
from hmnet.hierarchy import Groups
from hmnet.planted import PLANTED_TRAINING, write_planted
from hmnet.storage import read_json
from relevance.demo import run_demo
from relevance.matrix import RelevanceMatrix
from reports.html import write_report

FEW = (
    "entailment-coast",
    "sentiment-coast",
    "sentiment-hills",
    "closeness-hills",
    "paraphrase-town",
    "answers-town",
)


def test_the_whole_chain_runs_and_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hmnet.planted.suite, "TASK_NAMES", FEW)
    monkeypatch.setattr(relevance.demo, "write_planted", partial(write_planted, dev_rows=80))
    short = dataclasses.replace(PLANTED_TRAINING, epochs=6, learning_rate=3e-3)
    monkeypatch.setattr(relevance.demo, "PLANTED_TRAINING", short)
    said: list[str] = []
    output = run_demo(tmp_path / "demo", seed=0, workers=2, say=said.append)
    tasks = RelevanceMatrix.read(output.vocab).tasks
    assert tasks == FEW
    assert RelevanceMatrix.read(output.pairwise).tasks == tasks
    assert sorted(Groups.read(output.groups).tasks) == sorted(tasks)
    systems = pd.read_parquet(output.compare)["system"].unique().tolist()
    assert systems[:2] == ["single-task", "multi-task"]
    assert {"hmnet-vocabulary", "hmnet-manual", "hmnet-pairwise"} <= set(systems)
    found = read_json(output.folder / "planted.json")["found"]
    assert any(f"{found['adjusted_rand_index']:.2f}" in line for line in said)
    page = write_report(output.folder).read_text()
    assert "planted" in page


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_the_planted_groups_are_found(tmp_path: Path, seed: int) -> None:
    output = run_demo(tmp_path / "demo", seed=seed, workers=None)
    index = read_json(output.folder / "planted.json")["found"]["adjusted_rand_index"]
    assert index == 1.0 if seed == 0 else index >= 0.8
