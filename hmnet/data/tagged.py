"""Rows whose words have tags, as texts with the place of each word in them.

- Words are a list, a text with a blank between two, or what `split_words` finds in a text.
- Tags are a list, a text with a blank between two, or entities as character spans of the text.
- Whatever the scheme in which a file writes entities (BIO, IOB1, BILOU or BIOES, types alone), they
  are read as BIO, where the task lists such tags. Plain tags are read as they are.
- A list of words becomes a text with a blank between two, so that an exported model, which is given
  texts, sees what was trained on.

Legend: N rows, W words of all rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hmnet.data.columns import check_filled, is_text, take
from hmnet.data.rows import Rows
from hmnet.data.word_spans import Words, make_offsets
from hmnet.errors import InputError, shorten, suggest
from hmnet.study.tag_codes import OUTSIDE, is_bio
from hmnet.study.tasks import Task

Span = tuple[int, int]
"""First character, and the one after the last."""
Prefixed = tuple[str, str]
"""`B`, `I`, `L` or `U` and a type; both empty for `O`."""

_WORD = re.compile(r"\w+|[^\w\s]")
_PREFIXES = {"B": "B", "I": "I", "L": "L", "E": "L", "U": "U", "S": "U", "M": "I"}
_STARTS = ("start", "begin", "start_offset", "start_char")
_ENDS = ("end", "end_offset", "end_char")
_TYPES = ("label", "type", "tag", "entity", "entity_group")


@dataclass(frozen=True)
class TaggedRows:
    """Rows whose words have tags.

    Attributes:
        texts: of the N rows.
        words: where the words are in them.
        labels: codes of tags, int64 [W].
        rows: the numbers of the rows that have words, int64 [N].
        notes: a sentence for each oddity.
    """

    texts: list[str]
    words: Words
    labels: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    notes: tuple[str, ...] = ()


def split_words(text: str) -> list[Span]:
    """Return where the words of a text are: runs of letters and digits, and other signs alone.

    >>> split_words("It's 5.")
    [(0, 2), (2, 3), (3, 4), (5, 6), (6, 7)]
    """
    return [match.span() for match in _WORD.finditer(text)]


def lay_out_words(words: Sequence[str]) -> tuple[str, list[Span]]:
    """Return words as a text with a blank between two, and where each is.

    >>> lay_out_words(["New York", "wins"])
    ('New York wins', [(0, 8), (9, 13)])
    """
    begin, spans = 0, []
    for word in words:
        spans.append((begin, begin + len(word)))
        begin += len(word) + 1
    return " ".join(words), spans


def read_tagged(rows: Rows, task: Task) -> TaggedRows:
    """Read the words and tags of a split.

    Raises:
        InputError: if a column is none of words or of tags, rows differ in how many they have, or
            a tag is unknown.
    """
    texts, found = take(rows, task.text[0], "text"), take(rows, task.label, "label")
    check_filled(texts, rows, task.text[0], "text")
    check_filled(found, rows, task.label, "label")
    if _holds_spans(found):
        lines, spans, tags, notes = _read_spans(texts, found, rows, task)
    else:
        lines, spans = _read_words(texts, rows, task.text[0], _split_at_blanks)
        tags, notes = _read_tags(found, rows, task), []
    _check_counts(spans, tags, rows, task)
    kept = [row for row, each in enumerate(spans) if each]
    if not kept:
        raise InputError(
            f"Parameter `text` should name a column with words. Found none in "
            f"column `{task.text[0]}`."
        )
    if len(kept) < len(spans):
        notes.append(
            f"{len(spans) - len(kept):,} of {len(spans):,} rows are left out, as they have no words"
        )
    coded, said = _number([tags[row] for row in kept], kept, rows, task)
    return TaggedRows(
        [lines[row] for row in kept],
        place_words([spans[row] for row in kept]),
        coded,
        np.array(kept, dtype=np.int64),
        (*notes, *said),
    )


def read_words(rows: Rows, name: str) -> tuple[list[str], Words]:
    """Return the texts of a column of words or of texts, and where their words are.

    Raises:
        InputError: if the column is missing, has missing values, or holds something else.
    """
    column = take(rows, name, "text")
    check_filled(column, rows, name, "text")
    texts, spans = _read_words(column, rows, name, split_words)
    return texts, place_words(spans)


def place_words(spans: Sequence[Sequence[Span]]) -> Words:
    """Return the words of rows from where each is in its row's text."""
    flat = np.array([span for row in spans for span in row], dtype=np.int64).reshape(-1, 2)
    counts = np.array([len(row) for row in spans], dtype=np.int64)
    return Words(make_offsets(counts), flat[:, 0], flat[:, 1])


# Words


