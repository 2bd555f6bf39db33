"""Files that were never seen before become a study that loads, and every guess says why."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from hmnet.data.raw import load_split
from hmnet.errors import InputError
from hmnet.starting.dev_split import SplitOptions, draw_dev, join_rows
from hmnet.starting.file_columns import look_at
from hmnet.starting.file_groups import find_files
from hmnet.starting.folder_study import StartOptions
from hmnet.study.study import load_study
from relevance.cli import app
from relevance.commands.start_study import run_init

RNG = np.random.default_rng(0)
WORDS = ["printer", "screen", "invoice", "refund", "order", "slow", "broken", "late", "great"]


def make_texts(size: int) -> list[str]:
    return [f"{' '.join(RNG.choice(WORDS, 6))} {i}" for i in range(size)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six tasks in files of every kind: semicolons, booleans, a rare class, a regression, dates."""
    folder = tmp_path_factory.mktemp("tasks")
    size = 120
    teams = ["billing"] * 60 + ["hardware"] * 56 + ["other"] * 4
    tickets = {"Id": range(1000, 1000 + size), "Sent on": ["2024-05-01", "2024-06-02"] * 60}
    pd.DataFrame({**tickets, "body": make_texts(size), "team": teams}).to_csv(
        folder / "Kunden Tickets.csv", sep=";", index=False
    )
    spam = {"text": make_texts(size), "spam": [True, False] * 60}
    pd.DataFrame(spam).to_parquet(folder / "spam.parquet")
    rows = [{"review": text, "stars": i % 5 + 1} for i, text in enumerate(make_texts(size))]
    (folder / "stars.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    grades = {"left": make_texts(size), "right": make_texts(size), "score": RNG.random(size)}
    pd.DataFrame(grades).to_csv(folder / "likeness.tsv", sep="\t", index=False)
    for split, count in (("train", 60), ("dev", 30)):
        made = {"premise": make_texts(count), "hypothesis": make_texts(count)}
        frame = pd.DataFrame({**made, "label": ["yes", "no"] * (count // 2)})
        (folder / "pairs").mkdir(exist_ok=True)
        frame.to_csv(folder / "pairs" / f"{split}.csv", index=False)
        frame.to_csv(folder / f"claims_{split}.csv", index=False)
    both = {
        "message": make_texts(size),
        "urgency": ["low", "high"] * 60,
        "area": ["a", "b", "c"] * 40,
    }
    pd.DataFrame(both).to_csv(folder / "mail.csv", index=False)
    return folder


def init(folder: Path, study: Path, **options: object) -> list[str]:
    return list(run_init(folder, study, StartOptions(**options)))  # type: ignore[arg-type]


def test_every_file_becomes_a_task_that_loads(folder: Path, tmp_path: Path) -> None:
    said = init(folder, tmp_path / "study.toml")
    study = load_study(tmp_path / "study.toml")
    found = {name: (t.text, t.label, t.kind, t.metric) for name, t in study.tasks.items()}
    assert found == {
        "claims": (("premise", "hypothesis"), "label", "classification", "accuracy"),
        "kunden-tickets": (("body",), "team", "classification", "f1_macro"),
        "likeness": (("left", "right"), "score", "regression", "correlation"),
        "mail-urgency": (("message",), "urgency", "classification", "accuracy"),
        "mail-area": (("message",), "area", "classification", "accuracy"),
        "pairs": (("premise", "hypothesis"), "label", "classification", "accuracy"),
        "spam": (("text",), "spam", "classification", "accuracy"),
        "stars": (("review",), "stars", "classification", "accuracy"),
    }
    sizes = {}
    for name, task in study.tasks.items():
        parts = {split: load_split(task, split) for split in task.splits}
        sizes[name] = tuple(len(part) for part in parts.values())
        if task.labels:
            assert set(parts["train"].labels.tolist()) == set(range(len(task.labels)))
    assert {sizes.pop(name) for name in ("claims", "pairs")} == {(60, 30)}
    assert all(sum(counts) == 120 and 23 <= counts[1] <= 25 for counts in sizes.values())
    shared = [
        load_split(study.tasks[name], "validation").texts for name in study.tasks if "mail" in name
    ]
    assert shared[0] == shared[1]  # no task's dev rows are the other one's training rows
    text = (tmp_path / "study.toml").read_text()
    assert 'metric = "f1_macro"  # 3 labels, rarest 3%' in text
    assert "`Sent on` (dates)" in text
    assert "24 of 120 rows drawn as dev rows (seed 0, stratified" in text
    assert 'label = "urgency"  # CHECK: 2 values, 60 rows each; it could be `area`' in text
    assert 'kind = "classification"  # CHECK: few values; as an order, kind = "regression"' in text
    assert any("unsure" in line for line in said)
    assert not (tmp_path / "study-rows" / "pairs").exists()  # its files are used as they are


def test_a_kind_can_be_changed_in_its_line(folder: Path, tmp_path: Path) -> None:
    init(folder, tmp_path / "study.toml")
    text = (tmp_path / "study.toml").read_text()
    head, table = text.split("[task.stars]")
    table = table.replace('"classification"', '"regression"').replace('"accuracy"', '"correlation"')
    kept = [line for line in table.splitlines() if not line.startswith("labels")]
    (tmp_path / "study.toml").write_text(f"{head}[task.stars]" + "\n".join(kept))
    task = load_study(tmp_path / "study.toml").tasks["stars"]
    assert set(load_split(task, "train").labels.tolist()) == {1, 2, 3, 4, 5}


def test_a_person_is_asked_for_what_is_unsure(folder: Path, tmp_path: Path) -> None:
    asked = []

    def ask(question: str, answers: Sequence[str], likely: str) -> str:
        asked.append((question, tuple(answers)))
        return likely

    said = list(run_init(folder, tmp_path / "study.toml", StartOptions(), ask))
    assert [answers for _, answers in asked] == [("urgency", "area"), ("area", "urgency")]
    assert "CHECK: 2 values" not in (tmp_path / "study.toml").read_text()
    assert any("mail-area" in line for line in said)


# Dev rows


def make_frame(size: int = 200) -> pd.DataFrame:
    texts = make_texts(size)
    texts[50:60] = [f"  {text.upper()}" for text in texts[:10]]  # the same texts
    labels = ["a"] * 100 + ["b"] * 90 + ["c"] * 10
    customers = [f"c{i % 40}" for i in range(size)]
    return pd.DataFrame({"text": texts, "label": labels, "customer": customers}, dtype=object)


def test_duplicates_and_groups_stay_on_one_side_and_labels_keep_their_shares() -> None:
    frame = make_frame()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for options in (SplitOptions(), SplitOptions(0.25, 3, "customer")):
            is_dev = draw_dev(frame, ["text"], ["label"], options)
            together = join_rows(frame, ["text"], options.group)
            assert not set(together[is_dev]) & set(together[~is_dev])
            assert is_dev.mean() == pytest.approx(options.dev_frac, abs=0.05)
            assert is_dev[frame["label"] == "a"].mean() == pytest.approx(options.dev_frac, abs=0.06)
    assert (is_dev[:10] == is_dev[50:60]).all()
    assert len(set(frame["customer"][is_dev]) & set(frame["customer"][~is_dev])) == 0


def test_the_same_seed_draws_the_same_rows_and_another_one_others() -> None:
    frame = make_frame()
    first, again, other = (
        draw_dev(frame, ["text"], ["label"], SplitOptions(seed=seed)) for seed in (1, 1, 2)
    )
    assert (first == again).all()
    assert (first != other).any()


def test_values_are_spread_over_both_sides() -> None:
    frame = pd.DataFrame({"text": make_texts(100), "label": [str(i / 7) for i in range(100)]})
    is_dev = draw_dev(frame, ["text"], ["label"], is_regression=True)
    values = frame["label"].astype(float)
    assert values[is_dev].mean() == pytest.approx(values[~is_dev].mean(), rel=0.15)


def test_a_label_of_one_row_is_no_obstacle() -> None:
    frame = make_frame().assign(label=["a"] * 199 + ["z"])
    assert draw_dev(frame, ["text"], ["label"]).sum() == 40


# Columns and files


@pytest.mark.parametrize(
    ("values", "role"),
    [
        (["one", "two"] * 20, "classes"),
        (["a fine long text here", *make_texts(30)], "text"),
        (["one of three long texts", "two of three long texts"] * 9, "text"),
        ([f"x{i}" for i in range(40)], "id"),
        ([str(i) for i in range(40)], "id"),
        ([f"{i / 3:.3f}" for i in range(40)], "values"),
        ([f"n{i % 1000}" for i in range(3000)], "many classes"),
        (["12.05.2024", "1.6.2024"] * 5, "date"),
        (["", ""], "empty"),
        (["x"] * 9, "constant"),
    ],
)
def test_a_column_is_taken_for_what_it_is(values: list[str], role: str) -> None:
    assert look_at("c", pd.Series(values, dtype=object)).role == role


def test_a_column_called_label_is_the_label_and_others_are_said(tmp_path: Path) -> None:
    frame = {"text": make_texts(40), "language": ["en", "de"] * 20, "label": ["a", "b"] * 20}
    pd.DataFrame(frame).to_csv(tmp_path / "rows.csv", index=False)
    init(tmp_path, tmp_path / "study.toml")
    assert list(load_study(tmp_path / "study.toml").tasks) == ["rows"]
    text = (tmp_path / "study.toml").read_text()
    assert 'label = "label"  # CHECK: 2 values, 20 rows each; it could be `language`' in text
    assert "1 is unsure, marked CHECK." in text


def test_test_files_serve_as_dev_where_there_is_no_other_and_that_is_marked(tmp_path: Path) -> None:
    frame = pd.DataFrame({"text": make_texts(40), "label": ["a", "b"] * 20})
    for name in ("train", "test"):
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    (group,) = find_files(tmp_path)
    assert group.dev == tmp_path / "test.csv"
    assert not group.is_sure
    init(tmp_path, tmp_path / "study.toml")
    assert "CHECK: train.csv and test.csv" in (tmp_path / "study.toml").read_text()


# Bad input


COPIED = "text,label\n" + "\n".join(f"{t},{t} more words" for t in make_texts(30))
MANY = "text,label\n" + "\n".join(f"{t},l{i}" for i, t in enumerate(make_texts(600)))
PLAIN = "text,label\n" + "\n".join(f"{t},{'ab'[i % 2]}" for i, t in enumerate(make_texts(30)))
SAME = "text,label\n" + "\n".join(
    f"one text of three number {i % 3} again,{'ab'[i % 2]}" for i in range(30)
)


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        (None, {}, "should hold tables"),
        ("no table at all", {}, "column of texts"),
        (COPIED, {}, "a label column"),
        (MANY, {"label": "label"}, "should be a column of few values"),
        (PLAIN, {"label": "lable"}, "one of its columns"),
        (PLAIN, {"split": SplitOptions(group="who")}, "`group` should be a column"),
        (SAME, {"label": "label"}, "at least 5 that can be on either side. Found 3"),
    ],
)
def test_a_folder_with_nothing_usable_is_refused_and_nothing_is_written(
    tmp_path: Path, content: str | None, options: dict[str, object], said: str
) -> None:
    (tmp_path / "in").mkdir()
    if content is not None:
        (tmp_path / "in" / "rows.csv").write_text(content)
    with pytest.raises(InputError, match=said):
        init(tmp_path / "in", tmp_path / "study.toml", **options)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_one_unusable_file_among_others_is_refused_or_left_out(
    folder: Path, tmp_path: Path
) -> None:
    rows = tmp_path / "in"
    rows.mkdir()
    (rows / "good.csv").write_bytes((folder / "claims_train.csv").read_bytes())
    (rows / "notes.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="--skip"):
        init(rows, tmp_path / "study.toml")
    said = init(rows, tmp_path / "study.toml", skip=True)
    assert any(line.startswith("left out: ") for line in said)
    with pytest.raises(InputError, match="should be a new file"):
        init(rows, tmp_path / "study.toml")


def test_the_presets_are_written(tmp_path: Path) -> None:
    words = ["init", "--from", "paper", "--study", str(tmp_path / "paper.toml")]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert len(load_study(tmp_path / "paper.toml").tasks) == 13
    with pytest.raises(InputError, match="should be one of"):
        init(tmp_path, tmp_path / "x.toml", preset="glue")


def test_several_label_columns_with_gaps_are_tasks_on_the_same_rows(tmp_path: Path) -> None:
    size = 120
    table = {
        "message": make_texts(size),
        "urgency": ["low", "high", ""] * 40,
        "moods": [["calm", "glad"], [], ["angry"], ["glad"]] * 30,
        "length": [None if i % 5 == 0 else i / 7 for i in range(size)],
    }
    (tmp_path / "files").mkdir()
    pd.DataFrame(table).to_parquet(tmp_path / "files" / "mail.parquet")
    init(tmp_path / "files", tmp_path / "study.toml")
    study = load_study(tmp_path / "study.toml")
    assert {t.label: (t.kind, t.metric) for t in study.tasks.values()} == {
        "urgency": ("classification", "accuracy"),
        "moods": ("multilabel", "label_f1_micro"),
        "length": ("regression", "correlation"),
    }
    sources = {task.source for task in study.tasks.values()}
    assert len(sources) == 1  # one folder, so that rows have one number in all tasks
    found = {
        task.label: {split: load_split(task, split) for split in task.splits}
        for task in study.tasks.values()
    }
    sizes = {label: sum(len(part) for part in parts.values()) for label, parts in found.items()}
    assert sizes == {"urgency": 80, "moods": 120, "length": 96}
    assert set(study.tasks["mail-moods"].labels) == {"angry", "calm", "glad"}
    for split in ("train", "validation"):
        texts = dict(zip(found["moods"][split].rows, found["moods"][split].texts[0], strict=True))
        for label in ("urgency", "length"):
            part = found[label][split]
            assert [texts[row] for row in part.rows] == part.texts[0]


def test_several_values_of_one_file_have_the_same_dev_rows(tmp_path: Path) -> None:
    size = 100
    table = {"message": make_texts(size), "one": RNG.random(size), "other": RNG.random(size)}
    (tmp_path / "files").mkdir()
    pd.DataFrame(table).to_csv(tmp_path / "files" / "mail.csv", index=False)
    init(tmp_path / "files", tmp_path / "study.toml")
    study = load_study(tmp_path / "study.toml")
    one, other = (load_split(task, "validation").texts for task in study.tasks.values())
    assert one == other
