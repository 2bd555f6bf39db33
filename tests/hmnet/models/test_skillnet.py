"""The SkillNet-style baseline, and what HMNet duplicates: structure, counts, identities, runs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made import make_data, make_encoder
from made_runs import SPEC
from pydantic import ValidationError
from tiny_study import write_groups, write_study
from transformers import AutoModelForSequenceClassification, BertConfig

from hmnet.cli import app
from hmnet.encoders.load import Encoder
from hmnet.errors import InputError
from hmnet.folder.outputs import Output
from hmnet.models.build import build_paths
from hmnet.models.parameter_counts import count_parameters, count_with_config
from hmnet.models.paths import HMNet, PathModel
from hmnet.models.saved import load_model
from hmnet.models.skillnet import SkillNet
from hmnet.packing.batch import pack
from hmnet.packing.forward import compute_logits
from hmnet.runs.spec import SPEC_SCHEMA, RunSpec
from hmnet.storage.documents import parse, read_document, to_plain, write_document
from hmnet.study.hierarchy import HierarchySpec
from hmnet.study.settings import TrainingSettings
from hmnet.study.skills import SKILL_SETS, SKILLS, find_skills
from hmnet.study.tasks import ANSWERING, INFERENCE, PAPER_TASKS, SENTIMENT, Task
from hmnet.training.evaluation import evaluate
from hmnet.training.loop import Trainer, train

CATEGORIES = {"alpha": INFERENCE, "beta": SENTIMENT, "gamma": "other"}
DATA = {name: make_data(name, 2, seed=i) for i, name in enumerate(CATEGORIES)}
TASKS = [dataclasses.replace(DATA[n].task, category=CATEGORIES[n]) for n in CATEGORIES]
SETTINGS = TrainingSettings(epochs=2, batch_size=8, learning_rate=1e-3)
ARCHITECTURES = ("bert", "roberta", "electra", "distilbert", "mpnet", "deberta-v2")

# bert-base. Embeddings: 30,522 words, 512 positions, 2 segments, and a layer norm.
EMBEDDINGS = (30_522 + 512 + 2) * 768 + 2 * 768
# A feed-forward block: 768 x 3072 and 3072 x 768 with biases, 4.72 M.
BLOCK = (768 * 3072 + 3072) + (3072 * 768 + 768)
# A layer: four 768 x 768 projections with biases, the block, two layer norms; 7.09 M.
LAYER = 4 * (768 * 768 + 768) + BLOCK + 2 * 2 * 768
POOLER = 768 * 768 + 768
# Output layers: three classes for mnli, cb, snli; one value for stsb; two classes for the other 9.
OUTPUTS = 3 * 3 + 1 + 9 * 2
HEADS = OUTPUTS * 768 + OUTPUTS


def make_spec(names: list[str], groups: int = 1, hierarchy: str = "12,0,0", **more: Any) -> RunSpec:
    """Return a spec of paper tasks, dealt out to a number of groups."""
    names = sorted(names)
    return RunSpec(
        tasks=tuple(PAPER_TASKS[name] for name in names),
        data=dict.fromkeys(names, "x"),
        model=SPEC.model,
        hierarchy=HierarchySpec.parse(hierarchy),
        groups=tuple(sorted(tuple(names[i::groups]) for i in range(groups))),
        training=TrainingSettings(),
        seed=0,
        **more,
    )


@pytest.fixture(scope="module", params=ARCHITECTURES)
def any_encoder(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Encoder:
    return make_encoder(tmp_path_factory.mktemp("encoder"), request.param, depth=3)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return make_encoder(tmp_path_factory.mktemp("encoder"), "bert", depth=3)


def run(model: PathModel, names: tuple[str, ...] = tuple(CATEGORIES)) -> tuple[list[float], Any]:
    """Train; return every loss and the first task's dev outputs."""
    losses: list[float] = []
    data = {name: DATA[name] for name in names}
    train(model, data, SETTINGS, seed=3, log=lambda line: losses.append(line["loss"]))
    return losses, np.stack(evaluate(model, DATA[names[0]])["logits"].tolist())


# Counts


@pytest.mark.parametrize("groups", [3, 4])
def test_counts_of_bert_base_with_whole_layers_equal_hand_arithmetic(groups: int) -> None:
    counts = count_with_config(BertConfig(), make_spec(list(PAPER_TASKS), groups, "8,2,2"))
    # 8 shared layers, 2 for each group, 2 for each of 13 tasks. With 3 groups 307.4 M and 7.7 M
    # of poolers and heads; the paper prints 231 M, and 240 M with 4.
    layers = 8 + 2 * groups + 2 * 13
    assert counts["overall"] == EMBEDDINGS + layers * LAYER + 13 * POOLER + HEADS
    assert counts["activated"] == EMBEDDINGS + 12 * LAYER + POOLER + 3 * 768 + 3


