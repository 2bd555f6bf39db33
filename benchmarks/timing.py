"""Two sides in turns, their medians, and what the machine's matrix product can do."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch


@dataclass(frozen=True)
class Pair:
    """Seconds of both sides.

    Attributes:
        ours, other: medians.
        spread: largest over smallest, the worse of the two sides.
    """

    ours: float
    other: float
    spread: float

    @property
    def ratio(self) -> float:
        """How many times faster ours is."""
        return self.other / self.ours


def time_pair(
    ours: Callable[[], float | None], other: Callable[[], float | None], repeats: int
) -> Pair:
    """Run both sides in turns; each returns its own seconds, or None to be timed as a whole."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for number in range(repeats):
        order = (0, 1) if number % 2 == 0 else (1, 0)  # neither side always comes first
        for side in order:
            seconds[side].append(_time((ours, other)[side]))
    medians = [statistics.median(values) for values in seconds]
    return Pair(*medians, spread=max(max(values) / min(values) for values in seconds))


def _time(run: Callable[[], float | None]) -> float:
    began = time.perf_counter()
    own = run()
    return time.perf_counter() - began if own is None else own


def peak_mib() -> float:
    """Return the most memory that this process has held at once, MiB.

    `ru_maxrss` will not do: a process that another one starts begins with the other's.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 1024


def measure_peak(dtype: torch.dtype, device: torch.device | None = None, repeats: int = 5) -> float:
    """Return the floating-point operations per second of a large square matrix product."""
    is_gpu = device is not None and device.type == "cuda"
    size = 8192 if is_gpu else 2048
    one, other = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))

    def multiply() -> None:
        torch.mm(one, other)
        if is_gpu:
            torch.cuda.synchronize()

    multiply()
    times = [_time(multiply) for _ in range(repeats)]
    return float(2 * size**3 / statistics.median(times))


def count_operations(model: torch.nn.Module, tokens: float) -> float:
    """Return the operations of a training step on so many tokens: 6 per parameter and token.

    Embeddings are looked up, not multiplied; attention's own products are left out.
    """
    layers = [p.numel() for name, p in model.named_parameters() if "embeddings" not in name]
    return 6.0 * sum(layers) * tokens
