"""Words with tags: every way to write them ends as the same texts, words and codes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tiny_study import WORDS, write_encoder

from hmnet.data.raw import load_split, load_text_columns, load_texts
from hmnet.data.tagged import find_scheme, iterate_texts, to_bio
from hmnet.data.task_data import describe, load, prepare, verify_folder
from hmnet.data.tokens import tokenise
from hmnet.encoders.locate import load_tokenizer
from hmnet.errors import InputError
from hmnet.study.settings import DataSettings
from hmnet.study.tasks import Source, Task

LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
SENTENCES = [["Ada", "Byron", "left", "Rome"], ["Nobody", "did"]]
TAGS = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "O"]]
BILOU = [["B-PER", "L-PER", "O", "U-LOC"], ["O", "O"]]
IOB1 = [["I-PER", "I-PER", "O", "I-LOC"], ["O", "O"]]
TYPES = [["PER", "PER", "O", "LOC"], ["O", "O"]]
SPANS = [
    [{"start": 0, "end": 9, "label": "PER"}, {"start": 15, "end": 19, "label": "LOC"}],
    [],
]
CODES = [1, 2, 0, 3, 0, 0]


def make_task(folder: Path, **changes: Any) -> Task:
    options = {"name": "names", "text": ("words",), "label": "tags", "kind": "tags"}
    source = Source(folder=str(folder))
    facts = {**options, "labels": LABELS, "metric": "entity_f1", "source": source, **changes}
    return Task(**facts)


def write_rows(folder: Path, suffix: str, words: Any, tags: Any) -> None:
    """Write rows as training and dev split in a format."""
    for split in ("train", "validation"):
        path = folder / f"{split}{suffix}"
        if suffix == ".parquet":
            pd.DataFrame({"words": words, "tags": tags}).to_parquet(path)
        elif suffix == ".jsonl":
            rows = zip(words, tags, strict=True)
            lines = (json.dumps({"words": w, "tags": t}) + "\n" for w, t in rows)
            path.write_text("".join(lines))
        elif suffix == ".csv":
            joined = {"words": map(" ".join, words), "tags": map(" ".join, tags)}
            pd.DataFrame(joined).to_csv(path, index=False)
        else:
            blocks = (
                "".join(
                    f"{w}{' x ' if suffix == '.iob' else chr(9)}{t}\n"
                    for w, t in zip(*row, strict=True)
                )
                for row in zip(words, tags, strict=True)
            )
            path.write_text("-DOCSTART- -X- O\n\n" + "\n".join(blocks))


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".csv", ".conll", ".iob"])
@pytest.mark.parametrize("tags", [TAGS, BILOU, IOB1, TYPES])
def test_formats_and_schemes_give_the_same_rows(tmp_path: Path, suffix: str, tags: Any) -> None:
    write_rows(tmp_path, suffix, SENTENCES, tags)
    found = load_split(make_task(tmp_path), "train")
    assert found.texts == (["Ada Byron left Rome", "Nobody did"],)
    assert found.words is not None
    assert list(iterate_texts(found.words, found.texts[0])) == SENTENCES
    assert found.labels.tolist() == CODES
    changed = sum(a != b for row in zip(tags, TAGS, strict=True) for a, b in zip(*row, strict=True))
    assert len(found.notes) == (changed > 0)
    assert all(f"{changed} tags in column `tags`" in note for note in found.notes)


def test_spans_of_a_text_are_tags_of_its_words(tmp_path: Path) -> None:
    texts = [" ".join(words) for words in SENTENCES]
    write_rows(tmp_path, ".jsonl", texts, SPANS)
    found = load_split(make_task(tmp_path), "train")
    assert found.labels.tolist() == CODES
    assert found.texts == (texts,)
    assert found.notes == ()


def test_spans_that_do_not_fit_the_words_are_counted(tmp_path: Path) -> None:
    # `da By` cuts two words; `Rome` lies in a longer span; characters 9 and 10 are a blank.
    given = [
        [
            {"start": 1, "end": 6, "label": "PER"},
            {"start": 10, "end": 19, "label": "LOC"},
            {"start": 15, "end": 19, "label": "PER"},
            {"start": 9, "end": 10, "label": "PER"},
        ]
    ]
    write_rows(tmp_path, ".jsonl", ["Ada Byron left Rome"], given)
    found = load_split(make_task(tmp_path), "train")
    assert found.labels.tolist() == [1, 2, 3, 4]
    assert found.notes[0].startswith("1 spans in column `tags` begin or end inside of a word")
    assert found.notes[1].startswith("2 spans in column `tags` are left out")


def test_codes_are_of_the_declared_tags_and_plain_tags_as_they_are(
    tmp_path: Path,
) -> None:
    write_rows(tmp_path, ".parquet", SENTENCES, [[1, 2, 0, 3], [0, 0]])
    assert load_split(make_task(tmp_path), "train").labels.tolist() == CODES
    plain = {"labels": ("NOUN", "VERB"), "metric": "token_accuracy"}
    write_rows(
        tmp_path, ".parquet", SENTENCES, [["NOUN", "NOUN", "VERB", "NOUN"], ["NOUN", "VERB"]]
    )
    found = load_split(make_task(tmp_path, **plain), "train")
    assert found.labels.tolist() == [0, 0, 1, 0, 0, 1]


def test_conllu_has_the_columns_of_that_format(tmp_path: Path) -> None:
    lines = (
        "# text = Vamonos",
        "1-2\tVamonos" + "\t_" * 8,
        "1\tVamos\tir\tVERB" + "\t_" * 6,
        "2\tnos\tnosotros\tPRON" + "\t_" * 6,
        "2.1\tx" + "\t_" * 8,
    )
    for split in ("train", "validation"):
        (tmp_path / f"{split}.conllu").write_text("\n".join(lines) + "\n\n")
    task = make_task(tmp_path, labels=("VERB", "PRON"), metric="token_accuracy")
    assert load_split(task, "train").labels.tolist() == [0, 1]
    named = dataclasses.replace(task, text=("lemma",), label="upos")
    assert load_split(named, "train").texts == (["ir nosotros"],)


def test_a_row_without_words_is_left_out_and_said(tmp_path: Path) -> None:
    write_rows(tmp_path, ".jsonl", [["Rome"], [], ["did"]], [["B-LOC"], [], ["O"]])
    found = load_split(make_task(tmp_path), "train")
    assert found.rows.tolist() == [0, 2]
    assert found.notes == ("1 of 3 rows are left out, as they have no words",)
    assert found.select(np.array([1])).labels.tolist() == [0]
    assert found.select(np.array([1])).texts == (["did"],)


@pytest.mark.parametrize(
    ("words", "tags", "said"),
    [
        (SENTENCES, [["O", "O"], ["O", "O"]], "Found 2 tags for 4 words in row 0"),
        (SENTENCES, [TAGS[0], ["O", "B-ORG"]], "Found `B-ORG` in row 1"),
        ([1, 2], TAGS, "column of words or of texts. Found int64"),
        (SENTENCES, [1, 2], "column of tags, a list or a text"),
        (SENTENCES, [[1, 2, 0, 9], [0, 0]], "codes 0 to 4. Found `9` in row 0"),
        (["Rome"], [[{"start": 0, "end": 9, "label": "LOC"}]], "within their text, of 4"),
        (["Rome"], [[{"from": 0, "end": 9}]], "Found the fields ['from', 'end']"),
        ([["Rome", None]], [["O", "O"]], "without missing words. Found one in row 0"),
        ([[], []], [[], []], "should name a column"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, words: Any, tags: Any, said: str) -> None:
    write_rows(tmp_path, ".jsonl", words, tags)
    with pytest.raises(InputError, match="should") as error:
        load_split(make_task(tmp_path), "train")
    assert said in " ".join(error.value.problems)


def test_a_line_with_other_columns_is_named(tmp_path: Path) -> None:
    (tmp_path / "train.conll").write_text("Ada\tB-PER\nRome\n")
    with pytest.raises(InputError, match="line 2: 1 columns, `Rome`, where 2 are expected"):
        load_split(make_task(tmp_path), "train")


@pytest.mark.parametrize(
    ("labels", "metric", "said"),
    [
        (("O", "B-a", "L-a", "U-a"), "entity_f1", "files with other schemes"),
        (("O", "I-a"), "entity_f1", "should list `B-a` beside I-a"),
        (("B-a", "I-a"), "entity_f1", "should list `O`"),
        (("NOUN", "VERB"), "entity_f1", "`token_accuracy` takes any"),
        (("O", "B-a"), "accuracy", "should fit a task of tags"),
    ],
)
def test_a_task_of_tags_that_cannot_be_is_refused(labels: Any, metric: str, said: str) -> None:
    with pytest.raises(ValueError, match="should") as error:
        Task(name="t", text=("words",), kind="tags", labels=labels, metric=metric)
    assert said in str(error.value)


@pytest.mark.parametrize("name", ["bio", "bilou", "io"])
def test_a_scheme_may_be_given(tmp_path: Path, name: str) -> None:
    tags = {"bio": TAGS, "bilou": BILOU, "io": TYPES}[name]
    assert find_scheme(tags) == name
    write_rows(tmp_path, ".parquet", SENTENCES, tags)
    assert load_split(make_task(tmp_path, scheme=name), "train").labels.tolist() == CODES


def test_an_entity_that_ends_is_not_gone_on_with() -> None:
    assert to_bio(["B-a", "E-a", "I-a", "S-a"], "bilou") == ["B-a", "I-a", "B-a", "B-a"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an encoder, and rows in `rows`."""
    folder = tmp_path_factory.mktemp("place")
    write_encoder(folder / "encoder")
    (folder / "rows").mkdir()
    words = [[WORDS[0], "zz", WORDS[1]], [f"{WORDS[2]}-{WORDS[3]}", *WORDS[4:7]]]
    write_rows(folder / "rows", ".jsonl", words, [["O", "B-PER", "O"], ["O", "O", "B-LOC", "O"]])
    return folder


