"""The embedded default: the whole chain runs, and finds what was planted."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from typer import Typer
from typer.testing import CliRunner

import hmnet.planted.suite
import relevance.demo
from hmnet.cli import app as hmnet_app
from hmnet.hierarchy import Groups
from hmnet.outputs import Output
from hmnet.planted import PLANTED_TRAINING, write_planted
from hmnet.storage import read_json
from relevance.cli import app as relevance_app
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


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Output, list[str]]:
    """The demo with six of its tasks and less training."""
    short = dataclasses.replace(PLANTED_TRAINING, epochs=6, learning_rate=3e-3)
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hmnet.planted.suite, "TASK_NAMES", FEW)
        patch.setattr(relevance.demo, "write_planted", partial(write_planted, dev_rows=80))
        patch.setattr(relevance.demo, "PLANTED_TRAINING", short)
        folder = tmp_path_factory.mktemp("demo") / "out"
        return run_demo(folder, seed=0, workers=2, say=said.append), said


def test_the_whole_chain_runs_and_reports(demo: tuple[Output, list[str]]) -> None:
    output, said = demo
    tasks = RelevanceMatrix.read(output.vocab).tasks
    assert tasks == FEW
    assert RelevanceMatrix.read(output.pairwise).tasks == tasks
    assert sorted(Groups.read(output.groups).tasks) == sorted(tasks)
    systems = pd.read_parquet(output.compare)["system"].unique().tolist()
    assert systems[:2] == ["single-task", "multi-task"]
    assert {"hmnet-vocabulary", "hmnet-manual", "hmnet-pairwise"} <= set(systems)
    found = read_json(output.folder / "planted.json")["found"]
    assert any(f"{found['adjusted_rand_index']:.2f}" in line for line in said)
    assert "planted" in write_report(output.folder).read_text()


def test_every_table_and_figure_of_the_paper_has_its_command(
    demo: tuple[Output, list[str]],
) -> None:
    """On the planted suite: the commands that the demo itself does not run."""
    output, _ = demo
    pair = "entailment-coast,sentiment-coast"
    out = ("--out", str(output.folder))
    table4 = call(relevance_app, "tasks", *out)
    assert all(name in table4 for name in FEW)
    table1 = call(hmnet_app, "compare", "--workers", "2", *out)
    assert "skillnet" in table1
    assert "difference to single-task" in table1
    call(hmnet_app, "sweep", "--tasks", pair, "--shared", "0,1,3", "--workers", "2", *out)
    call(hmnet_app, "sweep", "--hierarchies", "2,1,0;1,1,1", "--workers", "2", *out)
    call(relevance_app, "attention", "--pair", pair, "--workers", "2", *out)
    assert list(output.attention.glob("*.parquet"))
    call(relevance_app, "report", "--focus", "closeness-hills", *out)
    page = output.report.read_text()
    for title in ("How many layers to share", "Where sharing changes the model"):
        assert title in page, title
    assert "makes this part" not in page  # nothing is missing


def call(app: Typer, *arguments: str) -> str:
    """Run a command in this process; return what it printed."""
    found = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.output


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_the_planted_groups_are_found(tmp_path: Path, seed: int) -> None:
    output = run_demo(tmp_path / "demo", seed=seed, workers=None)
    index = read_json(output.folder / "planted.json")["found"]["adjusted_rand_index"]
    assert index == 1.0 if seed == 0 else index >= 0.8
