"""The course of a training besides its steps: stages in which sharing becomes finer, teachers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from hmnet.models.paths import PathModel
from hmnet.training.distributed import ALONE, ProcessGroup
from hmnet.training.evaluation import Logits


@dataclass(frozen=True)
class ModelStage:
    """A part of a training, with the model that is trained in it.

    Attributes:
        share: share of the training's steps.
        build: returns an untrained model whose tasks share what they share in this stage.
        lower_rate: factor of the learning rate of `hmnet.models.parting.find_lower`.
    """

    share: float
    build: Callable[[], PathModel]
    lower_rate: float = 1.0


@dataclass(frozen=True)
class Course:
    """What a training does besides taking its steps; by default nothing.

    Attributes:
        stages: coarse to fine, with shares that sum to 1; the model that is trained is that of the
            first. None: it stays as it is.
        teachers: task to what its teacher predicts on its training rows, float32 [N, C].
        trained: the tasks that are trained; all that other tasks' paths hold is frozen. None: all.
        group: the processes that share the batches.
    """

    stages: Sequence[ModelStage] = ()
    teachers: Mapping[str, Logits] = field(default_factory=dict)
    group: ProcessGroup = ALONE
    trained: Sequence[str] = ()

    def plan_starts(self, total: int) -> list[int]:
        """Return the position of each stage's first step among `total`.

        A stage without a step has that of the next one, or `total`.
        """
        sums = itertools.accumulate(stage.share for stage in self.stages[:-1])
        return [0, *(min(round(total * each), total) for each in sums)]

    def lower_rate(self, stage: int) -> float:
        """Return the factor of a stage."""
        return self.stages[stage].lower_rate if self.stages else 1.0


PLAIN = Course()
