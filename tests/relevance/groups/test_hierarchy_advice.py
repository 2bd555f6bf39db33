"""`relevance advise`: groups and hierarchy, from one decision, in words, as hmnet takes them."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made import make_data, make_encoder
from tiny_study import runs_in_this_process, write_study

from analysis.arrays import Floats
from analysis.partitions.shared_layers import LayerAgreement
from hmnet.cli import app as hmnet_app
from hmnet.encoders.load import prepare_encoder
from hmnet.errors import InputError
from hmnet.folder.outputs import Output
from hmnet.models.paths import HMNet
from hmnet.packing.batch import pack
from hmnet.storage.tables import read_table
from hmnet.study.hierarchy import Groups, HierarchySpec
from hmnet.study.study import load_study
from hmnet.training.layer_gradients import Probe, _draw_rows, sketch_gradients
from hmnet.training.losses import compute_loss
from relevance.cli import app
from relevance.commands.advice_on_sharing import _check_matrix
from relevance.groups.advice import advise, to_groups
from relevance.groups.hierarchy_advice import (
    HierarchyAdvice,
    advise_hierarchy,
    describe_hierarchy,
)
from relevance.imported.named_matrix import NamedMatrix
from relevance.matrices.matrix import RelevanceMatrix

TASKS = ["tone", "match", "grade"]


def make_named(gains: Any, tasks: list[str] = TASKS, noise: float = 0.003) -> NamedMatrix:
    values = np.array(gains, dtype=np.float64)
    off = ~np.eye(len(values), dtype=bool)
    rng = np.random.default_rng(0)
    draws: Floats = values + np.where(off, rng.normal(0, noise, (200, *values.shape)), 0.0)
    return NamedMatrix(RelevanceMatrix.from_array(values, tasks, "pairwise"), draws)


PAIR = make_named([[0, -0.09, 0.1], [-0.09, 0, -0.09], [0.1, -0.09, 0]])
"""tone and grade help each other; match harms and is harmed."""


def take_advice(named: NamedMatrix, agreement: LayerAgreement | None = None) -> HierarchyAdvice:
    decision = advise(named.matrix, named.draws)
    groups = to_groups(decision, named.matrix, "expected")
    return advise_hierarchy(groups, decision, 6, agreement, list(named.matrix.tasks))


def make_agreement(across: list[float], labels: list[int]) -> LayerAgreement:
    same = np.equal.outer(labels, labels)
    values = np.stack([np.where(same, 0.8, each) for each in across])
    return LayerAgreement(values, np.stack([values] * 20))


def test_each_answer_has_its_hierarchy_and_its_words() -> None:
    helps = take_advice(make_named([[0, 0.1, 0.1], [0.1, 0, 0.1], [0.1, 0.1, 0]]))
    assert str(helps.groups.advise()) == "6,0,0"
    assert list(describe_hierarchy(helps)) == [
        "share everything: one encoder, all 6 layers, for all tasks"
    ]
    harms = take_advice(make_named([[0, -0.1, -0.1], [-0.1, 0, -0.1], [-0.1, -0.1, 0]]))
    assert str(harms.groups.advise()) == "0,0,6"
    assert next(iter(describe_hierarchy(harms))).startswith("keep every task alone")
    parts = take_advice(PAIR, make_agreement([0.7, 0.7, 0.6, 0.5, 0.1, 0.0], [0, 1, 0]))
    assert str(parts.groups.advise()) == "4,2,0 match:0,0,6"
    assert list(describe_hierarchy(parts)) == [
        "train together: tone, grade",
        "keep alone: match",
        "all groups share the lower 4 of 6 layers ({4,2,0}): above them gradients of tasks of "
        "different groups agree less than half as well as those of one group",
    ]
    paper = take_advice(PAIR)
    assert str(paper.groups.advise()) == "4,2,0 match:0,0,6"
    assert "as in the paper: where they part was not measured" in list(describe_hierarchy(paper))[2]


def test_the_decision_is_that_of_cluster(tmp_path: Path) -> None:
    found = take_advice(PAIR, make_agreement([0.7] * 6, [0, 1, 0]))
    alone = advise(PAIR.matrix, PAIR.draws)
    assert found.groups.origin["decision"] == to_groups(alone, PAIR.matrix, "").origin["decision"]
    assert found.groups.origin["parting"] == {"shared": 5, "low": 5, "high": 5}
    found.groups.write(tmp_path / "groups.json")
    assert Groups.read(tmp_path / "groups.json") == found.groups


# Gradients of a model


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[HMNet, dict[str, Any]]:
    encoder = make_encoder(tmp_path_factory.mktemp("encoder"), "bert", depth=2)
    data = {"alpha": make_data("alpha", 2, size=40), "beta": make_data("beta", 1, size=40, seed=1)}
    tasks = [found.task for found in data.values()]
    return HMNet(encoder, tasks, HierarchySpec(2, 0, 0), [list(data)], seed=0), data


def test_long_sketches_have_the_dot_products_of_the_gradients(made: Any) -> None:
    model, data = made
    probe = Probe(batches=4, rows=8, numbers=10_000)  # more than a layer has: no two are added
    sketches = sketch_gradients(model, data, probe)
    assert sketches.shape == (2, 2, 4, 10_000)
    layer = model.path("alpha").bert.encoder.layer[1]  # type: ignore[union-attr]
    plain = {}
    for task in ("alpha", "beta"):
        batch = pack(data[task].train, _draw_rows(data[task], probe)[2])
        loss = compute_loss(model(task, batch), batch.labels, data[task].task.kind)
        model.zero_grad()
        loss.backward()
        taken = [torch.zeros_like(p) if p.grad is None else p.grad for p in layer.parameters()]
        plain[task] = torch.cat([each.reshape(-1) for each in taken]).numpy()
    assert float(sketches[1, 0, 2] @ sketches[1, 1, 2]) == pytest.approx(
        float(plain["alpha"] @ plain["beta"]), rel=1e-3, abs=1e-6
    )


def test_short_sketches_agree_with_long_ones(made: Any) -> None:
    model, data = made
    short, long = (
        sketch_gradients(model, data, Probe(8, 5, numbers)).reshape(2, 16, numbers)
        for numbers in (1024, 10_000)
    )
    for few, many in zip(short, long, strict=True):
        lengths = np.linalg.norm(many, axis=1)
        off = np.abs(few @ few.T - many @ many.T) / np.outer(lengths, lengths)
        assert off.mean() < 2 / np.sqrt(1024)  # a product's error has a deviation of that half


def test_layers_that_are_not_shared_are_refused(made: Any) -> None:
    model, data = made
    encoder = prepare_encoder(model.path("alpha"), frozenset())
    tasks = [found.task for found in data.values()]
    other = HMNet(encoder, tasks, HierarchySpec(1, 0, 1), [list(data)], seed=0)
    with pytest.raises(InputError, match=r"should name a run whose tasks share all layers"):
        sketch_gradients(other, data)


# The command


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("advise")
    write_study(folder)
    return folder


def call(folder: Path, *more: str) -> str:
    words = ["advise", "--study", str(folder / "study.toml"), "--out", str(folder / "out"), *more]
    shown = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, runs_in_this_process():
        patch.setattr("relevance.commands.advice_on_sharing.open_matrix", lambda *_: PAIR)
        with contextlib.redirect_stdout(shown):
            app(words, standalone_mode=False)
    return shown.getvalue()


def test_advice_is_measured_written_and_trained(folder: Path) -> None:
    told = call(folder)
    output = Output(folder / "out")
    table, provenance = read_table(output.layer_agreement, "layer-agreement/1")
    assert len(table) == 3 * 3  # layers, pairs
    assert provenance["run"] == "3tasks-s0-" + provenance["run"][-10:]
    assert "train together: tone, grade" in told
    assert "keep alone: match" in told
    assert "a task is expected to gain" in told
    assert "what it costs: " in told
    assert "1 training run with as many steps as any other way, about " in told
    assert "what it buys: a task is expected to score +" in told
    groups = Groups.read(output.groups)
    assert str(groups.advise()).endswith("match:0,0,3")
    words = ["train", "--out", str(output.folder), "--threads", "1"]
    hmnet_app([*words, "--set", "training.epochs=1"], standalone_mode=False)
    kept = [output.runs.find(path.name)[1] for path in output.runs.folder.glob("3tasks-*")]
    assert groups.advise() in [spec.varied for spec in kept]
    again = call(folder, "--run", provenance["run"])
    assert told.splitlines()[:3] == again.splitlines()[:3]


def test_a_dry_run_trains_and_writes_nothing(folder: Path, tmp_path: Path) -> None:
    words = ["--out", str(tmp_path / "out"), "--dry-run"]
    told = call(folder, *words)
    assert "2 groups: a task is expected to gain" in told
    assert not (tmp_path / "out" / "groups.json").exists()


def test_what_is_no_gains_of_the_study_is_refused(folder: Path) -> None:
    study = load_study(folder / "study.toml")
    words = RelevanceMatrix.from_array(np.eye(3), TASKS, "vocabulary")
    with pytest.raises(InputError, match=r"`matrix` should hold measured gains"):
        _check_matrix(NamedMatrix(words, None), study)
    others = make_named([[0, 0.1], [0.1, 0]], ["tone", "match"])
    with pytest.raises(InputError, match=r"should hold the study's tasks, tone, match, grade"):
        _check_matrix(others, study)
