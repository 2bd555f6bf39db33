"""The loss, the clipped gradient, AdamW and the learning rate of a step."""

from __future__ import annotations

import math
from collections.abc import Iterable

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


def make_optimizer(model: nn.Module, settings: TrainingSettings) -> torch.optim.AdamW:
    """Return AdamW with weight decay on matrices alone; `set_rate` is called before each step.

    On a GPU the learning rate is a tensor there, which a recorded step reads.
    """
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() <= 1]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    device = matrices[0].device
    if device.type != "cuda":
        return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=True)
    rate = torch.tensor(settings.learning_rate, device=device)
    optimizer = torch.optim.AdamW(groups, lr=rate, fused=True, capturable=True)
    # steps are also taken without being recorded, which torch would warn of
    optimizer._warned_capturable_if_run_uncaptured = True
    return optimizer


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of the next step."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def compute_learning_rate(position: int, total: int, settings: TrainingSettings) -> float:
    """Return the rate of a step: linear warm-up over the first steps, then linear decay to zero."""
    warmup = math.ceil(total * settings.warmup_frac)
    if position < warmup:
        return settings.learning_rate * (position + 1) / (warmup + 1)
    return settings.learning_rate * (total - position) / (total - warmup)


def compute_total_decay(total: int, settings: TrainingSettings) -> float:
    """Return the factor by which weight decay alone shrinks a matrix over all steps."""
    rates = (compute_learning_rate(position, total, settings) for position in range(total))
    return math.prod(1 - rate * settings.weight_decay for rate in rates)


def compute_loss(outputs: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of class codes, or squared error of values; mean over the batch.

    Args:
        outputs: shape [B, C]; C is 1 for a regression.
        labels: int64 codes or float32 values, shape [B].
    """
    if labels.is_floating_point():
        return nn.functional.mse_loss(outputs[:, 0], labels)
    return nn.functional.cross_entropy(outputs, labels)
