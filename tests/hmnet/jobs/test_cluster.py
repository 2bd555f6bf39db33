"""A sweep on a Dask cluster: a scheduler and workers of this machine, as processes of their own."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import pytest
from distributed import Client
from made_jobs import RESULT, SPEC
from places import ROOT
from tiny_study import list_pairwise, runs_in_this_process, write_study

import hmnet.jobs.estimate
import hmnet.jobs.workers
from hmnet.folder.outputs import Output
from hmnet.jobs.cost import Speed
from hmnet.jobs.dask import connect
from hmnet.jobs.schedule import run_jobs
from hmnet.jobs.workers import Workers
from hmnet.runs.job import Job, Machine
from hmnet.runs.result import RunResult
from hmnet.runs.store import RunStore
from hmnet.study.study import load_study
from relevance.cli import app
from relevance.commands.pairwise_sweep import estimate_pairwise

QUIET = {"DASK_LOGGING__DISTRIBUTED": "critical"}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("study"))


def start(module: str, *words: object, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.{module}", *map(str, words)],
        text=True,
        cwd=cwd,
        env={**os.environ, **QUIET, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


class Cluster:
    """A scheduler and workers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "scheduler.json"
        address = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        self.scheduler = start(
            "dask_scheduler", *address, "--scheduler-file", self.file, cwd=folder
        )
        self.workers: list[subprocess.Popen[str]] = []

    @cached_property
    def address(self) -> str:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):  # not written yet
                return str(json.loads(self.file.read_text())["address"])
            time.sleep(0.05)
        raise TimeoutError(f"{self.file}: no address of a scheduler after 60 s")

    def add_worker(self, *more: str) -> subprocess.Popen[str]:
        words = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1", *more)
        worker = start("dask_worker", self.address, *words, cwd=self.folder)
        self.workers.append(worker)
        return worker

    def wait_for_workers(self) -> None:
        with Client(self.address, timeout=60) as client:
            client.wait_for_workers(len(self.workers), timeout=60)

    def stop(self) -> None:
        for process in (*self.workers, self.scheduler):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path)
    try:
        yield cluster
    finally:
        cluster.stop()


def sweep(study: Path, out: Path, *more: object) -> subprocess.Popen[str]:
    code = "from relevance.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *list_pairwise(study, out, *more)],
        text=True,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "5s"},
    )


def read_marks(folder: Path) -> Iterator[str]:
    """Yield what the runs that are under way say of themselves."""
    for mark in folder.glob("runs/*/.running"):
        with contextlib.suppress(FileNotFoundError):  # it ended just now
            yield mark.read_text()


@pytest.mark.system
def test_a_sweep_on_a_cluster_survives_a_worker_and_equals_a_local_one(
    study: Path, tmp_path: Path, cluster: Cluster
) -> None:
    doomed = cluster.add_worker()
    cluster.add_worker()
    cluster.wait_for_workers()
    out = Output(tmp_path / "out")
    process = sweep(study, out.folder, "--scheduler", cluster.address)
    deadline = time.monotonic() + 240
    while process.poll() is None and time.monotonic() < deadline:
        if any(mark.endswith(f" {doomed.pid}") for mark in read_marks(out.folder)):
            os.killpg(doomed.pid, signal.SIGKILL)  # in the middle of a run
            break
        time.sleep(0.02)
    assert doomed.wait(timeout=60) == -signal.SIGKILL
    said = process.communicate(timeout=240)[1]
    assert process.returncode == 0, said
    local = Output(tmp_path / "local")
    with runs_in_this_process():
        app(list_pairwise(study, local.folder), standalone_mode=False)
    assert out.pairwise.read_bytes() == local.pairwise.read_bytes()
    assert out.scores.read_bytes() == local.scores.read_bytes()


@pytest.mark.system
def test_a_scheduler_that_goes_away_is_one_sentence(
    study: Path, tmp_path: Path, cluster: Cluster
) -> None:
    cluster.add_worker()
    cluster.wait_for_workers()
    out = tmp_path / "out"
    more = ("--set", "training.epochs=5000")
    process = sweep(study, out, "--scheduler", cluster.address, *more)
    deadline = time.monotonic() + 120
    while not list(read_marks(out)) and time.monotonic() < deadline:
        time.sleep(0.05)
    cluster.stop()
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 1, said
    assert "cannot be reached any more" in said
    assert "the same command goes on" in said.lower()
    assert "Traceback" not in said


