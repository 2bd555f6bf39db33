"""Vocabulary co-occurrence: exact for any tokenizer, fast, and the paper's Table 2."""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from hmnet.errors import InputError
from hmnet.study.study import Study
from hmnet.study.tasks import PAPER_TASKS, Task
from relevance.matrices.matrix import RelevanceMatrix
from relevance.matrices.reference import load_reference
from relevance.vocabulary.cooccurrence import (
    check_options,
    describe_tokenizer,
    extract_vocabulary,
    measure_vocabulary,
    stack_columns,
)
from relevance.vocabulary.splitter import choose_splitter
from relevance.vocabulary.study_vocabulary import measure_study_vocabulary

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = (
    "the",
    "cat",
    "cats",
    "sat",
    "cafe",
    "café",
    "straße",
    "σας",
    "a",
    "b",
    "don",
    "t",
    "I",
    "the" * 5,
)
ACCENTED = "éüßñÅåΣςσİıøœ漢字日本語🙂ﬁ①²½"


def make_wordpiece(
    normalizer: normalizers.Normalizer, added: tuple[AddedToken, ...] = ()
) -> Tokenizer:
    """Return a small WordPiece tokenizer that knows every character it may meet, and few words."""
    characters = string.printable.strip() + ACCENTED + "\u0301\u0338\u200b\u200d\ufeff\xad"
    tokens = [*SPECIAL, *dict.fromkeys([*characters, *WORDS])]
    tokens += [f"##{token}" for token in dict.fromkeys([*characters, "at", "ts"])]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    model = models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=12)
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.add_tokens(list(added))
    return tokenizer


def make_byte_level(
    normalizer: normalizers.Normalizer | None,
    prefix_space: bool,
    mask: AddedToken | None = None,
    sample: Sequence[str] = (),
) -> Tokenizer:
    """Return a small byte-level BPE tokenizer, in which a leading space changes the ids."""
    tokenizer = Tokenizer(models.BPE())
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space)
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<s>", "</s>"],
    )
    words = " ".join(WORDS)
    tokenizer.train_from_iterator(
        [words, "the  cat \n sat   ", words + "\t\tcats", "cat\n  sat"] * 3 + list(sample), trainer
    )
    if mask is not None:
        tokenizer.add_special_tokens([mask])
    return tokenizer


def make_unigram() -> Tokenizer:
    """Return a SentencePiece-like tokenizer, whose pieces span what others call words."""
    scores = [("<unk>", 0.0), *((c, -5.0) for c in string.ascii_lowercase + "▁"), ("▁the", -1.0)]
    tokenizer = Tokenizer(models.Unigram([*scores, ("cat▁sat", -1.5)], unk_id=0))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    return tokenizer


BERT = normalizers.BertNormalizer
TOKENIZERS: dict[str, Callable[[], Tokenizer]] = {
    "uncased": lambda: make_wordpiece(BERT(lowercase=True)),
    "cased": lambda: make_wordpiece(BERT(lowercase=False)),
    "uncased, accents kept": lambda: make_wordpiece(BERT(lowercase=True, strip_accents=False)),
    "cased, accents stripped": lambda: make_wordpiece(BERT(lowercase=False, strip_accents=True)),
    "no CJK": lambda: make_wordpiece(BERT(lowercase=True, handle_chinese_chars=False)),
    "control characters kept": lambda: make_wordpiece(BERT(clean_text=False, lowercase=True)),
    "other normaliser": lambda: make_wordpiece(
        normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    ),
    "user's tokens": lambda: make_wordpiece(
        BERT(lowercase=True), (AddedToken("the cat", normalized=False), AddedToken("cats"))
    ),
    "user's raw word": lambda: make_wordpiece(
        BERT(lowercase=True), (AddedToken("zz", normalized=False, single_word=True),)
    ),
    "user's raw words": lambda: make_wordpiece(
        BERT(lowercase=True), (AddedToken("b b", normalized=False, lstrip=True, rstrip=True),)
    ),
    "user's raw letter": lambda: make_wordpiece(
        BERT(lowercase=False), (AddedToken("\xa7", normalized=False),)
    ),
    "user's raw mark": lambda: make_wordpiece(
        BERT(lowercase=True), (AddedToken("<zz>", normalized=False, lstrip=True, rstrip=True),)
    ),
    "byte-level": lambda: make_byte_level(None, False),
    "byte-level, prefixed": lambda: make_byte_level(None, True),
    "byte-level, NFC": lambda: make_byte_level(normalizers.NFC(), False),
    "byte-level, mask": lambda: make_byte_level(
        None, False, AddedToken("<mask>", lstrip=True, rstrip=True, normalized=False)
    ),
    "unigram": make_unigram,
}
FINE = {"uncased", "cased", "user's raw mark", "byte-level", "byte-level, NFC"}

