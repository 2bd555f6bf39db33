"""Sharing that becomes finer while a model is trained: what stays the same, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made import make_data, make_encoder

from hmnet.encoders.layers import find_layers
from hmnet.errors import InputError
from hmnet.models.parting import find_lower, match_parameters
from hmnet.models.paths import HMNet, PathModel
from hmnet.study.hierarchy import HierarchySpec
from hmnet.study.settings import TrainingSettings
from hmnet.study.stages import SharingStage, parse_stages
from hmnet.training import embedding_gradients, used_rows
from hmnet.training.checkpoint import Checkpoint
from hmnet.training.course import PLAIN, Course, ModelStage
from hmnet.training.evaluation import evaluate
from hmnet.training.loop import Trainer, train

ARCHITECTURES = ("bert", "roberta", "electra")
SETTINGS = TrainingSettings(epochs=2, batch_size=8, learning_rate=1e-3, weight_decay=0.1)
DATA = {
    "alpha": make_data("alpha", 2),
    "beta": make_data("beta", 3, seed=1),
    "gamma": make_data("gamma", 1, seed=2),
}
GROUPS = [["alpha", "beta"], ["gamma"]]
COARSE_TO_FINE = "4,0,0:0.4 2,2,0:0.3 2,1,1:0.3"
"""Of 18 steps: 7 with all layers shared, 6 with those of groups, 5 with those of tasks."""
CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=ARCHITECTURES)
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return make_encoder(tmp_path_factory.mktemp("encoder"), request.param, depth=4, dropout=0.1)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return make_encoder(tmp_path_factory.mktemp("bert"), "bert", depth=4, dropout=0.1)


def build(
    encoder: Any, hierarchy: HierarchySpec, groups: Sequence[Sequence[str]], duplicate: Any
) -> HMNet:
    tasks = [DATA[name].task for group in groups for name in group]
    return HMNet(encoder, tasks, hierarchy, groups, seed=3, duplicate=duplicate)


def plan(
    encoder: Any, stages: str, groups: Sequence[Sequence[str]] = GROUPS, duplicate: str = "layer"
) -> tuple[PathModel, Course]:
    """Return the model of the first stage, and the course."""
    parts = [
        ModelStage(
            stage.share,
            partial(build, encoder, stage.hierarchy, groups, duplicate),
            stage.lower_rate,
        )
        for stage in parse_stages(stages)
    ]
    return parts[0].build(), Course(parts)


def run(
    encoder: Any, stages: str, groups: Sequence[Sequence[str]] = GROUPS, duplicate: str = "layer"
) -> tuple[list[float], PathModel]:
    """Train; return every loss, and the model."""
    model, course = plan(encoder, stages, groups, duplicate)
    return follow(model, course, groups), model


def follow(
    model: PathModel, course: Course, groups: Sequence[Sequence[str]] = GROUPS
) -> list[float]:
    data = {name: DATA[name] for group in groups for name in group}
    losses: list[float] = []
    train(model, data, SETTINGS, 3, log=lambda line: losses.append(line["loss"]), course=course)
    return losses


def predict(model: PathModel) -> dict[str, np.ndarray[Any, Any]]:
    return {task: np.stack(evaluate(model, DATA[task])["logits"]) for task in model.tasks}


def assert_same_predictions(one: PathModel, other: PathModel) -> None:
    for task, outputs in predict(one).items():
        np.testing.assert_array_equal(outputs, predict(other)[task])


def assert_same_parameters(one: PathModel, other: PathModel) -> None:
    named = dict(other.named_parameters())
    assert dict(one.named_parameters()).keys() == named.keys()
    for name, parameter in one.named_parameters():
        torch.testing.assert_close(parameter, named[name], rtol=0, atol=0, msg=name)


@pytest.mark.parametrize("hierarchy", ["2,1,1", "4,0,0"])
def test_one_stage_is_a_plain_run(encoder: Any, hierarchy: str) -> None:
    losses, model = run(encoder, f"{hierarchy}:1")
    plain = build(encoder, HierarchySpec.parse(hierarchy), GROUPS, "layer")
    assert losses == follow(plain, PLAIN)
    assert_same_parameters(model, plain)


def test_parting_without_a_further_step_keeps_the_predictions(encoder: Any) -> None:
    losses, whole = run(encoder, "4,0,0:1")
    parted_losses, parted = run(encoder, "4,0,0:0.999 2,1,1:0.001")  # of 18 steps: none
    assert parted_losses == losses
    assert_same_predictions(parted, whole)
    assert find_layers(parted.path("alpha"))[3] is not find_layers(parted.path("beta"))[3]


@pytest.mark.parametrize("stages", [COARSE_TO_FINE, "4,0,0:0.5 0,0,4:0.5:0", "4,0,0:0.5 0,4,0:.5"])
def test_with_one_task_every_schedule_gives_the_same_losses(encoder: Any, stages: str) -> None:
    alone = [["alpha"]]
    losses, model = run(encoder, stages, alone)
    plain_losses, plain = run(encoder, "4,0,0:1", alone)
    assert losses == plain_losses
    assert_same_predictions(model, plain)


def test_a_parting_changes_the_losses_that_come_after_it_alone(bert: Any) -> None:
    losses, model = run(bert, COARSE_TO_FINE)
    shared, _ = run(bert, "4,0,0:1")
    assert losses[:7] == shared[:7]
    assert losses[7:] != shared[7:]
    layers = {name: find_layers(model.path(name)) for name in DATA}
    pairs = [[layers["alpha"][i] is layers[other][i] for i in range(4)] for other in layers]
    assert pairs == [[True] * 4, [True, True, True, False], [True, True, False, False]]


@pytest.mark.parametrize("duplicate", ["layer", "ffn"])
def test_a_new_owner_goes_on_from_weights_moments_and_step_counts(
    bert: Any, duplicate: str
) -> None:
    model, course = plan(bert, COARSE_TO_FINE, duplicate=duplicate)
    trainer = Trainer(model, DATA, SETTINGS, 3, CPU, course=course)
    for position in range(7):
        trainer.update(position)
    before = {task: list_state(trainer, task) for task in DATA}
    trainer.part_until(7)
    assert trainer.stage == 1
    for task, states in before.items():
        for (value, moments), (same, taken) in zip(states, list_state(trainer, task), strict=True):
            assert torch.equal(value, same)
            assert moments.keys() == taken.keys()
            assert all(torch.equal(moments[key], taken[key]) for key in moments)


def list_state(trainer: Trainer, task: str) -> list[tuple[torch.Tensor, dict[str, torch.Tensor]]]:
    """Return copies of a path's values and moments."""
    return [
        (
            parameter.detach().clone(),
            {key: each.clone() for key, each in trainer.optimizer.state.get(parameter, {}).items()},
        )
        for parameter in trainer.model.path(task).parameters()
    ]


