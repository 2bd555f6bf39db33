"""Training on those rows of the token table that a run's texts use.

A run reads a few thousand of a vocabulary's tens of thousands of rows, but AdamW and the gradient's
norm go over the whole table, which is half the parameters of a small encoder. All that ever happens
to the other rows is weight decay: their gradients are zero, and so are their moments. So a large
table is cut to the rows in use while a model is trained, and put together again afterwards, with
the decay of all steps on the other rows at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from hmnet.models.paths import PathModel
from hmnet.training.embedding_gradients import LARGE


class UsedRows:
    """Cuts the token tables of a model's paths to the rows in use, until `restore`.

    Args:
        model: its large token tables are cut in place; their parameters stay the same objects.
        tokens: ids that the training reads, an array of any shape for each task.
    """

    def __init__(self, model: PathModel, tokens: Iterable[npt.NDArray[np.int32]]) -> None:
        used: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        for ids in tokens:
            used = np.union1d(used, np.flatnonzero(np.bincount(ids.ravel())))
        self._tables = [_CutTable(table, used, pads) for table, pads in _find_tables(model)]

    def expand(self, parameter: nn.Parameter, decay: float) -> Tensor:
        """Return a copy of a parameter; of a cut table a whole one, as `restore` would make it."""
        for table in self._tables:
            if table.table.weight is parameter:
                return table.expand(decay)
        return parameter.detach().clone()

    def restore(self, decay: float) -> None:
        """Put the tables together again; the other rows are multiplied by `decay`."""
        for table in self._tables:
            table.restore(decay)
        self._tables = []


def _find_tables(model: PathModel) -> list[tuple[nn.Embedding, set[int]]]:
    """Return each large token table, and the ids of its paths' padding."""
    found: dict[int, tuple[nn.Embedding, set[int]]] = {}
    for path in model.paths.values():
        table: object = path.get_input_embeddings()  # type: ignore[operator]
        if isinstance(table, nn.Embedding) and table.weight.numel() >= LARGE:
            _, pads = found.setdefault(id(table), (table, set()))
            pads.add(int(getattr(path.config, "pad_token_id", None) or 0))
    return list(found.values())


def find_table_factor(model: PathModel, factors: Mapping[nn.Parameter, float]) -> float:
    """Return the factor of the learning rate of a model's token table; there is one for all tasks.

    Args:
        factors: parameter to its factor; 1 for all others.
    """
    tables = (path.get_input_embeddings() for path in model.paths.values())  # type: ignore[operator]
    held = {table.weight for table in tables if isinstance(table, nn.Embedding)}
    return next((factor for parameter, factor in factors.items() if parameter in held), 1.0)


class _CutTable:
    """One table, cut."""

    def __init__(self, table: nn.Embedding, used: npt.NDArray[np.int64], pads: set[int]) -> None:
        own = {*pads, *(() if table.padding_idx is None else (table.padding_idx,))}
        kept = np.union1d(used, np.fromiter(own, dtype=np.int64))
        self.table, self.padding = table, table.padding_idx
        self.whole = table.weight.data
        self.kept = torch.from_numpy(kept).to(self.whole.device)
        self.place = torch.full((len(self.whole),), -1, device=self.whole.device)
        self.place[self.kept] = torch.arange(len(kept), device=self.whole.device)
        table.weight.data = self.whole[self.kept]
        if self.padding is not None:
            table.padding_idx = int(self.place[self.padding])
        self.hook = table.register_forward_pre_hook(self._look_up)

    def _look_up(self, module: nn.Module, ids: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (self.place[ids[0]], *ids[1:])

    def expand(self, decay: float) -> Tensor:
        return (self.whole * decay).index_copy_(0, self.kept, self.table.weight.data)

    def restore(self, decay: float) -> None:
        self.hook.remove()
        self.table.padding_idx = self.padding
        self.whole.mul_(decay).index_copy_(0, self.kept, self.table.weight.data)
        self.table.weight.data = self.whole
        self.table.weight.grad = None
