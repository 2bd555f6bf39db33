"""Whatever a file holds, reading it ends in a value or in a clear error, and in nothing else.

`RELEVANCE_FUZZ=10` tries ten times as many cases, and others in every run.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hmnet.data.raw import load_split, load_texts
from hmnet.errors import RelevanceError
from hmnet.planted import make_planted_tasks
from hmnet.storage.documents import write_document
from hmnet.study.hierarchy import Groups
from hmnet.study.study import load_study
from hmnet.study.tasks import Source, Task
from relevance.matrices.matrix import MATRIX_SCHEMA, RelevanceMatrix

SIZE = int(os.environ.get("RELEVANCE_FUZZ", "1"))
TRIED: Counter[str] = Counter()

fuzz = settings(
    max_examples=150 * SIZE,
    derandomize=SIZE == 1,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
names = st.sampled_from(["rte", "mrpc", "cb", "../x", "", "a\x00b", "<script>", "rte "]) | st.text(
    max_size=6
)


@pytest.fixture(autouse=True)
def _count_cases(record_property: Callable[[str, object], None]) -> Iterator[None]:
    """Let the end of the session say how many cases were tried (`conftest.py`)."""
    before = TRIED.copy()
    yield
    record_property("fuzzed", dict(TRIED - before))


def ends_well(read: Callable[[], Any]) -> bool:
    """Tell whether reading gives a value; an error of ours must have sentences."""
    is_read = _ends_well(read)
    TRIED["read" if is_read else "refused"] += 1
    return is_read


def _ends_well(read: Callable[[], Any]) -> bool:
    try:
        read()
    except RelevanceError as error:
        problems = error.problems
    else:
        return True
    assert problems
    assert all(problem.strip() for problem in problems)
    return False


def alter(content: bytes) -> st.SearchStrategy[bytes]:
    """Return the content with a byte changed, or pieces changed, put in, taken out, cut off."""
    place = st.integers(0, len(content) - 1)
    byte = st.tuples(place, st.just(1), st.binary(min_size=1, max_size=1))
    piece = st.binary(min_size=1, max_size=6) | st.sampled_from(PIECES)
    change = (
        byte
        | st.tuples(place, st.just(0), piece)
        | st.tuples(place, st.integers(1, 40), st.just(b""))
        | st.tuples(place, st.just(len(content)), st.just(b""))
    )
    changes = st.tuples(byte) | st.lists(change, min_size=1, max_size=4)
    return changes.map(lambda changes: _change(content, changes))


def _change(content: bytes, changes: Sequence[tuple[int, int, bytes]]) -> bytes:
    for place, count, piece in changes:
        content = content[:place] + piece + content[place + count :]
    return content


PIECES = [
    b'"',
    b",",
    b"\n",
    b"\r",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"{",
    b"[",
    b"\\ud800",
    b"1e999",
]


@fuzz
@given(st.binary(max_size=200))
@example(b"")
@example(b"[" * 5000)
@example(b'{"a": ' * 3000)
@example(b'{"schema": "groups/1", "groups": {"1": ["a"], "1": ["b"]}}')
@example(b"\xff\xfe")
def test_bytes_in_place_of_groups(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "groups.json"
    path.write_bytes(content)
    assert not ends_well(lambda: Groups.read(path))


@fuzz
@given(st.dictionaries(st.sampled_from(["schema", "groups", "origin", "more"]), values, max_size=4))
def test_any_json_in_place_of_groups(tmp_path: Path, content: dict[str, Any]) -> None:
    path = tmp_path / "groups.json"
    path.write_text(json.dumps(content))
    ends_well(lambda: Groups.read(path))


@fuzz
@given(st.dictionaries(names, st.lists(names, max_size=4), max_size=4))
def test_groups_of_any_names_are_read_or_refused(
    tmp_path: Path, groups: dict[str, list[str]]
) -> None:
    path = tmp_path / "groups.json"
    path.write_text(json.dumps({"schema": "groups/1", "groups": groups}))
    members = [name for tasks in groups.values() for name in tasks]
    is_partition = bool(groups) and all(groups.values()) and len(set(members)) == len(members)
    if ends_well(lambda: Groups.read(path)):
        assert is_partition
        assert sorted(Groups.read(path).tasks) == sorted(members)


@fuzz
@given(st.text(max_size=300))
@example('schema = "study/1"\ntasks = 3')
@example('schema = "study/1"\n[task."../x"]\ntext = ["a"]')
@example('schema = "study/1"\n[training]\nepochs = 1e400')
@example("a." * 2000 + "b = 1")
def test_any_text_in_place_of_a_study(tmp_path: Path, text: str) -> None:
    path = tmp_path / "study.toml"
    path.write_text(text, encoding="utf-8")
    ends_well(lambda: load_study(path))


keys = st.sampled_from(["tasks", "model", "data", "seeds", "revision", "training", "rows", "task"])
toml = st.recursive(
    st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


@fuzz
@given(st.dictionaries(keys, toml, max_size=5))
def test_a_study_of_any_values_is_read_or_refused(tmp_path: Path, content: dict[str, Any]) -> None:
    import tomli_w

    path = tmp_path / "study.toml"
    path.write_text(tomli_w.dumps({"schema": "study/1", **content}), encoding="utf-8")
    ends_well(lambda: load_study(path))


@fuzz
@given(st.data())
def test_an_altered_or_cut_matrix_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "matrix.parquet"
    RelevanceMatrix.from_array(np.eye(3), ("a", "b", "c"), "pairwise").write(path)
    path.write_bytes(data.draw(alter(path.read_bytes())))
    ends_well(lambda: RelevanceMatrix.read(path))


columns = st.sampled_from(["source", "target", "value", "ci_low", "p_value", "n_dev"])
cells = st.none() | st.integers(-5, 5) | st.floats() | st.text(max_size=3)


@fuzz
@given(st.dictionaries(columns, st.lists(cells, min_size=4, max_size=4), max_size=6), values)
def test_a_table_of_any_columns_in_place_of_a_matrix(
    tmp_path: Path, table: dict[str, list[Any]], provenance: Any
) -> None:
    path = tmp_path / "matrix.parquet"
    try:
        content = pa.table({name: pa.array(column) for name, column in table.items()})
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # cells of several types fit no column
        return
    footer = json.dumps({"schema": MATRIX_SCHEMA, "provenance": provenance})
    pq.write_table(content.replace_schema_metadata({"relevance": footer}), path)
    ends_well(lambda: RelevanceMatrix.read(path))


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
@fuzz
@given(st.binary(max_size=200))
@example(b'{"premise": "a", "hypothesis": "b"}\n')
@example(b'{"premise": 1, "hypothesis": null}\n')
@example(b"premise,hypothesis\na,b\n")
@example(b'{"premise": ' + b"[" * 3000)
def test_any_bytes_in_place_of_rows_to_predict(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"rows.{suffix}"
    path.write_bytes(content)
    task = make_planted_tasks()["entailment-coast"]
    ends_well(lambda: load_texts(task, path))


ROWS = [
    {"left": f"some text, {i}", "right": "füße\n", "label": i % 2, "idx": {"a": i // 2, "b": 0.5}}
    for i in range(6)
]
MINE = Task(
    name="mine", text=("left", "right"), labels=(0, 1), metric="f1_answers", question=("idx.a",)
)


def write_rows(kind: str) -> bytes:
    """Return the rows as a file's content; `csv` has a column per field of a struct."""
    if kind == "jsonl":
        return "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    if kind == "csv":
        return bytes(pd.json_normalize(ROWS).to_csv(index=False).encode())
    table, sink = pa.Table.from_pylist(ROWS), pa.BufferOutputStream()
    if kind == "categories":
        table = table.set_column(0, "left", table["left"].dictionary_encode())
    pq.write_table(table, sink, compression="zstd" if kind == "zstd" else "none")
    return bytes(sink.getvalue().to_pybytes())


