"""`relevance export-scores`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hmnet.console.speaking import wrote
from hmnet.folder.outputs import open_output
from relevance.imported.exported import ExportOptions, write_export


def run_export(out: Path | None, folder: Path, options: ExportOptions) -> Iterator[str]:
    """Write the scores, the matrix and, if asked for, the predictions behind measured gains."""
    for path in write_export(open_output(out, create=False), folder, options):
        yield wrote(path)
