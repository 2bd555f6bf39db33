"""One engine, many methods: identities between hierarchies, exact on a CPU without dropout."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from made import make_data, make_encoder

from hmnet.models.paths import HMNet
from hmnet.study.hierarchy import HierarchySpec
from hmnet.study.settings import TrainingSettings
from hmnet.training.evaluation import evaluate
from hmnet.training.loop import train

ARCHITECTURES = ("bert", "roberta", "electra")
SETTINGS = TrainingSettings(epochs=2, batch_size=8, learning_rate=1e-3)
DATA = {
    "alpha": make_data("alpha", 2),
    "beta": make_data("beta", 3, seed=1),
    "gamma": make_data("gamma", 1, seed=2),
}


@pytest.fixture(scope="module", params=ARCHITECTURES)
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return make_encoder(tmp_path_factory.mktemp("encoder"), request.param, depth=4)


def run(encoder: Any, hierarchy: str, groups: list[list[str]]) -> tuple[list[float], Any]:
    """Train on the groups' tasks; return every loss and the last task's dev outputs."""
    names = [name for group in groups for name in group]
    data = {name: DATA[name] for name in names}
    tasks = [d.task for d in data.values()]
    model = HMNet(encoder, tasks, HierarchySpec.parse(hierarchy), groups, seed=3)
    losses: list[float] = []
    train(model, data, SETTINGS, seed=3, log=lambda line: losses.append(line["loss"]))
    outputs = np.stack(evaluate(model, data[min(names)])["logits"].tolist())
    return losses, outputs


def assert_same(first: Any, second: Any) -> None:
    assert first[0] == second[0]
    np.testing.assert_array_equal(first[1], second[1])


@pytest.mark.parametrize("hierarchy", ["4,0,0", "0,4,0", "2,1,1", "1,0,3"])
def test_with_one_task_every_hierarchy_gives_the_same_losses(encoder: Any, hierarchy: str) -> None:
    assert_same(run(encoder, hierarchy, [["alpha"]]), run(encoder, "0,0,4", [["alpha"]]))


def test_one_group_makes_cluster_layers_shared_layers(encoder: Any) -> None:
    together = [["alpha", "beta", "gamma"]]
    assert_same(run(encoder, "2,1,1", together), run(encoder, "3,0,1", together))


def test_one_group_per_task_makes_cluster_layers_task_layers(encoder: Any) -> None:
    apart = [["alpha"], ["beta"], ["gamma"]]
    assert_same(run(encoder, "2,1,1", apart), run(encoder, "2,0,2", apart))


def test_the_order_of_tasks_and_groups_does_not_matter(encoder: Any) -> None:
    one = run(encoder, "2,1,1", [["alpha", "beta"], ["gamma"]])
    other = run(encoder, "2,1,1", [["gamma"], ["beta", "alpha"]])
    assert_same(one, other)


def test_grouping_changes_the_numbers_where_layers_are_shared_by_group(encoder: Any) -> None:
    one = run(encoder, "1,2,1", [["alpha", "beta"], ["gamma"]])
    other = run(encoder, "1,2,1", [["alpha"], ["beta", "gamma"]])
    assert one[0] != other[0]


def test_tasks_without_shared_layers_but_embeddings_still_share_embeddings(encoder: Any) -> None:
    model = HMNet(
        encoder,
        [d.task for d in DATA.values()],
        HierarchySpec(0, 0, 4),
        [["alpha", "beta", "gamma"]],
        0,
    )
    base = [m.get_submodule(str(m.base_model_prefix)).embeddings for m in model.paths.values()]
    assert all(b is base[0] for b in base)


def test_a_task_sees_the_same_batches_and_head_alone_and_in_a_pair(encoder: Any) -> None:
    single = HMNet(encoder, [DATA["alpha"].task], HierarchySpec(4, 0, 0), [["alpha"]], 5)
    pair_tasks = [DATA["alpha"].task, DATA["beta"].task]
    pair = HMNet(encoder, pair_tasks, HierarchySpec(4, 0, 0), [["alpha", "beta"]], 5)
    for one, other in zip(
        single.path("alpha").parameters(), pair.path("alpha").parameters(), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_another_seed_gives_another_head(encoder: Any) -> None:
    first, second = (
        HMNet(encoder, [DATA["alpha"].task], HierarchySpec(4, 0, 0), [["alpha"]], seed)
        for seed in (0, 1)
    )
    differ = [
        name
        for (name, p), q in zip(first.named_parameters(), second.parameters(), strict=True)
        if not torch.equal(p, q)
    ]
    assert differ
    assert not [name for name in differ if ".layer." in name or "embeddings" in name]