@pytest.mark.parametrize("groups", [3, 4])
def test_counts_of_bert_base_with_feed_forward_blocks_equal_hand_arithmetic(groups: int) -> None:
    spec = make_spec(list(PAPER_TASKS), groups, "8,2,2", duplicate="ffn")
    counts = count_with_config(BertConfig(), spec)
    # 12 layers, and in place of one block: one for each group in 2 layers, each task in 2 layers.
    blocks = 2 * (groups - 1) + 2 * (13 - 1)
    poolers = 13 * POOLER + HEADS
    assert counts["overall"] == EMBEDDINGS + 12 * LAYER + blocks * BLOCK + poolers
    assert counts["activated"] == EMBEDDINGS + 12 * LAYER + POOLER + 3 * 768 + 3
    # The paper's 231 M and 240 M: 12 task paths, without poolers and heads.
    paper = counts["overall"] - poolers - 2 * BLOCK
    assert paper / 1e6 == pytest.approx({3: 231, 4: 240}[groups], abs=1.2)


@pytest.mark.parametrize(
    ("task", "skills", "millions"),
    [("sst2", 3, 223), ("rte", 3, 223), ("boolq", 4, 279), ("other", 2, 166)],
)
def test_counts_of_a_skillnet_equal_hand_arithmetic(task: str, skills: int, millions: int) -> None:
    spec = make_spec(["sst2" if task == "other" else task], system="skillnet")
    if task == "other":
        spec = dataclasses.replace(
            spec, tasks=(dataclasses.replace(spec.tasks[0], category="other"),)
        )
    counts = count_with_config(BertConfig(), spec)
    head = POOLER + 2 * 768 + 2
    # Seven blocks in place of one in each of 12 layers: 109.5 M + 12 x 6 x 4.72 M = 449.5 M.
    assert counts["overall"] == EMBEDDINGS + 12 * (LAYER + 6 * BLOCK) + head
    assert counts["overall"] / 1e6 == pytest.approx(450, abs=0.6)
    assert counts["activated"] == EMBEDDINGS + 12 * (LAYER + (skills - 1) * BLOCK) + head
    assert counts["activated"] / 1e6 == pytest.approx(millions, abs=0.6)


def test_counts_of_a_skillnet_for_all_tasks_add_their_heads_alone() -> None:
    counts = count_with_config(BertConfig(), make_spec(list(PAPER_TASKS), system="skillnet"))
    assert counts["overall"] == EMBEDDINGS + 12 * (LAYER + 6 * BLOCK) + 13 * POOLER + HEADS


# SkillNet


def test_every_category_activates_the_general_skill_and_another() -> None:
    assert {task.category for task in PAPER_TASKS.values()} == set(SKILL_SETS)
    for task in [*PAPER_TASKS.values(), Task(name="x", text=("t",), labels=(0, 1))]:
        skills = find_skills(task)
        assert "s7" in skills
        assert len(set(skills)) == len(skills) >= 2
        assert set(skills) <= set(SKILLS)
    assert find_skills(PAPER_TASKS["boolq"]) == SKILL_SETS[ANSWERING] == ("s1", "s3", "s5", "s7")


def test_every_path_starts_as_the_stock_model(any_encoder: Encoder) -> None:
    split = DATA["alpha"].train
    batch = pack(split, [3, 1, 7])
    skillnet = SkillNet(any_encoder, TASKS, seed=0).eval()
    reference = HMNet(any_encoder, TASKS, HierarchySpec(3, 0, 0), [[t.name for t in TASKS]], 0)
    for task in TASKS:
        expected = compute_logits(
            reference.eval().path(task.name), batch, is_packable=any_encoder.is_packable
        )
        torch.testing.assert_close(skillnet(task.name, batch), expected, atol=1e-5, rtol=1e-4)


def test_a_step_trains_the_active_skills_and_no_others(encoder: Encoder) -> None:
    model = SkillNet(encoder, TASKS, seed=0)
    before = {name: p.detach().clone() for name, p in model.skills.named_parameters()}
    settings = dataclasses.replace(SETTINGS, epochs=1)
    trainer = Trainer(model, {"beta": DATA["beta"]}, settings, 0, torch.device("cpu"))
    trainer.update(0)
    changed = {
        name.split(".")[1]
        for name, p in model.skills.named_parameters()
        if not torch.equal(p, before[name])
    }
    assert changed == {"s1", "s4", "s7"}


