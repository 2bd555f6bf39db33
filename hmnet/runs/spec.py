"""What decides a run's numbers, and the identity that follows from it."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from hmnet.storage.digests import canonical_json, digest
from hmnet.storage.documents import parse_document, read_json, to_plain
from hmnet.study.hierarchy import (
    Hierarchy,
    HierarchySpec,
    VariedHierarchy,
    settle_hierarchy,
)
from hmnet.study.settings import STRICT, ModelRef, Seed, TrainingSettings
from hmnet.study.skills import find_skills
from hmnet.study.stages import (
    SharingStage,
    find_depth_problems,
    find_stage_problems,
    simplify,
)
from hmnet.study.tasks import Task

ENGINE_VERSION = 4
"""Bumped by hand when a change of the engine changes numbers; part of every run's identity."""
SPEC_SCHEMA = "run-spec/1"
NOT_IDENTITY = (
    "tasks.source",
    "tasks.splits",
    "tasks.category",
    "tasks.scheme",
    "model.name",
    "model.revision",
)
"""Fields of a `RunSpec` that do not decide its numbers: what was read is identified by the data
and weights fingerprints, not by where it was read from."""
RunId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+-[0-9a-f]{10}$")]
LATER: Mapping[str, str | float | Mapping[str, float] | Sequence[str] | None] = {
    "system": "hierarchy",
    "duplicate": "layer",
    "training.sampling": "proportional",
    "training.temperature": None,
    "training.cap": None,
    "training.loss_weights": {},
    "training.class_weights": {},
    "training.targets": "raw",
    "training.averaging": 0.0,
    "training.averaging_steps": None,
    "training.stopping": "end",
    "training.shared_rows": "apart",
    "training.threshold": 0.5,
    "training.distillation": None,
    "stages": [],
    "depths": {},
    "start_from": None,
    "teachers": {},
    "trained": [],
}
"""Fields that came after the first version, and what runs from before them did. A field with that
value stays out of the identity, so that those runs keep their names. It is no matter of today's
default: whoever changes a default leaves this table as it is."""


