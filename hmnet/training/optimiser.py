"""The clipped gradient, AdamW and the learning rate of a step."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn

from hmnet.study.settings import TrainingSettings


def clip_gradients(parameters: Iterable[nn.Parameter], most: float) -> None:
    """Scale gradients down if their common norm exceeds `most`; else leave them as they are.

    `torch.nn.utils.clip_grad_norm_` gives the same, but also multiplies them by 1. On a GPU, where
    reading the norm would wait for the device, they are multiplied here as well.
    """
    own = [p for p in parameters if p.grad is not None]
    is_cpu = own[0].device.type == "cpu"
    foreach = is_cpu or None  # all at once; elsewhere so by default
    norm = nn.utils.get_total_norm([p.grad for p in own if p.grad is not None], foreach=foreach)
    if not is_cpu or not norm <= most:
        nn.utils.clip_grads_with_norm_(own, most, norm, foreach=foreach)


def make_optimizer(
    model: nn.Module,
    settings: TrainingSettings,
    factors: Mapping[nn.Parameter, float] | None = None,
) -> torch.optim.AdamW:
    """Return AdamW with weight decay on matrices alone; `set_rate` is called before each step.

    On a GPU the learning rate is a tensor there, which a recorded step reads.

    Args:
        factors: parameter to the factor of its learning rate; 1 for all others.
    """
    kinds: dict[tuple[float, bool], list[nn.Parameter]] = {(1.0, True): [], (1.0, False): []}
    for parameter in model.parameters():
        factor = (factors or {}).get(parameter, 1.0)
        kinds.setdefault((factor, parameter.dim() > 1), []).append(parameter)
    device = kinds[1.0, True][0].device
    groups = [
        {
            "params": held,
            "weight_decay": settings.weight_decay if is_matrix else 0.0,
            "lr": _hold_rate(settings.learning_rate, device),
            FACTOR: factor,
        }
        for (factor, is_matrix), held in kinds.items()
    ]
    if device.type != "cuda":
        return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=True)
    optimizer = torch.optim.AdamW(
        groups, lr=_hold_rate(settings.learning_rate, device), fused=True, capturable=True
    )
    # steps are also taken without being recorded, which torch would warn of
    optimizer._warned_capturable_if_run_uncaptured = True
    return optimizer


FACTOR = "factor"
"""What a group of parameters says of its learning rate: the factor of the others' rate."""


def _hold_rate(rate: float, device: torch.device) -> float | Tensor:
    return torch.tensor(rate, device=device) if device.type == "cuda" else rate


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of the next step."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate * group[FACTOR])
        else:
            group["lr"] = rate * group[FACTOR]


def compute_learning_rate(position: int, total: int, settings: TrainingSettings) -> float:
    """Return the rate of a step: linear warm-up over the first steps, then linear decay to zero."""
    warmup = math.ceil(total * settings.warmup_frac)
    if position < warmup:
        return settings.learning_rate * (position + 1) / (warmup + 1)
    return settings.learning_rate * (total - position) / (total - warmup)


def list_decays(
    total: int, settings: TrainingSettings, factor: Callable[[int], float] = lambda position: 1.0
) -> list[float]:
    """Return the factor by which weight decay alone has shrunk a matrix after each step.

    Args:
        factor: from a step's position to the factor of the matrix' learning rate.
    """
    rates = (compute_learning_rate(i, total, settings) * factor(i) for i in range(total))
    return list(
        itertools.accumulate((1 - rate * settings.weight_decay for rate in rates), operator.mul)
    )
