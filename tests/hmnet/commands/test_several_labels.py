"""Several labels on one text, from a file to an exported model: tasks on one file, and sets."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tiny_study import WORDS, write_encoder, write_lines
from transformers import AutoModelForSequenceClassification, pipeline

from analysis.scores import collect_predictions, find_collapsed, measure_majority, score_runs
from hmnet.commands.export import export_task
from hmnet.commands.predict import ALL, predict_file, write_predictions
from hmnet.commands.train import Design, train_hierarchy
from hmnet.encoders.quiet import quiet
from hmnet.folder.outputs import Output, open_output
from hmnet.study.study import load_study
from reports.html import render_report
from reports.inputs.report_inputs import read_inputs

pytestmark = pytest.mark.system  # chains of commands

STUDY = """
schema = "study/1"
tasks = ["mood", "tone", "count"]
model = "encoder"
[training]
epochs = 30
batch_size = 8
learning_rate = 1e-2
precision = "fp32"
shared_rows = "together"
threshold = "held-out"
[rows]
max_length = 12
holdout = 12
[task.mood]
kind = "multilabel"
text = "text"
label = "moods"
labels = ["k", "m", "other"]
metrics = ["label_f1_macro", "sample_f1", "label_ranking"]
source = { folder = "rows" }
[task.tone]
text = "text"
label = "tone"
labels = ["low", "high"]
metric = "auroc"
metrics = ["average_precision", "accuracy"]
source = { folder = "rows" }
[task.count]
kind = "regression"
text = "text"
label = "count"
metric = "mae"
metrics = ["rmse", "correlation"]
source = { folder = "rows" }
"""


def make_rows(seed: int, size: int) -> list[dict[str, Any]]:
    """Return texts with the moods that their words have; most have a tone and a count."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(size):
        words = rng.choice(WORDS, rng.integers(2, 7)).tolist()
        starts = [word[0] for word in words]
        moods = [m for m in ("k", "m") if m in starts]
        other = [] if set(starts) <= {"k", "m"} else ["other"]
        row = {"text": " ".join(words), "moods": [*moods, *other]}
        row["tone"] = None if number % 4 == 1 else ("low", "high")["k" in starts]
        row["count"] = None if number % 4 == 2 else float(len(words))
        rows.append(row)
    return rows


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Output, str]:
    folder = tmp_path_factory.mktemp("labels")
    write_encoder(folder / "encoder")
    for seed, split in enumerate(("train", "validation")):
        write_lines(folder / "rows" / f"{split}.jsonl", make_rows(seed, 72))
    (folder / "study.toml").write_text(STUDY)
    groups = folder / "groups.json"
    names = ["count", "mood", "tone"]
    groups.write_text(json.dumps({"schema": "groups/1", "groups": {"g": names}}))
    output = open_output(folder / "out")
    study = load_study(folder / "study.toml")
    run, _ = train_hierarchy(output, study, Design(groups, "2,0,1"), threads=1)
    return output, run


def write_new(folder: Path) -> Path:
    texts = [{"text": row["text"]} for row in make_rows(7, 12)]
    return write_lines(folder / "new.jsonl", texts)


def test_gaps_leave_each_task_its_own_rows(trained: tuple[Output, str]) -> None:
    output, run = trained
    sizes = {}
    for name in ("mood", "tone", "count"):
        frame = output.runs.predictions(output.runs.find(run)[1], name)
        sizes[name] = len(frame)
        if name == "tone":
            assert not (frame["row"] % 4 == 1).any()
    assert sizes == {"mood": 72, "tone": 54, "count": 54}


def test_a_stock_pipeline_names_the_labels_that_are_predicted(
    trained: tuple[Output, str], tmp_path: Path
) -> None:
    export_task(*trained, "mood", tmp_path / "exported")
    source = write_new(tmp_path)
    expected = predict_file(*trained, "mood", source).outputs["mood"]
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "exported")
        classify = pipeline("text-classification", str(tmp_path / "exported"), top_k=None)
    assert model.config.problem_type == "multi_label_classification"
    texts = [json.loads(line)["text"] for line in source.read_text().splitlines()]
    sizes = set()
    for text, row in zip(texts, expected, strict=True):
        found = {each["label"]: each["score"] for each in classify({"text": text})}
        assert found == pytest.approx(row["probabilities"], abs=1e-5)
        assert {label for label, score in found.items() if score > 0.5} == set(row["labels"])
        sizes.add(len(row["labels"]))
    assert len(sizes) > 1
    card = (tmp_path / "exported" / "README.md").read_text()
    assert "each label whose score is above 0.5" in card


def test_all_tasks_of_a_text_are_predicted_in_one_pass(
    trained: tuple[Output, str], tmp_path: Path
) -> None:
    source = write_new(tmp_path)
    both = predict_file(*trained, ALL, source)
    assert set(both.outputs) == {"mood", "tone", "count"}
    assert both.passes.computed == 2 + 3 * 1  # {2,0,1}: the shared two once, each task's own
    alone = predict_file(*trained, "mood", source).outputs["mood"]
    assert [row["labels"] for row in both.outputs["mood"]] == [row["labels"] for row in alone]
    for suffix in (".csv", ".parquet"):
        write_predictions(both, ALL, tmp_path / f"all{suffix}")
    table = pd.read_csv(tmp_path / "all.csv")
    assert [json.loads(cell) for cell in table["mood.labels"]] == [r["labels"] for r in alone]


def test_what_was_learned_is_beyond_a_constant_answer(trained: tuple[Output, str]) -> None:
    output, run = trained
    spec = output.runs.find(run)[1]
    result = output.runs.result(spec)
    assert result.primary["count"] == -result.scores["count"]["validation"]["mae"]
    for task in spec.tasks:
        frame = output.runs.predictions(spec, task.name)
        found = collect_predictions(task, {0: frame}, {})
        assert score_runs(found, found.single.values)[0] == pytest.approx(
            result.primary[task.name], abs=1e-6
        )
        assert find_collapsed(found, {("", 0): result.final_loss[task.name]}) == []
    mood = collect_predictions(spec.tasks[1], {0: output.runs.predictions(spec, "mood")}, {})
    assert measure_majority(mood) < result.primary["mood"]


def test_the_report_is_made_of_all_kinds(trained: tuple[Output, str]) -> None:
    output, _ = trained
    inputs = read_inputs(output.folder)
    assert inputs.errors == {"count"}
    page = render_report(inputs)
    assert "label_f1_micro" in page
