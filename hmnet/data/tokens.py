"""Texts to tokens: what a stock tokenizer would return, in flat arrays.

Each distinct text is tokenised once, without special tokens; examples are then put together with
numpy, by a template that is read off the tokenizer.

Legend: N examples, M tokens of a split in all, S segments (text columns) of an example, W words
of all examples.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from hmnet.data.labels import LabelArray
from hmnet.data.raw import RawSplit
from hmnet.data.word_spans import Words, index_spans, make_offsets
from hmnet.errors import InputError
from hmnet.storage.digests import canonical_json, digest

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

Ints = npt.NDArray[np.int64]
Tokens = npt.NDArray[np.int32]

_TEXTS_PER_CALL = 4096  # bounds the memory of the tokenizer's own objects
_ROWS_PER_GATHER = 16384  # bounds the memory of the index that puts examples together


@dataclass(frozen=True)
class SplitData:
    """One tokenised split.

    Attributes:
        tokens: ids of all examples, one after the other, special tokens included, int32 [M].
        offsets: example i is `tokens[offsets[i]:offsets[i + 1]]`, int64 [N + 1].
        first: tokens of each example that have segment id 0 (the others have 1), int32 [N].
        labels: class codes (int64) or values (float32), [N]; of a kind per word, [W].
        rows: row numbers in the source's split, int64 [N].
        questions: which question each answer belongs to, -1 where there is none, int64 [N].
        truncated: number of examples that lost tokens to the maximal length.
        word_offsets: example i has the words `word_offsets[i]:word_offsets[i + 1]`, int64
            [N + 1]; None where examples have one label each, as the next.
        places: which of its example's tokens is the first piece of each word, int32 [W]; -1 where
            that was lost to the maximal length, or the tokenizer makes nothing of the word.
    """

    tokens: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]
    first: npt.NDArray[np.int32]
    labels: LabelArray
    rows: npt.NDArray[np.int64]
    questions: npt.NDArray[np.int64]
    truncated: int = 0
    word_offsets: npt.NDArray[np.int64] | None = None
    places: npt.NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def select(self, index: Ints) -> SplitData:
        """Return the examples `index`, [n], in memory; how many are truncated is not known."""
        words = None if self.word_offsets is None else self.find_words(index)
        counts = None if self.word_offsets is None else np.diff(self.word_offsets)[index]
        lengths = self.lengths[index]
        return SplitData(
            tokens=self.tokens[index_spans(self.offsets[index], lengths)],
            offsets=make_offsets(lengths),
            first=self.first[index],
            labels=self.labels[index if words is None else words],
            rows=self.rows[index],
            questions=self.questions[index],
            word_offsets=None if counts is None else make_offsets(counts),
            places=None if self.places is None or words is None else self.places[words],
        )

    def count_answers(self, index: Ints) -> int:
        """Return how many labels of the examples `index` a model is trained on, and scored by."""
        if self.word_offsets is None or self.places is None:
            return len(index)
        return int((self.places[self.find_words(index)] >= 0).sum())

    def find_words(self, index: Ints) -> Ints:
        """Return the numbers of the words of the examples `index`, in their order."""
        if self.word_offsets is None:
            return np.empty(0, dtype=np.int64)
        begins = self.word_offsets[index]
        return index_spans(begins, self.word_offsets[index + 1] - begins)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each example, [N]."""
        return np.diff(self.offsets)


class KnownTexts:
    """Tokens of texts that one tokenizer met before: for several tasks on the same texts.

    Attributes:
        count: how many texts were tokenised.
    """

    def __init__(self) -> None:
        self.count = 0
        self._tokens: dict[str, Tokens] = {}

    def encode(self, backend: Tokenizer, texts: Sequence[str]) -> tuple[Tokens, Ints]:
        """Return what `_encode` does; only new texts are tokenised."""
        new = [text for text in texts if text not in self._tokens]
        self.count += len(new)
        if new:
            flat, sizes = _encode(backend, new)
            self._tokens.update(zip(new, np.split(flat, np.cumsum(sizes)[:-1]), strict=True))
        found = [self._tokens[text] for text in texts]
        return np.concatenate(found), np.fromiter(map(len, found), np.int64, len(found))


