"""Raw rows: where they are found, what they may hold, and what is said when they do not."""

from __future__ import annotations

import dataclasses
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import datasets
import huggingface_hub
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from places import DATA

import hmnet.data.delimited
from hmnet.data.file_formats import SUFFIXES
from hmnet.data.raw import (
    RawSplit,
    find_file,
    load_split,
    load_text_columns,
    load_texts,
    source_key,
)
from hmnet.errors import InputError, RelevanceError, SourceError
from hmnet.study.study import load_study
from hmnet.study.tasks import FURTHER_TASKS, PAPER_TASKS, Source, Task

COMMIT = "0123456789abcdef0123456789abcdef01234567"

PAIR = Task(
    name="pair",
    text=("left", "right"),
    labels=("no", "yes"),
    question=("idx.paragraph", "idx.question"),
    metrics=("exact_match",),
)
SINGLE = Task(name="single", text=("text",), labels=("no", "yes"))
NUMBER = Task(name="number", text=("text",), kind="regression", metric="correlation")

COLUMNS: Mapping[str, Sequence[Any]] = {
    "left": ["One, two", "a\nb", 'say "no"', "é 漢"],
    "right": ["", "1994", "null", "NA"],
    "label": [1, 0, 0, 1],
    "idx": [
        {"paragraph": 7, "question": 1},
        {"paragraph": 7, "question": 2},
        {"paragraph": 7, "question": 1},
        {"paragraph": 8, "question": 1},
    ],
}


