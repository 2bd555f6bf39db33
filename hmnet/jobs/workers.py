"""Which processes do a sweep's runs, on which devices: of this machine, or of a Dask cluster."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hmnet.errors import InputError, raise_problems
from hmnet.runs.loggers import check_loggers

if TYPE_CHECKING:
    from hmnet.runs.job import Job


@dataclass(frozen=True)
class Workers:
    """Processes and devices of a sweep.

    Attributes:
        count: worker processes.
        devices: a device per worker; workers take them in the order in which they start.
        threads: threads per worker on a CPU.
        checkpoint_s: seconds between checkpoints of a run.
        loggers: further places that losses and scores go to (`hmnet.runs.loggers`).
        fills_gpus: whether each GPU is to have as many workers as fit on it (`fill`).
        scheduler: address of a Dask scheduler; empty for processes of this machine.
    """

    count: int
    devices: tuple[str, ...]
    threads: int = 1
    checkpoint_s: float = 300.0
    loggers: tuple[str, ...] = ()
    fills_gpus: bool = False
    scheduler: str = ""

    @classmethod
    def choose(
        cls,
        gpus: Sequence[int] | None = None,
        jobs_per_gpu: int | None = None,
        workers: int | None = None,
        checkpoint_s: float = 300.0,
        loggers: Sequence[str] = (),
        scheduler: str | None = None,
    ) -> Workers:
        """One worker per slot of the named GPUs, or one per CPU core, or those of a cluster.

        Args:
            jobs_per_gpu: None for as many as have room, which `fill` finds out.

        Raises:
            InputError: if a GPU is not there, a logger not installed, or a count not positive.
        """
        check_loggers(loggers)
        if jobs_per_gpu is not None and jobs_per_gpu < 1:
            raise InputError(
                f"Parameter `jobs_per_gpu` should be at least 1. Found `{jobs_per_gpu}`."
            )
        if workers is not None and workers < 1:
            raise InputError(f"Parameter `workers` should be at least 1. Found `{workers}`.")
        if scheduler:
            return cls._of_cluster(scheduler, gpus, workers, checkpoint_s, loggers)
        if gpus:
            _check_gpus(gpus)
            slots = tuple(f"cuda:{gpu}" for _ in range(jobs_per_gpu or 1) for gpu in gpus)
            fills = jobs_per_gpu is None
            return cls(len(slots), slots, 1, checkpoint_s, tuple(loggers), fills)
        count = workers or count_cores()
        return cls(count, ("cpu",) * count, 1, checkpoint_s, tuple(loggers))

    @classmethod
    def _of_cluster(
        cls,
        scheduler: str,
        gpus: Sequence[int] | None,
        workers: int | None,
        checkpoint_s: float,
        loggers: Sequence[str],
    ) -> Workers:
        from hmnet.jobs.dask import count_workers

        raise_problems(
            f"Parameter `{name}` should be left out with `scheduler`, whose workers say what they "
            f"have. Found `{value}`."
            for name, value in (("gpus", gpus), ("workers", workers))
            if value
        )
        count, on_gpus = count_workers(scheduler)
        devices = ("cuda:0" if on_gpus else "cpu",) * count
        return cls(count, devices, 1, checkpoint_s, tuple(loggers), scheduler=scheduler)

    def here(self) -> Workers:
        """Return workers of this machine: those of a cluster are replaced by its CPU cores."""
        if not self.scheduler:
            return self
        count = count_cores()
        return dataclasses.replace(self, count=count, devices=("cpu",) * count, scheduler="")

    def fill(self, jobs: Sequence[Job]) -> Workers:
        """Return workers with a slot for each job that has room on a GPU, if that was left open."""
        if not self.fills_gpus or not jobs:
            return self
        from hmnet.jobs.gpu_memory import choose_jobs_per_gpu

        gpus = [int(device.removeprefix("cuda:")) for device in self.devices]
        count = choose_jobs_per_gpu(gpus, jobs, count_cores())
        return dataclasses.replace(
            self, count=count * len(gpus), devices=self.devices * count, fills_gpus=False
        )


def count_cores() -> int:
    """Return the number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _check_gpus(gpus: Sequence[int]) -> None:
    import torch

    there = torch.cuda.device_count()
    missing = sorted({gpu for gpu in gpus if not 0 <= gpu < there})
    if missing:
        known = f"GPUs 0 to {there - 1}" if there else "no GPU"
        raise InputError(
            f"Parameter `gpus` should name GPUs of this machine, which has {known}. Found "
            f"`{','.join(map(str, missing))}`."
            + ("" if there else " Without `--gpus`, CPUs are used.")
        )
