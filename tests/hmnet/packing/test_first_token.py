"""The last layer for first tokens alone, against keys and values of every token, written out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from made_packing import HEADS, WIDTH, make_packing
from torch import Tensor, nn

from hmnet.packing.batch import Packing
from hmnet.packing.first_token import attend_first

ACROSS = HEADS * WIDTH


class KnownDropout(nn.Module):
    """Weights multiplied by numbers that depend on head and place alone."""

    def forward(self, weights: Tensor) -> Tensor:
        heads, places = torch.arange(HEADS)[:, None], torch.arange(weights.shape[-1])
        return weights * ((3 * heads + 7 * places) % 5 != 0) * 1.25


def make_attention() -> Any:
    torch.manual_seed(0)
    maps = {name: nn.Linear(ACROSS, ACROSS).double() for name in ("query", "key", "value")}
    return SimpleNamespace(
        **maps,
        num_attention_heads=HEADS,
        attention_head_size=WIDTH,
        scaling=0.5,
        dropout=KnownDropout(),
    )


def attend_each(attention: Any, first: Tensor, states: Tensor, packing: Packing) -> Tensor:
    """Multi-head attention as it is defined, one sequence at a time."""
    outputs = []
    for row, start, length in zip(first, packing.starts.tolist(), packing.lengths, strict=True):
        inside = states[start : start + length]
        query = attention.query(row).view(HEADS, 1, WIDTH)
        key = attention.key(inside).view(length, HEADS, WIDTH).transpose(0, 1)
        value = attention.value(inside).view(length, HEADS, WIDTH).transpose(0, 1)
        weights = attention.dropout((query @ key.mT * 0.5).softmax(-1)[:, 0])
        outputs.append((weights[:, None] @ value).flatten())
    return torch.stack(outputs)


@pytest.mark.parametrize("way", ["buckets", "whole"])
@pytest.mark.parametrize("rest", [0, 11])
@pytest.mark.parametrize("lengths", [[7], [5, 5, 5], [32, 32], [1, 3, 31, 33, 64, 65], [2, 100]])
def test_first_tokens_get_outputs_and_gradients_of_the_definition(
    lengths: list[int], rest: int, way: str
) -> None:
    packing, attention = make_packing(lengths), make_attention()
    if way == "whole":  # all sequences padded together, as on a GPU
        packing.__dict__["buckets"] = [packing.whole]
    states = torch.randn(sum(lengths) + rest, ACROSS, dtype=torch.float64, requires_grad=True)
    first = states[packing.starts]
    maps = (attention.query, attention.key, attention.value)
    inputs = [states, *(each.weight for each in maps), maps[0].bias, maps[2].bias]
    out = attend_first(attention, first, states, packing)
    expected = attend_each(attention, first, states, packing)
    torch.testing.assert_close(out, expected, rtol=1e-10, atol=1e-12)
    direction = torch.randn(out.shape, dtype=torch.float64)
    found = torch.autograd.grad((out * direction).sum(), inputs, retain_graph=True)
    wanted = torch.autograd.grad((expected * direction).sum(), [*inputs, maps[1].bias])
    torch.testing.assert_close(found, wanted[:-1], rtol=1e-9, atol=1e-12)
    assert float(wanted[-1].abs().max()) < 1e-12  # of the key's bias, which is left out