NASTY = [
    *" \t\n\r\v\f\x00\x01\x1c\x1d\x1e\x1f\x7f\x85\xa0\xad",
    *"\u1680\u180e\u2000\u2003\u200b\u200d\u2028\u2029\u202f\u205f\u3000\ufeff\ufffd",
    *"\u0301\u0338\u0307e\u0301K\u212a\ufe0f\U0010ffff",
    *ACCENTED,
    *string.punctuation,
    *WORDS,
    *SPECIAL,
    "the cat",
    "b b",
    "zz",
    "ZZ",
    "<zz>",
    "\xa7",
    "<mask>",
    "<s>",
    "  ",
    "   ",
    "'s",
    "##at",
    "12",
    "Cat",
    "THE",
    "x" * 13,
    "the" * 4,
    "the" * 5,
    "<br />",
]
TEXTS = st.lists(
    st.lists(st.sampled_from(NASTY) | st.sampled_from(" ab") | st.characters(codec="utf-8"))
    .map("".join),
    max_size=6,
)  # fmt: skip


def tokenize_whole(texts: list[str], tokenizer: Tokenizer, special: set[int]) -> set[int]:
    """Return the vocabulary by definition: every row tokenised whole."""
    ids = (tokenizer.encode(text, add_special_tokens=False).ids for text in texts)
    return set().union(*ids) - special


@pytest.fixture(scope="module", params=TOKENIZERS)
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return TOKENIZERS[request.param]()


@given(TEXTS)
def test_ids_are_those_of_tokenising_every_row_whole(
    tokenizer: Tokenizer, texts: list[str]
) -> None:
    special = {i for i, t in tokenizer.get_added_tokens_decoder().items() if t.special}
    assert extract_vocabulary(texts, tokenizer) == tokenize_whole(texts, tokenizer, special)


@pytest.mark.parametrize("space", ["\n", "\t", "\x85", "\u2003", "\u3000", " "])
def test_a_run_of_white_space_is_one_piece_to_a_byte_level_tokenizer(space: str) -> None:
    text = f"cat{space}  sat"
    tokenizer = make_byte_level(None, False, sample=[text] * 5)
    run = tokenizer.encode(f"{space} ").ids  # the last space belongs to the word
    assert len(run) == 1
    vocabulary = extract_vocabulary([text], tokenizer)
    assert vocabulary == tokenize_whole([text], tokenizer, set())
    assert run[0] in vocabulary


def test_a_word_too_long_for_wordpiece_is_unknown_even_if_it_is_in_the_vocabulary() -> None:
    tokenizer = make_wordpiece(BERT(lowercase=True))
    assert tokenizer.token_to_id("the" * 5) is not None
    assert extract_vocabulary(["the" * 5, "cat"], tokenizer) == {tokenizer.token_to_id("cat")}


def test_common_tokenizers_are_cut_and_odd_ones_are_not() -> None:
    for name, make in TOKENIZERS.items():
        if name in FINE:
            assert choose_splitter(make()).cut is not None, name
    assert choose_splitter(make_unigram()).cut is None
    assert choose_splitter(TOKENIZERS["control characters kept"]()).cut is None
    assert choose_splitter(TOKENIZERS["other normaliser"]()).cut is None


@given(TEXTS)
def test_words_are_those_of_berts_pre_tokenizer_on_every_row(texts: list[str]) -> None:
    normalizer, pre = BERT(lowercase=True), pre_tokenizers.BertPreTokenizer()
    words = {
        word
        for text in texts
        for word, _ in pre.pre_tokenize_str(normalizer.normalize_str(text))
    }  # fmt: skip
    assert extract_vocabulary(texts, unit="word") == words


@settings(max_examples=30)
@given(TEXTS)
def test_a_real_tokenizer_gives_the_same_as_tokenising_every_row_whole(
    real_tokenizer: Any, texts: list[str]
) -> None:
    backend = real_tokenizer.backend_tokenizer
    expected = tokenize_whole(texts, backend, set(real_tokenizer.all_special_ids))
    assert extract_vocabulary(texts, real_tokenizer) == expected


