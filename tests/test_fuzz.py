"""Whatever a file holds, reading it ends in a value or in a clear error, and in nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hmnet.errors import RelevanceError
from hmnet.hierarchy import Groups
from hmnet.planted import planted_tasks
from hmnet.sources import load_texts
from hmnet.storage import write_document
from hmnet.study import load_study
from relevance.matrix import MATRIX_SCHEMA, RelevanceMatrix

fuzz = settings(
    max_examples=150,
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


def ends_well(read: Callable[[], Any]) -> bool:
    """Tell whether reading gives a value; an error of ours must have sentences."""
    try:
        read()
    except RelevanceError as error:
        problems = error.problems
    else:
        return True
    assert problems
    assert all(problem.strip() for problem in problems)
    return False


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
@given(
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=4),
    st.integers(0, 10_000),
)
def test_an_altered_or_cut_matrix_is_read_or_refused(
    tmp_path: Path, changes: list[tuple[int, int]], cut: int
) -> None:
    path = tmp_path / "matrix.parquet"
    RelevanceMatrix.from_array(np.eye(3), ("a", "b", "c"), "pairwise").write(path)
    content = bytearray(path.read_bytes())
    for place, byte in changes:
        content[place % len(content)] = byte
    if cut % 3 == 0:
        del content[cut % len(content) :]
    path.write_bytes(bytes(content))
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
    task = planted_tasks()["entailment-coast"]
    ends_well(lambda: load_texts(task, path))


def test_a_document_with_a_field_of_tomorrow_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "groups.json"
    write_document(path, "groups/2", Groups({"1": ("a",)}))
    with pytest.raises(RelevanceError, match=r"`schema` should be `groups/1`. Found `groups/2`"):
        Groups.read(path)
