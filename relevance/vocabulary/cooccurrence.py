"""Vocabulary co-occurrence of tasks (paper, section 3.2, equations 1 and 2).

The vocabulary of a task is the set of sub-word ids in its train split: all text columns, the
tokenizer's own normalisation, no special tokens, no truncation. With BERT's WordPiece this
definition gives the paper's Table 2. `unit="word"` counts lower-cased words instead.

    table = pyarrow.parquet.read_table("rte/train.parquet")
    texts = {"rte": stack_columns(table, ("sentence1", "sentence2")), "cola": ["It rains.", ...]}
    matrix = measure_vocabulary(texts, AutoTokenizer.from_pretrained("bert-base-uncased"))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, cast, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from hmnet.errors import InputError, raise_problems
from hmnet.storage.digests import canonical_json, digest
from relevance.matrices.matrix import RelevanceMatrix
from relevance.vocabulary.splitter import WORDS, choose_splitter

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

AnyTokenizer: TypeAlias = "PreTrainedTokenizerBase | Tokenizer"
Texts: TypeAlias = "Iterable[str] | pa.Array | pa.ChunkedArray | pd.Series[str]"
Unit: TypeAlias = Literal["wordpiece", "word"]
Equation: TypeAlias = Literal[1, 2]
Vocabulary: TypeAlias = frozenset[int] | frozenset[str]

_BATCH_TEXTS = 1000
_JOINED_WORDS = 500


def measure_vocabulary(
    texts: Mapping[str, Texts],
    tokenizer: AnyTokenizer | None = None,
    unit: Unit = "wordpiece",
    equation: Equation = 2,
) -> RelevanceMatrix:
    """Measure the vocabulary co-occurrence of each ordered pair of tasks.

    With V_s and V_t the vocabularies of source s (row) and target t (column):
    equation 1 is r_cs = |V_s & V_t| / |V_s|, equation 2 is r_ct = |V_s & V_t| / |V_t|.

    Args:
        texts: task name to its training texts, one column after the other (`stack_columns`).
        tokenizer: see `extract_vocabulary`.
        unit: see `extract_vocabulary`.
        equation: 2, as in the paper's Table 2, or 1.

    Returns:
        A matrix of fractions, shape [T, T], with ones on the diagonal.

    Raises:
        InputError: for an unknown unit or equation, for texts that are no strings, and for
            every task without any token.
    """
    check_options(unit, equation)
    extract = _make_extractor(tokenizer, unit)
    vocabularies = {task: extract(_find_unique_rows(rows, task)) for task, rows in texts.items()}
    raise_problems(
        f"Parameter `texts` should hold at least one token of task `{task}`. Found none."
        for task, vocabulary in vocabularies.items()
        if not vocabulary
    )
    provenance = {
        "unit": unit,
        "equation": equation,
        "vocabulary_sizes": {task: len(found) for task, found in vocabularies.items()},
        "tokenizer": describe_tokenizer(tokenizer) if unit == "wordpiece" else None,
    }
    values = compute_cooccurrence(list(vocabularies.values()), equation)
    return RelevanceMatrix.from_array(values, list(texts), "vocabulary", provenance)


def check_options(unit: str, equation: int = 2) -> tuple[Unit, Equation]:
    """Return the options if they are known; else raise an `InputError` that names both."""
    problems = []
    if unit not in get_args(Unit):
        problems.append(f"Parameter `unit` should be wordpiece or word. Found `{unit}`.")
    if equation not in get_args(Equation):
        problems.append(f"Parameter `equation` should be 1 or 2. Found `{equation}`.")
    raise_problems(problems)
    return cast("Unit", unit), cast("Equation", equation)


def compute_cooccurrence(
    vocabularies: Sequence[AbstractSet[int] | AbstractSet[str]], equation: Equation = 2
) -> npt.NDArray[np.float64]:
    """Return r_cs (equation 1) or r_ct (equation 2) of non-empty sets, shape [T, T]."""
    shared = np.array([[len(s & t) for t in vocabularies] for s in vocabularies], dtype=np.float64)
    sizes = np.diag(shared)
    return shared / (sizes[:, None] if equation == 1 else sizes[None, :])


def extract_vocabulary(
    texts: Texts, tokenizer: AnyTokenizer | None = None, unit: Unit = "wordpiece"
) -> Vocabulary:
    """Return the vocabulary of a task's training texts.

    Args:
        texts: strings, or an arrow or pandas column of them; missing texts are left out.
        tokenizer: a Hugging Face tokenizer, or a `tokenizers.Tokenizer`. Its truncation and
            padding play no part. `unit="word"` needs none.
        unit: `wordpiece`, the tokenizer's ids but for those of special tokens (whatever its
            algorithm); or `word`, the words of BERT's basic tokenizer: lower-cased, accents
            stripped, cut at white space and on both sides of each punctuation mark and each CJK
            character, which are words too.

    Raises:
        InputError: for an unknown unit, an object that is no tokenizer, texts that are no strings.
    """
    return _make_extractor(tokenizer, unit)(_find_unique_rows(texts))


def stack_columns(table: pa.Table, columns: Iterable[str]) -> pa.ChunkedArray:
    """Return the text columns of an arrow table one after the other, as one column."""
    chunks = [chunk for column in columns for chunk in decode_texts(table[column], column).chunks]
    return pa.chunked_array(chunks, type=pa.large_string())


def describe_tokenizer(tokenizer: AnyTokenizer | None) -> dict[str, object]:
    """Return a tokenizer's identity: its kind, its number of tokens, a hash of its rules."""
    backend = _unwrap(tokenizer)
    if not isinstance(backend, Tokenizer):
        kind, size = type(backend).__name__, len(backend.get_vocab())
        rules = canonical_json([kind, backend.get_vocab()])
    else:
        backend = copy_without_limits(backend)
        kind, size = type(backend.model).__name__, backend.get_vocab_size()
        rules = backend.to_str()
    return {"kind": kind, "size": size, "digest": digest(rules)[:10]}


