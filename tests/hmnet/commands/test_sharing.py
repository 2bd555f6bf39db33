"""Runs whose sharing becomes finer, or that begin with another run: trained, kept, exported."""

from __future__ import annotations

import dataclasses
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_study import write_groups, write_study
from transformers import AutoModelForSequenceClassification

from hmnet.cli import app
from hmnet.commands.export import export_task
from hmnet.encoders.layers import find_layers
from hmnet.errors import InputError
from hmnet.folder.outputs import Output
from hmnet.models.parameter_counts import count_parameters
from hmnet.models.saved import load_model
from hmnet.runs.job import Job
from hmnet.runs.spec import RunSpec
from hmnet.study.hierarchy import HierarchySpec
from hmnet.study.stages import parse_stages
from hmnet.training.execution import begin_model, plan_course

STAGES = "3,0,0:0.5 1,2,0:0.3 1,1,1:0.2:0.3"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sharing")
    write_study(folder)
    write_groups(folder / "groups.json", {"a": ["tone", "grade"], "b": ["match"]})
    return folder


def list_words(folder: Path) -> list[str]:
    words = ["train", "--study", str(folder / "study.toml"), "--out", str(folder / "out")]
    words += ["--groups", str(folder / "groups.json"), "--threads", "1"]
    return [*words, "--set", "training.epochs=2"]


def train(folder: Path, *more: str) -> RunSpec:
    """Train as a user would; return the spec of the run."""
    store = Output(folder / "out").runs
    before = set(store.folder.iterdir()) if store.folder.is_dir() else set()
    app([*list_words(folder), *more], standalone_mode=False)
    (new,) = set(store.folder.iterdir()) - before
    return store.find(new.name)[1]


@pytest.fixture(scope="module")
def staged(folder: Path) -> RunSpec:
    return train(folder, "--stages", STAGES)


def test_a_staged_run_keeps_a_model_of_its_last_hierarchy(folder: Path, staged: RunSpec) -> None:
    store = Output(folder / "out").runs
    assert str(staged.hierarchy) == "1,1,1"
    model = load_model(store.path(staged) / "model", staged)
    assert store.result(staged).parameters == model.count_parameters()
    tone, grade, match = (find_layers(model.path(task)) for task in ("tone", "grade", "match"))
    assert [one is other for one, other in zip(tone, grade, strict=True)] == [True, True, False]
    assert [one is other for one, other in zip(tone, match, strict=True)] == [True, False, False]


def test_any_path_of_a_staged_run_is_an_ordinary_model(
    folder: Path, staged: RunSpec, tmp_path: Path
) -> None:
    output = Output(folder / "out")
    export_task(output, staged.run_id, "grade", tmp_path / "grade")
    stock = AutoModelForSequenceClassification.from_pretrained(tmp_path / "grade")
    kept = load_model(output.runs.path(staged) / "model", staged).path("grade")
    for one, other in zip(stock.parameters(), kept.parameters(), strict=True):
        np.testing.assert_array_equal(one.detach().numpy(), other.detach().numpy())


def test_a_schedule_of_the_study_file_is_that_of_the_flag(folder: Path, staged: RunSpec) -> None:
    stages = ['{share = 0.5, hierarchy = "3,0,0"}', '{share = 0.3, hierarchy = "1,2,0"}']
    stages.append('{share = 0.2, hierarchy = "1,1,1", lower_rate = 0.3}')
    runs = Output(folder / "out").runs.folder
    before = set(runs.iterdir())
    schedule = f"sharing.stages=[{', '.join(stages)}]"
    app([*list_words(folder), "--set", schedule], standalone_mode=False)
    assert set(runs.iterdir()) == before  # found done: of the same identity