@dataclass(frozen=True, config=STRICT)
class RunSpec:
    """Everything that decides a run's numbers.

    Attributes:
        tasks: full definitions, in order of name (their order never matters).
        data: task name to the fingerprint of its tokenised rows.
        model: the encoder that initialises every layer.
        hierarchy: {x, y, z}.
        groups: the partition of the tasks (canonical order, without names).
        training: optimisation settings.
        seed: seed of heads, data order and dropout.
        engine_version: `ENGINE_VERSION` of the code that runs it.
        system: `hierarchy`, or `skillnet` for the SkillNet-style baseline
            (`hmnet.models.skillnet`), which shares every layer but its skills and so has
            the hierarchy {L,0,0}.
        duplicate: what clusters and tasks own a copy of: the whole `layer`, or its feed-forward
            block alone (`ffn`).
        stages: what tasks share in each part of the run, coarse to fine; none for `hierarchy` from
            the first step on, which else is that of the last stage.
        start_from: id of the run whose trained weights this one begins with, in place of the
            encoder's; so whatever decided that run's numbers decides this one's.
        teachers: task to the id of the run whose predictions it learns from, where there is
            distillation.
        trained: the tasks that are trained, where the others stay as the run begun with has them,
            with all that they hold; none where all are trained.
        depths: task to its own {x, y, z} (in the last stage), where that is not `hierarchy`, in the
            form of `hmnet.study.hierarchy.settle_hierarchy`.
    """

    tasks: tuple[Task, ...]
    data: Mapping[str, str]
    model: ModelRef
    hierarchy: HierarchySpec
    groups: tuple[tuple[str, ...], ...]
    training: TrainingSettings
    seed: Seed
    engine_version: int = ENGINE_VERSION
    system: Literal["hierarchy", "skillnet"] = "hierarchy"
    duplicate: Literal["layer", "ffn"] = "layer"
    stages: tuple[SharingStage, ...] = ()
    start_from: RunId | None = None
    teachers: Mapping[str, RunId] = Field(default_factory=dict)
    trained: tuple[str, ...] = ()
    depths: Mapping[str, HierarchySpec] = Field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [task.name for task in self.tasks]
        if names != sorted(set(names)) or set(names) != set(self.data):
            raise ValueError("Parameter `tasks` should be sorted, unique and match `data`.")
        if sorted(name for group in self.groups for name in group) != names:
            raise ValueError("Parameter `groups` should be a partition of the tasks.")
        if self.system == "skillnet" and not self.shares_all:
            raise ValueError(
                "Parameter `hierarchy` should share every layer in a SkillNet-style model. "
                f"Found `{self.hierarchy}`."
            )
        if self.training.precision == "auto":
            raise ValueError(
                "Parameter `training.precision` should be fp32 or bf16 in a run. Found `auto`, "
                "which `hmnet.jobs.settle_precision` replaces."
            )
        taught = self.names if self.training.distillation else ()
        if set(self.teachers) != set(taught):
            raise ValueError("Parameter `teachers` should name one for each task that is taught.")
        problems = [*find_stage_problems(self.stages), *self._find_stage_problems()]
        if problems := [*problems, *self._find_extension_problems()]:
            raise ValueError("\n".join(problems))

    def _find_stage_problems(self) -> Iterator[str]:
        if self.stages and self.stages[-1].hierarchy != self.hierarchy:
            yield (
                f"Parameter `hierarchy` should be that of the last stage. Found "
                f"`{self.hierarchy}` after `{self.stages[-1].hierarchy}`."
            )
        if self.system == "skillnet" and (self.stages or self.start_from or self.depths):
            yield (
                "Parameter `stages` should be left out of a SkillNet-style run, as `start_from` "
                "and `depths`."
            )
        yield from find_depth_problems(self.stages, self.depths)
        if settle_hierarchy(self.varied, self.names) != self.varied:
            yield (
                "Parameter `depths` should be those of tasks of the run that differ from what most "
                f"of them have. Found `{self.varied}`."
            )

    @property
    def varied(self) -> Hierarchy:
        """What the tasks share in the end."""
        return VariedHierarchy(self.hierarchy, self.depths) if self.depths else self.hierarchy

    def list_hierarchies(self) -> list[Hierarchy]:
        """Return what the tasks share in each part of the run, one after the other."""
        return [*(stage.hierarchy for stage in self.stages[:-1]), self.varied]

    def _settle_training(self) -> dict[str, object]:
        """Return the settings that do nothing in a run of these tasks, as they are without."""
        settled: dict[str, object] = {"class_weights": self._find_class_weights()}
        if all(task.facts.answer != "value" for task in self.tasks):
            settled["targets"] = "raw"
        if len(self.tasks) == 1:
            settled["shared_rows"] = "apart"
        if all(task.facts.answer != "set" for task in self.tasks):
            settled["threshold"] = 0.5
        return settled

    def _find_class_weights(self) -> dict[str, str | list[float]]:
        """Return what the run's own classifications are asked to weigh their classes by."""
        asked = self.training.class_weights
        names = [task.name for task in self.tasks if task.facts.has_labels]
        of = dict.fromkeys(names, asked) if isinstance(asked, str) else asked
        return {n: w if isinstance(w := of[n], str) else list(w) for n in names if n in of}

    def _find_extension_problems(self) -> Iterator[str]:
        if self.trained and not set(self.trained) < set(self.names):
            yield "Parameter `trained` should name some of the tasks, or none for all of them."
        if self.trained and (self.start_from is None or self.stages or self.teachers):
            yield "Parameter `trained` needs `start_from`, and neither stages nor teachers."

    @property
    def shares_all(self) -> bool:
        """Whether no layer belongs to a group or a task."""
        each = [self.hierarchy, *self.depths.values()]
        return all(layers.cluster == 0 and layers.task == 0 for layers in each)

    @property
    def names(self) -> tuple[str, ...]:
        """The tasks' names."""
        return tuple(task.name for task in self.tasks)

    @property
    def trained_tasks(self) -> tuple[Task, ...]:
        """The tasks that are trained and evaluated."""
        return tuple(task for task in self.tasks if task.name in (self.trained or self.names))

    def describe(self) -> str:
        """Return what the tasks share, and what is unlike a plain run: `{8,2,2} in 3 groups`."""
        if self.system != "hierarchy":
            return "SkillNet-style"
        parts = [str(self.hierarchy)]
        if len(self.names) == 1:
            parts = ["alone"]
        elif self.shares_all:
            parts = ["pair" if len(self.names) == 2 else "all shared"]
        elif self.hierarchy.cluster:
            parts.append(f"in {len(self.groups)} groups")
        parts += [self.duplicate] if self.duplicate != "layer" else []
        parts += ["in stages"] if simplify(self.stages) else []
        parts += ["taught"] if self.teachers else []
        parts += [f"with {', '.join(self.trained)}"] if self.trained else []
        parts += [f"from {self.start_from}"] if self.start_from else []
        return " ".join(parts)

    @functools.cached_property
    def run_id(self) -> str:
        """Readable prefix and ten hex digits of the identity."""
        shown = "-".join(self.names) if len(self.names) < 3 else f"{len(self.names)}tasks"
        prefix = re.sub(r"[^A-Za-z0-9_-]", "_", f"{shown[:48]}-s{self.seed}")
        return f"{prefix}-{digest(canonical_json(self._identity()))[:10]}"

    def _identity(self) -> dict[str, Any]:
        content: dict[str, Any] = to_plain(self)
        for path in NOT_IDENTITY:
            owner, name = path.split(".")
            entries = content[owner] if isinstance(content[owner], list) else [content[owner]]
            for entry in entries:
                del entry[name]
        parts = self.list_hierarchies()
        if not any(part.of(name).cluster for part in parts for name in self.names):
            content["groups"] = []
        if not simplify(self.stages):
            content["stages"] = []
        if self.shares_all:
            content["duplicate"] = "layer"
        content["training"] |= self._settle_training()
        if self.system == "skillnet":
            content["skills"] = {task.name: find_skills(task) for task in self.tasks}
        _drop_what_old_runs_did(content)
        return content


def _drop_what_old_runs_did(content: dict[str, Any]) -> None:
    """Remove the `LATER` fields that hold the value of runs from before them."""
    for path, old in LATER.items():
        *owners, name = path.split(".")
        holder = content
        for owner in owners:
            holder = holder[owner]
        if holder[name] == old:
            del holder[name]


def read_spec(path: Path) -> RunSpec:
    """Read a run's `spec.json`; a field that came after it holds what old runs did (`LATER`).

    Raises:
        InputError: as in `read_document`.
    """
    content = read_json(path)
    for field, old in LATER.items():
        *owners, name = field.split(".")
        holder: object = content
        for owner in owners:
            holder = holder.get(owner) if isinstance(holder, dict) else None
        if isinstance(holder, dict):
            holder.setdefault(name, old)
    return parse_document(content, SPEC_SCHEMA, RunSpec, str(path))
