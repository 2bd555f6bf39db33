"""Whether a machine has instructions for bf16, and what precision `auto` comes to on it.

Without such instructions torch multiplies matrices in bf16 all the same, many times slower than in
fp32, and says nothing.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from hmnet.study.study import Study, record_precision, with_precision

_LOG = logging.getLogger(__name__)

CPU_INSTRUCTIONS = ("amx_bf16", "avx512_bf16", "bf16")
"""What torch calls the instructions for bf16, of x86 processors and of ARM's (the last one)."""
GPU_CAPABILITY = (8, 0)
"""The first compute capability with bf16."""
_LIMITS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
_WITH_BF16 = ("BF16", "FP16", "AMX", "AVX10", "ALL", "DEFAULT")
"""What the names of oneDNN's instruction sets that hold bf16 have in them."""


@dataclass(frozen=True)
class Bf16Support:
    """What a device has for bf16.

    Attributes:
        is_native: whether it has instructions for it.
        reason: which, or that there are none, as the end of a sentence.
        slowdown: how much slower than fp32 products are without them; empty where that is not
            known, or there are some.
    """

    is_native: bool
    reason: str
    slowdown: str = ""


def settle_precision(out: Path, study: Study, devices: Sequence[str], scheduler: str = "") -> Study:
    """Return the study with precision fp32 or bf16; what `auto` comes to is recorded and logged.

    An explicit bf16 stays, with a warning on a CPU without instructions for it.

    Args:
        out: the output folder.
        devices: `cpu`, `cuda:0`, ...: all on which runs are done.
        scheduler: address of the Dask scheduler whose workers have these devices; empty for this
            machine.
    """
    given = study.training.precision
    if given == "fp32":
        return study
    support = _find_weakest(devices, scheduler)
    is_first = os.environ.get("RANK", "0") == "0"  # of the processes that torchrun starts
    if given == "bf16":
        if support.slowdown and is_first:
            _LOG.warning(
                "note: training in bf16 although %s: its matrix products are %s than those of "
                "fp32. `--precision fp32` is the faster one here; `--dry-run` times either",
                support.reason,
                support.slowdown,
            )
        return study
    chosen: Literal["fp32", "bf16"] = "bf16" if support.is_native else "fp32"
    if is_first:
        record_precision(out, chosen)
        _LOG.warning("note: precision `auto` is %s in this study: %s", chosen, support.reason)
    return with_precision(study, chosen)


def _find_weakest(devices: Sequence[str], scheduler: str) -> Bf16Support:
    """Return what the device with the least has for bf16."""
    kinds = dict.fromkeys(devices)
    if scheduler:
        from hmnet.jobs.dask import ask_workers

        found = [
            each for kind in kinds for each in ask_workers(scheduler, partial(find_bf16, kind))
        ]
    else:
        found = [find_bf16(kind) for kind in kinds]
    return min(found, key=lambda support: support.is_native)


def find_bf16(device: str) -> Bf16Support:
    """Return what a device of this machine, `cpu` or such as `cuda:0`, has for bf16."""
    if device.startswith("cuda"):
        return _judge_gpu(device)
    return judge_cpu(read_capabilities(), _find_limit())


def _judge_gpu(device: str) -> Bf16Support:
    import torch

    found = torch.cuda.get_device_capability(device)
    has = "has" if found >= GPU_CAPABILITY else "has no"
    reason = f"a GPU of compute capability {found[0]}.{found[1]} {has} bf16"
    return Bf16Support(found >= GPU_CAPABILITY, reason)


def read_capabilities() -> Mapping[str, object]:
    """Return the names of this CPU's instruction sets, with whether it has them."""
    import torch

    if hasattr(torch.cpu, "get_capabilities"):
        return torch.cpu.get_capabilities()
    return {  # older versions of torch know x86 alone
        "avx512_f": torch.cpu._is_avx512_supported(),
        "avx512_bf16": torch.cpu._is_avx512_bf16_supported(),
    }


def judge_cpu(capabilities: Mapping[str, object], limit: str = "") -> Bf16Support:
    """Return what a CPU with these instruction sets has for bf16.

    Args:
        limit: the switch that keeps products from using its instructions; empty for none.

    >>> judge_cpu({"avx2": True}).slowdown
    'ten to fifty times slower'
    """
    found = [name for name in CPU_INSTRUCTIONS if capabilities.get(name)]
    if found and limit:
        reason = f"{limit} keeps products from the CPU's instructions for bf16"
        return Bf16Support(False, reason, "five to fifty times slower")
    if found:
        return Bf16Support(True, f"the CPU has instructions for bf16 ({', '.join(found)})")
    slowdown = "five to ten times" if capabilities.get("avx512_f") else "ten to fifty times"
    return Bf16Support(False, "the CPU has no instructions for bf16", f"{slowdown} slower")


def _find_limit() -> str:
    """Return the switch that keeps oneDNN, which multiplies matrices, from bf16; empty for none."""
    given = [(name, value) for name in _LIMITS if (value := os.environ.get(name))]
    for name, value in given[:1]:
        if not any(part in value.upper() for part in _WITH_BF16):
            return f"{name}={value}"
    return ""
