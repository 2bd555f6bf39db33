"""Several labels on a row, from every layout of a file to arrays of 0 and 1."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hmnet.data.labels import number_rows
from hmnet.data.oddities import find_in_facts, read_facts
from hmnet.data.raw import RawSplit, load_split
from hmnet.data.summary import count_labels, name_label
from hmnet.errors import InputError
from hmnet.study.settings import DataSettings
from hmnet.study.tasks import Task

TASK = Task(
    name="mood",
    text=("text",),
    kind="multilabel",
    labels=("joy", "anger", "fear"),
    metric="label_f1_micro",
)
LISTS = [["joy", "fear"], [], ["anger"], ["fear"]]
FLAGS = [[1, 0, 1], [0, 0, 0], [0, 1, 0], [0, 0, 1]]


def write(folder: Path, columns: Mapping[str, Sequence[Any]], suffix: str) -> None:
    path = folder / "mood" / f"train{suffix}"
    path.parent.mkdir(exist_ok=True)
    frame = pd.DataFrame({"text": [f"text {i}" for i in range(4)], **columns})
    if suffix == ".parquet":
        frame.to_parquet(path)
    elif suffix == ".jsonl":
        rows = zip(frame["text"], *columns.values(), strict=True)
        lines = (json.dumps(dict(zip(("text", *columns), row, strict=True))) for row in rows)
        path.write_text("".join(line + "\n" for line in lines))
    else:
        frame.to_csv(path, index=False)


def load(folder: Path, columns: Mapping[str, Sequence[Any]], suffix: str = ".jsonl") -> RawSplit:
    write(folder, columns, suffix)
    return load_split(TASK, "train", folder)


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
@pytest.mark.parametrize(
    "lists", [LISTS, [["Joy ", "FEAR"], [], ["anger"], ["fear", "fear"]], [[0, 2], [], [1], [2]]]
)
def test_lists_of_labels_or_codes_are_sets(tmp_path: Path, lists: Any, suffix: str) -> None:
    rows = load(tmp_path, {"label": lists}, suffix)
    assert rows.labels.tolist() == FLAGS
    assert rows.labels.dtype == np.int8


@pytest.mark.parametrize(
    "texts",
    [
        ["joy;fear", "[]", "anger", "fear"],
        ["joy, fear", "[]", "anger", "fear"],
        ['["joy", "fear"]', "[]", '["anger"]', '["fear"]'],
        ["['joy', 'fear']", "[]", "['anger']", "['fear']"],
    ],
)
def test_a_file_of_text_lists_labels_in_the_usual_ways(tmp_path: Path, texts: list[str]) -> None:
    assert load(tmp_path, {"label": texts}, ".csv").labels.tolist() == FLAGS


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".csv"])
@pytest.mark.parametrize("kind", [int, bool, float])
def test_a_column_a_label_says_whether_a_row_has_it(
    tmp_path: Path, suffix: str, kind: type
) -> None:
    columns = {
        str(name): [kind(row[code]) for row in FLAGS] for code, name in enumerate(TASK.labels)
    }
    assert load(tmp_path, columns, suffix).labels.tolist() == FLAGS


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".csv"])
def test_an_empty_field_is_a_gap_and_an_empty_list_a_row(tmp_path: Path, suffix: str) -> None:
    empty = "[]" if suffix == ".csv" else []
    full = "joy" if suffix == ".csv" else ["joy"]
    rows = load(tmp_path, {"label": [full, None, empty, full]}, suffix)
    assert rows.rows.tolist() == [0, 2, 3]
    assert rows.labels.sum(axis=1).tolist() == [1, 0, 1]
    flags = {"joy": [1, 0, None, 1], "anger": [0, 0, 0, 1], "fear": [0, None, 1, 1]}
    (tmp_path / "mood" / f"train{suffix}").unlink()
    rows = load(tmp_path, flags, suffix)
    assert rows.rows.tolist() == [0, 3]
    assert "no label in column `joy` to `fear`" in rows.notes[-1]


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ({"label": [["joy"], ["jou"], [], []]}, "Found `jou` in row 1"),
        ({"label": [1, 0, 1, 0]}, "column of lists for a multi-label task"),
        ({"joy": [1, 0, 2, 0], "anger": [0] * 4, "fear": [0] * 4}, "Found `2` in row 2"),
        ({"joy": [1, 0, 1, 0], "anger": [0] * 4}, "Found `fear`. The columns are"),
        ({"mood": [[], [], [], []]}, "should name a column of the data. Found `label`"),
    ],
)
def test_what_is_no_set_of_labels_is_told_where_it_stands(
    tmp_path: Path, columns: Any, found: str
) -> None:
    with pytest.raises(InputError) as caught:
        load(tmp_path, columns, ".jsonl")
    assert found in str(caught.value)


def test_lists_in_a_classification_are_told_which_kind_they_are_for(tmp_path: Path) -> None:
    write(tmp_path, {"label": LISTS}, ".parquet")
    task = dataclasses.replace(TASK, kind="classification", metric="accuracy")
    with pytest.raises(InputError, match='kind = "multilabel"'):
        load_split(task, "train", tmp_path)


def test_labels_of_sets_are_counted_named_and_numbered() -> None:
    labels = np.array(FLAGS, dtype=np.int8)
    assert count_labels(labels, TASK).tolist() == [1, 1, 2]
    assert [name_label(TASK, row) for row in labels[:2]] == ["joy, fear", "none of the labels"]
    numbers = number_rows(labels[[0, 1, 2, 3, 0]], None)
    assert numbers[0] == numbers[4] == max(numbers)  # sorted by how many labels a row has
    assert len(set(numbers.tolist())) == 4


def test_a_label_that_no_training_row_has_is_told(tmp_path: Path) -> None:
    write(tmp_path, {"label": [["joy"], [], ["joy"], ["joy", "anger"]]}, ".jsonl")
    path = tmp_path / "mood" / "validation.jsonl"
    path.write_text('{"text": "new", "label": ["fear", "joy"]}\n{"text": "other", "label": []}\n')
    facts = read_facts(TASK, DataSettings(), tmp_path)
    said = "\n".join(find_in_facts({"mood": facts}))
    assert "1 of 2 rows have the label `fear`, which no training row has" in said
    assert "every row has the label" not in said
