"""Rows without a label of a task, as where one file has several label columns: none of its rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hmnet.data.columns import take
from hmnet.data.label_sets import list_label_columns
from hmnet.data.labels import has_labels
from hmnet.data.rows import Rows
from hmnet.errors import InputError
from hmnet.study.tasks import Task


def drop_gaps(rows: Rows, task: Task) -> Rows:
    """Return the rows that have a label; the others keep their numbers and are told in a note.

    Missing values are gaps; so are empty fields where columns have no types. A column that is not
    there is left to whoever reads it.

    Raises:
        InputError: if no row has a label.
    """
    if not len(rows) or not has_labels(rows, task):
        return rows
    columns = [name for name in list_label_columns(rows, task) if name in rows.names]
    columns = columns or [task.label]
    each = [_find_filled(take(rows, n, "label"), has_types=rows.has_types) for n in columns]
    is_filled = np.all(each, axis=0)
    count = int(is_filled.sum())
    if count == len(rows):
        return rows
    if count == 0:
        raise InputError(
            f"Parameter `label` should name a column with labels. Found none in the {len(rows):,} "
            f"rows of column {_name(columns)}."
        )
    note = (
        f"{len(rows) - count:,} of {len(rows):,} rows are left out, as they have no label in "
        f"column {_name(columns)}"
    )
    return dataclasses.replace(
        rows,
        table=rows.table.filter(pa.array(is_filled)),
        lines=None if rows.lines is None else rows.lines[is_filled],
        numbers=rows.find_numbers()[is_filled],
        notes=(*rows.notes, note),
    )


def _name(columns: Sequence[str]) -> str:
    return f"`{columns[0]}`" if len(columns) == 1 else f"`{columns[0]}` to `{columns[-1]}`"


def _find_filled(column: pa.ChunkedArray, *, has_types: bool) -> npt.NDArray[np.bool_]:
    filled = pc.is_valid(column)
    if not has_types:
        filled = pc.and_(filled, pc.fill_null(pc.not_equal(column, ""), False))
    found: npt.NDArray[np.bool_] = filled.to_numpy().astype(bool)
    return found
