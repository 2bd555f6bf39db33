"""What holds on a CPU holds on a GPU, within stated limits; skipped where there is none.

    pytest -m gpu

A GPU adds up in an order of its own, so what is exact on a CPU is close here.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from made import make_data, make_encoder
from tiny_study import list_pairwise, write_study

from analysis.attention_similarity import compare_attention
from hmnet.jobs.workers import Workers
from hmnet.models.paths import HMNet
from hmnet.study.hierarchy import HierarchySpec
from hmnet.study.settings import Distillation, TrainingSettings
from hmnet.training.checkpoint import Checkpoint
from hmnet.training.course import Course, ModelStage
from hmnet.training.divergence import DivergedError
from hmnet.training.evaluation import evaluate, predict, predict_tasks
from hmnet.training.loop import Trainer, train
from hmnet.training.step_graphs import StepGraphs

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU"),
]

GPU, CPU = torch.device("cuda:0"), torch.device("cpu")
DATA = {"alpha": make_data("alpha", 2), "beta": make_data("beta", 1, seed=1)}
SETTINGS = TrainingSettings(epochs=4, batch_size=8, learning_rate=1e-3, precision="fp32")
PACKED = ("bert", "roberta", "electra", "distilbert", "modernbert")
PADDED = ("mpnet", "deberta-v2")
PATIENCE_S = 90.0
CLOSE = {"fp32": 1e-3, "bf16": 5e-2}
"""Largest relative difference of two trainings' losses."""


def make_model(
    folder: Path, kind: str = "bert", hierarchy: str = "1,1,1", dropout: float = 0.0
) -> HMNet:
    encoder = make_encoder(folder / kind, kind, depth=3, dropout=dropout)
    tasks = [each.task for each in DATA.values()]
    spec = HierarchySpec.parse(hierarchy)
    return HMNet(encoder, tasks, spec, [["alpha"], ["beta"]], seed=0)


def train_here(
    model: HMNet, device: torch.device, settings: TrainingSettings = SETTINGS, **more: Any
) -> list[float]:
    """Train; return every loss."""
    losses: list[float] = []
    model.to(device)
    train(model, DATA, settings, 0, log=lambda x: losses.append(x["loss"]), **more)
    return losses