def test_blocks_of_a_skill_are_the_same_objects_in_all_paths(encoder: Encoder) -> None:
    model = SkillNet(encoder, TASKS, seed=0)
    ups = {
        name: list(model.path(name).bert.encoder.layer[0].intermediate.dense.active)  # type: ignore[union-attr]
        for name in CATEGORIES
    }
    assert [len(ups[name]) for name in ("alpha", "beta", "gamma")] == [3, 3, 2]
    assert ups["alpha"][0] is ups["beta"][0] is ups["gamma"][0]  # s1
    assert ups["alpha"][2] is ups["beta"][2] is ups["gamma"][1]  # s7
    assert ups["alpha"][1] is not ups["beta"][1]  # s3, s4
    shared = [model.path(name).bert.encoder.layer[2].attention.self.query for name in CATEGORIES]  # type: ignore[union-attr]
    assert shared[0].weight is shared[1].weight is shared[2].weight


def test_dropout_lets_skills_that_are_always_active_together_differ(tmp_path: Path) -> None:
    for dropout, same in ((0.0, True), (0.3, False)):
        folder = tmp_path / str(same)
        folder.mkdir()
        model = SkillNet(make_encoder(folder, "bert", 2, dropout), TASKS, seed=0)
        run(model)
        one, other = (model.skills[0][skill][0].weight for skill in ("s1", "s7"))  # type: ignore[index]
        assert torch.equal(one, other) is same


def test_heads_are_those_of_hmnet(encoder: Encoder) -> None:
    skillnet = SkillNet(encoder, TASKS, seed=4)
    hmnet = HMNet(encoder, TASKS[:1], HierarchySpec(3, 0, 0), [["alpha"]], seed=4)
    for part in ("classifier", "bert.pooler"):
        one, other = (m.path("alpha").get_submodule(part) for m in (skillnet, hmnet))
        for p, q in zip(one.parameters(), other.parameters(), strict=True):
            assert torch.equal(p, q)


def test_the_order_of_tasks_does_not_matter_to_a_skillnet(encoder: Encoder) -> None:
    first = run(SkillNet(encoder, TASKS, seed=0))
    second = run(SkillNet(encoder, TASKS[::-1], seed=0))
    assert first[0] == second[0]
    np.testing.assert_array_equal(first[1], second[1])


def test_an_architecture_without_known_blocks_is_refused(tmp_path: Path) -> None:
    encoder = make_encoder(tmp_path, "modernbert", depth=3)
    message = r"feed-forward blocks.*Found architecture `modernbert`"
    with pytest.raises(InputError, match=message):
        SkillNet(encoder, TASKS, seed=0)
    with pytest.raises(InputError, match=message):
        HMNet(encoder, TASKS, HierarchySpec(1, 1, 1), [[t.name for t in TASKS]], 0, "ffn")


# Duplicating feed-forward blocks alone


def make_hmnet(encoder: Encoder, hierarchy: str, groups: list[list[str]], what: Any) -> HMNet:
    tasks = [task for task in TASKS if any(task.name in group for group in groups)]
    return HMNet(encoder, tasks, HierarchySpec.parse(hierarchy), groups, 3, duplicate=what)


def test_blocks_alone_are_own_and_the_rest_of_their_layers_is_shared(any_encoder: Encoder) -> None:
    if any_encoder.model.config.model_type != "bert":  # type: ignore[union-attr]
        make_hmnet(any_encoder, "1,1,1", [["alpha", "beta"], ["gamma"]], "ffn")
        return
    model = make_hmnet(any_encoder, "1,1,1", [["alpha", "beta"], ["gamma"]], "ffn")
    layers = {name: model.path(name).bert.encoder.layer for name in CATEGORIES}  # type: ignore[union-attr]

    def shared(other: str, part: str) -> list[bool]:
        pairs = zip(layers["alpha"], layers[other], strict=True)
        return [a.get_submodule(part).weight is b.get_submodule(part).weight for a, b in pairs]

    for part in ("attention.self.query", "attention.output.LayerNorm", "output.LayerNorm"):
        assert shared("beta", part) == shared("gamma", part) == [True, True, True]
    for part in ("intermediate.dense", "output.dense"):
        assert shared("beta", part) == [True, True, False]
        assert shared("gamma", part) == [True, False, False]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("1,1,1", [["alpha"]]), ("0,0,3", [["alpha"]])),  # with one task nothing is shared
        (("1,1,1", [["alpha", "beta", "gamma"]]), ("2,0,1", [["alpha", "beta", "gamma"]])),
        (("1,1,1", [["alpha"], ["beta"], ["gamma"]]), ("1,0,2", [["alpha"], ["beta"], ["gamma"]])),
    ],
)
def test_the_identities_between_hierarchies_hold_for_blocks(
    encoder: Encoder, one: Any, other: Any
) -> None:
    names = tuple(name for group in one[1] for name in group)
    first = run(make_hmnet(encoder, *one, "ffn"), names)
    second = run(make_hmnet(encoder, *other, "ffn"), names)
    assert first[0] == second[0]
    np.testing.assert_array_equal(first[1], second[1])


