"""What is odd about rows is said: labels without rows, dev rows in train, contradictions."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from own_rows import make_texts, prepare_own, write_own_study, write_rows

from hmnet.data.notes import NOTES_FILE, read_notes
from hmnet.data.raw import RawSplit
from hmnet.data.task_data import hash_texts
from hmnet.errors import InputError
from hmnet.jobs.prepared import prepare_study
from hmnet.study.study import load_study

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
