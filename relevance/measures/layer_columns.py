"""Matrices of each layer, beside the whole: further columns of a measure's table.

A column is called `layer_3` or `layer_3_head_11`, both from 1, and holds a value for each ordered
pair, as `value` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from analysis.arrays import Floats
from relevance.matrices.matrix import RelevanceMatrix

_COLUMN = re.compile(r"layer_(\d+)(?:_head_(\d+))?")


def name_layer(layer: int, head: int | None = None) -> str:
    """Return the name of a layer's column, or of a head's; counted from 0."""
    return f"layer_{layer + 1}" + ("" if head is None else f"_head_{head + 1}")


def list_layers(matrix: RelevanceMatrix, *, heads: bool = False) -> Iterator[tuple[str, Floats]]:
    """Yield name in words and values, [T, T], of each layer that a matrix holds.

    Args:
        heads: of each head, in place of each layer.
    """
    for column in matrix.table.columns:
        found = _COLUMN.fullmatch(str(column))
        if found is not None and (found[2] is not None) == heads:
            values: Floats = matrix.to_frame(str(column)).to_numpy(dtype=float)
            yield str(column).replace("_", " "), values
