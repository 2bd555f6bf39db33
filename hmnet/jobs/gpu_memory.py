"""How many runs fit on a GPU at once, from its free memory and what the costliest run needs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import torch
from transformers import PreTrainedConfig

from hmnet.data.task_data import load
from hmnet.encoders.config import load_config
from hmnet.encoders.parts import find_folder
from hmnet.models.parameter_counts import count_with_config
from hmnet.packing.batch_shape import BatchShape
from hmnet.runs.job import Job
from hmnet.training.batch_shapes import plan_shapes
from hmnet.training.steps import plan_steps

MOST_JOBS = 8
"""More processes than this gain nothing on one GPU."""
USED_FRAC = 0.9
"""Share of the free memory that is given to runs; the rest is for fragmentation."""
CONTEXT_BYTES = 800 * 2**20
"""What a process takes on a GPU before it does anything: context, kernels, workspaces."""
STATE_BYTES = 12
"""Bytes of a parameter in training: weight and two moments, in fp32."""
STEP_BYTES = {"bf16": 6, "fp32": 4}
"""Bytes of a parameter during a step: its gradient, and its copy in 16 bits."""
TOKEN_BYTES = {"bf16": 32, "fp32": 54}
PLACE_BYTES = {"bf16": 8, "fp32": 16}
"""Bytes that a layer keeps for its backward pass, for each token and unit of width, and for each
place of padded attention (query, key, value and output)."""
COPIES = 2
"""A step's memory is taken twice: by steps that are done as they are, and by recorded ones."""


def choose_jobs_per_gpu(gpus: Sequence[int], jobs: Sequence[Job], cores: int) -> int:
    """Return how many runs each GPU takes at once: as many as fit on the one with least room.

    Args:
        jobs: the runs to come; the one that needs most counts.
        cores: CPU cores at hand; each run keeps one busy with launching kernels.
    """
    need = max((estimate_job_bytes(job) for job in _largest(jobs)), default=0.0)
    free = min(torch.cuda.mem_get_info(gpu)[0] for gpu in gpus)
    return count_jobs(free, need, cores // len(gpus))


def count_jobs(free_bytes: float, job_bytes: float, cores: int) -> int:
    """Return how many jobs fit, at least 1 and at most one per core and `MOST_JOBS`."""
    fitting = int(USED_FRAC * free_bytes // max(job_bytes, 1.0))
    return max(1, min(fitting, cores, MOST_JOBS))


def estimate_job_bytes(job: Job) -> float:
    """Return the memory of a run at its largest batch."""
    spec = job.spec
    config = load_config(find_folder(spec.model.name, spec.model.revision))
    training = dataclasses.replace(spec.training, stopping="end")  # best paths lie on the host
    counts = count_with_config(config, dataclasses.replace(spec, training=training))
    precision = spec.training.precision
    activations = max(
        estimate_activation_bytes(config, shape, precision) for shape in _list_shapes(job)
    )
    step = STEP_BYTES[precision] * counts["activated"] + activations
    return CONTEXT_BYTES + STATE_BYTES * counts["overall"] + COPIES * step


def estimate_activation_bytes(config: PreTrainedConfig, shape: BatchShape, precision: str) -> float:
    """Return what the layers' forward pass over a batch keeps for the backward pass.

    Counted over BERT's layer, as Korthikanti et al. (2022), "Reducing activation recomputation in
    large Transformer models", do, with attention whose weights are not kept.
    """
    tokens = TOKEN_BYTES[precision] * shape.tokens
    places = PLACE_BYTES[precision] * shape.count * shape.length
    return float(config.num_hidden_layers * config.hidden_size * (tokens + places))


def _list_shapes(job: Job) -> Iterator[BatchShape]:
    """Yield the shapes of the batches of an epoch."""
    splits = {task.name: load(job.data[task.name], task).train for task in job.spec.tasks}
    sizes = {name: len(split) for name, split in splits.items()}
    steps = plan_steps(sizes, 1, job.spec.training.batch_size, job.spec.seed)
    yield from set(plan_shapes(steps, splits))


def _largest(jobs: Sequence[Job]) -> list[Job]:
    """Return a run of each system and hierarchy with the longest rows: those that may need most."""
    lengths = {
        job.data[task.name]: float(load(job.data[task.name], task).train.lengths.mean())
        for job in jobs
        for task in job.spec.tasks
    }
    largest: dict[object, tuple[float, Job]] = {}
    for job in jobs:
        spec = job.spec
        key = (spec.system, str(spec.varied), spec.duplicate, len(spec.tasks))
        longest = max(lengths[folder] for folder in job.data.values())
        if key not in largest or longest > largest[key][0]:
            largest[key] = (longest, job)
    return [job for _, job in largest.values()]
