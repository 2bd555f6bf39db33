"""The training loop: exact resume, packing, learning rate, divergence."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made import make_data, make_encoder
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from hmnet.errors import InputError
from hmnet.models.paths import HMNet
from hmnet.packing.batch import Batch, pack
from hmnet.packing.forward import ROW_TOKENS, compute_logits
from hmnet.study.hierarchy import HierarchySpec
from hmnet.study.settings import TrainingSettings
from hmnet.training.checkpoint import Checkpoint
from hmnet.training.checkpoint import _digest as checkpoint_digest
from hmnet.training.divergence import DivergedError
from hmnet.training.evaluation import cut_by_tokens, evaluate
from hmnet.training.loop import OutOfMemoryError, Trainer, train
from hmnet.training.losses import compute_loss
from hmnet.training.optimiser import (
    clip_gradients,
    compute_learning_rate,
    make_optimizer,
)

DATA = {"alpha": make_data("alpha", 2), "beta": make_data("beta", 3, seed=1)}
SETTINGS = TrainingSettings(epochs=2, batch_size=8, learning_rate=1e-3, warmup_frac=0.2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("encoders")


def make_model(folder: Path, kind: str = "bert", dropout: float = 0.0) -> HMNet:
    encoder = make_encoder(folder / kind, kind, depth=3, dropout=dropout)
    tasks = [d.task for d in DATA.values()]
    return HMNet(encoder, tasks, HierarchySpec(1, 1, 1), [["alpha"], ["beta"]], seed=0)


class StoppedError(Exception):
    """Stands for a process that dies."""


def test_resuming_from_any_step_equals_an_uninterrupted_run(folder: Path, tmp_path: Path) -> None:
    whole = make_model(folder, dropout=0.1)
    whole_log = train(whole, DATA, SETTINGS, seed=0)
    stopped = make_model(folder, dropout=0.1)

    def stop(line: Mapping[str, Any]) -> None:
        if line["step"] == 5:
            raise StoppedError

    with pytest.raises(StoppedError):
        train(stopped, DATA, SETTINGS, seed=0, checkpoint=Checkpoint(tmp_path, 0.0), log=stop)
    resumed = make_model(folder, dropout=0.1)
    seen: list[int] = []
    log = train(
        resumed,
        DATA,
        SETTINGS,
        seed=0,
        checkpoint=Checkpoint(tmp_path, 0.0),
        log=lambda line: seen.append(line["step"]),
    )
    assert seen == list(range(5, 12))  # steps 0-4 were saved; 2 epochs x (3 + 3) batches = 12
    assert (log.final_loss, log.tokens) == (whole_log.final_loss, whole_log.tokens)
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"\x08\0\0\0\0\0\0\0{}      "])
def test_an_unreadable_checkpoint_starts_the_run_anew(
    folder: Path, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "state.safetensors").write_bytes(content)
    model = make_model(folder)
    assert Checkpoint(tmp_path).load(model, make_optimizer(model, SETTINGS)) is None


@pytest.mark.parametrize("value", ["often", "-1", "nan", "inf"])
def test_an_interval_that_is_none_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("RELEVANCE_CHECKPOINT_S", value)
    with pytest.raises(InputError, match=f"RELEVANCE_CHECKPOINT_S.*Found `{value}`"):
        Checkpoint(tmp_path)
    monkeypatch.setenv("RELEVANCE_CHECKPOINT_S", "2.5")
    assert Checkpoint(tmp_path).every_s == 2.5


def drop_moment(tensors: dict[str, torch.Tensor]) -> None:
    tensors.pop(next(name for name in tensors if name.startswith("exp_avg/")))


def cut_table(tensors: dict[str, torch.Tensor]) -> None:
    name = next(name for name in tensors if "word_embeddings" in name)
    tensors[name] = tensors[name][:-1].contiguous()


def flip(tensors: dict[str, torch.Tensor]) -> None:
    next(iter(tensors.values())).view(-1)[0] += 1e-3


@pytest.mark.parametrize("damage", [drop_moment, cut_table, flip, None])
@pytest.mark.parametrize("is_signed", [True, False])
def test_a_checkpoint_that_was_altered_or_does_not_fit_touches_nothing(
    folder: Path, tmp_path: Path, damage: Callable[[dict[str, Any]], None] | None, is_signed: bool
) -> None:
    model = make_model(folder)
    trainer = Trainer(model, DATA, SETTINGS, 0, torch.device("cpu"))
    trainer.update(0)
    checkpoint = Checkpoint(tmp_path)
    checkpoint.save(model, trainer.optimizer, {"position": 1})
    tensors = load_file(checkpoint.path)
    if damage is not None:
        damage(tensors)
    with safe_open(checkpoint.path, framework="pt") as file:
        facts = file.metadata()
    if is_signed:
        facts["digest"] = checkpoint_digest(tensors, facts["state"])
    save_file(tensors, checkpoint.path, facts)
    fresh = make_model(folder)
    before = [p.detach().clone() for p in fresh.parameters()]
    optimizer = make_optimizer(fresh, SETTINGS)
    state = checkpoint.load(fresh, optimizer)
    if damage is None or (damage is flip and is_signed):
        assert state == {"position": 1}
        return
    assert state is None
    assert not optimizer.state
    assert all(torch.equal(p, b) for p, b in zip(fresh.parameters(), before, strict=True))


@pytest.mark.parametrize("kind", ["bert", "roberta", "electra", "distilbert", "modernbert"])
def test_packed_batches_give_the_loss_and_gradients_of_padded_ones(folder: Path, kind: str) -> None:
    model = make_model(folder, kind)
    assert model.is_packable
    model.eval()
    batch = pack(DATA["alpha"].train, range(22))
    found = []
    for is_packable in (True, False):
        model.zero_grad()
        logits = compute_logits(model.path("alpha"), batch, is_packable=is_packable)
        loss = compute_loss(logits, batch.labels, "classification")
        loss.backward()
        # the packed way leaves out the last key's bias, whose gradient is zero
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in model.parameters()]
        found.append((float(loss.detach()), torch.cat([grad.flatten() for grad in grads])))
    (loss_packed, grad_packed), (loss_padded, grad_padded) = found
    assert loss_packed == pytest.approx(loss_padded, rel=1e-5)
    assert float((grad_packed - grad_padded).norm() / grad_padded.norm()) < 1e-5


@pytest.mark.parametrize("count", [1, 5, 22])
def test_layers_compute_rows_of_few_lengths(folder: Path, count: int) -> None:
    path = make_model(folder).path("alpha")
    lengths: list[int] = []
    layer = path.get_submodule("bert.encoder.layer.0")
    layer.register_forward_pre_hook(lambda _, inputs: lengths.append(inputs[0].shape[1]))
    batch = pack(DATA["alpha"].train, range(count))
    compute_logits(path, batch, is_packable=True)
    tokens = batch.tokens.shape[1]
    assert lengths == [-(-tokens // ROW_TOKENS) * ROW_TOKENS]


@pytest.mark.parametrize("kind", ["deberta-v2", "mpnet"])
def test_other_architectures_train_on_padded_batches(folder: Path, kind: str) -> None:
    model = make_model(folder, kind)
    assert not model.is_packable
    log = train(model, DATA, TrainingSettings(epochs=1, batch_size=8), seed=0)
    assert np.isfinite(list(log.final_loss.values())).all()


def test_training_lowers_the_loss_of_a_learnable_task(folder: Path) -> None:
    data = {name: DATA[name] for name in DATA}
    losses: list[float] = []
    settings = TrainingSettings(epochs=30, batch_size=8, learning_rate=3e-3)
    train(make_model(folder), data, settings, 0, log=lambda line: losses.append(line["loss"]))
    assert np.mean(losses[-6:]) < 0.5 * np.mean(losses[:6])


def test_a_step_leaves_the_other_tasks_layers_untouched(folder: Path) -> None:
    model = make_model(folder)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    train(model, {"alpha": DATA["alpha"]}, TrainingSettings(epochs=1), seed=0)
    changed = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    own = {n for n in before if n.startswith("paths.task-beta")}
    assert changed
    assert not changed & own


def test_an_infinite_loss_names_step_and_task(folder: Path) -> None:
    settings = TrainingSettings(epochs=3, batch_size=8, learning_rate=1e30, clip_norm=1e30)
    with pytest.raises(DivergedError, match=r"training loss of `(alpha|beta)` became .* at step"):
        train(make_model(folder), DATA, settings, seed=0)


def test_the_learning_rate_rises_to_the_peak_then_falls_to_zero() -> None:
    settings = TrainingSettings(learning_rate=1.0, warmup_frac=0.2)
    rates = [compute_learning_rate(i, 10, settings) for i in range(10)]
    # Two warm-up steps: 1/3, 2/3; then (10 - i) / 8 for i = 2 .. 9.
    assert rates == pytest.approx([1 / 3, 2 / 3, *[(10 - i) / 8 for i in range(2, 10)]])


def test_evaluation_covers_every_example_once_whatever_the_batches() -> None:
    split = DATA["alpha"].train
    for most_tokens in (1, 50, 10_000):
        index = np.concatenate(list(cut_by_tokens(split, most_tokens)))
        assert sorted(index) == list(range(len(split)))


def test_predictions_keep_row_order_and_labels(folder: Path) -> None:
    frame = evaluate(make_model(folder), DATA["beta"])
    split = DATA["beta"].splits["validation"]
    assert frame["row"].tolist() == split.rows.tolist()
    assert frame["label"].tolist() == split.labels.tolist()
    assert [int(np.argmax(x)) for x in frame["logits"]] == frame["prediction"].tolist()


def test_the_loss_of_a_hand_made_batch() -> None:
    # -log softmax([0, ln 3])[1] = -log(3 / 4); squared error of (1, 3) against (0, 1): (1 + 4) / 2.
    logits = torch.tensor([[0.0, float(np.log(3))]])
    assert float(compute_loss(logits, torch.tensor([1]), "classification")) == pytest.approx(
        -np.log(0.75)
    )
    values = torch.tensor([[1.0], [3.0]])
    assert float(compute_loss(values, torch.tensor([0.0, 1.0]), "regression")) == pytest.approx(2.5)


def run_out_of_memory(monkeypatch: pytest.MonkeyPatch, most: int) -> list[int]:
    """Let batches of more than `most` examples fail; return the sizes that are computed."""
    sizes: list[int] = []

    def compute(model: torch.nn.Module, batch: Batch, *, is_packable: bool) -> torch.Tensor:
        if len(batch.labels) > most:
            raise torch.OutOfMemoryError
        sizes.append(len(batch.labels))
        return compute_logits(model, batch, is_packable=is_packable)

    monkeypatch.setattr("hmnet.models.paths.compute_logits", compute)
    return sizes


def test_out_of_memory_halves_the_parts_and_keeps_the_step(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = make_model(folder)
    whole_log = train(whole, DATA, SETTINGS, seed=0)
    cut = make_model(folder)
    sizes = run_out_of_memory(monkeypatch, 3)
    cut_log = train(cut, DATA, SETTINGS, seed=0)
    assert (whole_log.micro_batches, cut_log.micro_batches) == (1, 4)
    assert set(sizes) == {1, 2, 3}  # of 8 in 4 parts, and of the last 6 of an epoch in 2 or 4
    assert cut_log.tokens == whole_log.tokens
    assert cut_log.final_loss == pytest.approx(whole_log.final_loss, rel=1e-3)


def test_parts_of_a_batch_add_up_to_its_gradient(folder: Path) -> None:
    gradients = []
    for parts in (1, 3):
        trainer = Trainer(make_model(folder), DATA, SETTINGS, 0, torch.device("cpu"))
        trainer.micro_batches = parts
        loss, tokens = trainer._add_gradients(
            trainer.steps[0].task, trainer._cut(trainer.steps[0])
        ).tolist()
        grads = [p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None]
        gradients.append((loss, tokens, torch.cat(grads)))
    (loss, tokens, whole), (loss_of_parts, tokens_of_parts, added) = gradients
    assert (loss_of_parts, tokens_of_parts) == (pytest.approx(loss, rel=1e-6), tokens)
    assert float((whole - added).norm() / whole.norm()) < 1e-5


def test_no_room_for_one_example_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_out_of_memory(monkeypatch, 0)
    with pytest.raises(OutOfMemoryError, match=r"`rows.max_length` should leave room for one"):
        train(make_model(folder), DATA, SETTINGS, seed=0)


@pytest.mark.parametrize("most", [0.5, 5.0, 1e6])
def test_clipping_is_that_of_torch_and_leaves_small_gradients_alone(most: float) -> None:
    torch.manual_seed(0)
    own, stock = ([torch.nn.Parameter(torch.zeros(5, 4)) for _ in range(3)] for _ in range(2))
    for one, other in zip(own[:2], stock[:2], strict=True):  # the third has no gradient
        one.grad = torch.randn(5, 4)
        other.grad = one.grad.clone()
    clip_gradients(own, most)
    torch.nn.utils.clip_grad_norm_(stock, most)
    for one, other in zip(own[:2], stock[:2], strict=True):
        assert torch.equal(one.grad, other.grad)
    assert own[2].grad is None


def test_a_tasks_loss_weight_scales_its_gradient_and_not_its_recorded_loss(folder: Path) -> None:
    weighted = dataclasses.replace(SETTINGS, loss_weights={"alpha": 3.0})
    found = {}
    for name, settings in (("plain", SETTINGS), ("weighted", weighted)):
        trainer = Trainer(make_model(folder), DATA, settings, 0, torch.device("cpu"))
        for task in DATA:
            step = next(step for step in trainer.steps if step.task == task)
            loss = float(trainer._add_gradients(step.task, trainer._cut(step))[0])
            parameters = list(trainer.model.path(task).parameters())
            found[name, task] = loss, [p.grad.clone() for p in parameters if p.grad is not None]
            trainer.optimizer.zero_grad(set_to_none=True)
    for task, factor in (("alpha", 3.0), ("beta", 1.0)):
        (loss, plain), (same, scaled) = found["plain", task], found["weighted", task]
        assert loss == same
        assert any(one.abs().sum() > 0 for one in plain)
        for one, other in zip(plain, scaled, strict=True):
            torch.testing.assert_close(other, factor * one)