def write(folder: Path, suffix: str, columns: Mapping[str, Any], stem: str = "train") -> Path:
    """Write columns in one of the formats; CSV has a dotted column per field of a struct."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.table(dict(columns)), path)
        return path
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    elif suffix == ".json":
        path.write_text(json.dumps(rows), encoding="utf-8")
    else:
        frame = pd.json_normalize(rows)
        frame.to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ",")
    return path


def load(
    tmp_path: Path, task: Task, columns: Mapping[str, Any], suffix: str = ".parquet"
) -> RawSplit:
    write(tmp_path / task.name, suffix, columns)
    return load_split(task, "train", tmp_path)


def labels_of(tmp_path: Path, task: Task, labels: Any, suffix: str = ".parquet") -> list[Any]:
    columns = {"text": [f"text {i}" for i in range(len(labels))], "label": labels}
    return load(tmp_path, task, columns, suffix).labels.tolist()


def problem(action: Callable[[], object], kind: type[RelevanceError] = InputError) -> str:
    with pytest.raises(kind) as caught:
        action()
    return str(caught.value)


# Formats


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_gives_the_same_rows(tmp_path: Path, suffix: str) -> None:
    rows = load(tmp_path, PAIR, COLUMNS, suffix)
    assert rows.texts == (list(COLUMNS["left"]), list(COLUMNS["right"]))
    assert rows.labels.tolist() == [1, 0, 0, 1]
    assert rows.rows.tolist() == [0, 1, 2, 3]
    assert rows.questions.tolist() == [0, 1, 0, 2]  # (7, 1), (7, 2), (7, 1), (8, 1)
    assert {a.dtype for a in (rows.labels, rows.rows, rows.questions)} == {np.dtype(np.int64)}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_other_columns_do_not_matter(tmp_path: Path, suffix: str) -> None:
    columns = {"id": [1, 2], "text": ["a", "b"], "label": [0, 1], "note": [None, "x"]}
    assert load(tmp_path, SINGLE, columns, suffix).texts == (["a", "b"],)


def test_values_of_several_lines_may_lie_across_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hmnet.data.delimited, "_ROWS_PER_CHUNK", 7)
    texts = [f"line {i}\n\nanother, line" for i in range(50)]
    columns = {"text": texts, "label": [i % 2 for i in range(50)]}
    assert load(tmp_path, SINGLE, columns, ".csv").texts == (texts,)


def test_column_types_that_hold_strings_are_all_text(tmp_path: Path) -> None:
    text = pa.array(["a", "b", "a"])
    for kind in (pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())):
        columns = {"text": text.cast(kind), "label": pa.array(["no", "yes", "no"]).cast(kind)}
        rows = load(tmp_path, SINGLE, columns)
        assert (rows.texts, rows.labels.tolist()) == ((["a", "b", "a"],), [0, 1, 0])


def test_a_column_with_a_dot_in_its_name_comes_before_a_field(tmp_path: Path) -> None:
    columns = {**COLUMNS, "idx.paragraph": [1, 2, 3, 4]}
    assert load(tmp_path, PAIR, columns).questions.tolist() == [0, 1, 2, 3]


def test_questions_are_numbered_by_their_combination(tmp_path: Path) -> None:
    names = [("a", 1), ("b", 1), ("a", 2), ("b", 1), ("a", 1)]
    idx = [{"paragraph": p, "question": q} for p, q in names]
    columns = {"left": ["l"] * 5, "right": ["r"] * 5, "label": [0] * 5, "idx": idx}
    for suffix in SUFFIXES:
        assert load(tmp_path / suffix, PAIR, columns, suffix).questions.tolist() == [0, 1, 2, 1, 0]


def test_a_task_without_questions_has_none(tmp_path: Path) -> None:
    rows = load(tmp_path, SINGLE, {"text": ["a", "b"], "label": [0, 1]})
    assert rows.questions.tolist() == [-1, -1]


def test_a_byte_order_mark_and_empty_lines_are_no_content(tmp_path: Path) -> None:
    (tmp_path / "single").mkdir()
    path = tmp_path / "single" / "train.csv"
    path.write_text("text,label\na,yes\n", encoding="utf-8-sig")
    assert load_split(SINGLE, "train", tmp_path).texts == (["a"],)
    path.unlink()
    line = '{"text": "a", "label": "yes"}\n'
    path.with_suffix(".jsonl").write_text(f"{line}\n{line}", encoding="utf-8-sig")
    assert len(load_split(SINGLE, "train", tmp_path)) == 2


# Finding


def test_places_are_looked_up_in_order(tmp_path: Path) -> None:
    own = tmp_path / "own"
    task = dataclasses.replace(SINGLE, source=Source(folder=str(own)))
    later = [write(own, suffix, {}, "train") for suffix in reversed(SUFFIXES)]
    sooner = [write(tmp_path / "single", suffix, {}, "train") for suffix in reversed(SUFFIXES)]
    for path in reversed(later + sooner):
        assert find_file(task, "train", tmp_path) == path
        path.unlink()
        if path == sooner[0]:
            path.parent.rmdir()


def test_parquet_comes_before_csv_and_csv_before_lines_of_json() -> None:
    assert SUFFIXES == (".parquet", ".csv", ".jsonl", ".tsv", ".json")


def test_the_given_folder_speaks_for_every_task_that_it_holds(tmp_path: Path) -> None:
    own = write(tmp_path / "own", ".csv", {})
    task = dataclasses.replace(SINGLE, source=Source(folder=str(own.parent)))
    assert find_file(task, "train", tmp_path / "elsewhere") == own
    (tmp_path / "single").mkdir()
    assert "an empty folder" in problem(lambda: find_file(task, "train", tmp_path))


def test_our_name_of_a_split_comes_before_the_sources(tmp_path: Path) -> None:
    imdb = PAPER_TASKS["imdb"]
    theirs = write(tmp_path / "imdb", ".parquet", {}, "test")
    assert find_file(imdb, "validation", tmp_path) == theirs
    ours = write(tmp_path / "imdb", ".jsonl", {}, "validation")
    assert find_file(imdb, "validation", tmp_path) == ours


@pytest.mark.parametrize("place", ['source = { folder = "rows/mine" }', ""])
@pytest.mark.parametrize("name", ["../../secret", "/etc/secret", "..\\\\secret"])
def test_a_name_of_a_split_does_not_lead_out_of_the_folder(
    tmp_path: Path, place: str, name: str
) -> None:
    write(tmp_path / "rows" / "mine", ".csv", {"text": ["a"], "label": [0]})
    write(tmp_path, ".csv", {"text": ["b"], "label": [1]}, "secret")
    (tmp_path / "study.toml").write_text(
        f"""
        schema = "study/1"
        {"" if place else 'data = "rows"'}
        [task.mine]
        text = ["text"]
        labels = [0, 1]
        splits = {{ train = "train", validation = "{name}" }}
        {place}
        """
    )
    study = load_study(tmp_path / "study.toml")
    task = study.tasks["mine"]
    said = problem(lambda: load_split(task, "validation", study.data_folder))
    assert said.startswith("Task `mine`: Parameter `splits` should name files in the task's own")
    assert load_split(task, "train", study.data_folder).texts == (["a"],)


def test_a_missing_file_is_reported_with_the_names_looked_for(tmp_path: Path) -> None:
    mnli = PAPER_TASKS["mnli"]
    assert "no such folder" in problem(lambda: find_file(mnli, "validation", tmp_path))
    write(tmp_path / "mnli", ".parquet", {}, "dev")
    message = problem(lambda: load_split(mnli, "validation", tmp_path))
    for stem in ("validation", "validation_matched"):
        assert all(f"{stem}{suffix}" in message for suffix in SUFFIXES)
    assert "Found dev.parquet." in message


def test_an_unknown_split_and_a_task_without_a_source_are_reported(tmp_path: Path) -> None:
    message = problem(lambda: load_split(SINGLE, "validaton", tmp_path))
    assert "Did you mean `validation`?" in message
    assert "Parameter `source`" in problem(lambda: load_split(SINGLE, "train"))


# Labels

THREE = dataclasses.replace(SINGLE, labels=("entailment", "neutral", "contradiction"))
STARS = dataclasses.replace(SINGLE, labels=(1, 3, 5))
NUMERALS = dataclasses.replace(SINGLE, labels=("10", "20"))
TRUTH = dataclasses.replace(SINGLE, labels=("False", "True"))
SIGNS = dataclasses.replace(SINGLE, labels=(-1, 0, 1))


@pytest.mark.parametrize(
    ("task", "labels", "codes"),
    [
        (THREE, ["neutral", "contradiction", "entailment"], [1, 2, 0]),
        (THREE, [2, 0, 1], [2, 0, 1]),
        (THREE, [2.0, 0.0], [2, 0]),
        (STARS, [5, 1, 3], [2, 0, 1]),
        (STARS, ["5", "1"], [2, 0]),
        (NUMERALS, [20, 10], [1, 0]),
        (NUMERALS, ["20", "10"], [1, 0]),
        (TRUTH, [True, False], [1, 0]),
        (TRUTH, ["True", "False"], [1, 0]),
        (TRUTH, [1, 0], [1, 0]),
        (dataclasses.replace(SINGLE, labels=("True", "False")), [True, False], [0, 1]),
        (SINGLE, [True, False], [1, 0]),
        (dataclasses.replace(SINGLE, labels=(0, 1)), [True, False], [1, 0]),
        (SIGNS, [-1, 0, 1], [0, 1, 2]),
    ],
)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_labels_become_codes(
    tmp_path: Path, task: Task, labels: list[Any], codes: list[int], suffix: str
) -> None:
    assert labels_of(tmp_path, task, labels, suffix) == codes


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_unlabelled_rows_are_dropped_and_the_others_keep_their_numbers(
    tmp_path: Path, suffix: str
) -> None:
    columns = {**COLUMNS, "label": [-1, 1, -1, 0]}
    rows = load(tmp_path, PAIR, columns, suffix)
    assert rows.rows.tolist() == [1, 3]
    assert rows.labels.tolist() == [1, 0]
    assert rows.texts == (["a\nb", "é 漢"], ["1994", "NA"])
    assert rows.questions.tolist() == [1, 2]


def test_a_split_of_unlabelled_rows_is_refused(tmp_path: Path) -> None:
    message = problem(lambda: labels_of(tmp_path, SINGLE, [-1, -1]))
    assert "should hold labelled rows. Found 2 rows" in message


@pytest.mark.parametrize(
    ("task", "labels", "found"),
    [
        (THREE, ["neutral", "neutrl", "x"], "`neutrl` in row 1"),
        (THREE, [0, 2, 3, 4], "`3` in row 2"),
        (THREE, [0, -2], "`-2` in row 1"),
        (STARS, [1, 2], "`2` in row 1"),
        (NUMERALS, [10, 1], "`1` in row 1"),
        (THREE, [0.0, 1.5], "`1.5` in row 1"),
    ],
)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_any_other_label_is_reported_with_its_row(
    tmp_path: Path, task: Task, labels: list[Any], found: str, suffix: str
) -> None:
    message = problem(lambda: labels_of(tmp_path, task, labels, suffix))
    assert found in message
    assert f"Task `{task.name}`, split `train` ({tmp_path}/single/train{suffix})" in message
    assert all(str(label) in message for label in task.labels)


def test_the_closest_label_is_suggested(tmp_path: Path) -> None:
    assert "Did you mean `neutral`?" in problem(lambda: labels_of(tmp_path, THREE, ["neutrl"]))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_values_of_a_regression_are_float32(tmp_path: Path, suffix: str) -> None:
    write(tmp_path / "number", suffix, {"text": ["a", "b"], "label": [0.1, 5.0]})
    values = load_split(NUMBER, "train", tmp_path).labels
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, np.array([0.1, 5.0], dtype=np.float32))


def test_whole_numbers_are_values_too_and_minus_one_is_one_of_them(tmp_path: Path) -> None:
    assert labels_of(tmp_path, NUMBER, [-1, 3]) == [-1.0, 3.0]


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ([0.5, float("inf")], "`inf` in row 1"),
        ([0.5, 1e39], "`1e+39` in row 1"),  # float32 ends at 3.4e38
        (["0.5", "high"], "`high` in row 1"),
    ],
)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_values_that_are_no_finite_numbers_are_reported(
    tmp_path: Path, labels: list[Any], found: str, suffix: str
) -> None:
    assert found in problem(lambda: labels_of(tmp_path, NUMBER, labels, suffix))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("task", [SINGLE, NUMBER])
def test_a_row_without_a_label_is_no_row_of_the_task(
    tmp_path: Path, task: Task, suffix: str
) -> None:
    columns = {"text": ["a", "b", "c", "d"], "label": [1, None, 0, None]}
    rows = load(tmp_path, task, columns, suffix)
    assert rows.texts == (["a", "c"],)
    assert rows.labels.tolist() == [1, 0]
    assert rows.rows.tolist() == [0, 2]  # the others keep their numbers
    assert "2 of 4 rows are left out, as they have no label in column `label`" in rows.notes
    (column,) = load_text_columns(task, "train", tmp_path)
    assert column.to_pylist() == ["a", "c"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_odd_label_behind_gaps_is_found_where_it_stands(tmp_path: Path, suffix: str) -> None:
    message = problem(lambda: labels_of(tmp_path, SINGLE, [None, "yes", None, "maybe"], suffix))
    assert "`maybe` in row 3" in message
    if suffix in (".csv", ".tsv"):
        assert "line 5 of the file" in message


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_column_without_any_label_is_refused_together_with_what_else_is_wrong(
    tmp_path: Path, suffix: str
) -> None:
    task = dataclasses.replace(SINGLE, text=("txt",))
    message = problem(lambda: labels_of(tmp_path, task, [None, None], suffix))
    assert "Found none in the 2 rows of column `label`" in message
    assert "Did you mean `text`" in message


def test_a_gap_and_the_label_that_means_unlabelled_are_both_left_out(tmp_path: Path) -> None:
    columns = {"text": ["a", "b", "c"], "label": [-1, None, 1]}
    rows = load(tmp_path, SINGLE, columns)
    assert (rows.rows.tolist(), rows.labels.tolist()) == ([2], [1])


def test_several_label_columns_of_one_file_are_as_many_tasks(tmp_path: Path) -> None:
    columns = {"text": list("abcd"), "tone": ["no", None, "yes", "no"], "stars": [None, 3.5, 1, 2]}
    write(tmp_path / "reviews", ".parquet", columns)
    folder = Source(folder=str(tmp_path / "reviews"))
    tone = dataclasses.replace(SINGLE, name="tone", label="tone", source=folder)
    stars = dataclasses.replace(NUMBER, name="stars", label="stars", source=folder)
    assert load_split(tone, "train").rows.tolist() == [0, 2, 3]
    assert load_split(stars, "train").rows.tolist() == [1, 2, 3]


# Columns and texts


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_all_problems_of_a_split_are_reported_at_once(tmp_path: Path, suffix: str) -> None:
    columns = {"lefty": ["a"], "right": ["b"], "label": ["maybe"], "idx": [{"paragraph": 1}]}
    with pytest.raises(InputError) as caught:
        load(tmp_path, PAIR, columns, suffix)
    assert len(caught.value.problems) == 3
    message = str(caught.value)
    assert "Found `left`. The columns are: lefty, right, label, idx" in message
    assert "Did you mean `lefty`" in message
    assert "`maybe` in row 0" in message
    assert "Found `idx.question`" in message


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_without_any_of_the_columns_is_reported(tmp_path: Path, suffix: str) -> None:
    message = problem(lambda: load(tmp_path, SINGLE, {"x": ["a"], "y": ["b"]}, suffix))
    assert message.count("The columns are: x, y.") == 2


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_a_missing_text_is_reported_with_its_row(tmp_path: Path, suffix: str) -> None:
    columns = {"text": ["a", "", None, None], "label": [0, 1, 0, 1]}
    message = problem(lambda: load(tmp_path, SINGLE, columns, suffix))
    assert "Found 2 in column `text`, the first in row 2" in message


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("numbers", [[3, 4], [0.5, 1.25]])
def test_numbers_are_no_text(tmp_path: Path, suffix: str, numbers: list[float]) -> None:
    columns = {"text": numbers, "label": [0, 1]}
    message = problem(lambda: load(tmp_path, SINGLE, columns, suffix))
    assert f"such as `{numbers[0]}` in row 0" in message


def test_a_missing_question_and_a_whole_struct_are_reported(tmp_path: Path) -> None:
    idx = [{"paragraph": 1, "question": 2}, {"paragraph": None, "question": 2}]
    columns = {"left": ["a", "b"], "right": ["c", "d"], "label": [0, 1], "idx": idx}
    message = problem(lambda: load(tmp_path, PAIR, columns))
    assert "Found 1 in column `idx.paragraph`, the first in row 1" in message
    whole = dataclasses.replace(PAIR, question=("idx",))
    assert "`idx.<field>`" in problem(lambda: load(tmp_path, whole, COLUMNS))


def test_a_column_that_occurs_twice_is_reported(tmp_path: Path) -> None:
    (tmp_path / "single").mkdir()
    (tmp_path / "single" / "train.csv").write_text("text,text,label\na,b,no\n")
    message = problem(lambda: load_split(SINGLE, "train", tmp_path))
    assert "Found `text` twice" in message
    columns = [pa.array(["a"]), pa.array(["b"]), pa.array([0])]
    table = pa.Table.from_arrays(columns, names=["text", "text", "label"])
    pq.write_table(table, tmp_path / "single" / "train.parquet")
    assert "Found `text` twice" in problem(lambda: load_split(SINGLE, "train", tmp_path))


# Broken files


@pytest.mark.parametrize(
    ("suffix", "content", "said"),
    [
        (".parquet", b"", "should be parquet"),
        (".parquet", b"PAR1 no table PAR1", "should be parquet"),
        (".csv", b"", "an empty file"),
        (".csv", b"text,label\na,no\nb\n", "should be csv"),
        (".csv", b"text,label\n\x81\x8d,no\n", "should be csv"),
        (".csv", b"text,label\n", "should hold rows"),
        (".jsonl", b"", "should hold rows"),
        (".jsonl", b'{"text": "a", "label": "no"}\n\n{"text": \n', "line 3"),
        (".jsonl", b'["a", "no"]\n', "no JSON object"),
        (
            ".jsonl",
            b'{"text": "a", "label": "no"}\n{"text": true, "label": "no"}\n',
            "`true` in row 1",
        ),
        (".jsonl", b'{"text": "\\ud800", "label": "no"}\n', "column `text`"),
        (".jsonl", b'{"text": "a", "label": 99999999999999999999999}\n', "column `label`"),
        (".jsonl", b"[" * 100_000, "line 1"),
        (".jsonl", b"\xff", "should be jsonl"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, suffix: str, content: bytes, said: str) -> None:
    (tmp_path / "single").mkdir()
    path = tmp_path / "single" / f"train{suffix}"
    path.write_bytes(content)
    message = problem(lambda: load_split(SINGLE, "train", tmp_path))
    assert said in message
    assert str(path) in message


def test_a_text_in_parquet_that_is_no_utf_8_is_refused(tmp_path: Path) -> None:
    text = pa.array([b"caf\xe9"], pa.binary()).view(pa.string())  # Latin-1
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"text": text, "label": ["no"]}), path)
    message = problem(lambda: load_texts(SINGLE, path))
    assert message.startswith(f"{path}: the file should be parquet. Found: ")
    assert "UTF8" in message


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_folder_in_place_of_a_file_is_none(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "single" / f"train{suffix}").mkdir(parents=True)
    assert "should hold one of" in problem(lambda: load_split(SINGLE, "train", tmp_path))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    suffix=st.sampled_from(SUFFIXES),
    content=st.one_of(
        st.binary(max_size=80),
        st.text(max_size=80).map(lambda text: f"text,label\n{text}".encode()),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=4),
            lambda inner: st.dictionaries(st.sampled_from(["text", "label"]), inner, max_size=2),
            max_leaves=4,
        ).map(lambda value: json.dumps(value).encode()),
    ),
)
def test_no_content_raises_anything_but_expected_errors(
    tmp_path: Path, suffix: str, content: bytes
) -> None:
    folder = tmp_path / "single"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    (folder / f"train{suffix}").write_bytes(content)
    try:
        rows = load_split(SINGLE, "train", tmp_path)
    except InputError:
        return
    assert set(rows.labels.tolist()) <= {0, 1}


# Texts alone


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_texts_are_read_without_labels(tmp_path: Path, suffix: str) -> None:
    columns = {name: COLUMNS[name] for name in ("right", "left")}
    path = write(tmp_path / "pair", suffix, columns)
    expected = (list(COLUMNS["left"]), list(COLUMNS["right"]))
    assert load_texts(PAIR, path).texts == expected
    assert tuple(c.to_pylist() for c in load_text_columns(PAIR, "train", tmp_path)) == expected


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_texts_of_unlabelled_rows_are_dropped_as_those_of_a_split_are(
    tmp_path: Path, suffix: str
) -> None:
    split = load(tmp_path, PAIR, {**COLUMNS, "label": [-1, 1, -1, 0]}, suffix)
    columns = load_text_columns(PAIR, "train", tmp_path)
    assert (
        tuple(c.to_pylist() for c in columns) == split.texts == (["a\nb", "é 漢"], ["1994", "NA"])
    )
    for task, count in ((SIGNS, 3), (NUMBER, 3), (TRUTH, 2)):  # -1 is a label of the first two
        labels = [-1, 0, 1]
        split = load(tmp_path, task, {"text": ["a", "b", "c"], "label": labels}, suffix)
        (column,) = load_text_columns(task, "train", tmp_path)
        assert (column.to_pylist(), len(split)) == (split.texts[0], count)


def test_texts_of_unlabelled_rows_are_dropped_from_every_type_of_text(tmp_path: Path) -> None:
    text, task = pa.array(["a", "b", "a"]), dataclasses.replace(SINGLE, label="gold.label")
    for kind in (pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())):
        gold = [{"label": label} for label in (1, -1, 0)]
        write(tmp_path / "single", ".parquet", {"text": text.cast(kind), "gold": gold})
        (column,) = load_text_columns(task, "train", tmp_path)
        assert column.to_pylist() == ["a", "a"]


def test_texts_of_a_split_with_odd_labels_or_without_any_are_refused(tmp_path: Path) -> None:
    for labels, said in (([-1, -1], "should hold labelled rows"), ([0, 2], "`2` in row 1")):
        write(tmp_path / "single", ".parquet", {"text": ["a", "b"], "label": labels})
        assert said in problem(lambda: load_text_columns(SINGLE, "train", tmp_path))


def test_texts_are_checked_as_those_of_a_split_are(tmp_path: Path) -> None:
    path = write(tmp_path / "pair", ".parquet", {"left": [[1]], "rigth": ["a"]})
    for action in (
        lambda: load_texts(PAIR, path),
        lambda: load_text_columns(PAIR, "train", tmp_path),
    ):
        message = problem(action)
        assert "such as `[1]` in row 0" in message
        assert "Did you mean `rigth`" in message
    pq.write_table(pa.table({"left": pa.nulls(0), "right": pa.nulls(0)}), path)
    assert "should hold rows" in problem(lambda: load_texts(PAIR, path))
    assert "should hold rows" in problem(lambda: load_text_columns(PAIR, "train", tmp_path))
    assert "which does not exist" in problem(lambda: load_texts(PAIR, tmp_path / "no.csv"))


# Identity of the content


def test_a_key_identifies_content_and_not_its_place(tmp_path: Path) -> None:
    write(tmp_path / "here" / "single", ".csv", {"text": ["a"], "label": ["no"]})
    write(tmp_path / "there" / "single", ".csv", {"text": ["a"], "label": ["no"]})
    keys = [source_key(SINGLE, "train", tmp_path / place) for place in ("here", "there")]
    assert keys[0] == keys[1]
    write(tmp_path / "there" / "single", ".csv", {"text": ["b"], "label": ["no"]})
    assert source_key(SINGLE, "train", tmp_path / "there") != keys[0]


@pytest.mark.parametrize(
    "change",
    [
        {"labels": ("yes", "no")},
        {"label": "other"},
        {"text": ("other",)},
        {"question": ("idx",)},
    ],
)
def test_a_key_changes_with_what_is_read(tmp_path: Path, change: dict[str, Any]) -> None:
    write(tmp_path / "single", ".csv", {"text": ["a"], "label": ["no"]})
    changed = dataclasses.replace(SINGLE, **change)
    assert source_key(changed, "train", tmp_path) != source_key(SINGLE, "train", tmp_path)


def test_a_key_of_a_repository_needs_no_rows() -> None:
    source = Source("owner/data", "config", COMMIT)
    task = dataclasses.replace(SINGLE, source=source)
    changed = [
        dataclasses.replace(source, **change)
        for change in ({"repository": "owner/other"}, {"config": "x"}, {"revision": "y"})
    ]
    tasks = [task, *(dataclasses.replace(task, source=other) for other in changed)]
    keys = [source_key(t, split) for t in tasks for split in ("train", "validation")]
    assert len(set(keys)) == 8


# The hub


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep what `datasets` caches in the test's folder."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    datasets.disable_progress_bars()
    return tmp_path / "cache"


CARD = """---
configs:
- config_name: mini
  data_files:
  - split: train
    path: mini/train-*
  - split: validation_matched
    path: mini/validation_matched-*
