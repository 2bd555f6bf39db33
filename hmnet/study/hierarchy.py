"""How tasks share an encoder: {x, y, z} layers, and groups of tasks (paper, section 3.3)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from hmnet.errors import InputError, raise_problems, suggest
from hmnet.storage.documents import read_document, write_document
from hmnet.study.settings import STRICT

GROUPS_SCHEMA = "groups/1"
Layers = Annotated[int, Field(ge=0)]


@dataclass(frozen=True, config=STRICT)
class HierarchySpec:
    """{x, y, z}: layers shared by all tasks, by each group, and owned by each task.

    Attributes:
        shared: x, the bottom layers that all tasks optimise.
        cluster: y, the middle layers of which each group has its own copy.
        task: z, the top layers of which each task has its own copy.
    """

    shared: Layers
    cluster: Layers
    task: Layers

    @classmethod
    def parse(cls, text: str) -> HierarchySpec:
        """Read `8,2,2`."""
        parts = text.strip("{} ").split(",")
        if len(parts) != 3 or not all(re.fullmatch(r"\s*[0-9]{1,4}\s*", part) for part in parts):
            raise InputError(
                "Parameter `hierarchy` should be three layer counts, shared, cluster and task, "
                f"such as `8,2,2`. Found `{text}`."
            )
        return cls(*(int(part) for part in parts))

    @classmethod
    def default(cls, depth: int) -> HierarchySpec:
        """Return the paper's proportions, {8,2,2} of 12, for an encoder of `depth` layers."""
        if depth < 3:
            return cls(max(depth - 1, 0), min(depth, 1), 0)
        part = max(1, round(depth / 6))
        return cls(depth - 2 * part, part, part)

    @property
    def depth(self) -> int:
        """Layers of every path: x + y + z."""
        return self.shared + self.cluster + self.task

    def check_depth(self, depth: int) -> None:
        """Raise an `InputError` unless x + y + z is the encoder's depth."""
        if self.depth != depth:
            raise InputError(
                f"Parameter `hierarchy` should sum to the encoder's depth, {depth}. "
                f"Found `{self}` with {self.depth} layers."
            )

    def __str__(self) -> str:
        return f"{self.shared},{self.cluster},{self.task}"


@dataclass(frozen=True, config=STRICT)
class Groups:
    """Named, disjoint groups of task names.

    Attributes:
        groups: group name to the names of its tasks.
        origin: how the groups came to be (method, k, stability, the matrix's identity).
    """

    groups: Mapping[str, tuple[str, ...]]
    origin: Mapping[str, object] = Field(default_factory=dict)

    def __post_init__(self) -> None:
        counts = Counter(self.tasks)
        problems = [
            f"Parameter `groups` should name each task once. Found `{task}` {count} times."
            for task, count in counts.items()
            if count > 1
        ]
        problems += [
            f"Parameter `groups.{name}` should hold at least one task. Found none."
            for name, tasks in self.groups.items()
            if not tasks
        ]
        if not self.groups:
            problems.append("Parameter `groups` should hold at least one group. Found none.")
        if problems:
            raise ValueError("\n".join(problems))

    @classmethod
    def one(cls, tasks: Iterable[str]) -> Groups:
        """All tasks in one group."""
        return cls({"all": tuple(tasks)}, {"method": "one"})

    @property
    def tasks(self) -> tuple[str, ...]:
        """All task names, group after group."""
        return tuple(task for tasks in self.groups.values() for task in tasks)

    @property
    def partition(self) -> tuple[tuple[str, ...], ...]:
        """The groups without their names, in one canonical order."""
        return tuple(sorted(tuple(sorted(tasks)) for tasks in self.groups.values()))

    def group_of(self, task: str) -> str:
        """Return the name of the group that holds `task`.

        Raises:
            InputError: if no group does.
        """
        for name, tasks in self.groups.items():
            if task in tasks:
                return name
        raise InputError(
            f"Parameter `task` should be in one of the groups. Found `{task}`."
            f"{suggest(task, self.tasks)}"
        )

    def check_tasks(self, names: Iterable[str], where: str = "groups") -> None:
        """Raise an `InputError` unless the groups hold exactly the tasks `names`."""
        names = list(names)
        unknown = [task for task in self.tasks if task not in names]
        missing = [name for name in names if name not in self.tasks]
        raise_problems(
            [
                f"{where}: the groups should hold only tasks of the study. "
                f"Found `{task}`.{suggest(task, names)}"
                for task in unknown
            ]
            + [f"{where}: the groups should hold task `{name}`. It is missing." for name in missing]
        )

    def write(self, path: Path) -> None:
        """Write `groups.json`."""
        write_document(path, GROUPS_SCHEMA, self)

    @classmethod
    def read(cls, path: Path) -> Groups:
        """Read `groups.json`; every problem in it is reported at once."""
        return read_document(path, GROUPS_SCHEMA, cls)


def name_groups(partition: Iterable[Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Name groups "1", "2", ...: larger ones first, then by their alphabetically first task."""
    ordered = sorted(partition, key=lambda tasks: (-len(tasks), min(tasks)))
    return {str(number): tuple(tasks) for number, tasks in enumerate(ordered, start=1)}
