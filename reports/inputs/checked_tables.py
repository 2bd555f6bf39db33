"""Tables of an output folder, checked for the columns that a report needs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from hmnet.errors import InputError
from hmnet.storage.table_format import TableFormat
from hmnet.storage.tables import read_table


def read_columns(path: Path, wanted: TableFormat, *, may_be_empty: bool = False) -> pd.DataFrame:
    """Read a table that has at least the columns of its format, numbers as float64.

    Raises:
        InputError: if it has another schema, lacks a column, has no row, or text for numbers.
    """
    return read_with_origin(path, wanted, may_be_empty=may_be_empty)[0]


def read_with_origin(
    path: Path, wanted: TableFormat, *, may_be_empty: bool = False
) -> tuple[pd.DataFrame, dict[str, object]]:
    """Read a table as `read_columns` does, and its provenance."""
    frame, provenance = read_table(path, wanted.schema)
    missing = [column for column in wanted.columns if column not in frame.columns]
    if missing or (frame.empty and not may_be_empty):
        names = list(wanted.columns)
        found = f"Missing: {missing}." if missing else "It has no row."
        raise InputError(f"{path}: the table should have the columns {names}. {found}")
    try:
        frame[wanted.numbers] = frame[wanted.numbers].astype(np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{path}: the columns {wanted.numbers} should hold numbers.") from None
    return frame, provenance
