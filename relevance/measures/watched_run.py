"""One multi-task training that is watched, for measures that read what its steps do.

It is trained here and now, on this machine's CPU, with the study's first seed and settings; nothing
of it is kept but what was seen. Measures that are asked for together share it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.arrays import Floats

if TYPE_CHECKING:
    from hmnet.data.task_data import TaskData
    from hmnet.jobs.prepared import PreparedStudy
    from hmnet.models.paths import PathModel
    from hmnet.training.lookahead import Influences

WATCHED = "one multi-task training of all tasks, about twice as long as unwatched"
"""What measures of this kind cost."""


MOST_ROWS = 100
"""Training rows of each task whose features are read in the end."""


@dataclass(frozen=True, eq=False)
class WatchedRun:
    """What a multi-task training left.

    Attributes:
        influences: what each task's steps did to the others' losses.
        states: task to the mean token states of some of its training rows after the last layer,
            [N, W].
    """

    influences: Influences
    states: Mapping[str, Floats]


def train_watched(prepared: PreparedStudy) -> WatchedRun:
    """Train all tasks with every layer shared, and return what was seen.

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
    seen = watch_training(Trainer(model, data, job.spec.training, job.spec.seed, device))
    rows = [task for task, each in data.items() if not each.task.facts.reads_words]
    states = {
        task: _read_states(model, rows[0] if rows else task, each) for task, each in data.items()
    }
    return WatchedRun(seen, states)


def _read_states(model: PathModel, path: str, data: TaskData) -> Floats:
    """Return the last layer's mean states of rows that are spread over a task's training rows.

    Args:
        path: the task whose path reads them; all share every layer.
    """
    import numpy as np

    from hmnet.training.layer_features import compute_states, take_rows

    count = len(data.train)
    index = np.unique(np.linspace(0, count - 1, min(count, MOST_ROWS)).astype(np.int64))
    states = compute_states(model, path, take_rows(data.train, index))
    last: Floats = states[:, -1].astype(np.float64)
    return last