@pytest.fixture
def unrecorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take every step as it is."""
    plain = StepGraphs.__init__

    def start(graphs: StepGraphs, device: torch.device) -> None:
        plain(graphs, device)
        graphs.is_on = False

    with monkeypatch.context() as patch:
        patch.setattr(StepGraphs, "__init__", start)
        yield


def in_precision(precision: str, **more: Any) -> TrainingSettings:
    return dataclasses.replace(SETTINGS, precision=precision, **more)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("kind", [*PACKED, *PADDED])
def test_a_training_is_that_of_a_cpu(tmp_path: Path, kind: str, precision: str) -> None:
    settings = in_precision(precision)
    one = train_here(make_model(tmp_path, kind), GPU, settings)
    other = train_here(make_model(tmp_path, kind), CPU, settings)
    assert one == pytest.approx(other, rel=CLOSE[precision], abs=CLOSE[precision])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("kind", PACKED)
def test_recorded_steps_give_what_the_same_steps_give_unrecorded(
    tmp_path: Path, kind: str, precision: str, request: pytest.FixtureRequest
) -> None:
    settings = in_precision(precision, epochs=20)
    model = make_model(tmp_path, kind, dropout=0.1)
    trainer = Trainer(model, DATA, settings, 0, GPU)
    with trainer.graphs.stream():
        recorded = [trainer.update(i)[0].item() for i in range(len(trainer.steps))]
    # 8 rows, and the last 6 of an epoch: two shapes for each task
    assert len(trainer.graphs) == 4
    request.getfixturevalue("unrecorded")
    plain = train_here(make_model(tmp_path, kind, dropout=0.1), GPU, settings)
    assert recorded == pytest.approx(plain, rel=CLOSE[precision], abs=CLOSE[precision])
    assert len({round(loss, 6) for loss in recorded}) > len(recorded) / 2


def test_parted_averaged_and_taught_steps_are_those_of_a_cpu(tmp_path: Path) -> None:
    more = {"averaging": 0.5, "averaging_steps": 3, "distillation": Distillation(start=0.2)}
    settings = in_precision("fp32", epochs=10, **more)
    rng = np.random.default_rng(0)
    lessons = {
        name: rng.normal(size=(22, each.task.num_outputs)).astype(np.float32)
        for name, each in DATA.items()
    }
    builds = [partial(make_model, tmp_path, "bert", text) for text in ("3,0,0", "1,1,1")]
    stages = [ModelStage(0.5, build, rate) for build, rate in zip(builds, (1.0, 0.5), strict=True)]
    losses, outputs = [], []
    for device in (GPU, CPU):
        model = builds[0]()
        losses.append(train_here(model, device, settings, course=Course(stages, lessons)))
        outputs.append(np.stack(evaluate(model, DATA["alpha"], device=device)["logits"]))
    assert losses[0] == pytest.approx(losses[1], rel=CLOSE["fp32"], abs=CLOSE["fp32"])
    np.testing.assert_allclose(*outputs, rtol=5e-3, atol=5e-3)


def test_masks_of_dropout_differ_from_step_to_step_and_follow_the_seed(tmp_path: Path) -> None:
    settings = in_precision("fp32", learning_rate=1e-12, epochs=6, batch_size=22)
    one, again = (train_here(make_model(tmp_path, dropout=0.3), GPU, settings) for _ in range(2))
    assert one == pytest.approx(again, rel=1e-6)
    assert len({round(loss, 5) for loss in one}) == len(one)


def test_a_model_that_reads_from_the_device_is_trained_without_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = in_precision("fp32", epochs=6)
    wanted = train_here(make_model(tmp_path), GPU, settings)
    model = make_model(tmp_path)
    forward = model.forward

    def read(task: str, batch: Any) -> torch.Tensor:
        outputs = forward(task, batch)
        return outputs if outputs.detach().sum().item() < 1e9 else -outputs

    monkeypatch.setattr(model, "forward", read)
    assert train_here(model, GPU, settings) == pytest.approx(wanted, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("hierarchy", ["3,0,0", "0,3,0", "1,1,1"])
def test_with_one_task_every_hierarchy_gives_the_same_losses(
    tmp_path: Path, hierarchy: str
) -> None:
    found = []
    for layers in (hierarchy, "0,0,3"):
        encoder = make_encoder(tmp_path / "bert", depth=3)
        model = HMNet(
            encoder, [DATA["alpha"].task], HierarchySpec.parse(layers), [["alpha"]], seed=0
        )
        losses: list[float] = []
        data = {"alpha": DATA["alpha"]}
        train(model.to(GPU), data, SETTINGS, 0, log=lambda x: losses.append(x["loss"]))  # noqa: B023
        found.append(losses)
    assert found[0] == pytest.approx(found[1], rel=1e-3)


@pytest.mark.parametrize("at", [1, 13])
def test_a_resumed_training_goes_on_as_the_undisturbed_one(tmp_path: Path, at: int) -> None:
    whole = train_here(make_model(tmp_path, dropout=0.1), GPU)
    folder = tmp_path / "checkpoint"

    class StoppedError(Exception):
        pass

    def stop(line: Any) -> None:
        if line["step"] >= at:
            raise StoppedError

    with pytest.raises(StoppedError):
        train(
            make_model(tmp_path, dropout=0.1).to(GPU),
            DATA,
            SETTINGS,
            0,
            checkpoint=Checkpoint(folder, 0.0),
            log=stop,
        )
    rest = train_here(make_model(tmp_path, dropout=0.1), GPU, checkpoint=Checkpoint(folder, 1000.0))
    assert 0 < len(rest) <= len(whole)
    assert rest == pytest.approx(whole[-len(rest) :], rel=1e-3)


def test_the_step_that_diverged_is_named_though_losses_are_read_late(tmp_path: Path) -> None:
    settings = in_precision("fp32", learning_rate=1e30, epochs=10)
    with pytest.raises(DivergedError, match=r"became (nan|inf) at step \d+ of 60"):
        train_here(make_model(tmp_path), GPU, settings)


def test_a_step_that_runs_out_of_memory_is_taken_in_parts(tmp_path: Path) -> None:
    data = {"alpha": make_data("alpha", 2, size=4096)}
    settings = dataclasses.replace(SETTINGS, batch_size=4096, epochs=4)

    def go() -> tuple[list[float], int]:
        encoder = make_encoder(tmp_path / "bert", depth=3)
        model = HMNet(encoder, [data["alpha"].task], HierarchySpec(3, 0, 0), [["alpha"]], seed=0)
        losses: list[float] = []
        log = train(model.to(GPU), data, settings, 0, log=lambda x: losses.append(x["loss"]))
        return losses, log.micro_batches

    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    wanted, parts = go()
    assert parts == 1
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    room = torch.cuda.memory_reserved() + torch.cuda.max_memory_allocated() // 3
    torch.cuda.set_per_process_memory_fraction(room / total)
    try:
        found, parts = go()
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert parts > 1
    assert found == pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("kind", [*PACKED, *PADDED])
def test_predictions_are_those_of_a_cpu(tmp_path: Path, kind: str, precision: str) -> None:
    model = make_model(tmp_path, kind)
    split = DATA["alpha"].train
    one, other = (predict(model, "alpha", split, precision, device) for device in (GPU, CPU))
    np.testing.assert_allclose(one, other, atol=1e-4 if precision == "fp32" else 0.1)


def test_all_tasks_at_once_predict_what_each_predicts_alone(tmp_path: Path) -> None:
    model = make_model(tmp_path)
    together, passes = predict_tasks(model, list(DATA), DATA["alpha"].train, "fp32", GPU)
    assert passes.computed < passes.asked
    for name, outputs in together.items():
        alone = predict(model, name, DATA["alpha"].train, "fp32", GPU)
        np.testing.assert_allclose(outputs, alone, atol=1e-5)


def test_a_trained_model_is_the_same_on_both_devices(tmp_path: Path) -> None:
    model = make_model(tmp_path, dropout=0.1)
    train_here(model, GPU)
    frames = [evaluate(model, DATA["alpha"], device=device) for device in (GPU, CPU)]
    one, other = (np.stack(frame["logits"].tolist()) for frame in frames)
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_attention_is_as_similar_as_on_a_cpu(tmp_path: Path) -> None:
    found = []
    for device in (GPU, CPU):
        one, other = (make_model(tmp_path).path("alpha") for _ in range(2))
        with torch.no_grad():
            for parameter in other.parameters():
                parameter.mul_(1.3)
        found.append(compare_attention(one, other, [DATA["alpha"].train], device))
    np.testing.assert_allclose(*found, atol=1e-5)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("study"))


def run(command: str, *words: object) -> str:
    """Run a command; return what it printed."""
    program = f"from {command}.cli import main; main()"
    found = subprocess.run(
        [sys.executable, "-c", program, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * PATIENCE_S,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout + found.stderr


LONGER = ("--set", "training.epochs=8")
"""So that each task has a score above 0, without which no gain is defined."""


@pytest.fixture(scope="module")
def swept(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a sweep of three tasks, several jobs on the GPU at once."""
    out = tmp_path_factory.mktemp("swept") / "out"
    words = ("--study", study, *LONGER, "--out", out, "--gpus", 0, "--jobs-per-gpu", 3)
    run("relevance", "pairwise", *words)
    return out


