"""A model in a notebook predicts as `hmnet predict` does, and says what it cannot read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_study import write_study

from hmnet import HMNet
from hmnet.commands.predict import predict_file
from hmnet.commands.trained_model import TrainedModel
from hmnet.errors import InputError
from hmnet.folder.outputs import Output, open_output
from hmnet.jobs.prepared import prepare_study
from hmnet.runs.job import Machine
from hmnet.study.hierarchy import HierarchySpec
from hmnet.study.study import load_study
from hmnet.training.execution import execute

PAIRS = [("bala kone", "misi tuvu"), ("ko", "la"), ("bala", "bala bala bala")]


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Output:
    folder = tmp_path_factory.mktemp("trained")
    prepared = prepare_study(load_study(write_study(folder)), folder / "rows")
    output = open_output(folder / "out")
    names = ["tone", "match", "grade"]
    job = prepared.make_job(names, HierarchySpec(1, 1, 1), [names], 0, keep_model=True)
    execute(job, output.runs, Machine())
    return output


@pytest.fixture(scope="module")
def model(output: Output) -> TrainedModel:
    found = HMNet.from_pretrained("3tasks-s0", output.folder)
    assert isinstance(found, TrainedModel)
    return found


def test_it_predicts_as_the_command_does(
    output: Output, model: TrainedModel, tmp_path: Path
) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"left": a, "right": b}) + "\n" for a, b in PAIRS))
    for task in ("match", "grade"):
        told = predict_file(output, "3tasks-s0", task, rows).outputs[task]
        assert model.predict(PAIRS, task) == list(told)
    assert model.predict([], "match") == []
    (one,) = model.predict(["bala kone"], "tone")
    assert one["label"] in ("low", "high")


def test_a_run_is_named_by_its_folder_too(output: Output, model: TrainedModel) -> None:
    again = HMNet.from_pretrained(model.folder)
    assert again.tasks == ("grade", "match", "tone")
    assert again.result.primary.keys() == set(again.tasks)


def test_what_it_cannot_read_is_said(output: Output, model: TrainedModel) -> None:
    with pytest.raises(InputError, match=r"should hold 2 texts a row.*Found 1 in row 0"):
        model.predict(["alone"], "match")
    with pytest.raises(InputError, match="Did you mean `match`"):
        model.predict(PAIRS, "mach")
    with pytest.raises(InputError, match="should hold strings"):
        model.predict([(1, 2)], "match")  # type: ignore[list-item]
    with pytest.raises(InputError, match="should name one run"):
        HMNet.from_pretrained("none", output.folder)