def test_copies_do_not_share_moments(bert: Any) -> None:
    model, course = plan(bert, "4,0,0:0.5 2,1,1:0.5")
    trainer = Trainer(model, DATA, SETTINGS, 3, CPU, course=course)
    for position in range(len(trainer.steps)):
        trainer.update(position)
    taken = [
        value.data_ptr() for state in trainer.optimizer.state.values() for value in state.values()
    ]
    assert len(set(taken)) == len(taken)


class StoppedError(Exception):
    """Stands for a process that dies."""


@pytest.mark.parametrize("last", [5, 7, 8, 13, 15])  # before, at and after both partings
def test_resuming_across_partings_is_exact(
    bert: Any, tmp_path: Path, last: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (embedding_gradients, used_rows):
        monkeypatch.setattr(module, "LARGE", 1)  # so that the token table is cut
    stages = "4,0,0:0.4 2,2,0:0.3 2,1,1:0.3:0.5"
    _, whole = run(bert, stages)
    model, course = plan(bert, stages)

    def stop(line: Mapping[str, Any]) -> None:
        if line["step"] == last:
            raise StoppedError

    with pytest.raises(StoppedError):
        train(
            model, DATA, SETTINGS, 3, checkpoint=Checkpoint(tmp_path, 0.0), log=stop, course=course
        )
    resumed, course = plan(bert, stages)
    seen: list[int] = []
    train(
        resumed,
        DATA,
        SETTINGS,
        3,
        checkpoint=Checkpoint(tmp_path, 1e9),
        log=lambda line: seen.append(line["step"]),
        course=course,
    )
    assert seen == list(range(last, 18))
    assert_same_parameters(whole, resumed)


def test_a_damaged_checkpoint_of_a_later_stage_starts_the_run_anew(
    bert: Any, tmp_path: Path
) -> None:
    model, course = plan(bert, COARSE_TO_FINE)
    trainer = Trainer(model, DATA, SETTINGS, 3, CPU, course=course)
    trainer.part_until(10)
    checkpoint = Checkpoint(tmp_path, 1e9)
    checkpoint.save(model, trainer.optimizer, {"position": 10})
    content = bytearray(checkpoint.path.read_bytes())
    content[-1] ^= 1
    checkpoint.path.write_bytes(content)
    losses, whole = run(bert, COARSE_TO_FINE)
    again, course = plan(bert, COARSE_TO_FINE)
    found: list[float] = []
    log = lambda line: found.append(line["loss"])  # noqa: E731
    train(again, DATA, SETTINGS, 3, checkpoint=checkpoint, log=log, course=course)
    assert found == losses
    assert_same_parameters(whole, again)


def test_a_rate_of_zero_freezes_what_is_shared_further_down(encoder: Any) -> None:
    model, course = plan(encoder, "4,0,0:0.5 2,1,1:0.5:0")
    trainer = Trainer(model, DATA, SETTINGS, 3, CPU, course=course)
    trainer.part_until(9)
    lower = find_lower(model)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for position in range(9, len(trainer.steps)):
        trainer.update(position)
    trainer.finish()
    assert all(p.requires_grad for p in model.parameters())
    for name, parameter in model.named_parameters():
        if "key.bias" not in name:  # whose gradient is zero: a softmax leaves it out
            assert torch.equal(parameter, before[name]) == (parameter in lower), name
    # gamma is alone in its group, so its group's layer is as fine as its own
    kept = {name for name, parameter in model.named_parameters() if parameter in lower}
    assert any("embeddings" in name for name in kept)
    assert not any("gamma" in name or "layer.3" in name for name in kept)
    assert any("alpha" in name and "layer.2" in name for name in kept)


def test_a_slower_rate_moves_the_lower_layers_less(bert: Any) -> None:
    moved = {}
    for rate in ("1", "0.1"):
        model, course = plan(bert, f"2,1,1:1:{rate}")
        before = [p.detach().clone() for p in find_layers(model.path("alpha"))[0].parameters()]
        trainer = Trainer(model, DATA, SETTINGS, 3, CPU, course=course)
        trainer.update(0)
        after = find_layers(model.path("alpha"))[0].parameters()
        moved[rate] = sum(
            float((a - b).detach().abs().sum()) for a, b in zip(after, before, strict=True)
        )
    # one step of AdamW moves each element by its rate, whatever the gradient's size
    assert moved["0.1"] == pytest.approx(0.1 * moved["1"], rel=0.05)


def test_a_model_takes_over_only_what_was_shared(bert: Any) -> None:
    shared, parted = (
        build(bert, HierarchySpec.parse(text), GROUPS, "layer") for text in ("4,0,0", "2,1,1")
    )
    assert set(match_parameters(parted, shared)) == set(parted.parameters())
    with pytest.raises(InputError, match="`start_from` should name a run whose tasks share"):
        match_parameters(shared, parted)
    alone = build(bert, HierarchySpec(0, 0, 4), [["alpha"]], "layer")
    with pytest.raises(InputError, match=r"at least the same tasks. Found `alpha`, without `beta`"):
        match_parameters(shared, alone)


def test_the_starts_of_stages_follow_from_their_shares() -> None:
    stages = [SharingStage(share, HierarchySpec(4, 0, 0)) for share in (0.5, 0.3, 0.2)]
    course = Course([ModelStage(stage.share, PathModel.__new__, 1.0) for stage in stages])  # type: ignore[arg-type]
    # 0.5 and 0.8 of the steps
    assert course.plan_starts(10) == [0, 5, 8]
    assert course.plan_starts(1) == [0, 0, 1]
    assert PLAIN.plan_starts(10) == [0]
