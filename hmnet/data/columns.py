"""Text and question columns of a split: decoded, and checked to be filled."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import NoReturn, ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hmnet.data.rows import Rows
from hmnet.errors import InputError, raise_problems, shorten, suggest

Given = ParamSpec("Given")
T = TypeVar("T")

_NUMBER = r"^\s*[-+]?[0-9]+([.,][0-9]+)?\s*$"


def check_rows(rows: Rows, where: str) -> None:
    """Refuse a split without rows; where every column is missing, that is reported instead."""
    if rows.table.num_rows == 0 and (rows.table.num_columns or not rows.names):
        raise InputError(f"{where}: the split should hold rows. Found none.")


def collect(
    problems: list[str], read: Callable[Given, T], *args: Given.args, **options: Given.kwargs
) -> list[T]:
    """Return a list of what `read` returns; on an `InputError`, keep its problems alone."""
    try:
        return [read(*args, **options)]
    except InputError as error:
        problems.extend(error.problems)
        return []


def take(rows: Rows, name: str, parameter: str) -> pa.ChunkedArray:
    """Return a column, or the field of a struct column, decoded to plain values."""
    if rows.names.count(name) > 1:
        raise InputError(f"Parameter `{parameter}` should name one column. Found `{name}` twice.")
    if name in rows.table.column_names:
        return _decode(rows.table.column(name))
    column_name, _, field = name.partition(".")
    if not field or column_name not in rows.table.column_names:
        hint = "" if rows.has_types else " The first line of the file should hold their names."
        _raise_missing(name, rows.names, parameter, "columns", hint)
    column = rows.table.column(column_name)
    for part in field.split("."):
        fields = [f.name for f in column.type] if pa.types.is_struct(column.type) else []
        if part not in fields:
            inside = [f"{column_name}.{f}" for f in fields]
            _raise_missing(name, inside, parameter, f"fields of `{column_name}`")
        column, column_name = pc.struct_field(column, [part]), f"{column_name}.{part}"
    return _decode(column)


def _raise_missing(
    name: str, known: Sequence[str], parameter: str, what: str, hint: str = ""
) -> NoReturn:
    has_close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    more = suggest(name, known) if has_close else hint
    raise InputError(
        f"Parameter `{parameter}` should name a column of the data. Found `{name}`. "
        f"The {what} are: {', '.join(known) or 'none'}.{more}"
    )


def _decode(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Undo dictionary encoding (pandas' categories), and views, which arrow cannot filter."""
    if pa.types.is_dictionary(column.type):
        return _decode(pc.cast(column, column.type.value_type))
    if pa.types.is_string_view(column.type):
        return pc.cast(column, pa.large_string())
    return column


def check_filled(column: pa.ChunkedArray, rows: Rows, name: str, parameter: str) -> None:
    """Refuse a column with missing values."""
    if column.null_count:
        row = int(np.argmax(pc.is_null(column).to_numpy()))
        raise InputError(
            f"Parameter `{parameter}` should name a column without missing values. "
            f"Found {column.null_count} in column `{name}`, the first in "
            f"{rows.describe_place(row)}."
        )


def is_text(kind: pa.DataType) -> bool:
    """Tell whether a column of this type holds strings."""
    types = pa.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def read_text(rows: Rows, name: str) -> list[str]:
    """Return a text column as strings."""
    return take_text(rows, name).to_pylist()


def read_any_text(rows: Rows, name: str) -> list[str]:
    """Return a column as strings, numbers as they are written.

    Raises:
        InputError: if the column is missing, has missing values, or holds lists or tables.
    """
    column = take(rows, name, "text")
    check_filled(column, rows, name, "text")
    if is_text(column.type):
        return column.to_pylist()
    if pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
        raise InputError(
            f"Parameter `text` should name columns of text. Found {column.type} in column "
            f"`{name}`, such as `{shorten(column[0].as_py())}` in {rows.describe_place(0)}."
        )
    return [str(value) for value in column.to_pylist()]


def take_text(rows: Rows, name: str) -> pa.ChunkedArray:
    """Return a text column. Numbers are refused: they point to the wrong column."""
    column = take(rows, name, "text")
    check_filled(column, rows, name, "text")
    if is_text(column.type):
        holds_numbers = (
            not rows.has_types and pc.all(pc.match_substring_regex(column, _NUMBER)).as_py()
        )
        kind = "numbers"
    else:
        holds_numbers, kind = True, str(column.type)
    if holds_numbers:
        raise InputError(
            f"Parameter `text` should name columns of text. Found {kind} in column `{name}`, "
            f"such as `{shorten(column[0].as_py())}` in {rows.describe_place(0)}."
        )
    return column


def read_questions(rows: Rows, names: Sequence[str]) -> npt.NDArray[np.int64]:
    """Number the combinations of the question columns in order of appearance, [N]."""
    codes = np.full(rows.table.num_rows, -1, dtype=np.int64)
    problems: list[str] = []
    for name in names:
        for column in collect(problems, _read_question, rows, name):
            own = pd.factorize(column)[0].astype(np.int64)
            codes = pd.factorize((codes + 1) * (own.max() + 1) + own)[0].astype(np.int64)
    raise_problems(problems)
    return codes


def _read_question(rows: Rows, name: str) -> npt.NDArray[np.generic]:
    column = take(rows, name, "question")
    check_filled(column, rows, name, "question")
    if pa.types.is_nested(column.type):
        raise InputError(
            f"Parameter `question` should name columns of numbers or strings. Found "
            f"{column.type} in column `{name}`; `{name}.<field>` names a field of it."
        )
    return column.to_numpy()
