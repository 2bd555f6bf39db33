"""A split as it was read from a file or a repository."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa


@dataclass(frozen=True)
class Rows:
    """A split as it was read.

    Attributes:
        table: those columns that the task needs.
        names: of all columns that there are.
        has_types: False where every value is a string, as in a comma-separated file.
        class_names: the label's classes by code, where the source names them.
        lines: the line of a text file on which each row begins, from 1, [N].
        notes: a sentence for whatever was read in another way than the suffix says.
        numbers: of the rows at their source, from 0, int64 [N]; None where none was left out.
    """

    table: pa.Table
    names: tuple[str, ...]
    has_types: bool = True
    class_names: tuple[str, ...] | None = None
    lines: npt.NDArray[np.int64] | None = None
    notes: tuple[str, ...] = ()
    numbers: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return self.table.num_rows

    def find_numbers(self) -> npt.NDArray[np.int64]:
        """Return the rows' numbers at their source, [N]."""
        return np.arange(len(self)) if self.numbers is None else self.numbers

    def describe_place(self, row: int) -> str:
        """Return how a message names a row: by its number, from 0, and its line if it has one."""
        if self.lines is None:
            return f"row {self.find_numbers()[row]} (the first is row 0)"
        return f"row {self.find_numbers()[row]} (line {self.lines[row]} of the file)"


def list_needed(names: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Return those columns of `names` that are wanted, whole or a field of; spaces around aside."""
    return [name for name in names if any(f"{w}.".startswith(f"{name.strip()}.") for w in wanted)]
