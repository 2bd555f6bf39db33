"""CoNLL files: a word a line with its columns, an empty line between sentences.

Columns are separated by tabs where a line has one, else by blanks. They are named `column1`,
`column2`, ...; the first is also `words` and the last `tags`. In CoNLL-U (`.conllu`) they have the
names of that format, in small letters, and its second and fourth are `words` and `tags`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from hmnet.data.rows import Rows, list_needed
from hmnet.data.text_files import FormatError, find_encoding, open_text
from hmnet.errors import shorten
from hmnet.storage import limits

CONLL_SUFFIXES = (".conll", ".bio", ".iob", ".conllu")
_CONLLU = ".conllu"
_CONLLU_COLUMNS = (
    "id",
    "form",
    "lemma",
    "upos",
    "xpos",
    "feats",
    "head",
    "deprel",
    "deps",
    "misc",
)

Sentence = list[list[str]]
"""The columns of each word of a sentence."""


def read_conll(path: Path, suffix: str, wanted: Sequence[str]) -> Rows:
    """Read a row per sentence; each column is a list of one entry a word.

    Raises:
        FormatError: that names the first line with another number of columns.
        LimitError: if the file is beyond a limit.
    """
    encoding = find_encoding(path)
    with open_text(path, encoding) as file:
        found = list(_read_sentences(limits.read_lines(file), is_conllu=suffix == _CONLLU))
    width = len(found[0][1][0]) if found else 0
    names = _name_columns(width, suffix)
    needed = list_needed(tuple(names), wanted)
    arrays = [
        pa.array([[word[names[name]] for word in sentence] for _, sentence in found])
        for name in needed
    ]
    lines = np.array([line for line, _ in found], dtype=np.int64)
    notes = () if encoding.note is None else (f"`{path.name}` is {encoding.note}",)
    return Rows(pa.table(arrays, names=needed), tuple(names), lines=lines, notes=notes)


def _name_columns(width: int, suffix: str) -> dict[str, int]:
    """Return the number of the column that each name stands for."""
    if suffix == _CONLLU and width == len(_CONLLU_COLUMNS):
        return {"words": 1, "tags": 3} | {name: i for i, name in enumerate(_CONLLU_COLUMNS)}
    ends = {"words": 0, "tags": width - 1} if width else {}
    return ends | {f"column{i + 1}": i for i in range(width)}


def _read_sentences(lines: Iterator[str], *, is_conllu: bool) -> Iterator[tuple[int, Sentence]]:
    """Yield the line on which each sentence begins, from 1, and its words."""
    sentence: Sentence = []
    begin, width = 0, 0
    for number, line in enumerate(lines, start=1):
        columns = line.rstrip("\r\n").split("\t") if "\t" in line else line.split()
        if not any(each.strip() for each in columns) or columns[0].startswith("-DOCSTART-"):
            if sentence:
                yield begin, sentence
            begin, sentence = 0, []
            continue
        if is_conllu and _is_no_word(line, columns[0]):
            continue
        width = width or len(columns)
        if len(columns) != width or width < 2:
            raise FormatError(
                f"line {number}: {len(columns)} columns, `{shorten(line.strip())}`, where "
                f"{max(width, 2)} are expected: each line should hold a word and its tag"
            )
        begin = begin or number
        sentence.append([each.strip() for each in columns])
        limits.check_most(number, limits.MAX_ROWS, "lines")
    if sentence:
        yield begin, sentence


def _is_no_word(line: str, first: str) -> bool:
    """Tell whether a line of CoNLL-U is a comment, a range of words or an empty node."""
    return line.startswith("#") or "-" in first or "." in first
