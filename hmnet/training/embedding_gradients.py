"""Gradients of large embedding tables: dense ones in a table that is kept from step to step.

A batch reads a few hundred of the tens of thousands of rows of a vocabulary's table, but its dense
gradient is as large as the table, and on a CPU a new one each step costs as much as several layers
(fresh memory is mapped and zeroed page by page). So autograd is asked for the rows alone, and they
are added into a table whose other rows are zero already. The optimiser sees the same gradients.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

LARGE = 1 << 20
"""Elements from which on a table's gradients are kept: smaller ones are faster without."""


class EmbeddingGradients:
    """Collects the gradients of a model's large embedding tables, on a CPU.

    Args:
        model: its large `nn.Embedding`s give sparse gradients from now on.
    """

    def __init__(self, model: nn.Module) -> None:
        self._tables = [
            m for m in model.modules() if isinstance(m, nn.Embedding) and m.weight.numel() >= LARGE
        ]
        self._dense: dict[int, Tensor] = {}
        self._rows: dict[int, Tensor] = {}
        for table in self._tables:
            table.sparse = True

    def densify(self) -> None:
        """Replace each sparse gradient by the dense one of the same values."""
        for number, table in enumerate(self._tables):
            grad = table.weight.grad
            if grad is not None and grad.is_sparse:
                table.weight.grad = self._spread(number, grad)

    def _spread(self, number: int, grad: Tensor) -> Tensor:
        """Return a kept table with the gradient's rows, and zeros elsewhere."""
        rows, values = grad._indices()[0], grad._values()
        if number in self._dense:
            self._dense[number].index_fill_(0, self._rows[number], 0.0)
        else:
            self._dense[number] = torch.zeros(grad.shape, dtype=grad.dtype)
        self._rows[number] = rows
        return self._dense[number].index_add_(0, rows, values)
