"""Runs listed and removed: what each is; never one that is under way, and not without asking."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from made_runs import SPEC
from typer.testing import CliRunner

from hmnet.cli import app
from hmnet.commands.kept_runs import choose_runs, list_runs, remove_runs
from hmnet.errors import InputError
from hmnet.folder.outputs import Output, open_output
from hmnet.runs.result import RunFailure, RunResult
from hmnet.runs.spec import RunSpec
from hmnet.study.hierarchy import HierarchySpec

RESULT = RunResult(
    scores={"cb": {"validation": {"accuracy": 0.5}}, "rte": {"validation": {"accuracy": 0.7}}},
    primary={"cb": 0.5, "rte": 0.7},
    n_dev={"cb": {"validation": 56}, "rte": {"validation": 277}},
    steps=10,
    train_tokens=1000,
    seconds={"train": 1.0, "evaluate": 1.0},
    parameters={"overall": 10, "activated": 10},
    final_loss={"cb": 0.1, "rte": 0.1},
    versions={},
)
SHARED = HierarchySpec(12, 0, 0)


def write_run(output: Output, spec: RunSpec, state: str) -> str:
    store = output.runs
    store.path(spec).mkdir(parents=True)
    store.write_spec(spec)
    if state == "done":
        store.finish(spec, RESULT)
    elif state == "failed":
        store.fail(spec, RunFailure("out of memory"))
    elif state == "running":
        store.mark(spec)
    elif state == "cut off":
        (store.path(spec) / ".running").write_text(f"{socket.gethostname()} {2**22 + 1}")
    return spec.run_id


@pytest.fixture
def output(tmp_path: Path) -> Output:
    output = open_output(tmp_path / "out")
    states = ("done", "failed", "running", "cut off")
    for seed, state in enumerate(states):
        write_run(output, replace(SPEC, seed=seed), state)
    write_run(output, replace(SPEC, hierarchy=SHARED), "done")
    return output


def test_every_run_is_listed_with_what_it_is(output: Output) -> None:
    runs = {(each.run.split("-")[2], each.design): each for each in list_runs(output)}
    assert {key: each.state for key, each in runs.items()} == {
        ("s0", "8,2,2 in 2 groups"): "done",
        ("s0", "pair"): "done",
        ("s1", "8,2,2 in 2 groups"): "failed",
        ("s2", "8,2,2 in 2 groups"): "running",
        ("s3", "8,2,2 in 2 groups"): "unfinished",
    }
    done = runs["s0", "pair"]
    assert done.score == pytest.approx((0.5 + 0.7) / 2)
    files = [path for path in (output.runs.folder / done.run).rglob("*") if path.is_file()]
    assert done.disk_bytes == sum(path.stat().st_size for path in files)
    said = CliRunner().invoke(app, ["list", "cb-rte-s1", "--out", str(output.folder)]).stdout
    assert "1 runs" in said
    assert "failed" in said


def test_the_list_is_json_too(output: Output) -> None:
    said = CliRunner().invoke(app, ["list", "--json", "--out", str(output.folder)]).stdout
    runs = json.loads(said)["runs"]
    assert len(runs) == 5
    assert {each["state"] for each in runs} == {"done", "failed", "running", "unfinished"}
    assert all(each["score"] is None for each in runs if each["state"] != "done")


def test_a_run_that_is_under_way_is_not_removed(output: Output) -> None:
    with pytest.raises(InputError, match="should not be under way"):
        choose_runs(output, ["cb-rte-s2"])
    with pytest.raises(InputError, match=r"Found `none`, which fits none"):
        choose_runs(output, ["cb-rte-s2", "none"])
    assert len(list_runs(output)) == 5


def test_what_is_named_or_unfinished_goes_and_the_rest_stays(output: Output) -> None:
    chosen = choose_runs(output, ["cb-rte-s0"], unfinished=True)
    said = list(remove_runs(output, chosen))
    assert len(said) == 4 + 1
    (left,) = list_runs(output)
    assert left.state == "running"
    assert left.run.startswith("cb-rte-s2-")


def test_nobody_to_ask_means_no_removal_without_yes(output: Output) -> None:
    words = ["remove", "cb-rte-s1", "--out", str(output.folder)]
    refused = CliRunner().invoke(app, words)
    assert "`--yes` removes them" in str(refused.exception)
    assert len(list_runs(output)) == 5
    done = CliRunner().invoke(app, [*words, "--yes", "--json"])
    assert [name[:9] for name in json.loads(done.stdout)["removed"]] == ["cb-rte-s1"]
    assert len(list_runs(output)) == 4


def test_a_run_that_another_process_holds_is_refused_at_the_last_moment(output: Output) -> None:
    chosen = choose_runs(output, ["cb-rte-s1"])
    with output.runs.locked(replace(SPEC, seed=1)):
        assert os.getpid()
        with pytest.raises(Exception, match="another process"):
            list(remove_runs(output, chosen))
    assert len(list_runs(output)) == 5


def test_the_start_of_an_id_means_the_run_that_is_done(output: Output) -> None:
    with pytest.raises(InputError) as error:
        output.runs.find("cb-rte-s0")
    assert "(8,2,2 in 2 groups)" in str(error.value)
    assert "(pair)" in str(error.value)
    write_run(output, replace(SPEC, seed=1, hierarchy=SHARED), "done")
    assert output.runs.find("cb-rte-s1")[1].hierarchy == SHARED  # the other one failed