FILES = {kind: write_rows(kind) for kind in ("jsonl", "csv", "plain", "zstd", "categories")}


def place_rows(folder: Path, kind: str) -> tuple[Path, Task]:
    """Return where the file of a kind is to lie, and the task that finds it there."""
    path = folder / f"train.{kind if kind in ('jsonl', 'csv') else 'parquet'}"
    return path, dataclasses.replace(MINE, source=Source(folder=str(folder)))


@pytest.mark.parametrize("kind", FILES)
@fuzz
@given(st.data())
def test_altered_or_cut_rows_are_read_or_refused(
    tmp_path: Path, kind: str, data: st.DataObject
) -> None:
    path, task = place_rows(tmp_path, kind)
    path.write_bytes(data.draw(alter(FILES[kind])))
    ends_well(lambda: load_texts(task, path))
    ends_well(lambda: load_split(task, "train"))


STUDY = b"""
schema = "study/1"
tasks = ["rte", "mine"]
model = "encoder"
seeds = [0, 1]
[training]
epochs = 2
learning_rate = 3e-3
precision = "fp32"
[rows]
max_length = 32
[task.mine]
text = ["left", "right"]
labels = [0, 1]
splits = { train = "train", validation = "dev" }
source = { folder = "rows" }
"""
GROUPS = b'{"schema": "groups/1", "groups": {"1": ["a", "b"], "2": ["c"]}, "origin": {"k": 2}}'


@fuzz
@given(alter(STUDY))
def test_an_altered_or_cut_study_is_read_or_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "study.toml"
    path.write_bytes(content)
    ends_well(lambda: load_study(path))


@fuzz
@given(alter(GROUPS))
def test_altered_or_cut_groups_are_read_or_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "groups.json"
    path.write_bytes(content)
    ends_well(lambda: Groups.read(path))


def test_what_is_altered_was_whole(tmp_path: Path) -> None:
    for kind, content in FILES.items():
        path, task = place_rows(tmp_path / kind, kind)
        path.parent.mkdir()
        path.write_bytes(content)
        assert load_texts(task, path).texts == load_split(task, "train").texts
    (tmp_path / "study.toml").write_bytes(STUDY)
    assert list(load_study(tmp_path / "study.toml").tasks) == ["rte", "mine"]
    (tmp_path / "groups.json").write_bytes(GROUPS)
    assert Groups.read(tmp_path / "groups.json").tasks


def test_a_document_with_a_field_of_tomorrow_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "groups.json"
    write_document(path, "groups/2", Groups({"1": ("a",)}))
    with pytest.raises(RelevanceError, match=r"`schema` should be `groups/1`. Found `groups/2`"):
        Groups.read(path)
