"""{x, y, z} that differ by task and group: what is shared, and what stays the same, bit for bit."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made import make_data, make_encoder

from hmnet.encoders.layers import find_layers
from hmnet.errors import InputError
from hmnet.models.paths import HMNet, PathModel
from hmnet.runs.spec import RunSpec, read_spec
from hmnet.storage.documents import write_document
from hmnet.study.hierarchy import (
    Groups,
    Hierarchy,
    HierarchySpec,
    VariedHierarchy,
    parse_depths,
    settle_hierarchy,
    vary_hierarchy,
)
from hmnet.study.settings import ModelRef, TrainingSettings
from hmnet.study.stages import parse_stages
from hmnet.training.checkpoint import Checkpoint
from hmnet.training.course import PLAIN, Course, ModelStage
from hmnet.training.evaluation import evaluate
from hmnet.training.loop import Trainer, train
from hmnet.training.loss_record import LossRecord

ARCHITECTURES = ("bert", "roberta", "electra")
SETTINGS = TrainingSettings(epochs=2, batch_size=8, learning_rate=1e-3)
DATA = {
    "alpha": make_data("alpha", 2),
    "beta": make_data("beta", 3, seed=1),
    "gamma": make_data("gamma", 1, seed=2),
}
GROUPS = Groups({"pair": ("alpha", "beta"), "rest": ("gamma",)})


@pytest.fixture(scope="module", params=ARCHITECTURES)
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return make_encoder(tmp_path_factory.mktemp("encoder"), request.param, depth=4, dropout=0.1)


def vary(default: str, depths: str = "") -> Hierarchy:
    own = parse_depths(depths) if depths else {}
    return vary_hierarchy(HierarchySpec.parse(default), own, GROUPS)


def build(encoder: Any, hierarchy: Hierarchy, duplicate: Any = "layer") -> HMNet:
    tasks = [found.task for found in DATA.values()]
    groups = list(GROUPS.groups.values())
    return HMNet(encoder, tasks, hierarchy, groups, seed=3, duplicate=duplicate)


def follow(model: PathModel, course: Course = PLAIN) -> tuple[list[float], list[Any]]:
    """Train; return every loss, and all outputs."""
    losses: list[float] = []
    train(model, DATA, SETTINGS, 3, log=lambda line: losses.append(line["loss"]), course=course)
    return losses, [np.stack(evaluate(model, DATA[name])["logits"]) for name in DATA]


def assert_same(one: tuple[list[float], list[Any]], other: tuple[list[float], list[Any]]) -> None:
    assert one[0] == other[0]
    for outputs, others in zip(one[1], other[1], strict=True):
        np.testing.assert_array_equal(outputs, others)


def list_shared(model: PathModel, one: str, other: str) -> list[bool]:
    pairs = zip(*(find_layers(model.path(name)) for name in (one, other)), strict=True)
    return [a is b for a, b in pairs]


def test_tasks_share_a_layer_where_both_share_it(encoder: Any) -> None:
    model = build(encoder, vary("2,1,1", "rest:1,0,3 beta:3,1,0"))
    # alpha {2,1,1} and beta {3,1,0}: two of all; beta's third is of all, and alpha's of its group
    assert list_shared(model, "alpha", "beta") == [True, True, False, False]
    assert list_shared(model, "alpha", "gamma") == [True, False, False, False]
    pair = build(encoder, vary("1,3,0", "beta:2,1,1"))
    assert list_shared(pair, "alpha", "beta") == [True, False, True, False]


def test_a_task_kept_apart_shares_the_embeddings_alone(encoder: Any) -> None:
    model = build(encoder, vary("4,0,0", "gamma:0,0,4"))
    own, shared = (set(model.path(name).parameters()) for name in ("gamma", "alpha"))
    names = {n for n, p in model.path("gamma").named_parameters() if p in shared}
    assert names
    assert all("embedding" in name for name in names)
    assert len(own) > len(names)


def test_parts_of_layers_are_shared_around_feed_forward_blocks(encoder: Any) -> None:
    model = build(encoder, vary("3,0,1", "gamma:1,0,3"), "ffn")
    alpha, gamma = (find_layers(model.path(name))[2] for name in ("alpha", "gamma"))
    theirs = set(gamma.parameters())
    apart = {name for name, p in alpha.named_parameters() if p not in theirs}
    assert apart == {
        name for name in apart if "intermediate.dense" in name or "output.dense" in name
    }
    assert len(apart) == 4  # two linear maps, each a matrix and a bias
    assert list_shared(model, "alpha", "beta") == [True, True, True, False]


def test_depths_that_are_all_the_same_are_a_plain_hierarchy(encoder: Any) -> None:
    same = {name: HierarchySpec(2, 1, 1) for name in DATA}
    assert settle_hierarchy(VariedHierarchy(HierarchySpec(4, 0, 0), same), DATA) == HierarchySpec(
        2, 1, 1
    )
    forced = build(encoder, VariedHierarchy(HierarchySpec(4, 0, 0), same))
    assert_same(follow(forced), follow(build(encoder, HierarchySpec(2, 1, 1))))


def test_layers_of_a_group_of_one_are_a_tasks_own(encoder: Any) -> None:
    varied = build(encoder, vary("2,1,1", "rest:2,0,2"))
    assert_same(follow(varied), follow(build(encoder, HierarchySpec(2, 1, 1))))


def test_parting_into_depths_without_a_further_step_keeps_the_predictions(encoder: Any) -> None:
    whole, finer = HierarchySpec(4, 0, 0), vary("2,1,1", "gamma:0,0,4")
    stages = [ModelStage(0.999, partial(build, encoder, whole))]
    stages.append(ModelStage(0.001, partial(build, encoder, finer)))  # of 18 steps: none
    parted = build(encoder, whole)
    assert_same(follow(parted, Course(stages)), follow(build(encoder, whole)))
    assert list_shared(parted, "alpha", "gamma") == [False] * 4


def test_a_run_resumes_exactly_across_a_parting_into_depths(encoder: Any, tmp_path: Path) -> None:
    finer = vary("2,1,1", "gamma:0,0,4")

    def plan() -> tuple[HMNet, Course]:
        whole = partial(build, encoder, HierarchySpec(4, 0, 0))
        stages = [ModelStage(0.5, whole), ModelStage(0.5, partial(build, encoder, finer))]
        return whole(), Course(stages)  # of 18 steps, the first 9 share all

    model, course = plan()
    cut = Trainer(model, DATA, SETTINGS, 3, torch.device("cpu"), course)
    for position in range(12):
        cut.update(position)
    checkpoint = Checkpoint(tmp_path, 1e9)
    cut.save(checkpoint, {"position": 12, "progress": LossRecord(cut.steps, None).state()})
    resumed, course = plan()
    train(resumed, DATA, SETTINGS, 3, checkpoint=checkpoint, course=course)
    never_cut, course = plan()
    follow(never_cut, course)
    for one, other in zip(resumed.parameters(), never_cut.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_parameters_are_those_of_every_copy(encoder: Any) -> None:
    whole = build(encoder, HierarchySpec(4, 0, 0))
    varied = build(encoder, vary("4,0,0", "gamma:3,0,1"))
    layer = sum(p.numel() for p in find_layers(whole.path("gamma"))[3].parameters())
    counts = [model.count_parameters() for model in (whole, varied)]
    assert counts[1]["overall"] == counts[0]["overall"] + layer
    assert counts[1]["activated"] == counts[0]["activated"]


# What decides a run


def make_spec(hierarchy: Hierarchy, stages: str = "") -> RunSpec:
    default, own = hierarchy, {}
    if isinstance(hierarchy, VariedHierarchy):
        default, own = hierarchy.default, hierarchy.own
    return RunSpec(
        tasks=tuple(found.task for found in DATA.values()),
        data={name: found.fingerprint for name, found in DATA.items()},
        model=ModelRef("made", None, "0"),
        hierarchy=default,
        groups=GROUPS.partition,
        training=SETTINGS,
        seed=0,
        stages=parse_stages(stages) if stages else (),
        depths=own,
    )


def test_depths_decide_a_runs_name_and_none_leave_it_as_it_was(tmp_path: Path) -> None:
    plain, varied = make_spec(vary("2,1,1")), make_spec(vary("2,1,1", "gamma:0,0,4"))
    assert "depths" not in plain._identity()
    assert plain.run_id != varied.run_id
    write_document(tmp_path / "spec.json", "run-spec/1", varied)
    assert read_spec(tmp_path / "spec.json") == varied
    swapped = vary("0,0,4", "pair:2,1,1")  # said the other way round
    assert make_spec(swapped).run_id == varied.run_id


def test_groups_matter_where_some_task_shares_layers_with_its_group() -> None:
    def regroup(spec: RunSpec) -> str:
        return dataclasses.replace(spec, groups=(("alpha",), ("beta", "gamma"))).run_id

    grouped, not_grouped = (make_spec(vary("3,0,1", d)) for d in ("pair:2,1,1", "gamma:2,0,2"))
    assert regroup(grouped) != grouped.run_id
    assert regroup(not_grouped) == not_grouped.run_id


def test_what_a_stage_has_parted_is_not_shared_again() -> None:
    stages = "4,0,0:0.5 2,1,1:0.3 2,0,2:0.2"
    finer = make_spec(vary("2,0,2", "gamma:0,0,4"), stages)
    assert [str(each) for each in finer.list_hierarchies()] == [
        "4,0,0",
        "2,1,1",
        "2,0,2 gamma:0,0,4",
    ]
    with pytest.raises(ValueError, match=r"`depths` should share no more .* `4,0,0` of `gamma`"):
        make_spec(vary("2,0,2", "gamma:4,0,0"), stages)


def test_names_that_are_no_group_and_no_task_are_told() -> None:
    with pytest.raises(
        InputError, match=r"name groups or tasks. Found `gama`. Did you mean `gamma`"
    ):
        vary("2,1,1", "gama:0,0,4")
    for text in ("gamma", "gamma:0,0,4 gamma:0,0,4"):
        with pytest.raises(InputError, match=r"`depths` should be NAME:X,Y,Z"):
            parse_depths(text)
    confusing = Groups({"alpha": ("alpha", "beta"), "g": ("gamma",)})
    with pytest.raises(InputError, match=r"Found `alpha`, which is a group of alpha, beta and a"):
        vary_hierarchy(HierarchySpec(4, 0, 0), {"alpha": HierarchySpec(0, 0, 4)}, confusing)


def test_groups_keep_the_hierarchy_that_was_advised_with_them(tmp_path: Path) -> None:
    GROUPS.write(tmp_path / "plain.json")
    assert "hierarchy" not in (tmp_path / "plain.json").read_text()
    assert Groups.read(tmp_path / "plain.json").advise() is None
    depths = {"rest": HierarchySpec(0, 0, 4)}
    advised = Groups(GROUPS.groups, {}, HierarchySpec(2, 2, 0), depths)
    advised.write(tmp_path / "groups.json")
    assert Groups.read(tmp_path / "groups.json") == advised
    assert str(advised.advise()) == "2,2,0 gamma:0,0,4"
    with pytest.raises(ValueError, match=r"`depths` should be left out unless `hierarchy`"):
        Groups(GROUPS.groups, {}, None, depths)
