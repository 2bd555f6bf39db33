"""Dense gradients of embedding tables, kept from step to step."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from hmnet.training import embedding_gradients
from hmnet.training.embedding_gradients import EmbeddingGradients


def test_gradients_equal_the_stock_ones_step_after_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding_gradients, "LARGE", 1)
    torch.manual_seed(0)
    stock = nn.Embedding(50, 4, padding_idx=3)
    kept = copy.deepcopy(stock)
    gradients = EmbeddingGradients(kept)
    for _ in range(4):  # rows differ from step to step; some repeat within one
        ids = torch.randint(50, (1, 30))
        direction = torch.randn(1, 30, 4)
        for table in (stock, kept):
            table.weight.grad = None
            (table(ids) * direction).sum().backward()
        gradients.densify()
        torch.testing.assert_close(kept.weight.grad, stock.weight.grad)
        untouched = torch.ones(50, dtype=torch.bool)
        untouched[ids[0]] = False
        assert kept.weight.grad is not None
        assert not kept.weight.grad[untouched].any()


def test_a_table_that_a_step_does_not_reach_has_no_gradient(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(embedding_gradients, "LARGE", 1)
    table = nn.Embedding(5, 2)
    EmbeddingGradients(table).densify()
    assert table.weight.grad is None


def test_small_tables_are_left_alone() -> None:
    model = nn.ModuleList([nn.Embedding(512, 384), nn.Embedding(30522, 384)])
    EmbeddingGradients(model)
    assert [table.sparse for table in model] == [False, True]
