"""An input that several linear maps read is converted for autocast once, not by each of them.

Autocast converts the input of each linear map by itself: three times where query, key and value
read the same one, and each of their gradients back again. Outputs are the same bit for bit; the
three gradients are added up in the narrow type.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_READERS = ("query", "key", "value")


def cast_once(model: nn.Module) -> None:
    """Let each self-attention with maps `query`, `key` and `value` convert its input by itself."""
    for module in model.modules():
        if all(isinstance(getattr(module, name, None), nn.Linear) for name in _READERS):
            module.register_forward_pre_hook(_cast_input)


def _cast_input(module: nn.Module, args: tuple[object, ...]) -> tuple[object, ...] | None:
    if not args or not isinstance(args[0], Tensor):
        return None
    kind = args[0].device.type
    if not torch.is_autocast_enabled(kind):
        return None
    return (args[0].to(torch.get_autocast_dtype(kind)), *args[1:])
