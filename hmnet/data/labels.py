"""Label columns of a split as class codes or numbers, and rows without a label."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hmnet.data.columns import is_text, take
from hmnet.data.label_names import (
    UNLABELLED,
    Value,
    check_class_names,
    describe_unknown,
    match_values,
)
from hmnet.data.label_sets import list_label_columns, read_label_sets
from hmnet.data.rows import Rows
from hmnet.errors import InputError, shorten
from hmnet.study.tasks import Task

LabelArray = npt.NDArray[np.int64] | npt.NDArray[np.float32] | npt.NDArray[np.int8]
"""Class codes, or the values of a regression, [N]; of a kind per word, a code a word, [W]; of sets
of L labels, which of them a row has, [N, L]."""

_UNKNOWN = -2


def describe_numbers(rows: Rows, task: Task) -> tuple[str, ...]:
    """Return a sentence where the numbers of a regression are read with a decimal comma."""
    if task.facts.has_labels or not has_decimal_commas(take(rows, task.label, "label")):
        return ()
    return (f"the numbers in column `{task.label}` are read with a decimal comma",)


def find_labelled(codes: LabelArray, where: str) -> npt.NDArray[np.bool_]:
    """Tell which rows have a label, [N]; a split without any is refused."""
    if codes.ndim > 1:  # a row with none of the labels is a row
        return np.ones(len(codes), dtype=bool)
    is_labelled: npt.NDArray[np.bool_] = codes != UNLABELLED
    if not is_labelled.any():
        raise InputError(
            f"{where}: the split should hold labelled rows. Found {len(codes)} rows with the "
            f"label {UNLABELLED}, which means unlabelled."
        )
    return is_labelled


def has_labels(rows: Rows, task: Task) -> bool:
    """Tell whether there is a label column, or a struct column that may hold it."""
    columns = list_label_columns(rows, task)
    return not {part for name in columns for part in (name, name.partition(".")[0])}.isdisjoint(
        rows.names
    )


def read_labels(rows: Rows, task: Task) -> LabelArray:
    """Return the label column as class codes, or as numbers for regression, [N]; sets as [N, L].

    Args:
        rows: those that have a label (`hmnet.data.gaps.drop_gaps`).
    """
    if task.facts.answer == "set":
        return read_label_sets(rows, task)
    column = take(rows, task.label, "label")
    if not task.facts.has_labels:
        return _read_values(_infer_number(column) if is_text(column.type) else column, rows, task)
    check_class_names(rows.class_names, task)
    return _read_codes(column, rows, task)


def number_rows(
    labels: LabelArray, word_offsets: npt.NDArray[np.int64] | None
) -> npt.NDArray[np.generic]:
    """Return a number per row that rows of the same labels share, [N].

    With one label a row that is the label itself. Sets are numbered in the order of how many labels
    they have. Rows of words are numbered in the order of how
    many of their words have another label than the first one of the task, so that sorting by the
    number sorts by how much there is to find.

    >>> number_rows(np.array([0, 1, 0, 0, 0, 0]), np.array([0, 2, 4, 6])).tolist()
    [1, 0, 0]
    """
    if labels.ndim > 1:
        sized = np.concatenate([labels.sum(axis=1, dtype=np.int64)[:, None], labels], axis=1)
        numbered: npt.NDArray[np.int64] = np.unique(sized, axis=0, return_inverse=True)[1].ravel()
        return numbered
    if word_offsets is None:
        return labels
    spans = zip(word_offsets[:-1].tolist(), word_offsets[1:].tolist(), strict=True)
    rows = [tuple(labels[begin:end].tolist()) for begin, end in spans]
    order = sorted(set(rows), key=lambda row: (sum(code > 0 for code in row), row))
    numbers = {row: number for number, row in enumerate(order)}
    return np.array([numbers[row] for row in rows], dtype=np.int64)


def has_decimal_commas(column: pa.ChunkedArray) -> bool:
    """Tell whether a column of strings holds numbers such as `3,5`, and none with a point.

    `1,250` alone may be a thousand: a column whose commas all stand before three digits is none.
    """
    if not is_text(column.type) or pc.any(pc.match_substring(column, ".")).as_py():
        return False
    with_comma = column.filter(pc.match_substring_regex(column, _DECIMAL_COMMA))
    return bool(len(with_comma)) and not pc.all(_match_thousands(with_comma)).as_py()


def _match_thousands(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.match_substring_regex(column, r"^\s*[-+]?[1-9][0-9]{0,2}(,[0-9]{3})+(\.[0-9]+)?\s*$")


_DECIMAL_COMMA = r"^(\s*[-+]?[0-9]+),([0-9]+\s*)$"


def _infer_number(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Give a column of strings that are numbers their type; see `has_decimal_commas`."""
    if has_decimal_commas(column):
        column = pc.replace_substring_regex(column, _DECIMAL_COMMA, r"\1.\2")
    for kind in (pa.int64(), pa.float64()):
        try:
            return pc.cast(pc.utf8_trim_whitespace(column), kind)
        except pa.ArrowInvalid:
            continue
    return column