def _read_words(
    column: pa.ChunkedArray, rows: Rows, name: str, split: Callable[[str], list[Span]]
) -> tuple[list[str], list[list[Span]]]:
    """Return the texts of a column, and where the words are in them.

    Args:
        split: finds the words of a text that is no list of them.
    """
    if is_text(column.type):
        texts = column.to_pylist()
        return texts, [split(text) for text in texts]
    if not _is_list(column.type) or not is_text(column.type.value_type):
        raise InputError(
            f"Parameter `text` should name a column of words or of texts. Found {column.type} in "
            f"column `{name}`, such as `{shorten(column[0].as_py())}` in {rows.describe_place(0)}."
        )
    joined = []
    for row, words in enumerate(column.to_pylist()):
        if any(word is None for word in words):
            raise InputError(
                f"Parameter `text` should name a column without missing words. Found one in "
                f"{rows.describe_place(row)} of column `{name}`."
            )
        joined.append(lay_out_words(words))
    return [text for text, _ in joined], [spans for _, spans in joined]


def _split_at_blanks(text: str) -> list[Span]:
    return [match.span() for match in re.finditer(r"\S+", text)]


def _is_list(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


# Tags


def _read_tags(column: pa.ChunkedArray, rows: Rows, task: Task) -> list[list[str]]:
    """Return the tags of each row as the file writes them."""
    if is_text(column.type):
        return [text.split() for text in column.to_pylist()]
    kind = column.type.value_type if _is_list(column.type) else None
    if kind is None or not (is_text(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind)):
        raise InputError(
            f"Parameter `label` should name a column of tags, a list or a text with a blank "
            f"between two, or of spans with start, end and label. Found {column.type} in column "
            f"`{task.label}`, such as `{shorten(column[0].as_py())}` in {rows.describe_place(0)}."
        )
    names = rows.class_names or tuple(map(str, task.labels))
    return [
        [_name(tag, names, rows.describe_place(row), task) for tag in tags]
        for row, tags in enumerate(column.to_pylist())
    ]


def _name(tag: str | int | None, names: Sequence[str], place: str, task: Task) -> str:
    if isinstance(tag, str):
        return tag
    if tag is not None and 0 <= tag < len(names):
        return names[tag]
    raise InputError(
        f"Parameter `label` should name a column of tags, or their codes 0 to {len(names) - 1}. "
        f"Found `{tag}` in {place} of column `{task.label}`."
    )


def _check_counts(
    spans: Sequence[Sequence[Span]], tags: Sequence[Sequence[str]], rows: Rows, task: Task
) -> None:
    pairs = enumerate(zip(spans, tags, strict=True))
    wrong = [(row, len(a), len(b)) for row, (a, b) in pairs if len(a) != len(b)]
    if wrong:
        row, words, found = wrong[0]
        raise InputError(
            f"Parameter `label` should name a column with a tag for each word of column "
            f"`{task.text[0]}`. Found {found} tags for {words} words in "
            f"{rows.describe_place(row)} of column `{task.label}`; {len(wrong):,} rows differ."
        )


def _number(
    tags: Sequence[Sequence[str]], numbers: Sequence[int], rows: Rows, task: Task
) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Return the codes of all tags, and a sentence where they were written in another scheme."""
    labels = [str(label) for label in task.labels]
    notes: list[str] = []
    if is_bio(labels):
        scheme = find_scheme(tags) if task.scheme == "auto" else task.scheme
        written, tags = tags, [to_bio(row, scheme) for row in tags]
        changed = sum(
            one != other
            for row in zip(written, tags, strict=True)
            for one, other in zip(*row, strict=True)
        )
        if changed:
            notes.append(
                f"{changed:,} tags in column `{task.label}`, in {_SHOWN[scheme]}, are read "
                "as those of the same entities in BIO"
            )
    codes = {label: code for code, label in enumerate(labels)}
    for row, found in zip(numbers, tags, strict=True):
        if unknown := next((tag for tag in found if tag not in codes), None):
            raise InputError(
                f"Parameter `label` should name a column of the declared tags, {labels}. Found "
                f"`{shorten(unknown)}` in {rows.describe_place(row)} of column `{task.label}`."
                f"{suggest(unknown, labels)}"
            )
    return np.array([codes[tag] for row in tags for tag in row], dtype=np.int64), notes


_SHOWN = {"bio": "BIO or IOB", "bilou": "BILOU or BIOES", "io": "types without prefixes"}
"""Schemes in words."""


def find_scheme(tags: Sequence[Sequence[str]]) -> str:
    """Tell the scheme that entities are written in from the tags themselves.

    >>> find_scheme([["O", "B-a", "L-a"]]), find_scheme([["B-a", "I-a"]]), find_scheme([["a", "O"]])
    ('bilou', 'bio', 'io')
    """
    prefixes = {tag[0] for row in tags for tag in row if len(tag) > 2 and tag[1] in "-_"}
    if prefixes & set("LEUSM") and prefixes <= set(_PREFIXES):
        return "bilou"
    return "bio" if prefixes and prefixes <= set("BI") else "io"


def to_bio(tags: Sequence[str], scheme: str) -> list[str]:
    """Return the tags of a sentence in BIO: each entity's first word `B-`, its others `I-`.

    >>> to_bio(["U-a", "B-b", "L-b", "I-b"], "bilou"), to_bio(["I-a", "B-a", "O"], "bio")
    (['B-a', 'B-b', 'I-b', 'B-b'], ['B-a', 'B-a', 'O'])
    >>> to_bio(["a", "a", "b"], "io")
    ['B-a', 'I-a', 'B-b']
    """
    found, before = [], ("", "")
    for prefix, kind in (_split_tag(tag, scheme) for tag in tags):
        begins = prefix in ("B", "U") or kind != before[1] or before[0] in ("L", "U")
        found.append(f"{'B' if begins else 'I'}-{kind}" if kind else OUTSIDE)
        before = prefix, kind
    return found


def _split_tag(tag: str, scheme: str) -> Prefixed:
    if tag in (OUTSIDE, "_", ""):
        return "", ""
    if scheme == "io":
        return "I", tag
    if len(tag) > 2 and tag[1] in "-_" and tag[0] in _PREFIXES:
        return _PREFIXES[tag[0]], tag[2:]
    return "B", tag  # of no type that a task lists, so that it is refused by its name


# Spans


def _holds_spans(column: pa.ChunkedArray) -> bool:
    return _is_list(column.type) and pa.types.is_struct(column.type.value_type)


def _read_spans(
    texts: pa.ChunkedArray, column: pa.ChunkedArray, rows: Rows, task: Task
) -> tuple[list[str], list[list[Span]], list[list[str]], list[str]]:
    """Return texts, their words, the words' tags, and a sentence for spans that do not fit them."""
    if not is_text(texts.type):
        raise InputError(
            f"Parameter `text` should name a column of texts where column `{task.label}` holds "
            f"spans of characters. Found {texts.type} in column `{task.text[0]}`."
        )
    fields = _find_fields(column.type.value_type, task)
    lines = texts.to_pylist()
    spans = [split_words(text) for text in lines]
    tags, cut, lost = [], 0, 0
    for row, (words, given) in enumerate(zip(spans, column.to_pylist(), strict=True)):
        entities = [
            _read_span(each, fields, lines[row], rows.describe_place(row)) for each in given
        ]
        own, own_cut, own_lost = _tag_words(words, entities)
        tags.append(own)
        cut, lost = cut + own_cut, lost + own_lost
    notes = []
    if cut:
        notes.append(
            f"{cut:,} spans in column `{task.label}` begin or end inside of a word, which "
            "is taken whole"
        )
    if lost:
        notes.append(
            f"{lost:,} spans in column `{task.label}` are left out: they hold no word, or "
            "a longer span holds one of theirs"
        )
    return lines, spans, tags, notes


def _find_fields(kind: pa.DataType, task: Task) -> tuple[str, str, str]:
    names = [field.name for field in kind]
    found = [next((n for n in known if n in names), "") for known in (_STARTS, _ENDS, _TYPES)]
    if "" in found:
        raise InputError(
            f"Parameter `label` should name a column of spans with `start`, `end` and `label`. "
            f"Found the fields {names} in column `{task.label}`."
        )
    return found[0], found[1], found[2]


def _read_span(
    given: Mapping[str, object], fields: tuple[str, str, str], text: str, place: str
) -> tuple[int, int, str]:
    start, end, kind = (given[field] for field in fields)
    is_whole = isinstance(start, int) and isinstance(end, int) and isinstance(kind, str)
    if not is_whole or not 0 <= start < end <= len(text):  # type: ignore[operator]
        raise InputError(
            f"Parameter `label` should name a column of spans within their text, of "
            f"{len(text)} characters. Found `{shorten(dict(given))}` in {place}."
        )
    return int(start), int(end), str(kind)  # type: ignore[call-overload]


def _tag_words(
    words: Sequence[Span], entities: Sequence[tuple[int, int, str]]
) -> tuple[list[str], int, int]:
    """Return the tag of each word, how many spans cut a word, and how many had no words left."""
    tags, cut, lost = [OUTSIDE] * len(words), 0, 0
    for start, end, kind in sorted(entities, key=lambda each: each[0] - each[1]):
        own = [i for i, (a, b) in enumerate(words) if a < end and b > start]
        if not own or any(tags[i] != OUTSIDE for i in own):
            lost += 1
            continue
        cut += words[own[0]][0] < start or words[own[-1]][1] > end
        tags[own[0]] = f"B-{kind}"
        for i in own[1:]:
            tags[i] = f"I-{kind}"
    return tags, cut, lost


def iterate_texts(words: Words, texts: Sequence[str]) -> Iterator[list[str]]:
    """Yield the words of each row, as texts."""
    for row, text in enumerate(texts):
        own = slice(words.offsets[row], words.offsets[row + 1])
        pairs = zip(words.starts[own].tolist(), words.ends[own].tolist(), strict=True)
        yield [text[a:b] for a, b in pairs]
