"""`relevance compare`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hmnet.folder.outputs import Output, find_output_folder
from relevance.matrices.comparison import compare_matrices, describe_matrix_comparison
from relevance.matrices.draws import read_draws
from relevance.measures.find import find_draws, find_matrix


def run_compare_matrices(out: Path | None, first: str, second: str, top: int) -> Iterator[str]:
    """Compare two matrices by name (`relevance.measures.find.find_matrix`), with their draws."""
    output = Output(find_output_folder(out))
    one, other = (find_matrix(output, None, name) for name in (first, second))
    draws = (
        read_draws(find_draws(output, first), one),
        read_draws(find_draws(output, second), other),
    )
    found = compare_matrices(one, other, top, draws)
    yield from describe_matrix_comparison(found, (first, second))
