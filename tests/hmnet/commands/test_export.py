"""An exported folder and its card predict as `hmnet predict` does, and hold no path of the machine;
predictions can be joined to their rows."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from own_rows import make_texts
from tiny_study import write_encoder

from hmnet.commands.export import export_task
from hmnet.commands.predict import (
    ALL,
    InputColumns,
    check_target,
    predict_file,
    to_lines,
    write_predictions,
)
from hmnet.commands.train import Design, train_hierarchy
from hmnet.errors import InputError
from hmnet.folder.outputs import Output, open_output
from hmnet.study.study import load_study

MOST = 16
COLUMNS = {"one": ["text"], "two": ["a", "b"], "three": ["a", "b", "c"], "grade": ["a", "b", "c"]}
TEXTS = make_texts(24)
ROWS = [
    {"text": t, "a": t, "b": " ".join(t.split()[:2]), "c": f"{t} {t} {t}"[: 7 * (i % 9 + 1)]}
    for i, t in enumerate(TEXTS)
]
NEW = [{**row, "key": f"k{i}", "label": "gold", "n": i} for i, row in enumerate(ROWS[:9])]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Output, str]:
    """A run of four tasks, of one to three texts, whose third is often cut."""
    folder = tmp_path_factory.mktemp("private-place")
    write_encoder(folder / "encoder")
    tables = []
    for name, columns in COLUMNS.items():
        for split in ("train", "validation"):
            path = folder / "rows" / name / f"{split}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            labels = [i % 2 if name == "grade" else ("no", "yes")[i % 2] for i in range(len(ROWS))]
            rows = [{**row, "label": x} for row, x in zip(ROWS, labels, strict=True)]
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        kind = 'kind = "regression"' if name == "grade" else 'labels = ["no", "yes"]'
        tables.append(f"[task.{name}]\ntext = {json.dumps(columns)}\n{kind}\n")
    (folder / "study.toml").write_text(
        f'schema = "study/1"\ntasks = {json.dumps(list(COLUMNS))}\nmodel = "encoder"\n'
        'data = "rows"\n[training]\nepochs = 1\nlearning_rate = 1e-2\nprecision = "fp32"\n[rows]\n'
        f"max_length = {MOST}\n" + "".join(tables)
    )
    groups = folder / "groups.json"
    groups.write_text(json.dumps({"schema": "groups/1", "groups": {"g": list(COLUMNS)}}))
    output = open_output(folder / "out")
    study = load_study(folder / "study.toml")
    run, _ = train_hierarchy(output, study, Design(groups, "1,1,1"), threads=1)
    return output, run


def write_new(folder: Path, name: str = "new.jsonl") -> Path:
    path = folder / name
    if path.suffix == ".csv":
        pd.DataFrame(NEW).to_csv(path, index=False, sep=";")
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in NEW))
    return path


def run_blocks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Run each block of Python of a card where it lies, for each new row; return what they set."""
    monkeypatch.chdir(folder)
    card = (folder / "README.md").read_text()
    found = []
    for block in re.findall(r"```python\n(.*?)```", card, re.DOTALL):
        setup, _, call = block.rstrip().rpartition("\n")
        scope: dict[str, Any] = {}
        if call.startswith("classify("):
            exec(setup, scope)  # noqa: S102  (the card's own code)
            results = [eval(call, scope, row) for row in NEW]  # noqa: S307
        else:
            exec(block, scope)  # noqa: S102
            names = scope["predict"].__code__.co_varnames[:3]
            results = [scope["predict"](*(row[name] for name in names)) for row in NEW]
        found.append({"call": call, "results": results})
    return found