def tokenise(
    rows: RawSplit,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    known: KnownTexts | None = None,
) -> SplitData:
    """Tokenise the rows of one split.

    Special tokens stand where the tokenizer puts them for a pair; a third segment follows as the
    second follows the first. Truncation takes tokens from the longest segment first.

    Args:
        known: texts that the tokenizer met before; new ones are added.

    Raises:
        InputError: if the tokenizer is not a fast one, or does not suit.
    """
    columns = rows.texts
    codes, texts = pd.factorize(np.array(list(itertools.chain(*columns)), dtype=object))
    with _plain_backend(tokenizer) as backend:
        template = _learn_template(tokenizer, backend, len(columns))
        spans: list[Ints] = []
        if rows.words is not None:
            flat, sizes, *spans = _encode_with_spans(backend, texts.tolist())
        else:
            encode = _encode if known is None else known.encode
            flat, sizes = encode(backend, texts.tolist())
    which = codes.reshape(len(columns), -1).T  # [N, S]
    lengths = sizes[which]
    kept = cut_longest(lengths, _budget(template, max_length))
    starts = (np.cumsum(sizes) - sizes)[which]
    if tokenizer.truncation_side == "left":
        starts = starts + lengths - kept
    tokens, offsets = _assemble(template, flat, starts, kept)
    first = template.first_specials + kept[:, : template.first_segments].sum(axis=1)
    places = None
    if rows.words is not None:
        found = _find_pieces(rows.words, which[:, 0], *spans)
        pieces = found - np.repeat(starts[:, 0], rows.words.counts)
        is_within = (pieces >= 0) & (pieces < np.repeat(kept[:, 0], rows.words.counts))
        is_kept = is_within & (found >= 0)
        places = np.where(is_kept, pieces + len(template.specials[0]), -1).astype(np.int32)
    return SplitData(
        tokens=tokens,
        offsets=offsets,
        first=first.astype(np.int32),
        labels=rows.labels,
        rows=rows.rows,
        questions=rows.questions,
        truncated=int((kept < lengths).any(axis=1).sum()),
        word_offsets=None if rows.words is None else rows.words.offsets,
        places=places,
    )


def _find_pieces(words: Words, which: Ints, begins: Ints, ends: Ints, owners: Ints) -> Ints:
    """Return which token of all distinct texts' begins each word, [W]; -1 where none does.

    Args:
        which: the distinct text of each row, [N].
        begins, ends: the characters of each token in its text, in order, [tokens].
        owners: the distinct text of each token, ascending, [tokens].
    """
    beyond = max(int(ends.max(initial=0)), int(words.ends.max(initial=0))) + 1
    text = np.repeat(which, words.counts)
    found = np.searchsorted(owners * beyond + ends, text * beyond + words.starts, side="right")
    inside = np.minimum(found, len(ends) - 1)
    is_own = (found < len(ends)) & (owners[inside] == text) & (begins[inside] < words.ends)
    return np.where(is_own, found, -1)


def _budget(template: Template, max_length: int) -> int:
    """Return the tokens that are left for the segments."""
    specials = sum(len(piece) for piece in template.specials)
    if specials >= max_length:
        raise InputError(
            f"Parameter `max_length` should be more than the {specials} special tokens of an "
            f"example. Found `{max_length}`."
        )
    return max_length - specials


def cut_longest(lengths: Ints, budget: int) -> Ints:
    """Return how many tokens each segment keeps, [N, S], at most `budget` an example.

    Tokens are taken from the longest segment until all fit: the shortest segment keeps all that
    is within its equal share of the budget, the next shortest its equal share of the rest, and
    so on. Of equally long segments, the later ones keep the odd tokens, as in the tokenizers'
    `longest_first`.

    Args:
        lengths: tokens of each segment, shape [N, S].
    """
    order = np.argsort(lengths, axis=1, kind="stable")
    kept = np.empty_like(lengths)
    rest = np.full(len(lengths), budget)
    segments = lengths.shape[1]
    for rank in range(segments):
        at = order[:, rank, None]
        share = rest // (segments - rank)
        keep = np.minimum(np.take_along_axis(lengths, at, axis=1)[:, 0], share)
        np.put_along_axis(kept, at, keep[:, None], axis=1)
        rest = rest - keep
    return kept


