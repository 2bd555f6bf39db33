"""Optimiser steps recorded as CUDA graphs: a thousand kernels are launched with one call.

A small encoder's step is over on a GPU before Python has launched its kernels. A graph keeps the
kernels and their arguments, so a replay costs the host next to nothing. What may change between
replays lies in tensors that the graph reads: the examples' numbers and the learning rate; random
numbers follow the generator's seed, as they do without a graph, and give the same masks.

- The first step of a key is done as it is, which also makes the optimiser's state; the second one
  is recorded, and later ones are replayed.
- Graphs share one pool of memory, as only one of them runs at a time.
- Where a model does what cannot be recorded (it reads a value from the device), its steps are done
  as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from torch.cuda import _POOL_HANDLE

Step = Callable[[Tensor], Tensor]
"""Takes the examples' numbers, on the device, int64 [B]; returns loss and tokens, [2]."""


class StepGraphs:
    """Does steps, and records those that come again.

    Attributes:
        is_on: whether steps are recorded; not on a CPU, nor after something went wrong.
    """

    def __init__(self, device: torch.device) -> None:
        self.is_on = device.type == "cuda"
        self._device = device
        self._stream = torch.cuda.Stream(device) if self.is_on else None
        self._pool = torch.cuda.graph_pool_handle() if self.is_on else None
        self._seen: set[Hashable] = set()
        self._graphs: dict[Hashable, _Recorded] = {}

    @contextmanager
    def stream(self) -> Iterator[None]:
        """Run a training on a stream of its own, as recording cannot take place on the default."""
        if self._stream is None:
            yield
            return
        self._stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._stream):
            yield
        torch.cuda.current_stream(self._device).wait_stream(self._stream)

    def run(self, key: Hashable, chosen: Tensor, step: Step) -> Tensor:
        """Do `step(chosen)`, by its graph where there is one.

        Args:
            key: what decides everything but the numbers of the examples and the learning rate.
            chosen: on the host.

        Raises:
            torch.OutOfMemoryError: if there is no room; nothing is recorded from then on.
        """
        if (recorded := self._graphs.get(key)) is not None:
            return recorded.replay(chosen)
        numbers = chosen.to(self._device, non_blocking=True)
        if not self.is_on or key not in self._seen:
            self._seen.add(key)
            return step(numbers)
        try:
            recorded = _Recorded(numbers, step, self._pool)
        except torch.OutOfMemoryError:
            self.stop()
            raise
        except RuntimeError:
            self.stop()
            return step(numbers)
        self._graphs[key] = recorded
        return recorded.replay(chosen)

    def stop(self) -> None:
        """Record nothing from now on, and give back what was recorded."""
        self.is_on = False
        self._graphs.clear()

    def forget(self) -> None:
        """Give back what was recorded, and record anew: the model has other parameters now."""
        if self.is_on:
            torch.cuda.synchronize(self._device)  # a replay may still be under way
            self._pool = torch.cuda.graph_pool_handle()  # without graphs, the old one is gone
        self._graphs.clear()
        self._seen.clear()

    def __len__(self) -> int:
        return len(self._graphs)


class _Recorded:
    """A step's kernels, with the tensors that they read and write."""

    def __init__(self, chosen: Tensor, step: Step, pool: _POOL_HANDLE | None) -> None:
        self._chosen = chosen
        self._graph = torch.cuda.CUDAGraph()
        # other processes and threads of this one may go on with what they do
        self._graph.capture_begin(pool, capture_error_mode="thread_local")
        try:
            self._sums = step(chosen)
        except BaseException:
            with suppress(RuntimeError):
                self._graph.capture_end()
            raise
        self._graph.capture_end()

    def replay(self, chosen: Tensor) -> Tensor:
        """Do the step on other examples; return what it returns, for the caller to keep."""
        self._chosen.copy_(chosen, non_blocking=True)
        self._graph.replay()
        return self._sums.clone()
