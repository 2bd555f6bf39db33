r"""Cutting a corpus into different pieces that a tokenizer treats alike wherever they stand.

The vocabulary of a corpus is then the union of what its different pieces give, and most of the
corpus needs no tokenising. Three routes, chosen by what the tokenizer says of itself; all exact:

    words    BERT's normaliser and pre-tokenizer: control characters are dropped, white space and
             punctuation separate; only their ASCII part is done here, the tokenizer does the rest
    spaces   byte-level pre-tokenizers: a piece begins with the space before its word
    rows     any other tokenizer: the different rows are tokenised whole

On the first two routes a row that holds an added token ("[SEP]") is tokenised whole, and words
that might make up such a token ("covid", added to an uncased tokenizer) forbid the first.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
from tokenizers import Tokenizer
from tokenizers.normalizers import NFC, BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer, ByteLevel

Cut: TypeAlias = Callable[[list[bytes]], pa.Array]
"""From some rows to their different pieces, an array of byte strings."""

_SLICE_ROWS = 1000
_UPPER, _LOWER = string.ascii_uppercase.encode(), string.ascii_lowercase.encode()
_MARKS = string.punctuation.encode()
_SPACES = b" \t\n\r"
_CONTROLS = bytes(code for code in (*range(32), 127) if code not in _SPACES)
# All that any definition calls white space: fewer cuts are exact too.
_WHITE_SPACE = tuple(chr(i).encode() for i in range(0x3001) if chr(i).isspace() or i == 0x180E)
_CUT = b"\xff"  # a byte that UTF-8 never uses


@dataclass(frozen=True)
class Pieces:
    """A corpus in pieces.

    Attributes:
        pieces: the different pieces.
        rows: the rows that are to be tokenised whole.
    """

    pieces: list[str]
    rows: list[str]


@dataclass(frozen=True)
class Splitter:
    """How a corpus is cut.

    Attributes:
        cut: gives the different pieces of some rows; none where all rows stay whole.
        words: whether pieces are words, which a space may join to any other.
        added: tokens matched in the raw text; a row that holds one stays whole.
    """

    cut: Cut | None = None
    words: bool = False
    added: tuple[bytes, ...] = ()

    def split(self, rows: pa.Array) -> Pieces:
        """Return the different pieces of `rows`, an arrow array of strings without nulls."""
        if self.cut is None:
            return Pieces([], rows.to_pylist())
        content = rows.cast(pa.large_binary())
        with ThreadPoolExecutor() as pool:  # arrow's functions run side by side
            split = partial(self._split_slice, self.cut, content)
            parts = list(pool.map(split, range(0, len(rows), _SLICE_ROWS)))
        pieces = pa.chunked_array([part for part, _ in parts], pa.large_binary())
        unique = [piece.decode() for piece in pc.unique(pieces).to_pylist() if piece]
        return Pieces(unique, [row.decode() for _, whole in parts for row in whole])

    def _split_slice(self, cut: Cut, content: pa.Array, start: int) -> tuple[pa.Array, set[bytes]]:
        rows = content.slice(start, _SLICE_ROWS).to_pylist()
        whole = self._find_added(rows)
        return cut([row for row in rows if row not in whole] if whole else rows), whole

    def _find_added(self, rows: list[bytes]) -> set[bytes]:
        text = _CUT.join(rows)
        present = [token for token in self.added if token in text]
        return {row for token in present for row in rows if token in row}


def choose_splitter(backend: Tokenizer) -> Splitter:
    """Return the finest splitter that is exact for a tokenizer."""
    normalizer, pre_tokenizer = backend.normalizer, backend.pre_tokenizer
    tokens = list(backend.get_added_tokens_decoder().values())
    if normalizer is not None and any(token.normalized for token in tokens):
        return Splitter()  # matched in the normalised text, which only the tokenizer knows
    names = [token.content for token in tokens]
    added = tuple(name.encode() for name in names)
    if (
        isinstance(normalizer, BertNormalizer)
        and normalizer.clean_text
        and isinstance(pre_tokenizer, BertPreTokenizer)
        and not any(_may_arise(name) for name in names)
    ):
        return Splitter(partial(cut_words, lowercase=normalizer.lowercase), True, added)
    if (
        (normalizer is None or isinstance(normalizer, NFC))
        and isinstance(pre_tokenizer, ByteLevel)
        and pre_tokenizer.use_regex
    ):
        return Splitter(cut_at_spaces, False, added)
    return Splitter()


def _may_arise(token: str) -> bool:
    """Tell whether words joined by spaces may hold an added token that no row holds.

    "covid" may, from "COVID"; "[SEP]" may not, because each mark stands alone among words.
    """
    return " " in token or len(token) == 1 or not any(mark in token for mark in string.punctuation)


def cut_words(rows: list[bytes], lowercase: bool) -> pa.Array:
    r"""Cut where BERT's pre-tokenizer would, as far as ASCII decides.

    Characters beyond ASCII stay, so that the tokenizer itself treats them. Control characters go
    first, because "a\x1fb" is one word to BERT.
    """
    text = b" ".join(rows)
    upper, lower = (_UPPER, _LOWER) if lowercase else (b"", b"")
    table = bytes.maketrans(upper + _MARKS + _SPACES, lower + b" " * len(_MARKS + _SPACES))
    words = _find_unique(text.translate(table, _CONTROLS), b" ")
    marks = pa.array([bytes([mark]) for mark in _MARKS if mark in text], pa.large_binary())
    return pa.concat_arrays([words, marks])


WORDS = Splitter(partial(cut_words, lowercase=True), words=True)
"""The words of BERT's basic tokenizer, whatever the tokenizer."""


def cut_at_spaces(rows: list[bytes]) -> pa.Array:
    """Cut before each space that does not follow white space.

    The byte-level pattern never matches across such a place, and looks no further: its one
    look-ahead follows white space. So a run of white space stays with the word after it.
    """
    text = _CUT.join(rows).replace(b" ", _CUT + b" ")
    for space in _WHITE_SPACE:
        while space + _CUT + b" " in text:
            text = text.replace(space + _CUT + b" ", space + b" ")
    return _find_unique(text, _CUT)


def _find_unique(text: bytes, separator: bytes) -> pa.Array:
    pieces = pc.split_pattern(pa.array([text], pa.large_binary()), pattern=separator)
    return pc.unique(pieces.flatten())
