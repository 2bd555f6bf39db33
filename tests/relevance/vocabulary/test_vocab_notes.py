"""`relevance vocab` tells what is odd about the rows as commands that train do."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from own_rows import make_texts, write_own_study, write_rows

from hmnet.data.notes import NOTES_FILE, read_notes, write_notes
from hmnet.errors import InputError
from hmnet.folder.outputs import Output, open_output
from hmnet.jobs.prepared import prepare_study
from hmnet.study.study import Study, load_study
from relevance.commands.vocab import run_vocab

TEXTS, OTHERS = make_texts(12), make_texts(6, 100)


def label(texts: list[str], *labels: Any) -> list[tuple[str, Any]]:
    return [(text, labels[i % len(labels)]) for i, text in enumerate(texts)]


GOOD = (("a", "b"), label(TEXTS, "a", "b"), label(OTHERS, "a", "b"))
ODD = {
    "a label without rows": (("a", "b", "c"), label(TEXTS, "a", "b"), label(OTHERS, "a", "b")),
    "dev rows in train": (("a", "b"), label(TEXTS, 0, 1), label(TEXTS[:2] + OTHERS, 0, 1)),
    "unlabelled rows": (("a", "b"), label(TEXTS, 0, 1, -1), label(OTHERS, 0, 1)),
    "a contradiction": (("a", "b"), [*label(TEXTS, 0, 1), (TEXTS[0], 1)], label(OTHERS, 0, 1)),
}


def open_study(folder: Path, tasks: Any) -> tuple[Output, Study]:
    return open_output(folder / "out"), load_study(write_own_study(folder, tasks))


@pytest.mark.parametrize("odd", ODD)
def test_vocab_tells_the_notes_that_training_tells(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, odd: str
) -> None:
    output, study = open_study(tmp_path, {"t": ODD[odd], "u": GOOD})
    with caplog.at_level(logging.WARNING):
        list(run_vocab(output, study, None, "wordpiece", 2))
    said = [record.getMessage().removeprefix("note: ") for record in caplog.records]
    assert len(said) > 1, "the made encoder has embeddings to spare"
    assert tuple(said) == read_notes(output.data / NOTES_FILE)
    assert tuple(said) == prepare_study(study, tmp_path / "other").oddities


def test_notes_of_a_command_that_trained_are_kept(tmp_path: Path) -> None:
    output, study = open_study(tmp_path, {"t": ODD["unlabelled rows"]})
    write_notes(output.data, ["told before"])
    list(run_vocab(output, study, None, "word", 1))
    assert read_notes(output.data / NOTES_FILE) == ("told before",)


def test_rows_without_labels_have_a_vocabulary_and_no_notes(tmp_path: Path) -> None:
    output, study = open_study(tmp_path, {"t": GOOD, "u": GOOD})
    for name in "tu":
        lines = [json.dumps({"text": text}) + "\n" for text in TEXTS]
        (tmp_path / "rows" / name / "train.jsonl").write_text("".join(lines))
    assert "wrote" in list(run_vocab(output, study, None, "word", 2))[-1]
    assert read_notes(output.data / NOTES_FILE) == ()


def test_the_problems_of_all_tasks_come_at_once(tmp_path: Path) -> None:
    output, study = open_study(tmp_path, {"t": GOOD, "u": GOOD, "v": GOOD})
    (tmp_path / "rows" / "t" / "train.jsonl").unlink()
    write_rows(tmp_path / "rows" / "u" / "train.jsonl", label(TEXTS, "a", "z"))
    (tmp_path / "rows" / "v" / "train.jsonl").write_text("text,label\n")
    with pytest.raises(InputError) as caught:
        list(run_vocab(output, study, None, "wordpiece", 2))
    assert len(caught.value.problems) == 3