@pytest.mark.xdist_group("sweep")
def test_a_sweep_of_several_jobs_at_once_is_that_of_a_cpu(
    study: Path, swept: Path, tmp_path: Path
) -> None:
    words = ("--study", study, *LONGER, "--out", tmp_path / "cpu", "--workers", 2)
    run("relevance", "pairwise", *words)
    one, other = (
        pd.read_parquet(out / "pairwise.parquet").set_index(["source", "target"])["value"]
        for out in (swept, tmp_path / "cpu")
    )
    assert sorted(one.index) == sorted(other.index)
    # scores are over 24 dev examples, so a single one moves a gain by a tenth
    assert np.nanmedian(np.abs(one - other[one.index])) < 0.2


@pytest.mark.xdist_group("sweep")
def test_a_sweep_can_be_watched_grouped_and_reported(swept: Path) -> None:
    assert "6" in run("relevance", "status", "--out", swept)
    assert "whole" in run("relevance", "verify", "--out", swept)
    run("relevance", "cluster", "--k", 2, "--out", swept)
    run("relevance", "attention", "--pair", "tone,match", "--gpus", 0, "--out", swept)
    run("relevance", "report", "--out", swept)
    assert (swept / "report.html").stat().st_size > 10_000


@pytest.mark.xdist_group("sweep")
def test_a_model_trained_on_a_gpu_predicts_and_exports(
    study: Path, swept: Path, tmp_path: Path
) -> None:
    groups = tmp_path / "groups.json"
    groups.write_text(
        '{"schema": "groups/1", "groups": {"one": ["tone"], "two": ["match", "grade"]}}'
    )
    words = ("--groups", groups, "--hierarchy", "1,1,1", "--out", swept, "--gpus", 0)
    run("hmnet", "train", *words)
    rows = pd.DataFrame({"text": ["bala mine"], "left": ["bala"], "right": ["tuvu"]})
    rows.to_json(tmp_path / "rows.jsonl", orient="records", lines=True)
    (name,) = (p.parent.name for p in swept.glob("runs/*/model") if p.parent.name[0] == "3")
    predicted = run(
        "hmnet",
        "predict",
        name,
        "--task",
        "all",
        "--input",
        tmp_path / "rows.jsonl",
        "--out",
        swept,
    )
    assert "tone" in predicted
    target = tmp_path / "exported"
    run("hmnet", "export", name, "--task", "tone", "--to", target, "--out", swept)
    from transformers import AutoModelForSequenceClassification

    stock = AutoModelForSequenceClassification.from_pretrained(target)
    assert stock.config.num_labels == 2