@pytest.fixture(scope="module")
def real_tokenizer(pretrained: Path) -> Any:
    tokenizer = AutoTokenizer.from_pretrained(pretrained)
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    return tokenizer


def test_a_control_character_between_letters_does_not_separate_words() -> None:
    # BERT drops \x1f, so that this is one word, though Python's `split` would make two of it
    assert extract_vocabulary(["ca\x1fts"], unit="word") == {"cats"}
    assert extract_vocabulary(["ca\x85ts"], unit="word") == {"cats"}
    assert extract_vocabulary(["ca\u2028ts"], unit="word") == {"ca", "ts"}


def test_limits_and_special_tokens_of_the_tokenizer_play_no_part() -> None:
    backend = make_wordpiece(BERT(lowercase=True))
    plain = extract_vocabulary(["the cat sat [SEP] a b"], backend)
    backend.enable_truncation(2)
    backend.enable_padding(length=16)
    marks = dict(
        zip(("cls_token", "sep_token", "unk_token"), ("[CLS]", "[SEP]", "[UNK]"), strict=True)
    )
    wrapped = PreTrainedTokenizerFast(tokenizer_object=backend, **marks)
    assert extract_vocabulary(["the cat sat [SEP] a b"], wrapped) == plain
    assert plain == {backend.token_to_id(word) for word in ("the", "cat", "sat", "a", "b")}
    assert backend.truncation is not None
    assert backend.truncation["max_length"] == 2
    assert backend.padding is not None


def test_special_tokens_may_be_read_as_text() -> None:
    backend = make_wordpiece(BERT(lowercase=True))
    backend.encode_special_tokens = True
    expected = set(backend.encode("a [SEP]", add_special_tokens=False).ids)
    assert extract_vocabulary(["a [SEP]"], backend) == expected
    assert backend.token_to_id("[") in expected


def test_a_tokenizer_in_python_is_asked_row_by_row() -> None:
    class Letters:
        all_special_ids = (0,)

        def get_vocab(self) -> dict[str, int]:
            return {chr(code): code for code in range(256)}

        def __call__(self, text: str, **options: Any) -> dict[str, list[int]]:
            assert options["add_special_tokens"] is False
            assert options["truncation"] is False
            return {"input_ids": [0, *map(ord, text)]}

    assert extract_vocabulary(["ab", "b", "ab"], Letters()) == {97, 98}
    assert describe_tokenizer(Letters())["kind"] == "Letters"


@pytest.mark.parametrize(
    "texts",
    [
        ["the cat", None, "the cat", "sat"],
        pd.Series(["the cat", None, "sat"]),
        pa.array(["the cat", None, "sat"]),
        pa.chunked_array([["the cat"], [None, "sat"]], pa.large_string()),
        pa.array(["the cat", None, "sat"]).dictionary_encode(),
        pa.array(["the cat", None, "sat"], pa.string_view()),
        (text for text in ("the cat", "sat")),
    ],
)
def test_texts_may_come_in_any_column_and_missing_ones_are_left_out(texts: Any) -> None:
    assert extract_vocabulary(texts, unit="word") == {"the", "cat", "sat"}


def test_more_rows_than_a_slice_are_all_read() -> None:
    rows = [f"w{index}" for index in range(2500)]
    assert extract_vocabulary(rows, unit="word") == set(rows)
    assert extract_vocabulary([], unit="word") == set()


def test_columns_are_stacked_in_order() -> None:
    table = pa.table({"a": ["x", "y"], "b": ["z", None], "c": [1, 2]})
    assert stack_columns(table, ("b", "a")).to_pylist() == ["z", None, "x", "y"]
    with pytest.raises(InputError, match="`c` should hold strings"):
        stack_columns(table, ("a", "c"))


def test_equations_divide_by_the_source_or_by_the_target() -> None:
    texts = {"s": ["a b c d"], "t": ["c d, e"]}
    # V_s = {a b c d}, V_t = {c d , e}: 2 shared of 4 and of 4; with a fifth word in t, of 5
    texts["t"] = ["c d, e f"]
    by_source = measure_vocabulary(texts, unit="word", equation=1).to_frame()
    by_target = measure_vocabulary(texts, unit="word", equation=2).to_frame()
    assert by_source.loc["s", "t"] == 2 / 4
    assert by_source.loc["t", "s"] == 2 / 5
    assert by_target.equals(by_source.T)
    assert np.diag(by_target).tolist() == [1.0, 1.0]