def _assemble(template: Template, flat: Tokens, starts: Ints, kept: Ints) -> tuple[Tokens, Ints]:
    """Put special tokens and segments together.

    Args:
        flat: tokens of all distinct texts, one after the other.
        starts: where each segment's tokens begin in it, [N, S].
        kept: how many of them to take, [N, S].

    Returns:
        The tokens of all examples, [M], and their offsets, [N + 1].
    """
    rows, segments = starts.shape
    sizes = np.array([len(piece) for piece in template.specials])
    stock = np.concatenate([*template.specials, flat])
    begins = np.empty((rows, 2 * segments + 1), dtype=np.int64)
    spans = np.empty_like(begins)
    begins[:, ::2], spans[:, ::2] = np.cumsum(sizes) - sizes, sizes
    begins[:, 1::2], spans[:, 1::2] = starts + sizes.sum(), kept
    offsets = np.concatenate([[0], np.cumsum(spans.sum(axis=1))])
    tokens = np.empty(offsets[-1], dtype=np.int32)
    for low in range(0, rows, _ROWS_PER_GATHER):
        high = min(low + _ROWS_PER_GATHER, rows)
        part = slice(offsets[low], offsets[high])
        tokens[part] = stock[index_spans(begins[low:high].ravel(), spans[low:high].ravel())]
    return tokens, offsets


# The tokenizer


