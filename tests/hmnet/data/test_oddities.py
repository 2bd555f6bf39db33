"""What is odd about rows is said: labels without rows, dev rows in train, contradictions."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from own_rows import make_texts, prepare_own, write_own_study, write_rows

from hmnet.data.first_look import find_row_problems
from hmnet.data.notes import NOTES_FILE, read_notes
from hmnet.data.oddities import SplitFacts, TaskFacts, find_in_facts, read_facts
from hmnet.data.raw import RawSplit
from hmnet.data.task_data import find_sources, hash_texts, was_prepared
from hmnet.errors import InputError
from hmnet.jobs.prepared import prepare_study
from hmnet.study.study import load_study
from hmnet.study.tasks import Task

TEXTS = make_texts(12)
OTHERS = make_texts(6, start=100)


def label(texts: list[str], *labels: Any) -> list[tuple[str, Any]]:
    return [(text, labels[i % len(labels)]) for i, text in enumerate(texts)]


def oddities_of(folder: Path, labels: Any, train: Any, dev: Any) -> str:
    return "\n".join(find(folder, {"t": (labels, train, dev)}))


def find(folder: Path, tasks: Any) -> list[str]:
    """Return the oddities of the rows; the made encoder has embeddings to spare."""
    return [text for text in prepare_own(folder, tasks).oddities if "embeddings" not in text]


def test_rows_with_every_label_and_no_repeat_have_no_oddity(tmp_path: Path) -> None:
    labels = ("low", "high")
    train, dev = label(TEXTS, "low", "high"), label(OTHERS, "high", "low")
    assert oddities_of(tmp_path, labels, train, dev) == ""


@pytest.mark.parametrize(
    ("labels", "train", "dev", "said"),
    [
        (("a", "b", "c", "d"), (1, 2, 3), (1, 2, 3), "no split has the label `a`, the first"),
        (("a", "b", "c"), (0, 2), (0, 2), "split `train`: no row has the label `b`; found `a` 6"),
        (("a", "b", "c"), (0, 1), (1, 2), "3 of 6 rows have the label `c`, which no training row"),
        (("a", "b"), (0, 1), ("b",), "split `validation`: every row has the label `b` of the 2"),
        (("a", "A", "b"), ("a", "A", "b"), ("a", "A", "b"), "`a` and `A` differ in case or spaces"),
        ((), (0.5, 1.5), (2.0,), "split `validation`: every row has the value 2"),
        (("a", "b"), (0, 1, -1), (0, 1), "4 of 12 rows are left out, as their label is -1"),
    ],
)
def test_labels_that_are_odd_are_told(
    tmp_path: Path, labels: Any, train: Any, dev: Any, said: str
) -> None:
    assert said in oddities_of(tmp_path, labels, label(TEXTS, *train), label(OTHERS, *dev))


@pytest.mark.parametrize("values", [("b",), (1,), (-1, 1)])
def test_a_training_split_with_one_label_is_refused(tmp_path: Path, values: Any) -> None:
    with pytest.raises(InputError, match=r"more than one label. Found `b` alone in the"):
        oddities_of(tmp_path, ("a", "b"), label(TEXTS, *values), label(OTHERS, "a", "b"))


@pytest.mark.parametrize(
    ("dev", "said"),
    [
        (TEXTS, "12 of 12 rows are in its training split word for word"),
        (TEXTS[3:5] + OTHERS, "2 of 8 rows are in its training split"),
        ([text.upper() for text in TEXTS[:1]] + OTHERS, "1 of 7 rows are in its training split"),
    ],
)
def test_dev_rows_that_are_training_rows_are_counted(
    tmp_path: Path, dev: list[str], said: str
) -> None:
    found = oddities_of(tmp_path, ("a", "b"), label(TEXTS, "a", "b"), label(dev, "a", "b"))
    assert said in found


def test_dev_rows_that_another_task_trains_on_are_counted(tmp_path: Path) -> None:
    t = (("a", "b"), label(TEXTS, "a", "b"), label(OTHERS, "a", "b"))
    u = (("x", "y"), label(OTHERS[:4], "x", "y"), label(make_texts(4, 200), "x", "y"))
    found = find(tmp_path, {"t": t, "u": u})
    assert len(found) == 1
    assert found[0].startswith("task `t`, split `validation`: 4 of 6 rows are training rows of")


def test_repeats_with_another_label_are_counted(tmp_path: Path) -> None:
    train = [*label(TEXTS, "a", "b"), (TEXTS[0], "b"), (TEXTS[1], "b")]
    found = oddities_of(tmp_path, ("a", "b"), train, label(OTHERS, "a", "b"))
    assert found == (
        "task `t`, split `train`: 2 of 14 rows repeat another row word for word and have another "
        "label"
    )


def test_oddities_are_told_in_every_command_and_kept_for_the_report(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tasks = {"t": (("a", "b"), label(TEXTS, 0, 1, -1), label(TEXTS[:2], 0, 1))}
    study = load_study(write_own_study(tmp_path, tasks))
    for folder in (tmp_path / "one", tmp_path / "two"):
        with caplog.at_level(logging.WARNING):
            prepare_study(study, folder)
        assert sum("left out" in r.getMessage() for r in caplog.records) == 1
        caplog.clear()
        assert read_notes(folder / NOTES_FILE) == prepare_study(study, folder).oddities != ()


def test_the_problems_of_all_tasks_come_at_once(tmp_path: Path) -> None:
    good = (("a", "b"), label(TEXTS, "a", "b"), label(OTHERS, "a", "b"))
    path = write_own_study(tmp_path, {"t": good, "u": good, "v": good})
    write_rows(tmp_path / "rows" / "t" / "train.jsonl", label(TEXTS, "a", "z"))
    write_rows(tmp_path / "rows" / "u" / "validation.jsonl", label(TEXTS, 7))
    path.write_text(path.read_text().replace("max_length = 16", "max_length = 999"))
    with pytest.raises(InputError) as caught:
        prepare_study(load_study(path), tmp_path / "out")
    said = str(caught.value)
    assert all(part in said for part in ("`max_length`", "Found `z`", "Found `7`"))
    assert len(caught.value.problems) == 3


def test_rows_that_are_cut_to_the_same_tokens_are_not_the_same_rows(tmp_path: Path) -> None:
    long = [f"{TEXTS[0]} {TEXTS[0]} {TEXTS[0]} {TEXTS[0]} {text}" for text in TEXTS + OTHERS]
    train, dev = label(long[:12], "a", "b"), label(long[12:], "a", "b")
    assert oddities_of(tmp_path, ("a", "b"), train, dev) == ""


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (["It rains "], ["it  rains"], True),
        (["a b"], ["ab"], False),
        (["a", "b c"], ["a b", "c"], False),
        (["a", "b"], ["b", "a"], False),
    ],
)
def test_rows_share_a_number_where_they_hold_the_same_words(
    one: list[str], other: list[str], equal: bool
) -> None:
    texts = tuple([a, b] for a, b in zip(one, other, strict=True))
    zeros = np.zeros(2, dtype=np.int64)
    first, second = hash_texts(RawSplit(texts, zeros, zeros, zeros))
    assert (first == second) == equal


@pytest.mark.parametrize(
    ("labels", "is_said"),
    [
        (("yes", "no"), True),
        (("Positive", "Negative"), True),
        ((1, 0), True),
        (("no", "yes"), False),
        (("cat", "dog"), False),
    ],
)
def test_a_metric_of_the_second_label_is_said_where_that_is_the_negative_one(
    labels: tuple[str | int, ...], is_said: bool
) -> None:
    task = Task(name="t", text=("text",), labels=labels, metric="f1")
    codes = np.arange(4) % 2
    part = SplitFacts(codes, np.arange(4, dtype=np.uint64), codes)
    (found,) = [
        "\n".join(find_in_facts({"t": TaskFacts(task, {"train": part, "validation": part})}))
    ]
    assert (f"the metric `f1` is that of the second label, `{labels[1]}`" in found) == is_said


def spoil_five(folder: Path) -> Path:
    """Write a study of five tasks whose files have a problem each."""
    good = (("a", "b"), label(TEXTS, "a", "b"), label(OTHERS, "a", "b"))
    path = write_own_study(folder, dict.fromkeys("tuvwx", good))
    rows = folder / "rows"
    (rows / "t" / "validation.jsonl").unlink()
    write_rows(rows / "u" / "train.jsonl", label(TEXTS, "a", "z"))
    (rows / "v" / "train.jsonl").write_text('{"text": "it rains"')
    (rows / "w" / "validation.jsonl").write_text('{"words": "it rains", "label": "a"}\n')
    write_rows(rows / "x" / "train.jsonl", label(TEXTS, "b"))
    return path


FIVE = (
    "Task `t`, split `validation`",
    "Found `z`",
    "is the file cut off?",
    "The columns are: words",
    "more than one label",
)


def test_five_problems_in_five_files_are_one_message(tmp_path: Path) -> None:
    study = load_study(spoil_five(tmp_path))
    with pytest.raises(InputError) as caught:
        prepare_study(study, tmp_path / "out")
    assert len(caught.value.problems) == 5
    assert all(said in str(caught.value) for said in FIVE)


def test_a_missing_file_and_a_wrong_one_of_a_task_are_told_together(tmp_path: Path) -> None:
    good = (("a", "b"), label(TEXTS, "a", "b"), label(OTHERS, "a", "b"))
    study = load_study(write_own_study(tmp_path, {"t": good}))
    (tmp_path / "rows" / "t" / "validation.jsonl").unlink()
    write_rows(tmp_path / "rows" / "t" / "train.jsonl", label(TEXTS, "a", "z"))
    problems = list(find_row_problems(study, tmp_path / "out"))
    assert len(problems) == 2
    assert "Found `z`" in problems[1]


def test_a_first_look_tells_rows_and_encoder_together_and_loads_nothing_heavy(
    tmp_path: Path,
) -> None:
    path = spoil_five(tmp_path)
    (tmp_path / "encoder" / "model.safetensors").unlink()
    arguments = ["relevance", "tasks", "--study", str(path), "--out", str(tmp_path / "out")]
    code = (
        "import sys\nfrom relevance.cli import main\n"
        f"sys.argv = {arguments}\n"
        "try:\n    main()\nfinally:\n"
        "    print([name for name in ('torch', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout.strip() == "[]"
    assert all(said in done.stderr for said in (*FIVE, "lacks model.safetensors"))
    assert done.stderr.count("error:") == 6


def test_rows_that_were_prepared_are_not_read_again(tmp_path: Path) -> None:
    good = (("a", "b"), label(TEXTS, "a", "b"), label(OTHERS, "a", "b"))
    prepared = prepare_own(tmp_path, {"t": good})
    task = prepared.study.tasks["t"]
    sources = find_sources(task, prepared.study.data_folder)
    assert was_prepared(task, sources, tmp_path / "data-out")
    write_rows(tmp_path / "rows" / "t" / "train.jsonl", label(TEXTS, "b", "a"))
    assert not was_prepared(
        task, find_sources(task, prepared.study.data_folder), tmp_path / "data-out"
    )


def test_rows_that_are_not_tokenised_have_the_same_oddities(tmp_path: Path) -> None:
    t = (("a", "b", "c"), label(TEXTS, 0, 2, -1), label(OTHERS + TEXTS[:1], "a"))
    u = (("x", "y"), label(OTHERS[:4], "x", "y"), label(make_texts(4, 200), "x", "y"))
    found = find(tmp_path, {"t": t, "u": u})
    study = load_study(tmp_path / "study.toml")
    facts = {
        name: read_facts(task, study.rows, study.data_folder) for name, task in study.tasks.items()
    }
    assert list(find_in_facts(facts)) == found
    assert len(found) > 4
