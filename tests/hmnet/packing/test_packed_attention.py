"""Attention with dropout over buckets of similar lengths, against one sequence at a time."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_packing import HEADS, WIDTH, make_packing
from torch import Tensor

from hmnet.packing import attention
from hmnet.packing.attention import AttentionOptions, attend_packed, attend_padded
from hmnet.packing.batch import BUCKET_TOKENS, Packing

UP = 1.25


def pattern(*shape: int) -> Tensor:
    """A keep mask that depends on the places of query and key alone, whatever the padding."""
    rows, columns = torch.arange(shape[-2])[:, None], torch.arange(shape[-1])
    return ((3 * rows + 7 * columns) % 5 != 0).double().expand(shape).clone()


def attend_one(q: Tensor, k: Tensor, v: Tensor, window: int | None) -> Tensor:
    """Attention of one sequence, written out; shape [H, L, D]."""
    scores = q @ k.transpose(1, 2) * 0.5
    if window is not None:
        place = torch.arange(k.shape[1])
        scores = scores.masked_fill((place[:, None] - place).abs() >= window, float("-inf"))
    weights = scores.softmax(-1)
    return (weights * pattern(*weights.shape)) @ v * UP


def attend_each(q: Tensor, k: Tensor, v: Tensor, packing: Packing, window: int | None) -> Tensor:
    outputs = []
    for start, length in zip(packing.starts.tolist(), packing.lengths, strict=True):
        part = (each[:, start : start + length] for each in (q, k, v))
        outputs.append(attend_one(*part, window).transpose(0, 1))
    return torch.cat(outputs)


def make_inputs(packing: Packing, rest: int = 0) -> list[Tensor]:
    torch.manual_seed(0)
    shape = (HEADS, sum(packing.lengths) + rest, WIDTH)
    return [torch.randn(shape, dtype=torch.float64, requires_grad=True) for _ in range(3)]


@pytest.fixture
def known_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "draw_keep_mask", lambda w, p: (pattern(*w.shape), UP))


@pytest.mark.usefixtures("known_masks")
@pytest.mark.parametrize("window", [None, 6, 40])
@pytest.mark.parametrize(
    "lengths",
    [[7], [5, 5, 5], [BUCKET_TOKENS] * 2, [3, 9, 31, 32, 33, 64, 65, 65], [1, 2, 100, 101]],
)
def test_buckets_give_outputs_and_gradients_of_one_sequence_at_a_time(
    lengths: list[int], window: int | None
) -> None:
    packing = make_packing(lengths)
    inputs = make_inputs(packing)
    out = attend_packed(*inputs, packing, AttentionOptions(0.5, 0.2, window))
    expected = attend_each(*inputs, packing, window)
    torch.testing.assert_close(out, expected, rtol=1e-10, atol=1e-12)
    direction = torch.randn(out.shape, dtype=torch.float64)
    found = torch.autograd.grad((out * direction).sum(), inputs)
    wanted = torch.autograd.grad((expected * direction).sum(), inputs)
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 130), min_size=1, max_size=12))
def test_buckets_hold_every_token_once_and_pad_less_than_one_step(lengths: list[int]) -> None:
    packing = make_packing(lengths)
    assert sum(bucket.count for bucket in packing.buckets) == len(lengths)
    row = torch.arange(float(sum(lengths)))[:, None, None]
    back = torch.zeros_like(row)
    place = 0
    for bucket in packing.buckets:
        own = packing.lengths[place : place + bucket.count]
        place += bucket.count
        assert bucket.length - BUCKET_TOKENS < min(own) <= max(own) <= bucket.length
        bucket.scatter(bucket.gather(row), back)
    assert torch.equal(row, back)


def test_inputs_are_left_as_they_are() -> None:
    packing = make_packing([BUCKET_TOKENS])
    inputs = make_inputs(packing)
    before = [each.detach().clone() for each in inputs]
    attend_packed(*inputs, packing, AttentionOptions(0.5, 0.2))
    assert all(torch.equal(one, other) for one, other in zip(inputs, before, strict=True))


@pytest.mark.parametrize("window", [None, 6, 40])
@pytest.mark.parametrize("lengths", [[7], [5, 5, 5], [3, 9, 31, 64, 65, 65], [1, 2, 100]])
def test_the_way_for_a_gpu_gives_the_same(lengths: list[int], window: int | None) -> None:
    packing = make_packing(lengths)
    inputs = make_inputs(packing)
    out = attend_padded(*inputs, packing, AttentionOptions(0.5, 0.0, window))
    expected = attend_packed(*inputs, packing, AttentionOptions(0.5, 0.0, window))
    torch.testing.assert_close(out, expected, rtol=1e-10, atol=1e-12)
    direction = torch.randn(out.shape, dtype=torch.float64)
    found = torch.autograd.grad((out * direction).sum(), inputs)
    wanted = torch.autograd.grad((expected * direction).sum(), inputs)
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("known_masks")
@pytest.mark.parametrize("way", ["buckets", "spans", "padded"])
@pytest.mark.parametrize("lengths", [[7], [3, 9, 31, 32, 33, 65, 65], [1, 1]])
def test_what_follows_the_last_sequence_changes_nothing(lengths: list[int], way: str) -> None:
    packing, rest = make_packing(lengths), 11
    inputs = make_inputs(packing, rest)
    size = sum(lengths)
    within = [each[:, :size] for each in inputs]
    options = AttentionOptions(0.5, 0.2 if way == "buckets" else 0.0)
    attend = attend_padded if way == "padded" else attend_packed
    out = attend(*inputs, packing, options)
    expected = attend(*within, packing, options)
    assert len(out) == inputs[0].shape[1]
    assert not out[len(expected) :].any()
    torch.testing.assert_close(out[: len(expected)], expected)
    direction = torch.randn(out.shape, dtype=torch.float64)
    found = torch.autograd.grad((out * direction).sum(), inputs)
    wanted = torch.autograd.grad((expected * direction[: len(expected)]).sum(), inputs)
    torch.testing.assert_close(found, wanted)
    assert not any(each[:, size:].any() for each in found)
