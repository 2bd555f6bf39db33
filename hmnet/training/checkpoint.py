"""Checkpoints of an unfinished run: parameters, AdamW's moments and a position in the plan.

A checkpoint is one safetensors file, written atomically; its metadata holds the position, so no
part of it can be newer than another. On one CPU thread a resumed run equals an undisturbed one bit
for bit; on a GPU, whose sums have no fixed order, the two differ as any two runs of one seed do.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NotRequired, TypedDict

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from hmnet.errors import InputError
from hmnet.storage.digests import canonical_json
from hmnet.storage.files import write_bytes
from hmnet.storage.regular_files import check_regular
from hmnet.training.loss_record import LossSums

_MOMENTS = ("exp_avg", "exp_avg_sq", "step")
_EXTRA = "extra/"


class TrainingState(TypedDict):
    """How far a training is: steps that are done, the sums over them, scores on held-out rows."""

    position: int
    progress: LossSums
    held_out: NotRequired[Mapping[str, Sequence[float]]]


class Checkpoint:
    """Saves a training every `every_s` seconds and finds it again.

    Args:
        folder: where the file lies.
        every_s: least seconds between two saves, unless `RELEVANCE_CHECKPOINT_S` is set; 0 saves
            after every step.

    Raises:
        InputError: if that variable is no number of seconds.
    """

    def __init__(self, folder: Path, every_s: float = 300.0) -> None:
        self.path = folder / "state.safetensors"
        self.every_s = _read_interval(every_s)
        self._last = time.monotonic()

    def is_due(self) -> bool:
        """Tell whether `every_s` seconds have passed since the last save."""
        return time.monotonic() - self._last >= self.every_s

    def save(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        state: TrainingState,
        extra: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Save parameters, moments, `state`, and further tensors by their names."""
        tensors = {f"{_EXTRA}{name}": value for name, value in (extra or {}).items()}
        for name, parameter in model.named_parameters():
            tensors[f"parameter/{name}"] = parameter.detach()
            for key, value in optimizer.state.get(parameter, {}).items():
                tensors[f"{key}/{name}"] = value
        facts = {"state": canonical_json(state), "digest": _digest(tensors, canonical_json(state))}
        write_bytes(self.path, save(tensors, facts))
        self._last = time.monotonic()

    def read_position(self) -> int:
        """Return the position that was saved; 0 where there is none to read."""
        try:
            with safe_open(self.path, framework="pt") as file:
                return int(json.loads(file.metadata()["state"])["position"])
        except (FileNotFoundError, SafetensorError, KeyError, TypeError, ValueError):
            return 0

    def load(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        extra: dict[str, Tensor] | None = None,
    ) -> TrainingState | None:
        """Restore a model and its optimiser in place; return the saved state.

        Args:
            extra: is given the further tensors that were saved.

        Returns:
            None, and nothing is touched, where there is no whole checkpoint that fits the model
            (the run starts anew): it was altered, or was written on another kind of device.
        """
        try:
            tensors, state = self._read()
        except (FileNotFoundError, SafetensorError, KeyError, TypeError, ValueError):
            return None
        own = dict(model.named_parameters())
        if any(not _fits(tensors, name, parameter) for name, parameter in own.items()):
            return None
        with torch.no_grad():
            for name, parameter in own.items():
                parameter.copy_(tensors[f"parameter/{name}"])
                if f"step/{name}" in tensors:
                    moments = {key: tensors[f"{key}/{name}"] for key in _MOMENTS}
                    optimizer.state[parameter] = {
                        key: value.to(parameter.device) for key, value in moments.items()
                    }
        if extra is not None:
            names = [name for name in tensors if name.startswith(_EXTRA)]
            extra |= {name.removeprefix(_EXTRA): tensors[name] for name in names}
        return state

    def _read(self) -> tuple[dict[str, Tensor], TrainingState]:
        """Read every tensor, and the state; a `ValueError` where they are not what was saved."""
        check_regular(self.path)
        with safe_open(self.path, framework="pt") as file:
            facts = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if facts["digest"] != _digest(tensors, facts["state"]):
            raise ValueError(f"{self.path} was altered")
        state: TrainingState = json.loads(facts["state"])
        return tensors, state


def _read_interval(default: float) -> float:
    value = os.environ.get("RELEVANCE_CHECKPOINT_S", "")
    try:
        seconds = float(value or default)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < math.inf:
        raise InputError(
            "Variable `RELEVANCE_CHECKPOINT_S` should be the seconds between two checkpoints of a "
            f"run. Found `{value}`."
        )
    return seconds


def _fits(tensors: Mapping[str, Tensor], name: str, parameter: Tensor) -> bool:
    """Tell whether a checkpoint holds a parameter of this shape, with all moments or none."""
    expected = {"parameter": parameter.shape, "exp_avg": parameter.shape}
    expected |= {"exp_avg_sq": parameter.shape, "step": torch.Size()}
    if not any(f"{key}/{name}" in tensors for key in _MOMENTS):
        expected = {"parameter": parameter.shape}
    return all(
        f"{key}/{name}" in tensors and tensors[f"{key}/{name}"].shape == shape
        for key, shape in expected.items()
    )


def _digest(tensors: Mapping[str, Tensor], text: str) -> str:
    """Return the digest of tensors' names and content, and of the state beside them."""
    state = hashlib.blake2b(text.encode(), digest_size=16)
    for name, tensor in sorted(tensors.items()):
        state.update(f"{name}{tuple(tensor.shape)}".encode())
        state.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return state.hexdigest()
