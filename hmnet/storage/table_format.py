"""What a table on disk holds: declared once, beside its writer, for every reader.

    CLUSTERS = TableFormat("clusters/1", {"task": str, "silhouette": float})
    write_table(output.clusters, frame, CLUSTERS.schema, {})

Declarations lie in modules of their own (`*_format.py`), so that a reader imports no more than it
needs: most writers train, and import torch. Where a file lies says `hmnet.folder.outputs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class TableFormat:
    """A kind of table.

    Attributes:
        schema: its name and version, in the file's footer.
        columns: those that every reader may count on, with what they hold: `str` or `float` (any
            number). A file may have more.
    """

    schema: str
    columns: Mapping[str, type[str | float]]

    @property
    def numbers(self) -> list[str]:
        """The names of the columns that hold numbers."""
        return [name for name, kind in self.columns.items() if kind is float]
