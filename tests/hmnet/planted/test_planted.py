"""The planted suite: what its description says is what its files hold."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from hmnet.planted import (
    Planted,
    describe_planted,
    make_planted_tasks,
    make_planted_truth,
    write_planted,
)
from hmnet.planted.dialects import APPROVING, FALSE_FRIENDS_FRAC, make_dialects
from hmnet.planted.suite import KNOWN_FRAC, find_task_dialect

SEED = 3


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    return write_planted(tmp_path_factory.mktemp("planted"), SEED, train_rows=200, dev_rows=500)


def read(planted: Planted, name: str, split: str) -> pd.DataFrame:
    return pd.read_parquet(planted.data / name / f"{split}.parquet")


def words_of(frame: pd.DataFrame, columns: tuple[str, ...]) -> set[str]:
    return {
        word
        for column in columns
        for text in frame[column]
        for word in re.findall("[a-z]+", text.lower())
    }


def test_equal_seeds_give_equal_files_and_others_do_not(planted: Planted, tmp_path: Path) -> None:
    def contents(folder: Path) -> dict[str, bytes]:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}

    again = write_planted(tmp_path / "again", SEED, train_rows=200, dev_rows=500)
    other = write_planted(tmp_path / "other", SEED + 1, train_rows=200, dev_rows=500)
    assert contents(again.data.parent) == contents(planted.data.parent)
    assert contents(other.data) != contents(planted.data)
    assert contents(other.data).keys() == contents(planted.data).keys()


def test_the_description_names_the_truth() -> None:
    truth = make_planted_truth(SEED)
    assert sorted(truth.tasks) == sorted(make_planted_tasks())
    assert len(truth.tasks) == 13
    assert {len(members) for members in truth.groups.values()} == {4, 5}
    assert all(name in describe_planted() for name in truth.groups)
    assert f"{FALSE_FRIENDS_FRAC:.0%}" in describe_planted()
    assert len({task.category for task in make_planted_tasks().values()}) == 4


def test_hills_and_town_share_words_but_not_their_meaning() -> None:
    dialects = make_dialects(SEED)
    meaning = {
        name: dict.fromkeys(d.approving, 1) | dict.fromkeys(d.disapproving, 0)
        for name, d in dialects.items()
    }
    assert meaning["hills"].keys() == meaning["town"].keys()
    assert not meaning["coast"].keys() & meaning["hills"].keys()
    differ = [meaning["hills"][word] != meaning["town"][word] for word in meaning["hills"]]
    assert sum(differ) / len(differ) == FALSE_FRIENDS_FRAC
    assert all(sum(found.values()) == len(found) / 2 for found in meaning.values())


def test_training_texts_hold_the_stated_share_of_words(planted: Planted) -> None:
    dialects = make_dialects(SEED)
    for name, task in planted.tasks.items():
        dialect = dialects[find_task_dialect(name)]
        words = {*dialect.approving, *dialect.disapproving}
        seen = words & words_of(read(planted, name, "train"), task.text)
        assert len(seen) == round(KNOWN_FRAC * len(words)), name
        assert words <= words_of(read(planted, name, "validation"), task.text), name


def test_labels_are_balanced_and_follow_from_the_words(planted: Planted) -> None:
    dialects = make_dialects(SEED)
    for name, task in planted.tasks.items():
        frame = read(planted, name, "validation")
        counts = Counter(frame["label"])
        assert max(counts.values()) - min(counts.values()) <= 1, name
        approving = {*dialects[find_task_dialect(name)].approving, *APPROVING}
        found = [len(approving & set(re.findall("[a-z]+", t))) for t in frame[task.text[-1]]]
        if name.startswith(("sentiment", "paraphrase", "yesno", "answers")):
            high = [label == task.labels[-1] for label in frame["label"]]
            assert high == [count >= 2 for count in found], name
        if name.startswith("closeness"):
            assert frame["label"].tolist() == found


def test_the_encoder_knows_every_word_whole(planted: Planted) -> None:
    tokenizer = AutoTokenizer.from_pretrained(planted.encoder)
    model = AutoModelForSequenceClassification.from_pretrained(planted.encoder, num_labels=2)
    assert model.config.vocab_size == len(tokenizer)
    for name, task in planted.tasks.items():
        for text in read(planted, name, "train")[task.text[-1]].head(20):
            pieces = tokenizer.tokenize(text)
            assert "[UNK]" not in pieces
            assert not [piece for piece in pieces if piece.startswith("##")], text
