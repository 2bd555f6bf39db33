"""Scheduling: what becomes of jobs whose workers die, and of the others."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
from made_jobs import SPEC, run_seeds, store_result
from places import SUPPORT

from hmnet.errors import RelevanceError
from hmnet.jobs.schedule import run_jobs
from hmnet.jobs.worker_process import has_lost_device
from hmnet.jobs.workers import Workers
from hmnet.runs.job import Job
from hmnet.runs.store import RunStore


@pytest.mark.parametrize("workers", [1, 3])
def test_a_run_that_kills_its_worker_fails_alone(tmp_path: Path, workers: int) -> None:
    summary, begun = run_seeds(tmp_path, [100, *range(6)], workers)
    assert summary["done"] == list(range(6))
    assert list(summary["failed"]) == [100]
    assert "died in this run, and again when the run was tried alone" in summary["failed"][100]
    assert 2 <= begun(100) <= 3  # together, in halves, alone


def test_runs_of_all_kinds_end_as_they_should(tmp_path: Path) -> None:
    summary, begun = run_seeds(tmp_path, [0, 100, 101, 102, 103, 1], 3)
    assert summary["done"] == [0, 1, 102]
    assert sorted(summary["failed"]) == [100, 101, 103]
    assert summary["failed"][103] == "The loss became nan."
    assert begun(102) >= 2  # it died once, and was tried again


def test_a_lost_gpu_ends_its_worker_and_the_run_is_tried_again(tmp_path: Path) -> None:
    summary, begun = run_seeds(tmp_path, [0, 104, 105, 1], 2)
    assert summary["done"] == [0, 1, 105]
    assert list(summary["failed"]) == [104]
    assert "CUDA error: device-side assert triggered" in summary["failed"][104]
    assert begun(104) >= 2


def test_a_worker_that_grows_is_replaced_without_a_word(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from made_jobs import run_seeds\n"
        "found = run_seeds(Path(sys.argv[1]), [0, 106, *range(1, 6)], 1)\n"
        "print(found[0]['done'])"
    )
    # a warning that is an error would end the thread that looks after the workers
    command = [sys.executable, "-W", "error::UserWarning", "-c", code, str(tmp_path)]
    ended = subprocess.run(command, cwd=SUPPORT, capture_output=True, text=True, timeout=100)
    assert ended.stdout == "[0, 1, 2, 3, 4, 5, 106]\n", ended.stderr
    assert "UserWarning" not in ended.stderr


@pytest.mark.parametrize(
    ("kind", "words", "is_lost"),
    [
        ("AcceleratorError", "CUDA error: an illegal memory access was encountered", True),
        (RuntimeError, "CUDA error: unspecified launch failure", True),
        ("OutOfMemoryError", "CUDA out of memory.", False),
        (RuntimeError, "shapes do not match", False),
        (RelevanceError, "The loss became nan.", False),
    ],
)
def test_what_costs_a_gpu_its_context(
    kind: str | type[Exception], words: str, is_lost: bool
) -> None:
    import torch  # here: workers, which import this module, do without

    error = (getattr(torch, kind) if isinstance(kind, str) else kind)(words)
    assert has_lost_device(error) == is_lost


def test_the_costliest_jobs_go_first(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    jobs = [Job(dataclasses.replace(SPEC, seed=seed), {"one": tmp_path}) for seed in range(4)]
    run_jobs(
        jobs,
        store,
        Workers(1, ("cpu",)),
        cost=lambda job: float(job.spec.seed % 3),
        execute=store_result,
    )
    ended = {job.spec.seed: (store.path(job.spec) / "result.json").stat().st_mtime for job in jobs}
    assert sorted(ended, key=ended.__getitem__)[:2] == [2, 1]