dataset_info:
- config_name: mini
  features:
  - name: text
    dtype: string
  - name: label
    dtype:
      class_label:
        names:
          '0': 'no'
          '1': 'yes'
---
"""


@pytest.fixture
def repository(tmp_path: Path, cache: Path) -> Path:
    folder = tmp_path / "repository"
    columns = {"text": ["a", "b", "c"], "label": [1, -1, 0]}
    for stem in ("train", "validation_matched"):
        write(folder / "mini", ".parquet", columns, f"{stem}-00000-of-00001")
    (folder / "README.md").write_text(CARD)
    return folder


def hub_task(repository: Path | str, revision: str | None = None, config: str = "mini") -> Task:
    return dataclasses.replace(
        SINGLE,
        source=Source(str(repository), config, revision),
        splits={"train": "train", "validation": "validation_matched"},
    )


def test_a_local_folder_laid_out_like_a_repository_is_read(repository: Path) -> None:
    for split in ("train", "validation"):
        rows = load_split(hub_task(repository), split)
        assert (rows.texts, rows.labels.tolist(), rows.rows.tolist()) == (
            (["a", "c"],),
            [1, 0],
            [0, 2],
        )


COLA_CARD = """---
configs:
- config_name: cola
  data_files:
  - split: train
    path: cola/train-*
  - split: validation
    path: cola/validation-*
  - split: test
    path: cola/test-*
