"""The one loop that every method is trained by: steps, losses, checkpoints, scores.

A run is executed from its `RunSpec` by `execute`; a model alone is trained by
`hmnet.training.loop.train`. Which batch comes when is decided by the seed alone:

>>> from hmnet.training import plan_steps
>>> sizes = {"rte": 5, "cb": 3}
>>> steps = plan_steps(sizes, epochs=1, batch_size=2, seed=0)
>>> sorted((step.task, len(step.index)) for step in steps)
[('cb', 1), ('cb', 2), ('rte', 1), ('rte', 2), ('rte', 2)]
>>> alone = plan_steps({"cb": 3}, epochs=1, batch_size=2, seed=0)
>>> [step.index.tolist() for step in alone] == [
...     step.index.tolist() for step in steps if step.task == "cb"
... ]
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hmnet.training.batch_shapes import plan_shapes
    from hmnet.training.checkpoint import Checkpoint
    from hmnet.training.distributed import ProcessGroup, join_process_group, leave_process_group
    from hmnet.training.divergence import DivergedError
    from hmnet.training.evaluation import Logits, cut_by_tokens, evaluate, predict, predict_tasks
    from hmnet.training.execution import (
        build_model,
        compute_primary_score,
        execute,
        find_versions,
        score_splits,
    )
    from hmnet.training.loop import Trainer, TrainingLog
    from hmnet.training.loss_record import LossRecord
    from hmnet.training.steps import Step, count_batches, plan_steps
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "Checkpoint",
    "DivergedError",
    "Logits",
    "LossRecord",
    "ProcessGroup",
    "Step",
    "Trainer",
    "TrainingLog",
    "build_model",
    "compute_primary_score",
    "count_batches",
    "cut_by_tokens",
    "evaluate",
    "execute",
    "find_versions",
    "join_process_group",
    "leave_process_group",
    "plan_shapes",
    "plan_steps",
    "predict",
    "predict_tasks",
    "score_splits",
]
