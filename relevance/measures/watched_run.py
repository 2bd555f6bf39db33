"""One multi-task training that is watched, for measures that read what its steps do.

It is trained here and now, on this machine's CPU, with the study's first seed and settings; nothing
of it is kept but what was seen. Measures that are asked for together share it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hmnet.jobs.prepared import PreparedStudy
    from hmnet.training.lookahead import Influences

WATCHED = "one multi-task training of all tasks, about twice as long as unwatched"
"""What measures of this kind cost."""


def train_watched(prepared: PreparedStudy) -> Influences:
    """Train all tasks with every layer shared, and return what each one's steps do to the others.

    A study that learns from teachers is trained without them.
    """
    from dataclasses import replace

    import torch

    from hmnet.training.execution import begin_model
    from hmnet.training.lookahead import watch_training
    from hmnet.training.loop import Trainer
    from hmnet.training.targets import measure_scales

    plain = prepared.train_with(replace(prepared.study.training, distillation=None))
    job = plain.shared(plain.study.tasks, plain.study.seeds[0])
    data = {name: plain.data[name] for name in job.spec.names}
    model = begin_model(job, measure_scales(data, job.spec.training))
    device = torch.device("cpu")
    return watch_training(Trainer(model, data, job.spec.training, job.spec.seed, device))
