"""A task added later, or trained anew, leaves every other task's outputs bit-equal."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_study import write_groups, write_study

from hmnet.cli import app
from hmnet.commands.predict import predict_file
from hmnet.encoders.layers import find_layers
from hmnet.errors import InputError
from hmnet.folder.outputs import Output, open_output
from hmnet.models.saved import load_model
from hmnet.runs.spec import RunSpec

OLD = ("match", "tone")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("extended")
    write_study(folder)
    write_groups(folder / "groups.json", {"a": ["tone"], "b": ["match"]})
    (folder / "rows.jsonl").write_text(
        "".join(
            json.dumps({"text": text, "left": text, "right": "ba la"}) + "\n"
            for text in ("bala kone", "misi tuvu ba la", "ko")
        )
    )
    return folder


def run(folder: Path, *words: str) -> RunSpec:
    """Run a command that trains, as a user would; return the spec of the new run."""
    runs = open_output(folder / "out").runs
    before = set(runs.folder.iterdir()) if runs.folder.is_dir() else set()
    more = ["--study", str(folder / "study.toml"), "--out", str(folder / "out"), "--threads", "1"]
    app([*words, *more], standalone_mode=False)
    (new,) = set(runs.folder.iterdir()) - before
    return runs.find(new.name)[1]


@pytest.fixture(scope="module")
def first(folder: Path) -> RunSpec:
    groups = ("--groups", str(folder / "groups.json"))
    return run(folder, "train", "--tasks", "tone,match", "--hierarchy", "1,1,1", *groups)


@pytest.fixture(scope="module", params=[None, "match"])
def added(request: pytest.FixtureRequest, folder: Path, first: RunSpec) -> RunSpec:
    beside = ("--group-with", request.param) if request.param else ()
    return run(folder, "extend", first.run_id, "--task", "grade", *beside)


def predict(folder: Path, run_id: str, task: str) -> object:
    found = predict_file(Output(folder / "out"), run_id, task, folder / "rows.jsonl")
    return found.outputs[task]


def test_other_tasks_outputs_stay_bit_equal(folder: Path, first: RunSpec, added: RunSpec) -> None:
    store = Output(folder / "out").runs
    assert added.names == ("grade", *OLD)
    before, after = store.result(first), store.result(added)
    for task in OLD:
        assert predict(folder, first.run_id, task) == predict(folder, added.run_id, task)
        assert before.scores[task] == after.scores[task]
        one, other = (store.predictions(spec, task) for spec in (first, added))
        np.testing.assert_array_equal(np.stack(one["logits"]), np.stack(other["logits"]))


def test_only_what_is_the_tasks_own_is_trained(
    folder: Path, first: RunSpec, added: RunSpec
) -> None:
    store = Output(folder / "out").runs
    old, new = (load_model(store.path(spec) / "model", spec) for spec in (first, added))
    for task in OLD:
        theirs = dict(new.path(task).named_parameters())
        for name, parameter in old.path(task).named_parameters():
            assert torch.equal(parameter, theirs[name]), f"{task}: {name}"
    grade, match = (find_layers(new.path(task)) for task in ("grade", "match"))
    is_shared = [one is other for one, other in zip(grade, match, strict=True)]
    assert is_shared == [True, ["grade", "match"] in [list(g) for g in added.groups], False]
    assert set(store.result(added).final_loss) == {"grade"}


def test_a_task_learns_in_its_own_layers(folder: Path, added: RunSpec) -> None:
    losses = [
        json.loads(line)["loss"]
        for line in (Output(folder / "out").runs.path(added) / "metrics.jsonl")
        .read_text()
        .splitlines()
    ]
    assert np.mean(losses[-4:]) < losses[0]


def test_a_task_is_trained_anew_from_what_it_has(folder: Path, first: RunSpec) -> None:
    store = Output(folder / "out").runs
    slow = ("--set", "training.learning_rate=1e-12", "--set", "training.weight_decay=0.0")
    again = run(folder, "extend", first.run_id, "--task", "tone", *slow)
    assert again.groups == first.groups
    one, other = (store.predictions(spec, "tone")["logits"] for spec in (first, again))
    np.testing.assert_allclose(np.stack(one), np.stack(other), rtol=1e-4, atol=1e-5)
    assert predict(folder, first.run_id, "match") == predict(folder, again.run_id, "match")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--task", "grad"), r"should be a task of the study. Found `grad`.*Did you mean `grade`"),
        (("--task", "grade", "--group-with", "mach"), r"task of run .* Found `mach`.*`match`"),
        (("--task", "tone", "--group-with", "match"), r"should be left out where the run has"),
        (("--task", "grade", "--set", "rows.max_length=16"), r"should be 32, as in run .* `16`"),
        (
            ("--task", "grade", "--set", "training.stopping=task", "--set", "rows.holdout=4"),
            r"`training.stopping` should be `end`",
        ),
    ],
)
def test_what_cannot_be_added_is_told_before_training(
    folder: Path, first: RunSpec, words: tuple[str, ...], message: str
) -> None:
    runs = Output(folder / "out").runs.folder
    before = set(runs.iterdir())
    with pytest.raises(InputError, match=message):
        run(folder, "extend", first.run_id, *words)
    assert set(runs.iterdir()) == before
