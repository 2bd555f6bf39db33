"""Several labels on a row: a column of lists, or a column of zeros and ones for each label.

Where the label's column is there, each row of it is a list of labels (or of their codes); in a file
of text a list is written as JSON, or with semicolons, bars or commas between labels. Where it is
not, the columns that are named as the labels say of each whether a row has it. An empty list is a
row without labels, which is a row; an empty field is a gap (`hmnet.data.gaps`).

Legend: N rows, L labels.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hmnet.data.columns import is_text, take
from hmnet.data.label_names import (
    Value,
    check_class_names,
    describe_unknown,
    find_truth,
    match_values,
)
from hmnet.data.rows import Rows
from hmnet.errors import InputError, raise_problems, shorten
from hmnet.study.tasks import Task

Sets = npt.NDArray[np.int8]
"""Which labels each row has, [N, L]."""
SEPARATORS = (";", "|", ",")


def has_label_lists(rows: Rows, task: Task) -> bool:
    """Tell whether there is one column of lists, in place of a column a label."""
    return not {task.label, task.label.partition(".")[0]}.isdisjoint(rows.names)


def list_label_columns(rows: Rows, task: Task) -> tuple[str, ...]:
    """Return the columns that hold a task's labels."""
    if task.facts.answer != "set" or has_label_lists(rows, task):
        return (task.label,)
    return tuple(str(label) for label in task.labels)


def read_label_sets(rows: Rows, task: Task) -> Sets:
    """Return which labels each row has, [N, L].

    Raises:
        InputError: if a column is missing, or holds something else.
    """
    if not has_label_lists(rows, task):
        return _read_flags(rows, task)
    check_class_names(rows.class_names, task)
    lists = _read_lists(take(rows, task.label, "label"), rows, task)
    values = list(dict.fromkeys(value for row in lists for value in row))
    known = match_values(values, task, bool(rows.class_names))
    found = np.zeros((len(rows), len(task.labels)), dtype=np.int8)
    for number, row in enumerate(lists):
        for value in row:
            if known.get(value, -1) < 0:
                place = rows.describe_place(number)
                raise InputError(describe_unknown(value, place, values, task))
            found[number, known[value]] = 1
    return found


def _read_lists(column: pa.ChunkedArray, rows: Rows, task: Task) -> list[list[Value]]:
    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return column.to_pylist()
    if is_text(kind):
        return list(_split_texts(column.to_pylist()))
    raise InputError(
        f"Parameter `label` should name a column of lists for {task.facts.noun}, or none, with a "
        f"column of 0 and 1 for each label. Found {kind} in column `{task.label}`, such as "
        f"`{shorten(column[0].as_py())}` in {rows.describe_place(0)}."
    )


def _split_texts(texts: Sequence[str]) -> Iterator[list[Value]]:
    """Yield the labels that each text lists."""
    plain = [text for text in texts if not text.lstrip().startswith("[")]
    separator = next((s for s in SEPARATORS if any(s in text for text in plain)), SEPARATORS[0])
    for text in texts:
        if text.lstrip().startswith("["):
            yield parse_list(text)
        else:
            yield [part.strip() for part in text.split(separator) if part.strip()]


def parse_list(text: str) -> list[Value]:
    """Return a list as JSON or Python writes it; one label where it is neither."""
    for spelled in (text, text.replace("'", '"')):
        try:
            found = json.loads(spelled)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, list) and all(isinstance(each, str | int | float) for each in found):
            return found
    return [text]


def _read_flags(rows: Rows, task: Task) -> Sets:
    """Return what a column a label says, [N, L]; all that is missing or odd at once."""
    found = np.zeros((len(rows), len(task.labels)), dtype=np.int8)
    problems: list[str] = []
    for code, name in enumerate(str(label) for label in task.labels):
        try:
            found[:, code] = _read_flag(rows, name)
        except InputError as error:
            problems += error.problems
    if len(problems) == len(task.labels) and not set(map(str, task.labels)) & set(rows.names):
        take(rows, task.label, "label")  # raises: neither the one column nor any of the others
    raise_problems(problems)
    return found


def _read_flag(rows: Rows, name: str) -> list[bool]:
    values = take(rows, name, "labels").to_pylist()
    truths = {value: find_truth(value) for value in dict.fromkeys(values)}
    for number, value in enumerate(values):
        if truths[value] is None:
            raise InputError(
                f"Parameter `labels` should name columns of 0 and 1 where there is no column of "
                f"lists. Found `{shorten(value)}` in {rows.describe_place(number)} of column "
                f"`{name}`."
            )
    return [bool(truths[value]) for value in values]
