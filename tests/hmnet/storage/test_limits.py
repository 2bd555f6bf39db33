"""A file of rows beyond a limit is refused in one sentence that names the limit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hmnet.data.file_formats import SUFFIXES
from hmnet.data.raw import load_split, load_texts
from hmnet.errors import InputError
from hmnet.storage import limits
from hmnet.storage.tables import read_parquet
from hmnet.study.tasks import Source, Task

TASK = Task(name="mine", text=("text",), labels=("no", "yes"))
ROWS = [{"text": f"text number {i}", "label": "no"} for i in range(4)]


def write(folder: Path, suffix: str) -> Path:
    path = folder / f"train{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    elif suffix in (".csv", ".tsv"):
        lines = [("text", "label"), *((row["text"], row["label"]) for row in ROWS)]
        between = "," if suffix == ".csv" else "\t"
        path.write_text("".join(between.join(line) + "\n" for line in lines))
    elif suffix == ".json":
        path.write_text(json.dumps(ROWS))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def refuse(read: Callable[[], object]) -> str:
    """Return the one sentence with which something is refused."""
    with pytest.raises(InputError) as caught:
        read()
    assert len(caught.value.problems) == 1
    return caught.value.problems[0]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_rows_within_the_limits_are_read(tmp_path: Path, suffix: str) -> None:
    assert len(load_texts(TASK, write(tmp_path, suffix))) == len(ROWS)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_of_too_many_bytes_is_refused(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, suffix)
    monkeypatch.setattr(limits, "MAX_FILE_BYTES", 50)
    said = refuse(lambda: load_texts(TASK, path))
    assert said == f"{path}: the file should have at most 50 bytes. Found {path.stat().st_size:,}."


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_too_many_rows_are_refused_in_prediction_input_and_in_local_data(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, suffix)
    monkeypatch.setattr(limits, "MAX_ROWS", 3)
    words = "the file should have at most 3 rows. Found 4."
    assert refuse(lambda: load_texts(TASK, path)) == f"{path}: {words}"
    task = Task(
        name="mine", text=("text",), labels=("no", "yes"), source=Source(folder=str(tmp_path))
    )
    assert refuse(lambda: load_split(task, "train")).endswith(words)


@pytest.mark.parametrize("place", [0, 2])
@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_line_that_is_too_long_is_refused(
    tmp_path: Path, suffix: str, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, suffix)
    lines = path.read_text().splitlines()
    lines[place] = lines[place].replace("text", "text" * 100, 1)
    path.write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(limits, "MAX_LINE_CHARS", 200)
    said = refuse(lambda: load_texts(TASK, path))
    assert "of at most 200 " in said
    assert "Found a longer one" in said


def test_a_quote_that_does_not_end_is_told_beside_the_limit_of_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('text,label\n"a' + ",no\nb" * 200)
    monkeypatch.setattr(limits, "MAX_LINE_CHARS", 200)
    assert "or a quote that does not end" in refuse(lambda: load_texts(TASK, path))


def test_json_that_nests_too_deeply_is_refused_and_brackets_in_a_text_are_not(
    tmp_path: Path,
) -> None:
    path = tmp_path / "rows.jsonl"
    text = json.dumps({"text": '\\"[{' * 100, "label": "no"}) + "\n"
    flat = json.dumps({"text": "b", "more": [[i] for i in range(100)]}) + "\n"
    path.write_text(text + flat)
    assert len(load_texts(TASK, path)) == 2
    deep = '{"text": "c", "more": ' + "[" * 64 + "]" * 64 + "}\n"
    path.write_text(text + flat + deep)
    words = "the file should have JSON of at most 64 levels. Found more in line 3."
    assert refuse(lambda: load_texts(TASK, path)) == f"{path}: {words}"


def test_a_small_file_that_unfolds_without_end_is_left_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bomb.parquet"
    codes = pa.array(np.zeros(1_000_000, np.int32))
    bomb = pa.DictionaryArray.from_arrays(codes, ["x" * 10_000])  # 10 GB of text
    pq.write_table(pa.table({"text": bomb}), path)
    assert path.stat().st_size < 100_000
    monkeypatch.setattr(limits, "MAX_TABLE_BYTES", 2**24)
    assert "at most 16,777,216 bytes, unpacked" in refuse(lambda: load_texts(TASK, path))


def test_what_a_footer_claims_is_checked_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"text": ["a" * 1000]}), path, compression="zstd")
    monkeypatch.setattr(pq.ParquetFile, "read", lambda *args, **options: pytest.fail("it was read"))
    monkeypatch.setattr(limits, "MAX_TABLE_BYTES", 500)
    for read in (lambda: load_texts(TASK, path), lambda: read_parquet(path)):
        assert f"{path}: the file should have at most 500 bytes, unpacked." in refuse(read)
    monkeypatch.setattr(limits, "MAX_ROWS", 0)
    assert refuse(lambda: read_parquet(path)).endswith("at most 0 rows. Found 1.")
