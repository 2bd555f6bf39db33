"""Labels are matched by name wherever a value has one, whatever the declared order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hmnet.data.label_names import check_class_names, match_values
from hmnet.data.raw import load_split
from hmnet.errors import InputError
from hmnet.study.study import load_study
from hmnet.study.tasks import Task


def make_task(*labels: str | int) -> Task:
    return Task(name="t", text=("text",), labels=labels)


def read(folder: Path, labels: Sequence[Any], values: Sequence[Any], suffix: str) -> list[str]:
    """Return the declared label that each value is read as."""
    path = folder / "t" / f"train{suffix}"
    path.parent.mkdir(exist_ok=True)
    if suffix == ".csv":
        lines = [f"row {i} of it,{value}" for i, value in enumerate(values)]
        path.write_text("\n".join(["text,label", *lines]) + "\n")
    else:
        rows = [{"text": f"row {i} of it", "label": v} for i, v in enumerate(values)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = make_task(*labels)
    return [str(task.labels[code]) for code in load_split(task, "train", folder).labels]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
@pytest.mark.parametrize(
    ("labels", "values", "expected"),
    [
        (["T", "F"], [False, True], ["F", "T"]),
        (["Yes", "No"], [True, False], ["Yes", "No"]),
        (["y", "n", "unsure"], [True, False], ["y", "n"]),
        ([1, 0], ["yes", "no"], ["1", "0"]),
        (["True", "False"], ["no", "YES"], ["False", "True"]),
        (["Spam", "Ham"], ["ham", "SPAM "], ["Ham", "Spam"]),
        (["us", "US"], ["US", "us"], ["US", "us"]),
        ([2, 1, 0], ["1", "0"], ["1", "0"]),
        ([3, 1], [1.0, 3.0], ["1", "3"]),
        (["no", "yes"], [1, 0], ["yes", "no"]),
        (["good", "bad"], [1, 0], ["bad", "good"]),
        (["caf\u00e9", "th\u00e9"], ["cafe\u0301", "th\u00e9"], ["caf\u00e9", "th\u00e9"]),
        (["no", "yes"], ["no\u00a0", "\u200byes"], ["no", "yes"]),
        (["no", "yes"], ["\uff4e\uff4f", "YES"], ["no", "yes"]),
        (["x2", "x\u00b2"], ["x\u00b2", "x2"], ["x\u00b2", "x2"]),
    ],
)
def test_a_value_with_a_name_is_matched_by_name(
    tmp_path: Path, suffix: str, labels: list[Any], values: list[Any], expected: list[str]
) -> None:
    assert read(tmp_path, labels, values, suffix) == expected


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
@pytest.mark.parametrize(
    ("labels", "values", "said"),
    [
        (["cat", "dog"], [True, False], "which label means true"),
        (["yes", "true"], [True, False], "Found `False`"),
        (["yes", "no"], [1, 0], "by position 0 is `yes`, by meaning 1 is"),
        (["True", "False"], [0, 0], "by position 0 is `True`"),
        (["us", "US", "uk"], ["Us", "uk"], "Found `Us`"),
        (["a", "b", "c"], [1, 2, 3], "declare `labels = [1, 2, 3]`"),
        (["a", "b"], [10, 20], "declare `labels = [10, 20]`"),
        (["a", "b", "c"], [1, 3], "or declare every code that there is"),
        (
            ["a", "b"],
            ["__label__a", "__label__b"],
            'declare `labels = ["__label__a", "__label__b"]`',
        ),
        (["a", "b"], ["a", "?"], "If it is a label, add it to `labels`"),
        (["a", "b"], [0.5, 1.0], "a task of `kind = .regression.`"),
        (["a", "b"], [f"c{i}" for i in range(12)], "It holds 12 values"),
    ],
)
def test_what_may_be_read_in_two_ways_or_in_none_is_refused(
    tmp_path: Path, suffix: str, labels: list[Any], values: list[Any], said: str
) -> None:
    with pytest.raises(InputError, match=said.replace("[", r"\[")):
        read(tmp_path, labels, values, suffix)


def test_the_order_of_the_declared_labels_never_changes_what_a_boolean_means() -> None:
    for labels in (("f", "t"), ("t", "f"), ("maybe", "f", "t")):
        task = make_task(*labels)
        found = match_values([True, False], task, is_ordered=False)
        assert {v: labels[code] for v, code in found.items()} == {True: "t", False: "f"}


def test_booleans_in_a_study_file_are_ones_and_zeros_by_their_truth(tmp_path: Path) -> None:
    text = 'schema = "study/1"\ntasks = ["t"]\ndata = "."\n[task.t]\ntext = ["text"]\n'
    (tmp_path / "study.toml").write_text(text + "labels = [true, false]\n")
    task = load_study(tmp_path / "study.toml").tasks["t"]
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "train.jsonl").write_text(
        '{"text": "it rains", "label": true}\n{"text": "it is dry", "label": false}\n'
    )
    codes = load_split(task, "train", tmp_path).labels
    assert [task.labels[code] for code in codes] == [1, 0]


@pytest.mark.parametrize(
    ("class_names", "labels"),
    [
        (("NEG", "POS"), ("pos", "neg")),
        (("neg", "pos"), ("positive", "negative")),
        (("a", "b", "c"), ("b", "c")),
    ],
)
def test_labels_at_other_positions_than_the_sources_are_refused(
    class_names: tuple[str, ...], labels: tuple[str, ...]
) -> None:
    with pytest.raises(InputError, match="order of the source's codes"):
        check_class_names(class_names, make_task(*labels))


@pytest.mark.parametrize(
    ("class_names", "labels"),
    [
        (("neg", "pos"), ("negative", "positive")),
        (("Yes", "No"), ("yes", "no")),
        (("0", "1"), ("quiet", "loud")),
    ],
)
def test_labels_at_the_sources_positions_are_taken(
    class_names: tuple[str, ...], labels: tuple[str, ...]
) -> None:
    check_class_names(class_names, make_task(*labels))


@pytest.mark.parametrize("value", [["a"], ["a", "b"], [0, 1], []])
def test_a_list_of_labels_is_refused_as_such(tmp_path: Path, value: list[Any]) -> None:
    with pytest.raises(InputError, match=r"one label a row\. Found a list"):
        read(tmp_path, ["a", "b"], [value, value], ".jsonl")


def test_texts_and_numbers_in_a_column_are_both_read_as_they_are_written(tmp_path: Path) -> None:
    assert read(tmp_path, [0, 1], ["1", 0, 1.0], ".jsonl") == ["1", "0", "1"]
    with pytest.raises(InputError, match=r"Found `0` in row 1"):
        read(tmp_path, ["a", "b"], ["a", 0], ".jsonl")
