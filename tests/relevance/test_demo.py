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
from hmnet.folder.outputs import Output
from hmnet.planted import PLANTED_TRAINING, write_planted
from hmnet.storage.documents import read_json
from hmnet.study.hierarchy import Groups
from relevance.cli import app as relevance_app
from relevance.demo import run_demo
from relevance.matrices.matrix import RelevanceMatrix
from reports.figure_files import list_drawings
from reports.html import write_report
from reports.inputs.report_inputs import read_inputs

FEW = (
    "entailment-coast",
    "sentiment-coast",
    "sentiment-hills",
    "closeness-hills",
    "answers-town",
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Output, list[str]]:
    """The demo with five of its tasks and less training."""
    short = dataclasses.replace(PLANTED_TRAINING, epochs=6, learning_rate=3e-3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hmnet.planted.suite, "TASK_NAMES", FEW)
        patch.setattr(relevance.demo, "write_planted", partial(write_planted, dev_rows=80))
        patch.setattr(relevance.demo, "PLANTED_TRAINING", short)
        folder = tmp_path_factory.mktemp("demo") / "out"
        said = list(run_demo(folder, seed=0, workers=2))
    return Output(folder), said


@pytest.mark.system
def test_the_whole_chain_runs_and_reports(demo: tuple[Output, list[str]]) -> None:
    output, said = demo
    tasks = RelevanceMatrix.read(output.vocab).tasks
    assert tasks == FEW
    assert RelevanceMatrix.read(output.pairwise).tasks == tasks
    assert sorted(Groups.read(output.groups).tasks) == sorted(tasks)
    compared = pd.read_parquet(output.compare)
    systems = compared["system"].unique().tolist()
    assert systems[:2] == ["single-task", "multi-task"]
    assert {"hmnet-vocabulary", "hmnet-manual", "hmnet-pairwise"} <= set(systems)
    means = compared[compared["seed"].isna()]
    assert len(means) == len(systems) * (len(tasks) + 1)  # and the average
    assert means[["ci_low", "ci_high"]].notna().all(axis=None)
    found = read_json(output.folder / "planted.json")["found"]
    assert any(f"{found['adjusted_rand_index']:.2f}" in line for line in said)
    assert "planted" in write_report(output.folder).read_text()


@pytest.mark.system
def test_every_table_and_figure_of_the_paper_has_its_command(
    demo: tuple[Output, list[str]],
) -> None:
    """On the planted suite: the measures from the demo's own runs, the rest from short ones."""
    output, _ = demo
    pair, three = "entailment-coast,sentiment-coast", ",".join(FEW[:3])
    out = ("--out", str(output.folder))
    short = ("--set", "training.epochs=1", "--workers", "2", *out)
    table4 = call(relevance_app, "tasks", *out)
    assert all(name in table4 for name in FEW)
    call(relevance_app, "vocab", *out)
    before = {path.name for path in output.folder.glob("runs/*")}
    call(relevance_app, "pairwise", *out)
    assert {path.name for path in output.folder.glob("runs/*")} == before  # all were there
    gains = RelevanceMatrix.read(output.pairwise).table
    others = gains[(gains["source"] != gains["target"]) & gains["value"].notna()]
    assert others[["ci_low", "ci_high"]].notna().all(axis=None)
    call(relevance_app, "cluster", "--k", "2", *out)
    table1 = call(hmnet_app, "compare", "--seeds", "2", "--draws", "50", *short)
    assert "skillnet" in table1
    assert "difference to single-task" in table1
    call(hmnet_app, "sweep", "--tasks", pair, "--shared", "0,1,3", *short)
    call(hmnet_app, "sweep", "--hierarchies", "2,1,0;1,1,1;1,2,0", *short)
    call(relevance_app, "attention", "--tasks", three, "--pair", pair, "--all-pairs", *short)
    assert [path.name for path in output.attention.glob("*.parquet")] == [
        f"{pair.replace(',', '.')}.parquet"
    ]
    call(relevance_app, "report", "--focus", "closeness-hills", *out)
    assert set(dict(list_drawings(read_inputs(output.folder)))) >= {
        "vocabulary-grouped", "pairwise-grouped", "dendrogram", "scores", "attention",
        "attention-layers", "shared-layers", "layer-combinations",
    }  # fmt: skip
    page = output.report.read_text()
    assert "selected>closeness-hills</option>" in page
    for title in ("How many layers to share", "Where sharing changes the model"):
        assert title in page, title
    assert "for different numbers of shared, cluster and task layers" in page  # Figure 4
    assert "makes this part" not in page  # nothing is missing


def call(app: Typer, *arguments: str) -> str:
    """Run a command in this process; return what it printed."""
    found = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.output


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_the_planted_groups_are_found(tmp_path: Path, seed: int) -> None:
    list(run_demo(tmp_path / "demo", seed=seed, workers=None))
    index = read_json(tmp_path / "demo" / "planted.json")["found"]["adjusted_rand_index"]
    assert index == 1.0 if seed == 0 else index >= 0.8