def test_depths_of_tasks_are_those_of_the_flag_the_study_and_the_groups(folder: Path) -> None:
    run = train(folder, "--hierarchy", "1,1,1", "--depths", "b:0,0,3")
    assert str(run.varied) == "1,1,1 match:0,0,3"
    store = Output(folder / "out").runs
    model = load_model(store.path(run) / "model", run)
    assert store.result(run).parameters == model.count_parameters() == count_parameters(run)
    before = set(store.folder.iterdir())
    app([*list_words(folder), "--set", 'sharing.depths={match="0,0,3"}'], standalone_mode=False)
    groups = {"a": ["tone", "grade"], "b": ["match"]}
    said = {"hierarchy": "1,1,1", "depths": {"b": "0,0,3"}}
    advised = folder / "advised.json"
    advised.write_text(json.dumps({"schema": "groups/1", "groups": groups, **said}))
    app([*list_words(folder), "--groups", str(advised)], standalone_mode=False)
    assert set(store.folder.iterdir()) == before  # found done: of the same identity


def test_a_run_begins_with_the_weights_of_another(folder: Path, staged: RunSpec) -> None:
    store = Output(folder / "out").runs
    slow = ("--set", "training.learning_rate=1e-12", "--set", "training.weight_decay=0.0")
    run = train(folder, "--hierarchy", "0,2,1", "--start-from", staged.run_id, *slow)
    assert run.start_from == staged.run_id
    for task in run.names:  # nothing was learned any more: the predictions are the parent's
        one, other = (np.stack(store.predictions(spec, task)["logits"]) for spec in (run, staged))
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    again = train(folder, "--hierarchy", "0,1,2", "--start-from", run.run_id, *slow)
    assert again.run_id not in (run.run_id, staged.run_id)


def test_a_staged_run_that_begins_anew_begins_with_the_other_run(
    folder: Path, staged: RunSpec
) -> None:
    store = Output(folder / "out").runs
    spec = dataclasses.replace(
        staged,
        hierarchy=HierarchySpec(0, 0, 3),
        stages=parse_stages("1,1,1:0.5 0,0,3:0.5"),
        start_from=staged.run_id,
    )
    job = Job(spec, {}, parents={staged.run_id: store.path(staged)})
    course = plan_course(spec, partial(begin_model, job, {}))
    kept = load_model(store.path(staged) / "model", staged)
    for one, other in zip(course.stages[0].build().parameters(), kept.parameters(), strict=True):
        assert torch.equal(one, other)
    assert (
        plan_course(dataclasses.replace(spec, stages=()), partial(begin_model, job, {})).stages
        == []
    )


def test_what_a_run_cannot_begin_with_is_told_before_it_is_trained(
    folder: Path, staged: RunSpec
) -> None:
    runs = Output(folder / "out").runs.folder
    before = set(runs.iterdir())
    coarser = ("--hierarchy", "3,0,0", "--start-from", staged.run_id)
    with pytest.raises(InputError, match=r"share at least what they are to share now.* of 1,1,1"):
        train(folder, *coarser)
    with pytest.raises(InputError, match=r"should name one run in .* Found `nothing`"):
        train(folder, "--start-from", "nothing")
    with pytest.raises(InputError, match="`hierarchy` should be left out where there are `stages`"):
        train(folder, "--hierarchy", "1,1,1", "--stages", STAGES)
    with pytest.raises(InputError, match=r"sum to the encoder's depth, 3. Found `2,2,2`"):
        train(folder, "--stages", "6,0,0:0.5 2,2,2:0.5")
    assert set(runs.iterdir()) == before


def test_a_run_that_kept_no_model_is_no_start(folder: Path, staged: RunSpec) -> None:
    mark = Output(folder / "out").runs.path(staged) / "model" / "hmnet.json"
    content = mark.read_bytes()
    mark.unlink()
    try:
        with pytest.raises(InputError, match="a finished run that kept its model"):
            train(folder, "--start-from", staged.run_id)
    finally:
        mark.write_bytes(content)


def test_every_step_of_a_staged_run_is_logged(folder: Path, staged: RunSpec) -> None:
    path = Output(folder / "out").runs.path(staged) / "metrics.jsonl"
    steps = [json.loads(line)["step"] for line in path.read_text().splitlines()]
    assert steps == list(range(36))  # 2 epochs of 3 tasks x 48 rows in batches of 8