def _read_values(column: pa.ChunkedArray, rows: Rows, task: Task) -> npt.NDArray[np.float32]:
    """Return the values of a regression, [N]."""
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        raise InputError(
            f"Parameter `label` should name a column of numbers for a regression. Found {kind} in "
            f"column `{task.label}`{_first_that(column, rows, _is_no_number)}. Write plain "
            "numbers, such as 1250.5."
        )
    with np.errstate(over="ignore"):  # what overflows is infinite, and refused below
        values = pc.cast(column, pa.float64(), safe=False).to_numpy().astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise InputError(
            f"Parameter `label` should name a column of finite float32 numbers. "
            f"Found `{column[int(bad[0])].as_py()}` in {rows.describe_place(int(bad[0]))} of "
            f"column `{task.label}`."
        )
    return values


def _is_no_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return True
    return False


def _first_that(column: pa.ChunkedArray, rows: Rows, is_odd: Callable[[object], bool]) -> str:
    """Say where the first odd value of a column is; the first value if none is odd."""
    values = column.to_pylist()
    row = next((i for i, value in enumerate(values) if is_odd(value)), 0)
    return f", such as `{shorten(values[row])}` in {rows.describe_place(row)}"


def _read_codes(column: pa.ChunkedArray, rows: Rows, task: Task) -> npt.NDArray[np.int64]:
    """Return class codes; -1 for unlabelled rows, [N]."""
    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        raise InputError(
            f"Parameter `label` should name a column of one label a row. Found a list, "
            f"`{shorten(column[0].as_py())}` in {rows.describe_place(0)} of column "
            f'`{task.label}`. Rows with several labels are for a task of `kind = "multilabel"`; '
            "a label that is alone should stand without brackets."
        )
    if not (is_text(kind) or pa.types.is_boolean(kind) or pa.types.is_integer(kind)):
        _check_integral(column, rows, task)
    positions, uniques = pd.factorize(column.to_numpy())
    values: list[Value] = uniques.tolist()
    known = match_values(values, task, bool(rows.class_names))
    codes = np.array([known.get(value, _UNKNOWN) for value in values], dtype=np.int64)[positions]
    bad = np.flatnonzero(codes == _UNKNOWN)
    if len(bad):
        row = int(bad[0])
        place = rows.describe_place(row)
        raise InputError(describe_unknown(column[row].as_py(), place, values, task))
    return codes


def _check_integral(column: pa.ChunkedArray, rows: Rows, task: Task) -> None:
    """Refuse what is neither a name nor a whole number; pandas writes those as floats."""
    if (
        pa.types.is_floating(column.type)
        and pc.all(pc.is_finite(column)).as_py()
        and pc.all(pc.equal(column, pc.floor(column))).as_py()
    ):
        return
    raise InputError(
        f"Parameter `label` should name a column of labels or of codes. Found {column.type} in "
        f"column `{task.label}`{_first_that(column, rows, _is_fractional)}. "
        f"The labels are: {', '.join(str(label) for label in task.labels)}. Numbers that are no "
        'codes are for a task of `kind = "regression"`.'
    )


def _is_fractional(value: object) -> bool:
    return isinstance(value, float) and not value.is_integer()
