"""How many runs fit on a GPU at once, from its free memory and what the costliest run needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from hmnet.encoders.locate import find_folder, load_config
from hmnet.models.parameter_counts import count_with_config
from hmnet.runs.spec import RunSpec

MOST_JOBS = 8
"""More processes than this gain nothing on one GPU: launches overlap long before."""
USED_FRAC = 0.9
"""Share of the free memory that is given to runs; the rest is for fragmentation and for the rows,
4 bytes a token."""
CONTEXT_BYTES = 800 * 2**20
"""What a process takes on a GPU before it does anything: context, kernels, workspaces."""
STATE_BYTES = 16
"""Bytes of a parameter in training: weight, gradient and two moments, in fp32."""


def choose_jobs_per_gpu(
    gpus: Sequence[int], specs: Sequence[RunSpec], max_length: int, cores: int
) -> int:
    """Return how many runs each GPU takes at once: as many as fit on the one with least room.

    Args:
        specs: the runs to come; the one that needs most counts.
        max_length: most tokens of an example.
        cores: CPU cores at hand; each run keeps one busy with launching kernels.
    """
    need = max((estimate_job_bytes(spec, max_length) for spec in _largest(specs)), default=0.0)
    free = min(torch.cuda.mem_get_info(gpu)[0] for gpu in gpus)
    return count_jobs(free, need, cores // len(gpus))


def count_jobs(free_bytes: float, job_bytes: float, cores: int) -> int:
    """Return how many jobs fit, at least 1 and at most one per core and `MOST_JOBS`."""
    fitting = int(USED_FRAC * free_bytes // max(job_bytes, 1.0))
    return max(1, min(fitting, cores, MOST_JOBS))


def estimate_job_bytes(spec: RunSpec, max_length: int) -> float:
    """Return the memory of a run at its full batch of the longest examples."""
    folder = find_folder(spec.model.name, spec.model.revision)
    config = load_config(folder)
    parameters = count_with_config(config, spec)["overall"]
    tokens = spec.training.batch_size * max_length
    activations = estimate_activation_bytes(config, tokens, max_length)
    if spec.training.precision == "fp32":
        activations *= 2
    return CONTEXT_BYTES + STATE_BYTES * parameters + activations


def estimate_activation_bytes(config: Any, tokens: int, length: int) -> float:
    """Return what a 16-bit forward pass keeps for its backward pass.

    Tokens x layers x (34 width + 5 heads length) bytes: Korthikanti et al. (2022), "Reducing
    activation recomputation in large Transformer models", equation 2.
    """
    width, heads = int(config.hidden_size), int(config.num_attention_heads)
    return float(tokens * config.num_hidden_layers * (34 * width + 5 * heads * length))


def _largest(specs: Sequence[RunSpec]) -> list[RunSpec]:
    """Return a run of each system and hierarchy with most tasks: those that may need most."""
    largest: dict[object, RunSpec] = {}
    for spec in specs:
        key = (spec.system, spec.hierarchy, spec.duplicate)
        if key not in largest or len(spec.tasks) > len(largest[key].tasks):
            largest[key] = spec
    return list(largest.values())
