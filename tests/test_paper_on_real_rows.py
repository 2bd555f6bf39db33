"""Every table and figure of the paper, command by command, on a few real rows."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from typer import Typer
from typer.testing import CliRunner

from hmnet.cli import app as hmnet_app
from hmnet.outputs import Output
from relevance.cli import app as relevance_app
from reports.collect import collect
from reports.export import list_drawings

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
COMMANDS: tuple[tuple[Typer, str], ...] = (
    (relevance_app, "tasks"),
    (relevance_app, "vocab"),
    (relevance_app, "pairwise --keep-models"),
    (relevance_app, "cluster --k 2"),
    (hmnet_app, "compare --draws 20"),
    (hmnet_app, "sweep --tasks rte,mrpc --shared 0,3,6"),
    (hmnet_app, "sweep --hierarchies 4,1,1;3,2,1;2,2,2"),
    (relevance_app, "attention --pair rte,mrpc"),
    (relevance_app, "attention --all-pairs"),
    (relevance_app, "report --focus boolq"),
)


@pytest.fixture(scope="module")
def output(real_data: Path, pretrained: Path, tmp_path_factory: pytest.TempPathFactory) -> Output:
    """An output folder in which every command has been run."""
    folder = tmp_path_factory.mktemp("paper") / "out"
    folder.mkdir()
    (folder / "study.toml").write_text(STUDY.format(model=pretrained, data=real_data.resolve()))
    for app, words in COMMANDS:
        arguments = [*words.split(), "--out", str(folder)]
        found = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert found.exit_code == 0, found.output
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
    drawn = set(dict(list_drawings(collect(output.folder))))
    assert drawn >= {
        "vocabulary", "pairwise", "pairwise-grouped", "dendrogram", "scores", "attention",
        "attention-layers", "shared-layers-1", "layer-combinations-1",
    }  # fmt: skip
    page = output.report.read_text()
    assert "selected>boolq</option>" in page
    for title in ("How many layers to share", "Where sharing changes the model"):
        assert title in page, title
