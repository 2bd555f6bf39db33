"""Data-parallel training: processes that `torchrun` starts take a share of every batch each.

All processes work on the same task at each step, as the plan of steps is the same everywhere. Each
computes the gradients of its share of the batch; they are added up over the parameters of the
active path alone, in one buffer, so that the step is that of one process with the whole batch.
Dropout's masks differ from those of one process; without dropout the numbers are its numbers, up
to the order of additions.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.distributed.rendezvous import rendezvous

from hmnet.errors import InputError, first_line, raise_problems
from hmnet.training.steps import IndexArray


@dataclass(frozen=True)
class ProcessGroup:
    """The processes of a training, and which of them this is.

    Attributes:
        rank: number of this process; the first, 0, is the one that writes.
        size: number of processes.
        local_rank, local_size: the same among the processes of this host.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes what is written."""
        return self.rank == 0

    def share(self, index: IndexArray) -> tuple[IndexArray, float]:
        """Return this process's examples of a batch, and their share of it.

        A process that would get none takes one example with the weight 0: it has to know which
        parameters the step reaches.
        """
        own = index[self.rank :: self.size]
        return (own, len(own) / len(index)) if len(own) else (index[:1], 0.0)

    def add_up(self, parameters: Iterable[nn.Parameter], sums: Tensor) -> None:
        """Add up gradients and `sums` over all processes, in place."""
        if self.size == 1:
            return
        reached = [p for p in parameters if p.grad is not None]
        gradients = [p.grad for p in reached if p.grad is not None]
        buffer = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(buffer)
        dist.all_reduce(sums)
        parts = buffer.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def agree(self, value: int) -> int:
        """Return the first process's value in all of them; each waits for the others."""
        if self.size == 1:
            return value
        device = "cuda" if dist.get_backend() == "nccl" else "cpu"
        held: Tensor = torch.tensor([value], device=device)
        dist.broadcast(held, src=0)
        return int(held.item())


ALONE = ProcessGroup()


_NUMBERS = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
_VARIABLES = (*_NUMBERS, "MASTER_ADDR", "MASTER_PORT")
_WAY_ON = (
    f"Start with `torchrun`, which sets them all, or clear what an earlier start left: `unset "
    f"{' '.join(_VARIABLES)}`."
)
START_LIMIT = timedelta(minutes=5)
"""How long processes wait for each other at the start."""


def read_process_group() -> ProcessGroup:
    """Return the group that the environment names, as `torchrun` does, or a group of one.

    Raises:
        InputError: if what it names is not whole, as when a variable was left from elsewhere.
    """
    given = {name: os.environ[name] for name in _VARIABLES if os.environ.get(name)}
    if _read_number(given.get("WORLD_SIZE", "1")) == 1 and given.get("RANK", "0") == "0":
        return ALONE
    raise_problems(_find_problems(given))
    return ProcessGroup(*(int(given[name]) for name in _NUMBERS))


def _find_problems(given: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence if the variables name no process of a group."""
    numbers = [_read_number(given.get(name, "")) for name in (*_NUMBERS, "MASTER_PORT")]
    rank, size, local_rank, local_size, _ = (-1 if n is None else n for n in numbers)
    is_whole = None not in numbers and "MASTER_ADDR" in given
    if not (is_whole and 0 <= rank < size and 0 <= local_rank < local_size <= size):
        shown = " ".join(f"{name}={value}" for name, value in given.items())
        yield (
            f"The environment should name one process of a group by {', '.join(_VARIABLES)}, or "
            f"none of them. Found `{shown}`. {_WAY_ON}"
        )


def _read_number(text: str) -> int | None:
    """Return the number that a text is, or None."""
    return int(text) if text.isdecimal() else None


def join_process_group(*, on_gpus: bool) -> ProcessGroup:
    """Return the group that `torchrun` started this process in, or a group of one.

    Args:
        on_gpus: exchange by NCCL, between GPUs; else by Gloo.

    Raises:
        InputError: if the environment names no whole group, or the others do not come.
    """
    group = read_process_group()
    if group.size == 1 or dist.is_initialized():
        return group
    try:
        store, rank, size = next(rendezvous("env://", timeout=START_LIMIT))
        # the others wait while the first one evaluates; torchrun ends all where one dies
        store.set_timeout(timedelta(days=1))
        kind = "nccl" if on_gpus else "gloo"
        dist.init_process_group(
            kind, store=store, rank=rank, world_size=size, timeout=timedelta(days=1)
        )
    except (dist.DistError, RuntimeError, OSError) as error:
        raise InputError(
            f"The environment says that this is process {group.rank} of {group.size} (RANK, "
            f"WORLD_SIZE), but they did not find each other: {first_line(error)}. {_WAY_ON}"
        ) from error
    return group


def leave_process_group() -> None:
    """End the exchange with the other processes, where there is one."""
    if dist.is_initialized():
        dist.destroy_process_group()
