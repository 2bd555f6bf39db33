"""`relevance compare`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hmnet.console.speaking import Aside, Shown
from hmnet.folder.outputs import Output, find_output_folder
from relevance.imported.named_matrix import open_matrix
from relevance.matrices.comparison import compare_matrices, describe_matrix_comparison


def run_compare_matrices(
    out: Path | None, first: str, second: str, top: int, targets: str = "columns"
) -> Iterator[str]:
    """Compare two matrices by name (`relevance.imported.named_matrix.open_matrix`)."""
    output = Output(find_output_folder(out))
    one, other = (open_matrix(output, None, name, targets) for name in (first, second))
    yield from map(Aside, (*one.notes, *other.notes))
    found = compare_matrices(one.matrix, other.matrix, top, (one.draws, other.draws))
    text = "\n".join(describe_matrix_comparison(found, (first, second)))
    yield Shown(text, first=first, second=second, comparison=found)