@pytest.mark.system
def test_jobs_of_a_cluster_run_on_the_workers_with_a_gpu_alone(
    tmp_path: Path, cluster: Cluster
) -> None:
    with_gpu = cluster.add_worker("--resources", "GPU=1")
    without = cluster.add_worker()
    cluster.wait_for_workers()

    def note(job: Job, store: RunStore, machine: Machine, *, waits: bool = True) -> RunResult:
        """Stand for a training: store which process did it, on which device."""
        with store.locked(job.spec, waits=waits) as folder:
            time.sleep(0.05)  # so that another worker, were it asked, would have its share
            (folder / "by").write_text(f"{os.getpid()} {machine.device}")
            store.finish(job.spec, RESULT)
        return RESULT

    seeds = range(8)
    jobs = [Job(dataclasses.replace(SPEC, seed=seed), {"one": tmp_path}) for seed in seeds]
    store = RunStore(tmp_path / "out" / "runs")
    workers = Workers.choose(scheduler=cluster.address)
    assert (workers.count, workers.devices) == (1, ("cuda:0",))
    summary = run_jobs(jobs, store, workers, execute=note)
    assert len(summary.done) == len(jobs)
    by = [(store.path(job.spec) / "by").read_text() for job in jobs]
    assert by == [f"{with_gpu.pid} cuda:0"] * len(jobs)
    assert without.poll() is None  # it was there all the time


def test_a_dry_run_for_a_cluster_is_timed_on_this_machine(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines = []

    def measure(jobs: Sequence[Job], machine: Machine) -> Speed:
        machines.append(machine)
        return Speed((1.0,), (0.001,), (0.001,), 0.0)

    monkeypatch.setattr(hmnet.jobs.estimate, "measure_speed", measure)
    monkeypatch.setattr(hmnet.jobs.workers, "count_cores", lambda: 1)
    cluster = Workers(4, ("cuda:0",) * 4, scheduler="tcp://127.0.0.1:9")
    said = list(estimate_pairwise(Output(tmp_path / "out"), load_study(study), cluster))
    assert [machine.device for machine in machines] == ["cpu"]
    assert "on 4 workers" in said[-1]
    assert "timed on the CPU of this machine" in said[-1]


@pytest.mark.system
def test_a_cluster_is_reached_from_a_running_loop_as_notebooks_have_one(cluster: Cluster) -> None:
    cluster.add_worker()
    cluster.wait_for_workers()

    async def cell() -> str:
        with connect(cluster.address) as client:
            return str(client.status)

    assert asyncio.run(cell()) == "running"


@pytest.mark.parametrize("address", ["nowhere", "http://127.0.0.1:9", "tls://127.0.0.1:9"])
def test_what_is_no_address_of_a_scheduler_is_said_at_once(address: str) -> None:
    code = "import sys; from hmnet.jobs.dask import connect; connect(sys.argv[1]).__enter__()"
    ended = subprocess.run(  # a client that could not connect is a minute in being cleared away
        [sys.executable, "-c", code, address], text=True, capture_output=True, timeout=50
    )
    assert re.search(f"InputError: Parameter `scheduler`.*Found `{address}`", ended.stderr)
    assert "Exception ignored" not in ended.stderr


@pytest.mark.system
@pytest.mark.parametrize(
    ("more", "words"),
    [
        ((), "Parameter `scheduler` should be the address of a running Dask scheduler"),
        (("--gpus", "0", "--workers", "3"), "Parameter `gpus` should be left out with"),
    ],
)
def test_a_cluster_that_cannot_be_used_is_said(
    study: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    more: tuple[str, ...],
    words: str,
) -> None:
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "1s")
    process = sweep(study, tmp_path / "out", "--scheduler", "tcp://127.0.0.1:9", *more)
    said = process.communicate(timeout=240)[1]
    assert process.returncode == 2
    assert words in said
    assert "Traceback" not in said