def test_a_killed_worker_that_held_a_context_does_not_end_the_sweep(
    study: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = list_pairwise(study, out, "--gpus", 0, "--jobs-per-gpu", 2)
    command = [sys.executable, "-m", "relevance", *words, "--set", "training.epochs=150"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as sweep:
        deadline = time.monotonic() + PATIENCE_S
        while not list(out.glob("runs/*/metrics.jsonl")):
            assert time.monotonic() < deadline, "no run began"
            time.sleep(0.05)
        os.kill(_find_workers(sweep.pid)[0], signal.SIGKILL)
        _, said = sweep.communicate(timeout=PATIENCE_S)
    assert sweep.returncode == 0, said.decode()
    assert len(list(out.glob("runs/*/result.json"))) == 3


def _find_workers(parent: int) -> list[int]:
    """Return a command's worker processes: its children that hold the GPU."""
    children = [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/stat")
        if _read_parent(path) == parent
    ]
    return [pid for pid in children if "nvidia" in _list_open(pid)]


def _read_parent(stat: Path) -> int:
    try:
        return int(stat.read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _list_open(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return ""


def test_as_many_jobs_as_have_room_share_a_gpu(study: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(*("relevance", *list_pairwise(study, out, "--gpus", 0)))
    assert len(list(out.glob("runs/*/result.json"))) == 3
    assert Workers.choose([0], 2).devices == ("cuda:0", "cuda:0")