def _find_unique_rows(texts: Texts, name: str = "texts") -> pa.Array:
    """Return the different texts as an arrow array without nulls."""
    if isinstance(texts, str):
        raise InputError(f"Parameter `{name}` should be several texts. Found one: `{texts[:40]}`.")
    if isinstance(texts, pa.Array | pa.ChunkedArray):
        return pc.unique(decode_texts(texts, name)).drop_null()
    try:
        values = texts if isinstance(texts, pd.Series) else list(texts)
        return pc.unique(pa.array(values, type=pa.large_string())).drop_null()
    except (pa.ArrowException, UnicodeEncodeError, TypeError) as error:
        raise InputError(f"Parameter `{name}` should hold strings. Found: {error}.") from None


def decode_texts(array: pa.Array | pa.ChunkedArray, name: str) -> pa.Array | pa.ChunkedArray:
    """Return texts as large strings.

    Raises:
        InputError: if they are of another type.
    """
    kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    if kind not in (pa.string(), pa.large_string(), pa.string_view()):
        raise InputError(f"Parameter `{name}` should hold strings. Found type `{kind}`.")
    return array.cast(pa.large_string())


def _make_extractor(tokenizer: AnyTokenizer | None, unit: Unit) -> Callable[[pa.Array], Vocabulary]:
    """Return the function from different texts to a vocabulary; what it needs is set up once."""
    check_options(unit)
    if unit == "word":
        return _extract_words
    backend = _unwrap(tokenizer)
    special = frozenset(getattr(tokenizer, "all_special_ids", ()))
    if not isinstance(backend, Tokenizer):
        return lambda rows: _encode_slowly(rows, backend) - special
    return _make_id_extractor(copy_without_limits(backend), special)


def _make_id_extractor(
    backend: Tokenizer, special: frozenset[int]
) -> Callable[[pa.Array], frozenset[int]]:
    added = backend.get_added_tokens_decoder().items()
    special |= {index for index, token in added if token.special}
    splitter = choose_splitter(backend)
    known = _find_plain_words(backend) if splitter.words else {}

    def extract(rows: pa.Array) -> frozenset[int]:
        found = splitter.split(rows)
        ids = {known[piece] for piece in found.pieces if piece in known}
        rest = [piece for piece in found.pieces if piece not in known]
        texts = _join_words(rest) if splitter.words else rest
        return frozenset(ids | _encode([*texts, *found.rows], backend)) - special

    return extract


def _find_plain_words(backend: Tokenizer) -> dict[str, int]:
    """Return the words that WordPiece, which takes the longest match first, leaves whole."""
    model = backend.model
    if not isinstance(model, WordPiece):
        return {}
    longest = model.max_input_chars_per_word
    vocabulary = backend.get_vocab(with_added_tokens=False)
    return {w: i for w, i in vocabulary.items() if w.isascii() and len(w) <= longest}


def _extract_words(rows: pa.Array) -> frozenset[str]:
    normalizer, pre_tokenizer = BertNormalizer(lowercase=True), BertPreTokenizer()
    pieces = WORDS.split(rows).pieces
    words = {piece for piece in pieces if piece.isascii()}
    for piece in pieces:
        if not piece.isascii():
            split = pre_tokenizer.pre_tokenize_str(normalizer.normalize_str(piece))
            words.update(word for word, _ in split)
    return frozenset(words)


class _SlowTokenizer(Protocol):
    """A tokenizer written in Python."""

    def get_vocab(self) -> dict[str, int]: ...

    def __call__(self, text: str, **options: bool) -> Mapping[str, list[int]]: ...


def _unwrap(tokenizer: object) -> Tokenizer | _SlowTokenizer:
    """Return the compiled tokenizer inside, or the tokenizer itself if it is written in Python."""
    backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if isinstance(backend, Tokenizer):
        return backend
    if callable(tokenizer) and hasattr(tokenizer, "get_vocab"):
        return cast("_SlowTokenizer", tokenizer)
    raise InputError(
        f"Parameter `tokenizer` should be a Hugging Face tokenizer. Found `{tokenizer!r}`."
    )


def copy_without_limits(backend: Tokenizer) -> Tokenizer:
    """Return a copy that neither truncates nor pads; the user's tokenizer stays as it is."""
    copy = Tokenizer.from_str(backend.to_str())
    copy.encode_special_tokens = backend.encode_special_tokens
    copy.no_truncation()
    copy.no_padding()
    return copy


def _encode(texts: list[str], backend: Tokenizer) -> set[int]:
    ids: set[int] = set()
    for start in range(0, len(texts), _BATCH_TEXTS):
        batch = texts[start : start + _BATCH_TEXTS]
        for encoding in backend.encode_batch_fast(batch, add_special_tokens=False):
            ids.update(encoding.ids)
    return ids


def _encode_slowly(rows: pa.Array, tokenizer: _SlowTokenizer) -> frozenset[int]:
    ids: set[int] = set()
    for row in rows.to_pylist():
        encoded = tokenizer(row, add_special_tokens=False, truncation=False, verbose=False)
        ids.update(encoded["input_ids"])
    return frozenset(ids)


def _join_words(words: list[str]) -> list[str]:
    """Join words into fewer texts, because each text has a cost of its own."""
    starts = range(0, len(words), _JOINED_WORDS)
    return [" ".join(words[start : start + _JOINED_WORDS]) for start in starts]
