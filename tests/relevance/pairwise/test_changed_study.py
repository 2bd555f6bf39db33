"""A study that changes: only what is new runs, and what was measured before stays readable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from asserts import assert_nothing_runs
from tiny_study import write_study
from typer.testing import CliRunner

from hmnet.folder.outputs import Output
from hmnet.study.study import resolve_study
from relevance.cli import app
from relevance.matrices.matrix import RelevanceMatrix

pytestmark = pytest.mark.usefixtures("in_this_process")


@pytest.fixture(scope="module")
def sweep(
    tmp_path_factory: pytest.TempPathFactory, in_this_process: None
) -> Callable[..., tuple[Output, int]]:
    """Sweep `tone` and `match`, 3 runs, then as asked; return the folder and its runs."""
    folder = tmp_path_factory.mktemp("changed")
    study = write_study(folder)

    def run(*words: str) -> tuple[Output, int]:
        fixed = ("--study", str(study), "--out", str(folder / "out"), "--set", "training.epochs=1")
        done = CliRunner().invoke(app, ["pairwise", *fixed, *words])
        assert done.exit_code == 0, done.output
        output = Output(folder / "out")
        return output, len(list(output.runs.folder.glob("*/result.json")))

    assert run("--tasks", "tone,match")[1] == 3
    return run


def test_a_task_that_is_added_costs_its_own_runs_alone(
    sweep: Callable[..., tuple[Output, int]],
) -> None:
    output, count = sweep("--tasks", "tone,match,grade")
    assert count == 3 + 1 + 2  # its single run, and a pair with each other task
    assert RelevanceMatrix.read(output.pairwise).tasks == ("tone", "match", "grade")


def test_a_task_that_is_removed_costs_nothing(sweep: Callable[..., tuple[Output, int]]) -> None:
    output, _ = sweep("--tasks", "tone,match,grade")
    with assert_nothing_runs(output.runs.folder):
        sweep("--tasks", "match,grade")
    assert RelevanceMatrix.read(output.pairwise).tasks == ("match", "grade")


def test_seeds_that_are_added_leave_the_others_as_they_are(
    sweep: Callable[..., tuple[Output, int]],
) -> None:
    output, count = sweep("--tasks", "tone,match")
    before = {path: path.read_bytes() for path in output.runs.folder.glob("tone-s0-*/result.json")}
    assert sweep("--tasks", "tone,match", "--seeds", "2")[1] == count + 3
    assert all(path.read_bytes() == content for path, content in before.items())


def test_rows_that_are_added_make_new_runs_and_the_old_ones_can_be_asked_for(
    sweep: Callable[..., tuple[Output, int]], tmp_path: Path
) -> None:
    output, count = sweep("--tasks", "tone,match")
    first = RelevanceMatrix.read(output.pairwise).table
    assert sweep("--tasks", "tone,match", "--max-train", "24")[1] == count + 3
    with assert_nothing_runs(output.runs.folder):
        sweep("--tasks", "tone,match")
    assert RelevanceMatrix.read(output.pairwise).table.equals(first)
    assert resolve_study(output.folder).rows.max_train is None