def identify_tokenizer(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return 32 hex digits of all that decides a tokenizer's ids.

    Its truncation and padding do not count: they change with every call of it.

    Raises:
        InputError: if the tokenizer is not a fast one.
    """
    with _plain_backend(tokenizer) as backend:
        content = backend.to_str()
    segments = "token_type_ids" in tokenizer.model_input_names
    options = [segments, tokenizer.truncation_side, bool(tokenizer.split_special_tokens)]
    return digest(content, canonical_json(options))


@contextmanager
def _plain_backend(tokenizer: PreTrainedTokenizerBase) -> Iterator[Tokenizer]:
    """Lend a tokenizer's backend without truncation and padding, and restore them.

    A saved tokenizer carries settings of its own, and every call of it leaves others behind.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise InputError(
            "Parameter `tokenizer` should be a fast tokenizer of transformers (one that has a "
            f"`tokenizer.json`). Found `{type(tokenizer).__name__}`."
        )
    backend = tokenizer.backend_tokenizer
    truncation, padding = backend.truncation, backend.padding
    split_special = backend.encode_special_tokens
    backend.no_truncation()
    backend.no_padding()
    backend.encode_special_tokens = tokenizer.split_special_tokens
    try:
        yield backend
    finally:
        backend.encode_special_tokens = split_special
        if truncation is not None:
            backend.enable_truncation(**truncation)
        if padding is not None:
            backend.enable_padding(**padding)


def _encode(backend: Tokenizer, texts: Sequence[str]) -> tuple[Tokens, Ints]:
    """Return the tokens of all texts, one after the other, and how many each has."""
    flats, sizes = [], []
    for low in range(0, len(texts), _TEXTS_PER_CALL):
        batch = texts[low : low + _TEXTS_PER_CALL]
        ids = [e.ids for e in backend.encode_batch_fast(batch, add_special_tokens=False)]
        sizes.append(np.fromiter(map(len, ids), np.int64, len(ids)))
        flats.append(np.fromiter(itertools.chain(*ids), np.int32, int(sizes[-1].sum())))
    return np.concatenate(flats), np.concatenate(sizes)


def _encode_with_spans(
    backend: Tokenizer, texts: Sequence[str]
) -> tuple[Tokens, Ints, Ints, Ints, Ints]:
    """Return what `_encode` does, and each token's first and last character and its text."""
    found = []
    for low in range(0, len(texts), _TEXTS_PER_CALL):
        batch = texts[low : low + _TEXTS_PER_CALL]
        found += backend.encode_batch(batch, add_special_tokens=False)
    sizes = np.fromiter((len(e.ids) for e in found), np.int64, len(found))
    total = int(sizes.sum())
    flat = np.fromiter(itertools.chain.from_iterable(e.ids for e in found), np.int32, total)
    ends = (span for e in found for span in e.offsets)
    spans = np.fromiter(itertools.chain.from_iterable(ends), np.int64, 2 * total).reshape(-1, 2)
    owners = np.repeat(np.arange(len(texts)), sizes)
    return flat, sizes, spans[:, 0], spans[:, 1], owners


@dataclass(frozen=True)
class Template:
    """The special tokens around the S segments of an example.

    Attributes:
        specials: those before the first segment, between two, and after the last; S + 1 arrays.
        first_specials: how many of them have segment id 0.
        first_segments: how many segments have segment id 0.
    """

    specials: tuple[Tokens, ...]
    first_specials: int
    first_segments: int


def learn_template(tokenizer: PreTrainedTokenizerBase, segments: int) -> Template:
    """Return the special tokens around some number of texts, as the tokenizer places them.

    Raises:
        InputError: if the tokenizer is not a fast one, or does not suit.
    """
    with _plain_backend(tokenizer) as backend:
        return _learn_template(tokenizer, backend, segments)


def _learn_template(
    tokenizer: PreTrainedTokenizerBase, backend: Tokenizer, segments: int
) -> Template:
    """Read the template off the tokenizer's encoding of one text, or of a pair."""
    probe = backend.encode("a") if segments == 1 else backend.encode("a", "a")
    has_segments = "token_type_ids" in tokenizer.model_input_names
    kinds = np.array(probe.type_ids) if has_segments else np.zeros(len(probe.ids), dtype=np.int64)
    ids = np.array(probe.ids, dtype=np.int32)
    owners = np.array([-1 if owner is None else owner for owner in probe.sequence_ids])
    bounds = [np.flatnonzero(owners == segment) for segment in range(min(segments, 2))]
    if any(len(bound) == 0 for bound in bounds) or bounds[0][0] == 0:
        raise InputError(
            "Parameter `tokenizer` should begin an example with a special token, which the "
            f"encoder's head reads. Found tokens `{probe.tokens}` for the text `a`."
        )
    cuts = [0, *(i for bound in bounds for i in (bound[0], bound[-1] + 1)), len(ids)]
    pieces = [slice(cuts[i], cuts[i + 1]) for i in range(len(cuts) - 1)]
    specials = [ids[piece] for piece in pieces[::2]]
    special_kinds = [kinds[piece] for piece in pieces[::2]]
    segment_kinds = [int(kinds[bound[0]]) for bound in bounds]
    for _ in range(segments - 2):  # a third segment follows the second as that follows the first
        specials.insert(-1, specials[1])
        special_kinds.insert(-1, np.full_like(special_kinds[1], segment_kinds[1]))
        segment_kinds.append(segment_kinds[1])
    return _make_template(specials, special_kinds, segment_kinds)


def _make_template(
    specials: Sequence[Tokens], special_kinds: Sequence[Ints], segment_kinds: Sequence[int]
) -> Template:
    """Check that segment ids are zeros, then ones; they are stored as one number."""
    between = itertools.zip_longest(special_kinds, segment_kinds)
    order = [
        int(kind) for piece, own in between for kind in (*piece, *([] if own is None else [own]))
    ]
    if order != sorted(order) or not set(order) <= {0, 1}:
        raise InputError(
            "Parameter `tokenizer` should give segment ids that are 0 first and 1 then. "
            f"Found {order} for the special tokens and segments of an example."
        )
    first_specials = sum(int((piece == 0).sum()) for piece in special_kinds)
    return Template(tuple(specials), first_specials, segment_kinds.count(0))
