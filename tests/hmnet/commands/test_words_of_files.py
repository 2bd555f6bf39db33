"""A task of tags from its rows to an exported model: what is predicted is what a pipeline finds."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tiny_study import WORDS, write_encoder, write_lines
from transformers import AutoModelForTokenClassification, pipeline
from typer.testing import CliRunner

from hmnet.cli import app
from hmnet.commands.entity_scores import score_types
from hmnet.commands.export import export_task
from hmnet.commands.predict import ALL, RowPredictions, predict_file, write_predictions
from hmnet.commands.train import Design, train_hierarchy
from hmnet.encoders.quiet import quiet
from hmnet.folder.outputs import Output, open_output
from hmnet.study.study import load_study

STUDY = """
schema = "study/1"
tasks = ["names", "tone"]
model = "encoder"
data = "rows"
[training]
epochs = 6
batch_size = 8
learning_rate = 1e-2
precision = "fp32"
[rows]
max_length = 12
[task.names]
kind = "tags"
text = "words"
label = "tags"
labels = ["O", "B-k", "I-k"]
metrics = ["token_accuracy"]
[task.tone]
text = "words"
labels = ["low", "high"]
"""


def make_rows(seed: int, size: int) -> list[dict[str, Any]]:
    """Return rows of words; those that begin with `ko` are entities, side by side as one."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(size):
        words = rng.choice(WORDS, rng.integers(3, 9)).tolist()
        inside = [word.startswith("ko") for word in words]
        tags = [
            ("I-k" if before else "B-k") if own else "O"
            for own, before in zip(inside, [False, *inside], strict=False)
        ]
        rows.append({"words": words, "tags": tags, "tone": ("low", "high")[any(inside)]})
    return rows


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Output, str]:
    folder = tmp_path_factory.mktemp("words")
    write_encoder(folder / "encoder")
    for seed, split in enumerate(("train", "validation")):
        rows = make_rows(seed, 64)
        write_lines(folder / "rows" / "names" / f"{split}.jsonl", rows)
        texts = [{"words": " ".join(row["words"]), "label": row["tone"]} for row in rows]
        write_lines(folder / "rows" / "tone" / f"{split}.jsonl", texts)
    (folder / "study.toml").write_text(STUDY)
    groups = folder / "groups.json"
    groups.write_text(json.dumps({"schema": "groups/1", "groups": {"g": ["names", "tone"]}}))
    output = open_output(folder / "out")
    study = load_study(folder / "study.toml")
    run, _ = train_hierarchy(output, study, Design(groups, "2,0,1"), threads=1)
    return output, run


def predict_new(trained: tuple[Output, str], folder: Path, task: str) -> RowPredictions:
    texts = [{"words": " ".join(row["words"])} for row in make_rows(7, 12)]
    return predict_file(*trained, task, write_lines(folder / "new.jsonl", texts))


@pytest.mark.parametrize("strategy", ["simple", "first"])
def test_a_pipeline_finds_the_entities_that_are_predicted(
    trained: tuple[Output, str], tmp_path: Path, strategy: str
) -> None:
    export_task(*trained, "names", tmp_path / "exported")
    expected = predict_new(trained, tmp_path, "names").outputs["names"]
    assert sum(len(row["entities"]) for row in expected) > 5
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = AutoModelForTokenClassification.from_pretrained(tmp_path / "exported")
        find = pipeline(
            "token-classification", str(tmp_path / "exported"), aggregation_strategy=strategy
        )
    assert model.config.id2label == {0: "O", 1: "B-k", 2: "I-k"}
    for row in expected:
        found = find(" ".join(row["words"]))
        assert [(e["entity_group"], e["start"], e["end"]) for e in found] == [
            (e["type"], e["start"], e["end"]) for e in row["entities"]
        ]
        scores = [float(e["score"]) for e in found]
        assert scores == pytest.approx([e["score"] for e in row["entities"]], abs=1e-4)


def test_all_tasks_of_a_text_are_predicted_in_one_pass(
    trained: tuple[Output, str], tmp_path: Path
) -> None:
    both = predict_new(trained, tmp_path, ALL)
    for task in ("names", "tone"):
        alone = predict_new(trained, tmp_path, task).outputs[task]
        for one, other in zip(both.outputs[task], alone, strict=True):
            assert one.get("tags") == other.get("tags")
            assert one.get("label") == other.get("label")
    assert both.passes.computed < both.passes.asked


def test_a_word_beyond_the_most_tokens_is_outside(
    trained: tuple[Output, str], tmp_path: Path
) -> None:
    path = write_lines(tmp_path / "long.jsonl", [{"words": ["kone"] * 14}])
    (row,) = predict_file(*trained, "names", path).outputs["names"]
    assert len(row["tags"]) == 14
    assert row["tags"][10:] == ["O"] * 4  # ten tokens are left beside [CLS] and [SEP]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_predictions_of_words_are_written_in_each_format(
    trained: tuple[Output, str], tmp_path: Path, suffix: str
) -> None:
    found = predict_new(trained, tmp_path, "names")
    path = tmp_path / f"found{suffix}"
    write_predictions(found, "names", path)
    expected = [row["tags"] for row in found.outputs["names"]]
    if suffix == ".jsonl":
        tags = [json.loads(line)["tags"] for line in path.read_text().splitlines()]
    elif suffix == ".csv":
        tags = [json.loads(cell) for cell in pd.read_csv(path)["tags"]]
    else:
        tags = [list(cell) for cell in pd.read_parquet(path)["tags"]]
    assert tags == expected


def test_scores_are_told_by_type(trained: tuple[Output, str]) -> None:
    output, run = trained
    (row,) = score_types(output, run).to_dict("records")
    folder, spec = output.runs.find(run)
    frame = output.runs.predictions(spec, "names")
    assert row["true"] == sum(tag == 1 for tags in frame["label"] for tag in tags)
    assert row["f1"] == pytest.approx(
        2 * row["precision"] * row["recall"] / (row["precision"] + row["recall"])
    )
    assert row["f1"] > 0.5
    said = CliRunner().invoke(app, ["eval", run, "--out", str(folder.parent.parent)]).output
    assert "precision" in said
    assert "entity_f1" in said
