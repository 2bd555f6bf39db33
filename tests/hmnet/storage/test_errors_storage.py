"""Bad input is told in sentences, all of it at once; files are whole or absent."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hmnet import errors
from hmnet.errors import InputError, RelevanceError, WriteError, raise_problems, suggest
from hmnet.storage import documents
from hmnet.storage.digests import canonical_json, digest, digest_file
from hmnet.storage.documents import read_document, write_document
from hmnet.storage.files import write_bytes
from hmnet.storage.tables import read_table, write_table
from hmnet.study.hierarchy import GROUPS_SCHEMA, Groups, HierarchySpec
from hmnet.study.settings import TrainingSettings
from hmnet.study.tasks import PAPER_TASKS, Task, find_tasks
from relevance.matrices.matrix import COLUMNS, UNCERTAINTY, RelevanceMatrix


def problems_of(call: Callable[[], Any]) -> tuple[str, ...]:
    with pytest.raises(InputError) as caught:
        call()
    return caught.value.problems


# Errors


def test_every_expected_error_is_in_the_tree_at_the_top_of_its_file() -> None:
    tree = errors.__doc__ or ""
    kinds = [value for value in vars(errors).values() if isinstance(value, type)]
    ours = [kind for kind in kinds if issubclass(kind, Exception)]
    assert len(ours) >= 5
    for kind in ours:
        line = next(line for line in tree.splitlines() if f" {kind.__name__} " in f" {line} ")
        assert f"exit code {kind.exit_code}" in line
        assert issubclass(kind, RelevanceError)


def test_problems_are_raised_together_or_not_at_all() -> None:
    raise_problems([])
    assert problems_of(lambda: raise_problems(p for p in ("one.", "two."))) == ("one.", "two.")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("mrcp", " Did you mean `mrpc`"),
        ("RTE", " Did you mean `rte`"),
        ("Sst-2", " Did you mean `sst2`"),
        ("zzzz", " Known: mnli, qnli,"),
    ],
)
def test_the_closest_names_are_suggested(name: str, hint: str) -> None:
    assert suggest(name, PAPER_TASKS).startswith(hint)


def test_without_known_names_nothing_is_suggested() -> None:
    assert suggest("x", []) == " Known: none."


def test_every_unknown_and_repeated_task_is_told() -> None:
    found = problems_of(lambda: find_tasks(["rte", "mrcp", "rte", "snly"], PAPER_TASKS))
    assert ["mrcp" in found[0], "snly" in found[1], "Found `rte` twice" in found[2]] == [True] * 3
    assert len(found) == 3


# Atomic writes


def test_a_written_file_holds_the_content_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file"
    for content in (b"one", b"", b"two"):
        write_bytes(path, content)
        assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


def test_a_written_file_has_the_permissions_of_a_plain_one(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    write_bytes(tmp_path / "ours", b"")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_a_write_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"old")

    def refuse(handle: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(WriteError, match=r"File `.*file` should be writable\. Found: disk full"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def _write_for_ever(path: Path) -> None:
    for i in range(10**9):
        write_bytes(path, bytes([65 + i % 26]) * 100_000)


def test_a_reader_never_sees_half_of_a_file_even_when_the_writer_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for _ in range(3):
        writer = multiprocessing.get_context("spawn").Process(target=_write_for_ever, args=(path,))
        writer.start()
        seen = 0
        began = time.monotonic()
        while seen < 20 and time.monotonic() - began < 30:
            with contextlib.suppress(FileNotFoundError):
                content = path.read_bytes()
                assert len(content) == 100_000
                assert len(set(content)) == 1
                seen += 1
        assert writer.pid is not None
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        assert seen == 20
        assert len(set(path.read_bytes())) == 1


# Identity of content

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, width=32),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
).filter(lambda value: "inf" not in repr(value))


@given(value=st.dictionaries(st.text(), JSON, min_size=2))
def test_equal_values_have_equal_json_whatever_their_order(value: dict[str, Any]) -> None:
    turned = dict(reversed(value.items()))
    assert canonical_json(turned) == canonical_json(value)
    assert json.loads(canonical_json(value)) == value


@given(parts=st.lists(st.text(), min_size=1), cut=st.integers(0, 99))
@example(parts=["ab"], cut=1)
def test_where_parts_end_is_part_of_a_digest(parts: list[str], cut: int) -> None:
    joined = "".join(parts)
    divided = [joined[: cut % (len(joined) + 1)], joined[cut % (len(joined) + 1) :]]
    assert (digest(*divided) == digest(*parts)) == (divided == parts)


def test_a_digest_of_a_file_is_that_of_its_content_however_long(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * (3 << 20))
    (tmp_path / "b").write_bytes(b"x" * (3 << 20))
    (tmp_path / "c").write_bytes(b"x" * (3 << 20) + b"y")
    first, second, third = (digest_file(tmp_path / name) for name in "abc")
    assert first == second != third


# Documents


def test_a_document_reads_back_the_same(tmp_path: Path) -> None:
    settings_ = TrainingSettings(epochs=1, dropout=0.25)
    write_document(tmp_path / "a.json", "settings/1", settings_)
    assert read_document(tmp_path / "a.json", "settings/1", TrainingSettings) == settings_


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "does not exist"),
        ("", "should be JSON"),
        ("{", "should be JSON"),
        ("[1]", "should hold a JSON object"),
        ("\xff", "should be JSON"),
        ("[" * 100_000, "should be JSON"),
        ("9" * 5000, "should be JSON"),
        ('{"schema": "settings/1", "epochs": 1, "epochs": 2}', "repeated keys: epochs"),
        ('{"epochs": 1}', "`schema` should be `settings/1`. Found `None`"),
        ('{"schema": "settings/2"}', "Found `settings/2`"),
        ('{"schema": "settings/1", "epoch": 1}', "`epoch` is unknown"),
        ('{"schema": "settings/1", "epochs": "many"}', "`epochs` should be a valid integer"),
        ('{"schema": "settings/1", "learning_rate": NaN}', "`learning_rate` should be"),
    ],
)
def test_a_document_that_does_not_fit_is_told(tmp_path: Path, text: str | None, told: str) -> None:
    path = tmp_path / "a.json"
    if text is not None:
        path.write_bytes(text.encode("latin-1"))
    (problem,) = problems_of(lambda: read_document(path, "settings/1", TrainingSettings))
    assert problem.startswith(f"{path}: ")
    assert told in problem


def test_a_folder_or_a_huge_file_is_no_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "should be JSON" in problems_of(lambda: documents.read_json(tmp_path))[0]
    (tmp_path / "a.json").write_text('{"a": 1}')
    monkeypatch.setattr(documents, "MAX_DOCUMENT_BYTES", 5)
    assert "at most 5 bytes" in problems_of(lambda: documents.read_json(tmp_path / "a.json"))[0]


def test_every_problem_of_a_document_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"schema": "settings/1", "epochs": 0, "clip_norm": -1, "x": 1}')
    found = problems_of(lambda: read_document(path, "settings/1", TrainingSettings))
    assert len(found) == 3
    assert f"{path}: Parameter `epochs` should be greater than 0. Found `0`." in found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.dictionaries(st.sampled_from(["schema", "groups", "origin", "x"]), JSON))
def test_any_json_is_groups_or_a_told_problem(tmp_path: Path, content: dict[str, Any]) -> None:
    path = tmp_path / "groups.json"
    for document in (content, {**content, "schema": GROUPS_SCHEMA}):
        path.write_text(json.dumps(document))
        with contextlib.suppress(InputError):
            Groups.read(path)


# Tables

FRAME = pd.DataFrame({"task": ["a", "b"], "value": [1.0, np.nan], "vector": [[1, 2], [3]]})


@pytest.mark.parametrize("folder", ["plain", "lr=1", "a#b c%20"])
def test_a_table_reads_back_the_same_whatever_its_folder_is_called(
    tmp_path: Path, folder: str
) -> None:
    path = tmp_path / folder / "t.parquet"
    write_table(path, FRAME, "test/1", {"seed": 3, "from": ["x"]})
    found, provenance = read_table(path, "test/1")
    pd.testing.assert_frame_equal(found, FRAME.assign(vector=found["vector"]))
    assert [list(vector) for vector in found["vector"]] == [[1, 2], [3]]
    assert provenance == {"seed": 3, "from": ["x"]}


def test_equal_tables_are_equal_files(tmp_path: Path) -> None:
    for name in "ab":
        write_table(tmp_path / name, FRAME, "test/1", {"b": 1, "a": 2})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_table_that_does_not_fit_is_told(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("source,target\n")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "foreign")
    odd = pa.table({"a": [1]}).replace_schema_metadata({b"relevance": b"[1]"})
    pq.write_table(odd, tmp_path / "odd")
    write_table(tmp_path / "old", FRAME, "test/0", {})
    expected = {
        "none": "does not exist",
        "text": "should be parquet",
        ".": "should be parquet",
        "foreign": "should be `test/1`. Found `None`",
        "odd": "should be `test/1`. Found `None`",
        "old": "should be `test/1`. Found `test/0`",
    }
    for name, told in expected.items():
        (problem,) = problems_of(lambda name=name: read_table(tmp_path / name, "test/1"))
        assert told in problem
        assert problem.startswith(str(tmp_path))


# Hierarchies and groups


@pytest.mark.parametrize("text", ["8,2,2", " 8, 2,2 ", "{8,2,2}", "08,2,2"])
def test_a_hierarchy_is_three_counts(text: str) -> None:
    assert HierarchySpec.parse(text) == HierarchySpec(8, 2, 2)
    assert str(HierarchySpec.parse(text)) == "8,2,2"


@pytest.mark.parametrize(
    "text", ["", "8", "8,2", "8,2,2,0", "8,-2,2", "8,2.0,2", "a,b,c", "²,1,1", "9" * 9000 + ",1,1"]
)
def test_what_is_no_hierarchy_is_told(text: str) -> None:
    (problem,) = problems_of(lambda: HierarchySpec.parse(text))
    assert "should be three layer counts" in problem


@given(text=st.text("0123456789,-{} ²٣", max_size=8))
def test_any_text_is_a_hierarchy_or_is_told(text: str) -> None:
    with contextlib.suppress(InputError):
        assert HierarchySpec.parse(text).depth >= 0


def test_a_hierarchy_sums_to_the_depth() -> None:
    HierarchySpec(8, 2, 2).check_depth(12)
    (problem,) = problems_of(lambda: HierarchySpec(8, 2, 2).check_depth(6))
    assert problem == (
        "Parameter `hierarchy` should sum to the encoder's depth, 6. Found `8,2,2` with 12 layers."
    )


@given(depth=st.integers(1, 200))
def test_the_default_hierarchy_sums_to_any_depth(depth: int) -> None:
    default = HierarchySpec.default(depth)
    default.check_depth(depth)
    assert depth < 3 or min(default.shared, default.cluster, default.task) >= 1


def test_the_default_hierarchy_has_the_papers_proportions() -> None:
    # {8,2,2} of 12: two thirds, a sixth, a sixth.
    for depth, expected in {12: (8, 2, 2), 6: (4, 1, 1), 24: (16, 4, 4), 3: (1, 1, 1)}.items():
        assert HierarchySpec.default(depth) == HierarchySpec(*expected)


GROUPS = Groups({"one": ("rte", "cb"), "two": ("sst2",)}, {"method": "kmeans", "k": 2})


def test_groups_read_back_the_same(tmp_path: Path) -> None:
    GROUPS.write(tmp_path / "groups.json")
    assert Groups.read(tmp_path / "groups.json") == GROUPS


def test_a_partition_has_one_form() -> None:
    other = Groups({"b": ("sst2",), "a": ("cb", "rte")})
    assert other.partition == GROUPS.partition == (("cb", "rte"), ("sst2",))
    assert Groups.one(["b", "a"]).partition == (("a", "b"),)


def test_a_task_is_found_in_its_group_or_told() -> None:
    assert [GROUPS.group_of(task) for task in ("rte", "cb", "sst2")] == ["one", "one", "two"]
    (problem,) = problems_of(lambda: GROUPS.group_of("sst-2"))
    assert "Did you mean `sst2`" in problem


def test_groups_with_a_task_missing_and_an_unknown_one_are_told_in_full() -> None:
    GROUPS.check_tasks(["sst2", "cb", "rte"])
    found = problems_of(lambda: GROUPS.check_tasks(["sst2", "wnli", "rte", "mnli"], "groups.json"))
    assert len(found) == 3
    assert "Found `cb`." in found[0]
    assert "task `wnli`. It is missing." in found[1]
    assert "task `mnli`. It is missing." in found[2]
    assert all(problem.startswith("groups.json: ") for problem in found)


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        ({"a": ["rte", "cb"], "b": ["rte"]}, ["Found `rte` 2 times."]),
        ({"a": ["rte", "rte"], "b": []}, ["Found `rte` 2 times.", "`groups.b` should hold"]),
        ({}, ["should hold at least one group"]),
        ({"a": "rte"}, ["`groups.a` should be a valid list"]),
        ({"a": [1]}, ["`groups.a.0` should be a valid string"]),
        (["rte"], ["`groups` should be a valid dictionary"]),
        (None, ["`groups` is missing"]),
    ],
)
def test_groups_that_are_no_partition_are_told(
    tmp_path: Path, groups: Any, told: list[str]
) -> None:
    path = tmp_path / "groups.json"
    content = {} if groups is None else {"groups": groups}
    path.write_text(json.dumps({"schema": GROUPS_SCHEMA, **content}))
    found = problems_of(lambda: Groups.read(path))
    assert len(found) == len(told)
    for problem, part in zip(found, told, strict=True):
        assert problem.startswith(f"{path}: ")
        assert part in problem


def test_a_group_that_is_given_twice_is_told(tmp_path: Path) -> None:
    path = tmp_path / "groups.json"
    path.write_text('{"schema": "groups/1", "groups": {"a": ["rte"], "a": ["cb"]}}')
    assert "repeated keys: a" in problems_of(lambda: Groups.read(path))[0]


# Tasks


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": "a/b"}, "`name` should start with a letter"),
        ({"name": "../up"}, "`name` should start with a letter"),
        ({"labels": ()}, "at least two labels"),
        ({"labels": ("a",)}, "at least two labels"),
        ({"labels": ("a", "a")}, "not repeat a label"),
        ({"kind": "regression"}, "should be empty for a regression"),
        ({"metric": "acuracy"}, "Did you mean `accuracy`"),
        ({"metric": "pearson"}, "should fit a classification"),
        ({"metrics": ("spearman",)}, "should fit a classification"),
        ({"metric": "exact_match"}, "`question` should be given"),
        ({"labels": ("a", "b", "c"), "metric": "f1"}, "with two labels"),
        ({"splits": {"validation": "dev"}}, "`train` and a dev split"),
        ({"splits": {"train": "train"}}, "`train` and a dev split"),
        ({"text": ()}, "at least 1"),
        ({"text": ("a", "b", "c", "d")}, "at most 3"),
        ({"unknown": 1}, "nexpected keyword"),
    ],
)
def test_a_task_that_contradicts_itself_is_told(changes: dict[str, Any], told: str) -> None:
    fields = {"name": "mine", "text": ("t",), "labels": ("a", "b"), **changes}
    with pytest.raises(ValidationError, match=told):
        Task(**fields)


# The relevance matrix

VALUES = [[1.0, 0.25, np.nan], [0.5, 1.0, -0.1], [0.0, 2.0, 1.0]]
NAMES = ("c", "a", "b")


def make_matrix(**columns: Any) -> RelevanceMatrix:
    return RelevanceMatrix.from_array(VALUES, NAMES, "test", {"seed": 1}, **columns)


def test_a_matrix_keeps_rows_as_sources_and_the_tasks_order() -> None:
    matrix = make_matrix()
    assert matrix.tasks == NAMES
    assert tuple(matrix.table.columns) == COLUMNS
    wide = matrix.to_frame()
    assert wide.loc["c", "a"] == 0.25  # source c, target a
    assert wide.loc["a", "c"] == 0.5
    np.testing.assert_array_equal(wide.to_numpy(), VALUES)


def test_a_matrix_reads_back_the_same(tmp_path: Path) -> None:
    matrix = make_matrix(p_value=np.full((3, 3), 0.5))
    matrix.write(tmp_path / "m.parquet")
    found = RelevanceMatrix.read(tmp_path / "m.parquet")
    pd.testing.assert_frame_equal(found.table, matrix.table)
    assert (found.measure, found.provenance) == (matrix.measure, matrix.provenance)
    assert found.identity == matrix.identity


def test_an_identity_is_of_the_measure_the_tasks_and_the_values() -> None:
    matrix = make_matrix()
    assert make_matrix(p_value=np.zeros((3, 3))).identity == matrix.identity
    others = [
        RelevanceMatrix.from_array(VALUES, NAMES, "other"),
        RelevanceMatrix.from_array(VALUES, ("a", "b", "c"), "test"),
        RelevanceMatrix.from_array(np.nan_to_num(VALUES), NAMES, "test"),
    ]
    assert len({matrix.identity, *(other.identity for other in others)}) == 4


def test_a_part_of_a_matrix_has_the_asked_tasks_in_the_asked_order() -> None:
    part = make_matrix().select(["a", "c"])
    assert part.tasks == ("a", "c")
    np.testing.assert_array_equal(part.to_frame().to_numpy(), [[1.0, 0.5], [0.25, 1.0]])
    assert len(problems_of(lambda: make_matrix().select(["a", "x", "y"]))) == 2


def break_table(table: pd.DataFrame, how: str) -> pd.DataFrame:
    if how == "a column is missing":
        return table.drop(columns="p_value")
    if how == "a pair is missing":
        return table.iloc[1:]
    if how == "a pair is twice":
        return pd.concat([table.iloc[1:], table.iloc[1:2]])
    if how == "targets are other tasks":
        return table.assign(target=table["target"].str.upper())
    if how == "values are text":
        return table.assign(value="high")
    return table.assign(value=np.inf)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("a column is missing", "Missing: ['p_value']"),
        ("a pair is missing", "Found 8 rows for 3 tasks"),
        ("a pair is twice", "each ordered pair"),
        ("targets are other tasks", "each ordered pair"),
        ("values are text", "should hold numbers"),
        ("values are infinite", "infinite"),
    ],
)
def test_a_table_that_is_no_matrix_is_told(how: str, told: str) -> None:
    table = break_table(make_matrix().table, how)
    (problem,) = problems_of(lambda: RelevanceMatrix(table, "test"))
    assert told in problem


@pytest.mark.parametrize(
    "build",
    [
        lambda: RelevanceMatrix.from_array([[1.0]], NAMES, "test"),
        lambda: RelevanceMatrix.from_array(VALUES, ("a", "a", "b"), "test"),
        lambda: make_matrix(n_seeds=3),
        lambda: make_matrix(n_seeds=np.ones(9)),
    ],
)
def test_arrays_of_another_shape_are_told(build: Callable[[], Any]) -> None:
    assert problems_of(build)


def test_a_measure_without_uncertainty_leaves_it_null() -> None:
    assert make_matrix().table[list(UNCERTAINTY)].isna().all(axis=None)
