"""Training where the data lie on the device: the same batches, and nothing is read at a step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made import make_data, make_encoder
from torch import nn

import hmnet.training.loop
from hmnet.models.paths import HMNet
from hmnet.packing.batch import Batch, _make_bucket, pack, sort_by_length
from hmnet.packing.batch_shape import BatchShape, fit_shape
from hmnet.packing.resident_split import ResidentSplit
from hmnet.study.hierarchy import HierarchySpec
from hmnet.study.settings import TrainingSettings
from hmnet.training.batch_shapes import plan_shapes
from hmnet.training.divergence import DivergedError
from hmnet.training.loop import Trainer, train
from hmnet.training.loss_record import STEPS_AT_ONCE, LossRecord
from hmnet.training.steps import Step, plan_steps

DATA = {"alpha": make_data("alpha", 2), "beta": make_data("beta", 1, seed=1)}
SETTINGS = TrainingSettings(epochs=2, batch_size=8, learning_rate=1e-3)
META = torch.device("meta")
"""Knows shapes and no values, so a step that would wait for a GPU fails on it."""


def make_model(folder: Path, kind: str, dropout: float = 0.1) -> HMNet:
    encoder = make_encoder(folder / kind, kind, depth=3, dropout=dropout)
    tasks = [each.task for each in DATA.values()]
    return HMNet(encoder, tasks, HierarchySpec(1, 1, 1), [["alpha"], ["beta"]], seed=0)


def pack_on_device(name: str, index: list[int], more: int = 0) -> Batch:
    """Pack as a GPU does, in the smallest shape that holds the batch or a larger one."""
    split = DATA[name].train
    ordered, lengths = sort_by_length(split, index)
    fitting = fit_shape(lengths)
    shape = BatchShape(fitting.count, fitting.tokens + 64 * more, fitting.length + 8 * more)
    return ResidentSplit(split, torch.device("cpu")).pack(torch.from_numpy(ordered), shape)


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("more", [0, 2])
@pytest.mark.parametrize("index", [[0], [3, 1, 2], [5, 5], list(range(22))[::-1]])
def test_a_batch_is_the_one_that_is_packed_on_the_host(
    name: str, index: list[int], more: int
) -> None:
    found, wanted = pack_on_device(name, index, more), pack(DATA[name].train, index)
    size = wanted.tokens.shape[1]
    for part in ("tokens", "positions", "segments"):
        one, other = getattr(found, part), getattr(wanted, part)
        assert one.dtype == other.dtype
        assert torch.equal(one[:, :size], other)
    assert torch.equal(found.labels, wanted.labels)
    assert torch.equal(found.packing.starts, wanted.packing.starts)
    assert int(found.packing.count_tokens()) == wanted.packing.count_tokens() == size


@pytest.mark.parametrize("kind", ["bert", "roberta", "electra", "distilbert", "modernbert"])
@pytest.mark.parametrize("more", [0, 2])
def test_filler_changes_neither_outputs_nor_gradients(tmp_path: Path, kind: str, more: int) -> None:
    model = make_model(tmp_path, kind, dropout=0.0)
    index = [4, 9, 1, 1, 17, 3]
    found = []
    for batch in (pack(DATA["alpha"].train, index), pack_on_device("alpha", index, more)):
        outputs = model("alpha", batch)
        nn.functional.cross_entropy(outputs, batch.labels).backward()
        path = model.path("alpha")
        gradients = {n: p.grad.clone() for n, p in path.named_parameters() if p.grad is not None}
        found.append((outputs.detach(), gradients))
        model.zero_grad()
    torch.testing.assert_close(found[0][0], found[1][0], atol=1e-5, rtol=1e-4)
    assert found[0][1].keys() == found[1][1].keys()
    for name, gradient in found[0][1].items():
        torch.testing.assert_close(gradient, found[1][1][name], atol=1e-5, rtol=1e-4, msg=name)


@pytest.mark.parametrize("epochs", [1, 120])
def test_every_batch_fits_its_shape_and_shapes_are_few(epochs: int) -> None:
    sizes = {name: len(each.train) for name, each in DATA.items()}
    steps = plan_steps(sizes, epochs, 4, seed=0)
    splits = {name: each.train for name, each in DATA.items()}
    shapes = plan_shapes(steps, splits)
    assert len(shapes) == len(steps)
    for step, shape in zip(steps, shapes, strict=True):
        lengths = splits[step.task].lengths[step.index]
        smallest = fit_shape(lengths)
        assert shape.count == len(step.index)
        assert shape.tokens >= smallest.tokens
        assert shape.length >= smallest.length > lengths.max()
    for task in sizes:
        used = {shape for step, shape in zip(steps, shapes, strict=True) if step.task == task}
        # 22 rows, 4 in a batch, are 5 whole batches and one of 2 an epoch:
        # one shape each, or 600 // 64 = 9, of which 8 are allowed, and 120 // 64 = 1
        assert len(used) <= (2 if epochs == 1 else 8 + 1)


def test_a_cut_by_token_count_fills_up_little() -> None:
    data = make_data("many", 2, size=20000)
    steps = plan_steps({"many": 20000}, 1, 32, seed=0)
    shapes = plan_shapes(steps, {"many": data.train})
    filled = sum(shape.tokens for shape in shapes) / len(data.train.tokens)
    assert filled < 1.13


@pytest.mark.parametrize("lengths", [[7], [1, 3, 3, 9], [2, 100]])
def test_places_of_a_padded_bucket_are_those_of_the_definition(lengths: list[int]) -> None:
    longest, begin = max(lengths), 4
    bucket = _make_bucket(begin, np.array(lengths), longest, torch.device("cpu"))
    row = torch.arange(100, 100 + begin + sum(lengths)).view(-1, 1, 1)
    sequences = bucket.gather(row)[..., 0]
    ends = begin + np.cumsum(lengths)
    for sequence, length, end in zip(sequences, lengths, ends, strict=True):
        assert torch.equal(sequence[:length], row[end - length : end, 0, 0])
    if bucket.padding is not None:
        inside = [[place < length for place in range(longest)] for length in lengths]
        assert torch.equal(~bucket.padding[:, 0], torch.tensor(inside))
    back = torch.zeros_like(row)
    bucket.scatter(sequences[..., None], back)
    assert torch.equal(back[begin:], row[begin:])


@pytest.mark.parametrize("kind", ["bert", "roberta", "distilbert", "modernbert"])
@pytest.mark.parametrize("micro_batches", [1, 3])
def test_a_step_on_another_device_reads_nothing_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, micro_batches: int
) -> None:
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda kind: False)  # meta has none
    trainer = Trainer(make_model(tmp_path, kind), DATA, SETTINGS, 0, META)
    trainer.micro_batches = micro_batches
    trainer.optimizer.param_groups[0]["fused"] = False  # nor that
    trainer.optimizer.param_groups[1]["fused"] = False
    for position in range(3):
        sums = trainer.update(position)
        assert (sums.device, sums.shape) == (META, (2,))
    with pytest.raises((RuntimeError, NotImplementedError)):  # what waiting would come to
        sums.tolist()


def test_numbers_are_the_same_whichever_way_a_batch_is_put_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = [train(make_model(tmp_path, "bert", dropout=0.0), DATA, SETTINGS, seed=0)]
    plain = Trainer.__init__

    def reside(trainer: Trainer, *args: Any) -> None:
        plain(trainer, *args)
        trainer.move_rows_to_device()

    monkeypatch.setattr(Trainer, "__init__", reside)
    monkeypatch.setattr(hmnet.training.loop, "pack", None)
    logs.append(train(make_model(tmp_path, "bert", dropout=0.0), DATA, SETTINGS, seed=0))
    assert logs[1].final_loss == pytest.approx(logs[0].final_loss, rel=1e-4)
    assert logs[0].tokens == logs[1].tokens


def make_steps(count: int) -> list[Step]:
    return [Step("alpha", visit, 0, np.arange(4)) for visit in range(count)]


def on_gpu(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let records take tensors for ones on a GPU; return the sizes of what they read at once."""
    reads: list[int] = []
    stack = torch.stack

    def count(tensors: list[torch.Tensor]) -> torch.Tensor:
        reads.append(len(tensors))
        return stack(tensors)

    monkeypatch.setattr("hmnet.training.loss_record._is_free", lambda sums: False)
    monkeypatch.setattr(torch, "stack", count)
    return reads