def test_provenance_says_what_was_counted() -> None:
    tokenizer = make_wordpiece(BERT(lowercase=True))
    matrix = measure_vocabulary({"one": ["a b"], "two": ["a"]}, tokenizer)
    assert matrix.measure == "vocabulary"
    assert matrix.provenance["unit"] == "wordpiece"
    assert matrix.provenance["equation"] == 2
    assert matrix.provenance["vocabulary_sizes"] == {"one": 2, "two": 1}
    assert matrix.provenance["tokenizer"] == describe_tokenizer(tokenizer)
    other = make_wordpiece(BERT(lowercase=False))
    assert describe_tokenizer(tokenizer) != describe_tokenizer(other)
    tokenizer.enable_truncation(7)
    assert describe_tokenizer(tokenizer) == matrix.provenance["tokenizer"]


def test_a_matrix_survives_the_way_to_disk_and_back(tmp_path: Path) -> None:
    matrix = measure_vocabulary({"one": ["a b"], "two": ["a"]}, unit="word")
    matrix.write(tmp_path / "vocab.parquet")
    again = RelevanceMatrix.read(tmp_path / "vocab.parquet")
    assert again.provenance == matrix.provenance
    assert again.identity == matrix.identity


def test_wrong_options_are_named_together() -> None:
    with pytest.raises(InputError) as error:
        check_options("letter", 3)
    assert len(error.value.problems) == 2
    assert check_options("word", 1) == ("word", 1)


@pytest.mark.parametrize("texts", ["one text", [1, 2], ["a", 3], pa.array([1]), ["\ud800"], 7])
def test_texts_that_are_no_strings_are_refused(texts: Any) -> None:
    with pytest.raises(InputError, match="should"):
        extract_vocabulary(texts, unit="word")


def test_a_task_without_tokens_and_an_object_that_is_no_tokenizer_are_refused() -> None:
    with pytest.raises(InputError, match="at least one token of task `empty`"):
        measure_vocabulary({"full": ["a"], "empty": [" "]}, unit="word")
    with pytest.raises(InputError, match="Hugging Face tokenizer"):
        extract_vocabulary(["a"], None)


def test_a_study_is_measured_over_its_train_splits(tmp_path: Path) -> None:
    rows = {"left": ["a b", "c"], "right": ["d", "a"], "label": [0, 1]}
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        pd.DataFrame(rows).to_parquet(tmp_path / name / "train.parquet")
    one = Task(name="one", text=("left", "right"), labels=("no", "yes"))
    two = Task(name="two", text=("right",), labels=("no", "yes"))
    study = Study(tasks={"one": one, "two": two}, data_folder=tmp_path)
    # V_one = {a b c d}, V_two = {d a}
    matrix = measure_study_vocabulary(study, None, "word", 2)
    assert matrix.to_frame().to_numpy().tolist() == [[1.0, 1.0], [0.5, 1.0]]


@pytest.mark.data
def test_the_papers_table_2_comes_out_to_the_last_digit(
    real_data: Path, real_tokenizer: Any
) -> None:
    # those tasks whose train split is whole in the data folder; the MiniLM encoder has the
    # vocabulary of bert-base-uncased
    tasks = ("rte", "wnli", "cb", "sst2", "stsb", "mrpc", "multirc", "imdb")
    texts = {}
    for name in tasks:
        columns = PAPER_TASKS[name].text
        table = pq.read_table(real_data / name / "train.parquet", columns=list(columns))
        texts[name] = stack_columns(table, columns)
    measured = measure_vocabulary(texts, real_tokenizer)
    percent = measured.to_frame().to_numpy() * 100
    printed = load_reference("paper:table2").select(tasks).to_frame().to_numpy() * 100
    assert np.abs(percent - printed).max() <= 0.005 + 1e-9
    assert measured.provenance["vocabulary_sizes"] == {
        "rte": 13863, "wnli": 1427, "cb": 2758, "sst2": 11570, "stsb": 10794, "mrpc": 11561,
        "multirc": 15030, "imdb": 25295,
    }  # fmt: skip
