"""Label columns of a split as class codes or numbers, and rows without a label."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hmnet.data.columns import check_filled, is_text, take
from hmnet.data.files import Rows
from hmnet.errors import InputError, shorten, suggest
from hmnet.study.tasks import Task

UNLABELLED = -1
_UNKNOWN = -2
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")


def find_labelled(codes: npt.NDArray[Any], where: str) -> npt.NDArray[np.bool_]:
    """Tell which rows have a label, [N]; a split without any is refused."""
    is_labelled: npt.NDArray[np.bool_] = codes != UNLABELLED
    if not is_labelled.any():
        raise InputError(
            f"{where}: the split should hold labelled rows. Found {len(codes)} rows with the "
            f"label {UNLABELLED}, which means unlabelled."
        )
    return is_labelled


def has_labels(rows: Rows, task: Task) -> bool:
    """Tell whether there is a label column, or a struct column that may hold it."""
    return not {task.label, task.label.partition(".")[0]}.isdisjoint(rows.names)


def read_labels(rows: Rows, task: Task) -> npt.NDArray[np.int64] | npt.NDArray[np.float32]:
    """Return the label column as class codes, or as numbers for regression, [N]."""
    column = take(rows, task.label, "label")
    if not rows.has_types:
        column = _infer_type(column, task)
    check_filled(column, task.label, "label")
    if task.kind == "regression":
        return _read_values(column, task)
    _check_class_names(rows.class_names, task)
    return _read_codes(column, task)


def _infer_type(column: pa.ChunkedArray, task: Task) -> pa.ChunkedArray:
    """Give a CSV column the type of its content; an empty field is a missing value."""
    column = pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
    declared = pa.array([str(label) for label in task.labels], pa.string())
    found = pc.drop_null(pc.unique(column))
    if pc.all(pc.is_in(found, value_set=declared)).as_py() and len(declared):
        return column
    if pc.all(pc.is_in(pc.utf8_lower(found), value_set=pa.array(["true", "false"]))).as_py():
        return pc.equal(pc.utf8_lower(column), "true")
    for kind in (pa.int64(), pa.float64()):
        try:
            return pc.cast(column, kind)
        except pa.ArrowInvalid:
            continue
    return column


def _read_values(column: pa.ChunkedArray, task: Task) -> npt.NDArray[np.float32]:
    """Return the values of a regression, [N]."""
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        raise InputError(
            f"Parameter `label` should name a column of numbers for a regression. Found {kind} in "
            f"column `{task.label}`{_first_that(column, _is_no_number)}."
        )
    with np.errstate(over="ignore"):  # what overflows is infinite, and refused below
        values = pc.cast(column, pa.float64(), safe=False).to_numpy().astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise InputError(
            f"Parameter `label` should name a column of finite float32 numbers. "
            f"Found `{column[int(bad[0])].as_py()}` in row {bad[0]} of column `{task.label}`."
        )
    return values


def _is_no_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return True
    return False


def _first_that(column: pa.ChunkedArray, is_odd: Callable[[Any], bool]) -> str:
    """Say where the first odd value of a column is; the first value if none is odd."""
    values = column.to_pylist()
    row = next((i for i, value in enumerate(values) if is_odd(value)), 0)
    return f", such as `{shorten(values[row])}` in row {row}"


def _check_class_names(class_names: tuple[str, ...] | None, task: Task) -> None:
    """Refuse declared labels that are the source's own class names in another order."""
    declared = tuple(str(label) for label in task.labels)
    if class_names and class_names != declared and sorted(class_names) == sorted(declared):
        raise InputError(
            f"Parameter `labels` should list the labels in the order of the source's codes, "
            f"{list(class_names)}. Found `{list(declared)}`."
        )


def _read_codes(column: pa.ChunkedArray, task: Task) -> npt.NDArray[np.int64]:
    """Return class codes; -1 for unlabelled rows, [N]."""
    values, known = _match(column, task)
    positions, uniques = pd.factorize(values)
    codes = np.array([known.get(value, _UNKNOWN) for value in uniques.tolist()], dtype=np.int64)
    codes = codes[positions]
    bad = np.flatnonzero(codes == _UNKNOWN)
    if len(bad):
        _raise_unknown_label(column[int(bad[0])].as_py(), int(bad[0]), task)
    return codes


def _match(column: pa.ChunkedArray, task: Task) -> tuple[npt.NDArray[Any], Mapping[Any, int]]:
    """Return comparable values of a label column, and which value has which code."""
    declared = [str(label) for label in task.labels]
    by_name = {label: code for code, label in enumerate(declared)}
    if pa.types.is_boolean(column.type):
        if set(declared) == {"True", "False"}:
            return pc.if_else(column, "True", "False").to_numpy(), by_name
        return column.to_numpy().astype(np.int64), {0: 0, 1: 1}
    if pa.types.is_integer(column.type) or _is_integral(column):
        return column.to_numpy(), {UNLABELLED: UNLABELLED, **_integer_codes(declared)}
    if is_text(column.type):
        return column.to_numpy().astype(object), by_name
    raise InputError(
        f"Parameter `label` should name a column of labels or of codes. Found {column.type} in "
        f"column `{task.label}`{_first_that(column, _is_fractional)}. "
        f"The labels are: {', '.join(declared)}."
    )


def _is_integral(column: pa.ChunkedArray) -> bool:
    """Tell whether a column holds whole numbers as floats, as pandas writes them."""
    return bool(
        pa.types.is_floating(column.type)
        and pc.all(pc.is_finite(column)).as_py()
        and pc.all(pc.equal(column, pc.floor(column))).as_py()
    )


def _is_fractional(value: Any) -> bool:
    return isinstance(value, float) and not value.is_integer()


def _integer_codes(declared: Sequence[str]) -> dict[int, int]:
    """Map integers to codes: by value where every label is a numeral, else 0 to C - 1."""
    if all(_INTEGER.fullmatch(label) for label in declared):
        return {int(label): code for code, label in enumerate(declared)}
    return {code: code for code in range(len(declared))}


def _raise_unknown_label(value: Any, row: int, task: Task) -> NoReturn:
    declared = [str(label) for label in task.labels]
    has_codes = isinstance(value, int | float) and not all(map(_INTEGER.fullmatch, declared))
    codes = f", or their codes 0 to {len(declared) - 1}" if has_codes else ""
    hint = suggest(value, declared) if isinstance(value, str) else ""
    hint = hint if hint.startswith(" Did") else ""
    raise InputError(
        f"Parameter `label` should name a column of the declared labels, {declared}{codes}. "
        f"Found `{shorten(value)}` in row {row} of column `{task.label}`.{hint}"
    )