def test_losses_are_read_some_at_a_time_and_none_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    reads = on_gpu(monkeypatch)
    count = 2 * STEPS_AT_ONCE + 5
    lines: list[Any] = []
    record = LossRecord(make_steps(count), lines.append)
    for position in range(count):
        record.add(position, torch.tensor([float(position), 10.0], dtype=torch.float64))
    assert reads == [STEPS_AT_ONCE] * 2
    assert record.final_loss() == {"alpha": (count - 1) / 2}
    assert record.tokens == 10 * count
    assert reads == [STEPS_AT_ONCE] * 2 + [5]
    assert [line["step"] for line in lines] == list(range(count))


def test_a_state_holds_what_waits_and_is_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    on_gpu(monkeypatch)
    record = LossRecord(make_steps(4))
    record.add(0, torch.tensor([1.0, 7.0], dtype=torch.float64))
    state = record.state()
    resumed = LossRecord(make_steps(4), None, state)
    resumed.add(1, torch.tensor([4.0, 8.0], dtype=torch.float64))
    assert (resumed.final_loss(), resumed.tokens) == ({"alpha": 2.5}, 15)
    assert state == {"tokens": 7, "loss_sum": {"alpha": 1.0}, "loss_count": {"alpha": 1}}


def test_the_step_that_diverged_is_named_however_late_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on_gpu(monkeypatch)
    record = LossRecord(make_steps(9))
    for position in range(6):
        value = float("nan") if position >= 3 else 1.0
        record.add(position, torch.tensor([value, 7.0], dtype=torch.float64))
    with pytest.raises(DivergedError, match=r"`alpha` became nan at step 4 of 9"):
        record.state()  # what a checkpoint would hold
