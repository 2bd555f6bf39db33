"""`relevance tasks`: what each task's data is, beside counts and lengths by hand."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from tiny_study import WORDS, write_study

from hmnet.folder.outputs import Output
from hmnet.storage.tables import read_table
from relevance.cli import app


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """The tiny study with texts of known lengths."""
    path = write_study(tmp_path)
    label = ["low", "high", "low", "high"]
    texts = [" ".join(WORDS[:count]) for count in (1, 2, 3, 10)]
    pd.DataFrame({"text": texts, "label": label}).to_parquet(tmp_path / "data/tone/train.parquet")
    left, right = " ".join(WORDS[:2]), WORDS[3]
    frame = pd.DataFrame({"left": [left] * 3, "right": right, "label": [0.5, 1.0, 0.0]})
    frame.to_parquet(tmp_path / "data/grade/validation.parquet")
    return path


def test_the_table_of_tasks_holds_rows_labels_and_lengths(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["tasks", "--study", str(study), "--out", str(out), "--set", "rows.max_length=8"]
    app(words, standalone_mode=False)
    table, _ = read_table(Output(out).tasks, "tasks/1")
    assert table.columns.tolist() == [
        "task", "category", "split", "rows", "labels", "median_tokens", "p95_tokens",
        "truncated_frac", "metrics",
    ]  # fmt: skip
    assert table[["task", "split"]].to_numpy().tolist() == [
        [task, split] for task in ("tone", "match", "grade") for split in ("train", "validation")
    ]
    found = table.set_index(["task", "split"])
    # 1, 2, 3 and 10 words and two special tokens, cut to 8: lengths 3, 4, 5 and 8; the median is
    # 4.5, and the 95th percentile lies 0.95 * 3 - 2 = 0.85 of the way from 5 to 8.
    tone = found.loc[("tone", "train")]
    assert (tone["rows"], tone["labels"], tone["median_tokens"]) == (4, 2, 4.5)
    assert tone["p95_tokens"] == pytest.approx(5 + 0.85 * 3)
    assert (tone["truncated_frac"], tone["category"], tone["metrics"]) == (0.25, "tone", "accuracy")
    # Two words and one, three special tokens.
    grade = found.loc[("grade", "validation")]
    assert (grade["rows"], grade["labels"], grade["median_tokens"]) == (3, 1, 6)
    assert grade["metrics"].split("/")[-1] == "pearson"
    printed = capsys.readouterr().out
    assert "25.0%" in printed
    assert "a constant answer scores" in printed
    assert "labels of train: " in printed
    assert "tasks.parquet" in printed