def test_places_are_those_of_first_pieces(place: Path) -> None:
    # [CLS] w [UNK] w [SEP]; [CLS] w [UNK] w | w w w [SEP], where the bar ends the first word
    tokenizer = load_tokenizer(str(place / "encoder"))
    rows = load_split(make_task(place / "rows"), "train")
    whole = tokenise(rows, tokenizer, 32)
    assert whole.word_offsets.tolist() == [0, 3, 7]
    assert whole.lengths.tolist() == [5, 8]
    assert whole.places.tolist() == [1, 2, 3, 1, 4, 5, 6]
    cut = tokenise(rows, tokenizer, 6)  # four tokens of each text are left
    assert cut.places.tolist() == [1, 2, 3, 1, 4, -1, -1]
    assert cut.count_answers(np.array([1])) == 2
    tokenizer.truncation_side = "left"
    assert tokenise(rows, tokenizer, 6).places.tolist() == [1, 2, 3, -1, 2, 3, 4]


def test_words_survive_on_disk(place: Path, tmp_path: Path) -> None:
    task = make_task(place / "rows")
    tokenizer = load_tokenizer(str(place / "encoder"))
    data = prepare(task, tokenizer, DataSettings(max_length=8), tmp_path)
    again = load(data.folder, task)
    for name in ("labels", "places", "word_offsets"):
        np.testing.assert_array_equal(getattr(again.train, name), getattr(data.train, name))
    verify_folder(data.folder)
    assert describe(data)["train"]["words"] == 7
    (data.folder / "train.places.npy").unlink()
    with pytest.raises(InputError, match="places"):
        load(data.folder, task)


def test_a_file_for_prediction_has_words_or_texts(tmp_path: Path) -> None:
    write_rows(tmp_path, ".jsonl", SENTENCES, TAGS)
    task = make_task(tmp_path)
    listed = load_texts(task, tmp_path / "train.jsonl")
    (tmp_path / "new.jsonl").write_text('{"words": "Ada, left."}\n')
    told = load_texts(task, tmp_path / "new.jsonl")
    assert listed.words is not None
    assert told.words is not None
    assert list(iterate_texts(listed.words, listed.texts[0])) == SENTENCES
    assert list(iterate_texts(told.words, told.texts[0])) == [["Ada", ",", "left", "."]]
    (column,) = load_text_columns(task, "train")
    assert column.to_pylist() == ["Ada Byron left Rome", "Nobody did"]
