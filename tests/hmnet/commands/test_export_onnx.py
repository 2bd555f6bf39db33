"""An ONNX graph gives what torch gives, at any length; shared layers stand in it once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_study import write_study
from torch import nn
from transformers import AutoTokenizer

from hmnet.cli import app
from hmnet.commands import export_onnx
from hmnet.commands.predict import predict_file
from hmnet.errors import InputError, RelevanceError
from hmnet.folder.outputs import Output, open_output
from hmnet.jobs.prepared import prepare_study
from hmnet.models import onnx_graph
from hmnet.runs.job import Machine
from hmnet.study.hierarchy import HierarchySpec
from hmnet.study.study import load_study
from hmnet.training.execution import execute

onnx = pytest.importorskip("onnx", reason="the extra `onnx` is not installed")
pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
pytest.importorskip("onnxscript", reason="the extra `onnx` is not installed")

pytestmark = pytest.mark.system  # torch's exporter takes half a minute of one core
NAMES = ["tone", "match", "grade"]
PAIRS = [("bala kone", "misi tuvu"), ("ko", "la"), ("bala kone mi si", "bala bala bala")]


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Output:
    """One run of three tasks, {1,1,1} in two groups."""
    folder = tmp_path_factory.mktemp("onnx")
    output = open_output(folder / "out")
    prepared = prepare_study(load_study(write_study(folder)), output.data)
    groups = [["tone"], ["match", "grade"]]
    job = prepared.make_job(NAMES, HierarchySpec(1, 1, 1), groups, 0, keep_model=True)
    execute(job, output.runs, Machine())
    return output


@pytest.fixture(scope="module")
def exported(output: Output, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("graphs") / "all"
    words = ["export", "3tasks", "--task", "all", "--format", "onnx", "--int8"]
    app([*words, "--to", str(folder), "--out", str(output.folder)], standalone_mode=False)
    return folder


def test_shared_layers_stand_in_the_graph_once(exported: Path) -> None:
    record = json.loads((exported / "onnx.json").read_text())
    assert record["layers"] == 1 + 2 + 3
    assert record["layers_of_separate_models"] == 9
    graph = onnx.load(exported / "model.onnx").graph
    assert [each.name for each in graph.output] == sorted(NAMES)
    softmaxes = sum(node.op_type == "Softmax" for node in graph.node)
    assert softmaxes == 6, "attention of each layer, once"


def test_outputs_are_torchs_on_dev_rows(exported: Path) -> None:
    record = json.loads((exported / "onnx.json").read_text())
    for task in record["tasks"].values():
        assert task["checked_rows"] == 24
        assert task["largest_difference"] < 1e-4


def test_the_graphs_scores_are_the_runs_and_int8_is_measured(
    exported: Path, output: Output
) -> None:
    record = json.loads((exported / "onnx.json").read_text())
    _, spec = output.runs.find("3tasks")
    for name, primary in output.runs.result(spec).primary.items():
        assert record["tasks"][name]["score"] == pytest.approx(primary, abs=1e-4)
        assert record["tasks"][name]["score_int8"] is not None
    assert record["bytes"]["model.int8.onnx"] < record["bytes"]["model.onnx"]


def test_a_graph_predicts_as_the_command_does_at_any_length(
    exported: Path, output: Output, tmp_path: Path
) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"left": a, "right": b}) + "\n" for a, b in PAIRS))
    told = predict_file(output, "3tasks", "grade", rows).outputs["grade"]
    tokenizer = AutoTokenizer.from_pretrained(exported)
    import onnxruntime

    session = onnxruntime.InferenceSession(exported / "model.onnx")
    firsts, seconds = zip(*PAIRS, strict=True)
    together = tokenizer(list(firsts), list(seconds), padding=True, return_tensors="np")
    (values,) = session.run(["grade"], dict(together))
    np.testing.assert_allclose(values[:, 0], [each["value"] for each in told], atol=1e-4)
    for (first, second), row in zip(PAIRS, told, strict=True):
        alone = tokenizer([first], [second], return_tensors="np")
        (value,) = session.run(["grade"], dict(alone))
        assert value[0, 0] == pytest.approx(row["value"], abs=1e-4)


def test_a_graph_that_differs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    made = np.zeros((3, 2)), np.full((3, 2), 2e-4)
    monkeypatch.setattr(export_onnx, "_run_made_rows", lambda *paths: made)
    path = nn.Linear(1, 1)
    with pytest.raises(RelevanceError, match=r"within 0.0001. Found 0.0002"):
        export_onnx._compare(path, path, None, "tone")


def test_what_cannot_be_exported_is_said(
    output: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["export", "3tasks", "--to", str(tmp_path / "new"), "--out", str(output.folder)]
    with pytest.raises(InputError, match="should be given with `--format onnx`"):
        app([*words, "--task", "tone", "--int8"], standalone_mode=False)
    with pytest.raises(InputError, match="Did you mean `tone`"):
        app([*words, "--task", "tune", "--format", "onnx"], standalone_mode=False)
    monkeypatch.setattr(onnx_graph.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'task-relevance\[onnx\]'"):
        app([*words, "--task", "tone", "--format", "onnx"], standalone_mode=False)
    assert not (tmp_path / "new").exists()
