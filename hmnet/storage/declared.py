"""Kinds of stored files, declared once beside their writer: name, schema, and what they hold.

>>> scores = Table("scores.parquet", "scores/1", ("task", "score"), optional=("run",))
>>> scores.find_problems(["task", "run", "seed"])
['column `score` is missing', 'column `seed` is unknown']
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from hmnet.storage.documents import read_document, write_document
from hmnet.storage.tables import read_table, write_table

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")


@dataclass(frozen=True)
class Table:
    """A kind of parquet file.

    Attributes:
        file: its path in the output folder; `{...}` stands for what differs between several.
        schema: its name and version.
        columns: those that it always has, in order.
        optional: those that it may have.
    """

    file: str
    schema: str
    columns: tuple[str, ...]
    optional: tuple[str, ...] = ()

    def write(self, path: Path, frame: pd.DataFrame, provenance: Mapping[str, Any]) -> None:
        """Write a frame as a table of this kind."""
        write_table(path, frame, self.schema, provenance)

    def read(self, path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
        """Read a table of this kind, with its provenance.

        Raises:
            InputError: if the file is missing, is no parquet, or has another schema.
        """
        return read_table(path, self.schema)

    def find_problems(self, columns: Iterable[str]) -> list[str]:
        """Return what is wrong with a file's columns, nothing where they are as declared."""
        found = list(columns)
        known = {*self.columns, *self.optional}
        missing = [f"column `{name}` is missing" for name in self.columns if name not in found]
        return missing + [f"column `{name}` is unknown" for name in found if name not in known]


@dataclass(frozen=True)
class Document(Generic[T]):
    """A kind of JSON file.

    Attributes:
        file: its path in the output folder.
        schema: its name and version.
        kind: the validated dataclass that it holds.
    """

    file: str
    schema: str
    kind: type[T]

    def write(self, path: Path, value: T) -> None:
        """Write a document of this kind."""
        write_document(path, self.schema, value)

    def read(self, path: Path) -> T:
        """Read a document of this kind.

        Raises:
            InputError: if the file is missing, is no JSON, has another schema, or does not fit.
        """
        return read_document(path, self.schema, self.kind)