@pytest.mark.parametrize("task", COLUMNS)
def test_the_code_of_the_card_gives_what_prediction_gives(
    trained: tuple[Output, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    output, run = trained
    export_task(output, run, task, tmp_path / "exported")
    expected = predict_file(output, run, task, write_new(tmp_path)).outputs[task]
    blocks = run_blocks(tmp_path / "exported", monkeypatch)
    assert len(blocks) == (2 if len(COLUMNS[task]) == 3 else 1)
    for row, found in zip(expected, blocks[0]["results"], strict=True):
        wanted = row["probabilities"].values() if task != "grade" else [row["value"]]
        if len(COLUMNS[task]) < 3:
            by_name = {one["label"]: one["score"] for one in found}
            got = [by_name[name] for name in row["probabilities"]]
        else:
            got = torch.as_tensor(found).reshape(-1).tolist()
        assert got == pytest.approx(list(wanted), abs=1e-6)
    if len(COLUMNS[task]) == 3:  # the pipeline agrees where nothing is cut
        row = blocks[1]["results"][0]
        first = expected[0]
        wanted = first["value"] if task == "grade" else first["probabilities"]["yes"]
        got = {one["label"]: one["score"] for one in row}
        assert got["score" if task == "grade" else "yes"] == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("task", COLUMNS)
def test_an_exported_folder_holds_no_path_of_the_machine(
    trained: tuple[Output, str], tmp_path: Path, task: str
) -> None:
    output, run = trained
    export_task(output, run, task, tmp_path / "exported")
    place = str(output.folder.parent)
    for path in (tmp_path / "exported").iterdir():
        assert place.encode() not in path.read_bytes(), path.name
    card = (tmp_path / "exported" / "README.md").read_text()
    assert "base_model" not in card
    assert "`encoder` (a local folder)" in card
    kept = json.loads((tmp_path / "exported" / "tokenizer_config.json").read_text())
    assert kept["model_max_length"] == MOST


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (InputColumns(), {"row": 2}),
        (InputColumns("key"), {"key": "k2"}),
        (InputColumns("n"), {"n": 2}),
        (InputColumns(None, True), {"row": 2, **NEW[2], "input.label": "gold"}),
    ],
)
@pytest.mark.parametrize("name", ["new.jsonl", "new.csv"])
def test_predictions_stand_beside_what_they_are_joined_by(
    trained: tuple[Output, str],
    tmp_path: Path,
    columns: InputColumns,
    expected: dict[str, Any],
    name: str,
) -> None:
    output, run = trained
    found = predict_file(output, run, "two", write_new(tmp_path, name), columns)
    row = json.loads(to_lines(found, "two")[2])
    for key, value in expected.items():
        if key != "label":
            assert str(row[key]) == str(value)
    assert row["label"] in ("no", "yes")
    assert sum(row["probabilities"].values()) == pytest.approx(1)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".tsv", ".parquet"])
@pytest.mark.parametrize("task", ["two", "grade", ALL])
def test_the_suffix_of_the_output_is_its_format(
    trained: tuple[Output, str], tmp_path: Path, suffix: str, task: str
) -> None:
    output, run = trained
    found = predict_file(output, run, task, write_new(tmp_path), InputColumns("key"))
    path = tmp_path / f"said{suffix}"
    assert write_predictions(found, task, path) == len(NEW)
    if suffix == ".jsonl":
        keys = [json.loads(line)["key"] for line in path.read_text().splitlines()]
    else:
        read = {".csv": pd.read_csv, ".tsv": pd.read_table, ".parquet": pd.read_parquet}[suffix]
        table = read(path)
        prefix = "two." if task == ALL else ""
        columns = ["value"] if task == "grade" else [f"{prefix}label", f"{prefix}probability.yes"]
        assert set(columns) <= set(table.columns)
        assert not any(isinstance(value, dict) for value in table.iloc[0])
        keys = table["key"].tolist()
    assert keys == [row["key"] for row in NEW]


@pytest.mark.parametrize("name", ["said.xlsx", "said", "said.txt"])
def test_another_format_is_refused_before_anything_runs(name: str) -> None:
    with pytest.raises(InputError, match="should be a jsonl, csv, tsv, parquet file"):
        check_target(Path(name))


def test_an_unknown_column_of_names_is_refused(trained: tuple[Output, str], tmp_path: Path) -> None:
    output, run = trained
    with pytest.raises(InputError, match=r"Parameter `id` should name a column.*Found `keys`"):
        predict_file(output, run, "one", write_new(tmp_path), InputColumns("keys"))


def test_how_a_file_was_read_is_told_of_new_rows_too(
    trained: tuple[Output, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    output, run = trained
    with caplog.at_level(logging.WARNING):
        predict_file(output, run, ALL, write_new(tmp_path, "new.csv"))
    assert [r.getMessage() for r in caplog.records] == [
        "note: `new.csv` is read with semicolons between columns"
    ]


@pytest.mark.parametrize(("keys", "count"), [("aab", 2), ("aaa", 3), ("abc", 0)])
def test_an_id_that_names_several_rows_is_told(
    trained: tuple[Output, str],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    keys: str,
    count: int,
) -> None:
    output, run = trained
    path = tmp_path / "new.jsonl"
    path.write_text("".join(json.dumps({" text": "ba ko", "key": key}) + "\n" for key in keys))
    with caplog.at_level(logging.WARNING):
        found = predict_file(output, run, ALL, path, InputColumns("key"))
    assert list(found.outputs) == ["one"], "spaces around a name do not count"
    said = [f"{count} of 3 rows have a value in column `key`"] if count else []
    assert [any(s in r.getMessage() for r in caplog.records) for s in said] == [True] * len(said)
    assert bool(caplog.records) == bool(count)
