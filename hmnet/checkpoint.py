"""Checkpoints of an unfinished run: parameters, AdamW's moments and a position in the plan.

A checkpoint is one safetensors file, written atomically; its metadata holds the position, so no
part of it can be newer than another. On one CPU thread a resumed run equals an undisturbed one bit
for bit; on a GPU, whose sums have no fixed order, the two differ as any two runs of one seed do.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from hmnet.storage import canonical_json, write_bytes

_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


class Checkpoint:
    """Saves a training every `every_s` seconds and finds it again.

    Args:
        folder: where the file lies.
        every_s: least seconds between two saves; 0 saves after every step.
    """

    def __init__(self, folder: Path, every_s: float = 300.0) -> None:
        self.path = folder / "state.safetensors"
        self.every_s = every_s
        self._last = time.monotonic()

    def maybe_save(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, state: Mapping[str, Any]
    ) -> None:
        """Save if `every_s` seconds have passed since the last save."""
        if time.monotonic() - self._last >= self.every_s:
            self.save(model, optimizer, state)

    def save(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, state: Mapping[str, Any]
    ) -> None:
        """Save parameters, moments and `state` (plain values)."""
        tensors: dict[str, Tensor] = {}
        for name, parameter in model.named_parameters():
            tensors[f"parameter/{name}"] = parameter.detach()
            for key, value in optimizer.state.get(parameter, {}).items():
                tensors[f"{key}/{name}"] = value
        write_bytes(self.path, save(tensors, {"state": canonical_json(state)}))
        self._last = time.monotonic()

    def load(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any] | None:
        """Restore a model and its optimiser in place; return the saved state.

        Returns:
            None where there is no readable checkpoint that fits the model (the run starts anew).
        """
        try:
            with safe_open(self.path, framework="pt") as file:
                names = set(file.keys())
                state: dict[str, Any] = json.loads(file.metadata()["state"])
                if {f"parameter/{n}" for n, _ in model.named_parameters()} - names:
                    return None
                for name, parameter in model.named_parameters():
                    with torch.no_grad():
                        parameter.copy_(file.get_tensor(f"parameter/{name}"))
                    if f"step/{name}" in names:
                        optimizer.state[parameter] = _moments(file, name, parameter.device)
        except (FileNotFoundError, SafetensorError, KeyError, TypeError, ValueError):
            return None
        return state


def _moments(file: Any, name: str, device: torch.device) -> dict[str, Tensor]:
    """Read a parameter's moments onto its device."""
    return {key: file.get_tensor(f"{key}/{name}").to(device) for key in _MOMENTS}
