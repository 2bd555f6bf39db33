"""Systems that a study asks `hmnet compare` to train beside the plain ones.

[[system]]
name = "coarse-to-fine"
groups = "pairwise"                 # a grouping at hand, or a groups.json
stages = [{ share = 0.6, hierarchy = "6,0,0" }, { share = 0.4, hierarchy = "2,2,2" }]
averaging = 0.3
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic.dataclasses import dataclass

from hmnet.study.hierarchy import Depths, HierarchyText
from hmnet.study.settings import STRICT, Count, Distillation, Fraction, TrainingSettings
from hmnet.study.stages import SharingStage, find_stage_problems


def _to_tuple(value: object) -> object:
    return (value,) if isinstance(value, int) else value


def _refuse_twice(epochs: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(epochs)) < len(epochs):
        raise ValueError(
            f"Parameter `epochs` should name each number once. Found `{list(epochs)}`."
        )
    return epochs


Epochs = Annotated[tuple[Count, ...], BeforeValidator(_to_tuple), AfterValidator(_refuse_twice)]
"""Numbers of epochs, each once; in files one number may stand for itself."""
PLAIN_SYSTEMS = ("single-task", "multi-task", "skillnet")
"""Names that are taken."""


@dataclass(frozen=True, config=STRICT)
class ComparisonSettings:
    """How `hmnet compare` judges; flags override it.

    Attributes:
        epochs: numbers of epochs of which single-task (task by task) and multi-task training each
            get the one that is best by held-out training rows; none for that of the study.
        resample_tasks: whether intervals of averages hold for tasks like these, and not for these
            very tasks alone.
    """

    epochs: Epochs = ()
    resample_tasks: bool = False


@dataclass(frozen=True, config=STRICT)
class SystemSettings:
    """A system: what its tasks share, and how it is trained where that differs from the study.

    Attributes:
        name: what tables call it.
        hierarchy: {x, y, z}; None for that of the last stage, what was advised with the groups, or
            the default of the depth.
        depths: group or task to its own {x, y, z}, where that differs (in the last stage).
        groups: a grouping at hand (`manual`, `vocabulary`, `pairwise`) or a `groups.json`; None
            for all tasks in one group.
        stages: what tasks share in each part of a run, coarse to fine.
        duplicate: what groups and tasks own copies of.
        alone: whether each task is trained by itself.
        epochs: in place of the study's; of several numbers the one that is best by held-out
            training rows (`rows.holdout`), for tasks that are trained alone for each by itself.
        averaging, averaging_steps, stopping, distillation: in place of the study's
            (`TrainingSettings`); None for these.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_+-]{0,63}$")]
    hierarchy: HierarchyText | None = None
    groups: Annotated[str, Field(min_length=1)] | None = None
    stages: tuple[SharingStage, ...] = ()
    depths: Depths = Field(default_factory=dict)
    duplicate: Literal["layer", "ffn"] = "layer"
    alone: bool = False
    epochs: Epochs = ()
    averaging: Fraction | None = None
    averaging_steps: Count | None = None
    stopping: Literal["end", "task"] | None = None
    distillation: Distillation | None = None

    def __post_init__(self) -> None:
        if problems := list(self._find_problems()):
            raise ValueError("\n".join(problems))

    def _find_problems(self) -> Iterator[str]:
        yield from find_stage_problems(self.stages)
        if self.name in PLAIN_SYSTEMS:
            taken = ", ".join(PLAIN_SYSTEMS)
            yield f"Parameter `name` should be none of {taken}. Found `{self.name}`."
        if self.alone and (self.hierarchy or self.groups or self.stages or self.depths):
            yield (
                "Parameter `alone` should be left out of a system with a hierarchy, groups or "
                f"stages. Found it in `{self.name}`."
            )
        if self.stages and self.hierarchy not in (None, self.stages[-1].hierarchy):
            yield (
                "Parameter `hierarchy` should be left out of a system with stages: it is that of "
                f"the last one. Found `{self.hierarchy}`."
            )

    def change(self, training: TrainingSettings) -> TrainingSettings:
        """Return a study's settings with those of the system in their place."""
        own = {
            name: value
            for name in ("averaging", "averaging_steps", "stopping", "distillation")
            if (value := getattr(self, name)) is not None
        }
        if self.averaging == 0:
            own["averaging_steps"] = None
        return replace(training, **own)


def find_repeated(systems: Sequence[SystemSettings]) -> Iterator[str]:
    """Yield a sentence for each name that several systems have."""
    for name, count in Counter(system.name for system in systems).items():
        if count > 1:
            yield f"Parameter `system` should have a name for each. Found `{name}` {count} times."
