"""The precision in which benchmarks of the CPU are taken: the better one of this machine.

Both sides multiply matrices by the same library, and so are both faster in the same precision.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

import torch

from hmnet.jobs.machine_precision import find_bf16

DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}


@cache
def find_better_precision() -> Literal["fp32", "bf16"]:
    """Return bf16 where the CPU has instructions for it, else fp32."""
    return "bf16" if find_bf16("cpu").is_native else "fp32"
