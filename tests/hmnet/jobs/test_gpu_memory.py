"""How many runs share a GPU: arithmetic, and what is asked of a GPU that is not there."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from made import make_data, make_task, write_encoder

from hmnet.jobs import gpu_memory
from hmnet.jobs.gpu_memory import (
    CONTEXT_BYTES,
    choose_jobs_per_gpu,
    count_jobs,
    estimate_activation_bytes,
    estimate_job_bytes,
)
from hmnet.jobs.workers import Workers
from hmnet.packing.batch_shape import BatchShape
from hmnet.runs.job import Job
from hmnet.runs.spec import RunSpec
from hmnet.study.hierarchy import HierarchySpec
from hmnet.study.settings import ModelRef, TrainingSettings

GIB = 2**30


@pytest.mark.parametrize(
    ("free", "need", "cores", "expected"),
    [
        (80 * GIB, 12 * GIB, 16, 6),  # 0.9 x 80 / 12 = 6
        (80 * GIB, 2 * GIB, 16, 8),  # never more than 8
        (80 * GIB, 2 * GIB, 4, 4),  # nor than cores
        (8 * GIB, 12 * GIB, 16, 1),  # one is always tried: it halves its batches if it must
    ],
)
def test_jobs_per_gpu(free: int, need: int, cores: int, expected: int) -> None:
    assert count_jobs(free, need, cores) == expected


def test_activations_of_bert_base_are_those_of_the_formula() -> None:
    config = SimpleNamespace(hidden_size=768, num_hidden_layers=12)
    # 12 layers x 768 x (32 x 1,280 tokens + 8 x 32 x 72 places)
    found = estimate_activation_bytes(config, BatchShape(32, 1280, 72), "bf16")
    assert found == 12 * 768 * (32 * 1280 + 8 * 32 * 72)


@pytest.fixture(autouse=True)
def _rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of a task are made, wherever they are said to lie."""
    monkeypatch.setattr(gpu_memory, "load", lambda folder, task: make_data(task.name))


def make_spec(folder: Path, tasks: int) -> RunSpec:
    definitions = tuple(make_task(f"t{i}") for i in range(tasks))
    names = tuple(task.name for task in definitions)
    return RunSpec(
        tasks=definitions,
        data=dict.fromkeys(names, "x"),
        model=ModelRef(str(write_encoder(folder)), None, "x"),
        hierarchy=HierarchySpec(0, 0, 3),
        groups=(names,),
        training=TrainingSettings(precision="fp32"),
        seed=0,
    )


def make_job(folder: Path, tasks: int) -> Job:
    spec = make_spec(folder, tasks)
    return Job(spec, {name: folder / name for name in spec.data}, max_length=32)


def test_a_run_needs_its_parameters_state_and_twice_a_step(tmp_path: Path) -> None:
    one, two = (estimate_job_bytes(make_job(tmp_path, n)) for n in (1, 2))
    # layers and heads of a second task, 12 bytes for each parameter; see `made._SMALL`:
    layer = 4 * (16 * 16 + 16) + 2 * 32 + (16 * 32 + 32) + (32 * 16 + 16)
    more = 12 * (3 * layer + (16 * 16 + 16) + (16 * 2 + 2))
    # rows of two tasks are of other lengths: 22 of at most 20 tokens in a batch, 3 layers
    assert abs(two - one - more) < 2 * 3 * 16 * (54 * 22 * 20 + 16 * 22 * 24)
    activations = 2 * 3 * 16 * 54 * make_data("t0").train.lengths.sum()
    assert one > CONTEXT_BYTES + activations


def test_the_run_with_the_longest_rows_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [make_job(tmp_path, 1), make_job(tmp_path / "other", 2)]
    needs = [estimate_job_bytes(job) for job in jobs]
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda gpu: (3.5 * max(needs) / 0.9, 0))
    assert choose_jobs_per_gpu([0], jobs, 16) == 3


def test_an_open_number_of_jobs_is_filled_from_free_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda gpu: ((3 + gpu) * GIB, 80 * GIB))
    monkeypatch.setattr("hmnet.jobs.workers.count_cores", lambda: 16)
    job = make_job(tmp_path, 1)
    workers = Workers.choose([0, 1])
    assert workers.devices == ("cuda:0", "cuda:1")
    filled = workers.fill([job])
    # 0.9 x 3 GiB on the fuller GPU, 0.78 GiB and a little for a run: 3 fit
    assert filled.devices == ("cuda:0", "cuda:1") * 3
    assert filled.count == 6
    assert filled.fill([job]) == filled
    stated = Workers.choose([0, 1], 2)
    assert stated.fill([job]) == stated
    assert Workers.choose(workers=2).fill([dataclasses.replace(job)]).devices == ("cpu", "cpu")
