"""Every table and figure of the paper, command by command, on a few real rows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from hmnet.folder.outputs import Output
from reports.figure_files import list_drawings
from reports.inputs.report_inputs import read_inputs

pytestmark = [pytest.mark.data, pytest.mark.slow]

TASKS = ("rte", "mrpc", "boolq")
STUDY = """
schema = "study/1"
tasks = ["rte", "mrpc", "boolq"]
model = "{model}"
data = "{data}"
[training]
epochs = 1
[rows]
max_length = 48
max_train = 32
max_dev = 32
"""
COMMANDS = (
    "relevance tasks",
    "relevance vocab",
    "relevance pairwise --keep-models",
    "relevance cluster --k 2",
    "hmnet compare --draws 20",
    "hmnet sweep --tasks rte,mrpc --shared 0,3,6",
    "hmnet sweep --hierarchies 4,1,1;3,2,1;2,2,2",
    "relevance attention --pair rte,mrpc",
    "relevance attention --all-pairs",
    "relevance report --focus boolq",
)


@pytest.fixture(scope="module")
def output(real_data: Path, pretrained: Path, tmp_path_factory: pytest.TempPathFactory) -> Output:
    """An output folder in which every command has been run."""
    folder = tmp_path_factory.mktemp("paper") / "out"
    folder.mkdir()
    (folder / "study.toml").write_text(STUDY.format(model=pretrained, data=real_data.resolve()))
    for command in COMMANDS:
        words = [sys.executable, "-m", *command.split(), "--out", str(folder)]
        ended = subprocess.run(words, capture_output=True, text=True)
        assert ended.returncode == 0, f"{command}: {ended.stderr}"
    return Output(folder)


def test_every_table_of_the_paper_is_written_from_real_rows(output: Output) -> None:
    tasks = pd.read_parquet(output.tasks)
    assert tuple(tasks["task"].unique()) == TASKS
    assert (tasks["rows"] == 32).all()
    for path in (output.vocab, output.pairwise):
        matrix = pd.read_parquet(path)
        assert len(matrix) == 9, path
        assert set(matrix["source"]) == set(TASKS)
    assert set(pd.read_parquet(output.clusters)["task"]) == set(TASKS)
    systems = pd.read_parquet(output.compare)["system"].unique()
    assert {"single-task", "multi-task", "skillnet", "hmnet-pairwise"} <= set(systems)
    assert {path.name for path in output.attention.glob("*.parquet")} == {"mrpc.rte.parquet"}


def test_every_figure_of_the_paper_is_drawn_from_real_rows(output: Output) -> None:
    drawn = set(dict(list_drawings(read_inputs(output.folder))))
    assert drawn >= {
        "vocabulary", "pairwise", "pairwise-grouped", "dendrogram", "scores", "attention",
        "attention-layers", "shared-layers", "layer-combinations",
    }  # fmt: skip
    page = output.report.read_text()
    assert "selected>boolq</option>" in page
    for title in ("How many layers to share", "Where sharing changes the model"):
        assert title in page, title