def test_what_is_duplicated_changes_the_numbers(encoder: Encoder) -> None:
    groups = [["alpha", "beta"], ["gamma"]]
    layer = run(make_hmnet(encoder, "1,1,1", groups, "layer"))
    assert run(make_hmnet(encoder, "1,1,1", groups, "ffn"))[0] != layer[0]


# Identity of runs


def test_a_skillnet_is_another_run_whose_skills_decide_its_numbers() -> None:
    shared = make_spec(["cb", "rte"])
    skillnet = dataclasses.replace(shared, system="skillnet")
    assert skillnet.run_id != shared.run_id
    first, *rest = skillnet.tasks
    renamed = dataclasses.replace(first, category="anything")
    assert dataclasses.replace(skillnet, tasks=(renamed, *rest)).run_id != skillnet.run_id
    assert dataclasses.replace(shared, tasks=(renamed, *rest)).run_id == shared.run_id


def test_duplicating_blocks_is_another_run_where_anything_is_duplicated() -> None:
    blocks = dataclasses.replace(SPEC, duplicate="ffn")
    assert blocks.run_id != SPEC.run_id
    shared = make_spec(["cb", "rte"])
    assert dataclasses.replace(shared, duplicate="ffn").run_id == shared.run_id


def test_a_skillnet_shares_every_layer() -> None:
    with pytest.raises(ValidationError, match=r"should share every layer.*Found `8,2,2`"):
        dataclasses.replace(SPEC, system="skillnet")


def test_later_fields_at_their_defaults_keep_the_identity_of_the_first_version() -> None:
    # Both were computed before these fields existed, with the engine of then.
    first = dataclasses.replace(SPEC, engine_version=1)
    assert first.run_id == "cb-rte-s0-867b243bff"
    settings = TrainingSettings(epochs=4, precision="bf16", dropout=0.1)
    assert dataclasses.replace(first, training=settings, seed=7).run_id == "cb-rte-s7-e21887a2d7"


def test_a_spec_of_the_first_version_is_read(tmp_path: Path) -> None:
    plain = to_plain(SPEC)
    for name in ("system", "duplicate"):
        del plain[name]
    for name in ("sampling", "temperature", "cap", "loss_weights"):
        del plain["training"][name]
    assert parse(RunSpec, plain, "spec") == SPEC
    changed = dataclasses.replace(make_spec(["cb"]), system="skillnet")
    write_document(tmp_path / "spec.json", SPEC_SCHEMA, changed)
    assert read_document(tmp_path / "spec.json", SPEC_SCHEMA, RunSpec) == changed


def test_a_spec_is_built_as_its_system(encoder: Encoder) -> None:
    spec = dataclasses.replace(make_spec(["cb", "rte"], hierarchy="3,0,0"), system="skillnet")
    assert isinstance(build_paths(encoder, spec), SkillNet)
    plain = build_paths(encoder, dataclasses.replace(spec, system="hierarchy"))
    assert isinstance(plain, HMNet)


def test_blocks_are_trained_stored_and_exported_as_an_ordinary_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study, out = write_study(tmp_path / "study"), tmp_path / "out"
    groups = write_groups(tmp_path / "groups.json", {"a": ["tone"], "b": ["match", "grade"]})
    rest = ["--study", str(study), "--groups", str(groups), "--out", str(out)]
    words = ["train", "--hierarchy", "1,1,1", "--set", "training.epochs=1", "--threads", "1", *rest]
    app([*words, "--duplicate", "ffn"], standalone_mode=False)
    (run,) = (out / "runs").iterdir()
    spec = Output(out).runs.find(run.name)[1]
    assert spec.duplicate == "ffn"
    # Width 16, feed-forward 32: in place of one block, 2 in the cluster layer, 3 in the task layer.
    block = (16 * 32 + 32) + (32 * 16 + 16)
    shared = dataclasses.replace(spec, hierarchy=HierarchySpec(3, 0, 0), duplicate="layer")
    extra = (2 - 1) * block + (3 - 1) * block
    overall = Output(out).runs.result(spec).parameters["overall"]
    assert overall == count_parameters(shared)["overall"] + extra
    model = load_model(run / "model", spec)
    words = ["export", run.name, "--task", "tone", "--to", str(tmp_path / "tone")]
    app([*words, "--out", str(out)], standalone_mode=False)
    exported = AutoModelForSequenceClassification.from_pretrained(tmp_path / "tone")
    stored = dict(model.path("tone").named_parameters())
    assert set(stored) == {name for name, _ in exported.named_parameters()}
    assert all(torch.equal(p, stored[name]) for name, p in exported.named_parameters())
    capsys.readouterr()