dataset_info:
- config_name: cola
  features:
  - name: sentence
    dtype: string
  - name: label
    dtype:
      class_label:
        names:
          '0': unacceptable
          '1': acceptable
  - name: idx
    dtype: int32
---
"""


def test_cola_is_read_from_a_repository_laid_out_as_glue_is(tmp_path: Path, cache: Path) -> None:
    cola = FURTHER_TASKS["cola"]
    assert cola.source.repository == PAPER_TASKS["rte"].source.repository
    assert cola.source.revision == PAPER_TASKS["rte"].source.revision
    folder = tmp_path / "glue"
    columns = {"sentence": ["They sang it.", "Sang they it the."], "label": [1, 0], "idx": [0, 1]}
    for stem in ("train", "validation"):
        write(folder / "cola", ".parquet", columns, f"{stem}-00000-of-00001")
    hidden = {**columns, "label": [-1, -1]}
    write(folder / "cola", ".parquet", hidden, "test-00000-of-00001")
    (folder / "README.md").write_text(COLA_CARD)
    local = dataclasses.replace(cola, source=Source(str(folder), "cola"))
    for split in local.splits:
        rows = load_split(local, split)
        assert (rows.texts, rows.labels.tolist()) == ((columns["sentence"],), [1, 0])


def test_wikiann_is_read_from_a_repository_laid_out_as_the_hubs_parquet_files_are(
    tmp_path: Path, cache: Path
) -> None:
    wikiann = FURTHER_TASKS["wikiann"]
    assert re.fullmatch("[0-9a-f]{40}", wikiann.source.revision or "")
    tags = datasets.Sequence(datasets.ClassLabel(names=["O", "B-PER", "I-PER", *"LMNP"]))
    features = datasets.Features(
        {"tokens": datasets.Sequence(datasets.Value("string")), "ner_tags": tags}
    )
    for language, word in (("en", "Ada"), ("de", "Adele")):
        for split in ("train", "validation", "test", "extra"):
            rows = {"tokens": [[word, "Byron", "left"]], "ner_tags": [[1, 2, 0]]}
            path = tmp_path / "hub" / language / split / "0000.parquet"
            path.parent.mkdir(parents=True)
            datasets.Dataset.from_dict(rows, features=features).to_parquet(path)
    local = dataclasses.replace(wikiann, source=Source(str(tmp_path / "hub"), data_dir="en"))
    for split in local.splits:
        found = load_split(local, split)
        assert found.texts == (["Ada Byron left"],)
        assert found.labels.tolist() == [1, 2, 0]
    other = dataclasses.replace(local, source=Source(str(tmp_path / "hub"), data_dir="de"))
    assert load_split(other, "train").texts == (["Adele Byron left"],)
    assert source_key(other, "train") != source_key(local, "train")


def test_a_key_of_a_local_repository_follows_its_content(repository: Path) -> None:
    task = hub_task(repository)
    before = source_key(task, "train")
    (repository / ".git").mkdir()
    (repository / ".git" / "index").write_text("x")
    assert source_key(task, "train") == before
    write(repository / "mini", ".parquet", {"text": ["x"], "label": [0]}, "train-00000-of-00001")
    assert source_key(task, "train") != before


def test_labels_in_another_order_than_the_sources_are_refused(repository: Path) -> None:
    task = dataclasses.replace(hub_task(repository), labels=("yes", "no"))
    assert "['no', 'yes']. Found `['yes', 'no']`" in problem(lambda: load_split(task, "train"))


def test_a_column_that_the_repository_lacks_is_reported(repository: Path) -> None:
    task = dataclasses.replace(hub_task(repository), text=("txt",), label="lable")
    message = problem(lambda: load_split(task, "train"))
    assert "Did you mean `text`" in message
    assert "Did you mean `label`" in message


def test_an_unknown_configuration_or_split_is_reported(repository: Path) -> None:
    task = hub_task(repository, config="maxi")
    assert "'mini'" in problem(lambda: load_split(task, "train"), SourceError)
    task = dataclasses.replace(hub_task(repository), splits={"train": "train", "dev": "dev"})
    assert "'validation_matched'" in problem(lambda: load_split(task, "dev"), SourceError)


def test_a_loading_script_is_answered_with_the_parquet_conversion(repository: Path) -> None:
    (repository / "repository.py").write_text("raise SystemExit\n")
    message = problem(lambda: load_split(hub_task(repository), "train"), SourceError)
    assert "refs/convert/parquet" in message


def answer(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Let the hub answer every request for a data set with `error`."""

    def dataset_info(*args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", dataset_info)


RESPONSE: Any = SimpleNamespace(headers={}, request=None, status_code=404)


def test_a_hub_out_of_reach_is_reported_within_seconds(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, TimeoutError())
    start = time.monotonic()
    message = problem(lambda: load_split(PAPER_TASKS["rte"], "train"), SourceError)
    assert time.monotonic() - start < 5
    assert "could not be reached (TimeoutError)" in message
    assert "`--data DIR`" in message
    assert "`relevance demo`" in message


def test_a_missing_repository_is_reported(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, RepositoryNotFoundError("gone", response=RESPONSE))
    message = problem(lambda: load_split(hub_task("owner/data"), "train"), SourceError)
    assert "Found `owner/data`" in message
    assert "`--data DIR`" in message


@pytest.mark.parametrize("name", ["./missing", "/no/such/folder", "a b", "a/b/c"])
def test_a_name_that_is_no_repository_is_reported(cache: Path, name: str) -> None:
    assert f"`{name}`" in problem(lambda: load_split(hub_task(name), "train"), SourceError)


@pytest.mark.parametrize(
    ("error", "is_offline"),
    [(HfHubHTTPError("busy", response=RESPONSE), False), (TimeoutError(), True)],
)
def test_a_busy_hub_is_left_to_the_client_that_retries_and_no_other(
    cache: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, is_offline: bool
) -> None:
    seen: list[bool] = []

    def load_dataset(*args: Any, **kwargs: Any) -> None:
        seen.append(datasets.config.HF_HUB_OFFLINE)
        raise ConnectionError

    answer(monkeypatch, error)
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    problem(lambda: load_split(hub_task("owner/data"), "train"), SourceError)
    assert seen == [is_offline]


@pytest.fixture
def cached(repository: Path, cache: Path) -> Task:
    """A task whose repository lies in the cache as if it had come from the hub."""
    load_split(hub_task(repository), "train")
    (made,) = (path for path in cache.glob("repository/mini/0.0.0/*") if path.is_dir())
    place = cache / "owner___data" / "mini" / "0.0.0" / COMMIT
    place.parent.mkdir(parents=True)
    made.rename(place)
    for path in place.glob("repository-*.arrow"):
        path.rename(place / path.name.replace("repository", "data"))
    return hub_task("owner/data", COMMIT)


def test_a_cached_copy_of_the_same_revision_needs_no_hub(
    cached: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, TimeoutError())
    assert load_split(cached, "train").labels.tolist() == [1, 0]
    assert not datasets.config.HF_HUB_OFFLINE


def test_a_cached_copy_of_another_revision_is_refused(
    cached: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, TimeoutError())
    task = hub_task("owner/data", COMMIT[::-1])
    message = problem(lambda: load_split(task, "train"), SourceError)
    assert re.search(f"`{COMMIT[::-1]}`. Found `{COMMIT}`", message)


# Real data


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason="no real task data")
@pytest.mark.parametrize("task", PAPER_TASKS.values(), ids=PAPER_TASKS.keys())
def test_every_task_of_the_paper_is_read_from_real_files(task: Task) -> None:
    for split in task.splits:
        path = find_file(task, split, DATA)
        assert path is not None
        rows = load_split(task, split, DATA)
        assert len(rows) == pq.read_metadata(path).num_rows
        assert len(rows.texts) == len(task.text)
        assert (rows.questions.min() >= 0) == bool(task.question)
