"""How tasks share an encoder: {x, y, z} layers, and groups of tasks (paper, section 3.3)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer
from pydantic.dataclasses import dataclass

from hmnet.errors import InputError, raise_problems, suggest
from hmnet.storage.documents import read_document, to_plain, write_document
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

    def of(self, task: str) -> HierarchySpec:
        """Return a task's {x, y, z}: the same for all; see `VariedHierarchy.of`."""
        return self

    def __str__(self) -> str:
        return f"{self.shared},{self.cluster},{self.task}"


def _read_hierarchy(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return HierarchySpec.parse(value)
    except InputError as error:
        raise ValueError(str(error)) from None


HierarchyText = Annotated[HierarchySpec, BeforeValidator(_read_hierarchy), PlainSerializer(str)]
"""{x, y, z}, as text in files."""
Depths = Mapping[str, HierarchyText]
"""Group or task to its own {x, y, z}; a task's entry goes before that of its group."""


@dataclass(frozen=True, config=STRICT)
class VariedHierarchy:
    """{x, y, z} that differ by task.

    A layer that a task shares is shared with all tasks (or all of its group) that share it too; so
    a task of {0,0,L} has all layers to itself, and shares the embeddings.

    Attributes:
        default: of all tasks without one of their own.
        own: task to its own.
    """

    default: HierarchySpec
    own: Mapping[str, HierarchySpec]

    def of(self, task: str) -> HierarchySpec:
        """Return a task's {x, y, z}."""
        return self.own.get(task, self.default)

    @property
    def depth(self) -> int:
        """Layers of every path."""
        return self.default.depth

    def check_depth(self, depth: int) -> None:
        """Raise an `InputError` unless each x + y + z is the encoder's depth."""
        for each in (self.default, *self.own.values()):
            each.check_depth(depth)

    def __str__(self) -> str:
        return " ".join([str(self.default), *(f"{name}:{own}" for name, own in self.own.items())])


Hierarchy = HierarchySpec | VariedHierarchy


def parse_depths(text: str) -> dict[str, HierarchySpec]:
    """Read NAME:X,Y,Z, separated by spaces.

    >>> {name: str(own) for name, own in parse_depths("rte:0,0,6 pairs:2,4,0").items()}
    {'rte': '0,0,6', 'pairs': '2,4,0'}

    Raises:
        InputError: with every part of another form, or that names something again.
    """
    parts = [part.rpartition(":") for part in text.split()]
    counts = Counter(name for name, _, _ in parts)
    raise_problems(
        f"Parameter `depths` should be NAME:X,Y,Z of groups or tasks, each once, such as "
        f"`rte:0,0,6`. Found `{name}:{layers}`."
        for name, _, layers in parts or [("", "", "")]
        if not name or counts[name] > 1
    )
    return {name: HierarchySpec.parse(layers) for name, _, layers in parts}


def vary_hierarchy(
    default: HierarchySpec, depths: Mapping[str, HierarchySpec], groups: Groups
) -> Hierarchy:
    """Return {x, y, z} of every task of some groups: the default where all have the same.

    Args:
        depths: group or task to its own.

    Raises:
        InputError: with every name that is neither, or could be either.
    """
    known = (*groups.groups, *groups.tasks)
    raise_problems(
        [
            f"Parameter `depths` should name groups or tasks. Found `{name}`.{suggest(name, known)}"
            for name in depths
            if name not in known
        ]
        + [
            f"Parameter `depths` should name a group or a task. Found `{name}`, which is a group "
            f"of {', '.join(groups.groups[name])} and a task: give the group another name."
            for name in depths
            if name in groups.tasks and groups.groups.get(name, (name,)) != (name,)
        ]
    )
    own = {
        task: depths.get(task, depths.get(groups.group_of(task), default)) for task in groups.tasks
    }
    return settle_hierarchy(VariedHierarchy(default, own), groups.tasks)


def settle_hierarchy(hierarchy: Hierarchy, tasks: Iterable[str]) -> Hierarchy:
    """Return a hierarchy of some tasks in its one canonical form.

    The default is what most tasks have (of equally many the first as text), and no other task's.
    """
    found = {task: hierarchy.of(task) for task in sorted(tasks)}
    counts = Counter(found.values())
    default = min(counts, key=lambda each: (-counts[each], str(each)))
    own = {task: each for task, each in found.items() if each != default}
    return VariedHierarchy(default, own) if own else default


@dataclass(frozen=True, config=STRICT)
class Groups:
    """Named, disjoint groups of task names.

    Attributes:
        groups: group name to the names of its tasks.
        origin: how the groups came to be (method, k, stability, the matrix's identity).
        hierarchy: {x, y, z} that was advised with them; None for none.
        depths: group or task to its own, where that differs.
    """

    groups: Mapping[str, tuple[str, ...]]
    origin: Mapping[str, object] = Field(default_factory=dict)
    hierarchy: HierarchyText | None = None
    depths: Depths = Field(default_factory=dict)

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
        if self.depths and self.hierarchy is None:
            problems.append(
                "Parameter `depths` should be left out unless `hierarchy` is given. Found "
                f"`{', '.join(self.depths)}`."
            )
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

    def advise(self) -> Hierarchy | None:
        """Return the hierarchy that was advised with the groups, of every task; None for none."""
        return None if self.hierarchy is None else vary_hierarchy(self.hierarchy, self.depths, self)

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
        """Write `groups.json`; it says nothing of a hierarchy where none was advised."""
        content = to_plain(self)
        if self.hierarchy is None:
            del content["hierarchy"], content["depths"]
        write_document(path, GROUPS_SCHEMA, content)

    @classmethod
    def read(cls, path: Path) -> Groups:
        """Read `groups.json`; every problem in it is reported at once."""
        return read_document(path, GROUPS_SCHEMA, cls)


def name_groups(partition: Iterable[Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Name groups "1", "2", ...: larger ones first, then by their alphabetically first task."""
    ordered = sorted(partition, key=lambda tasks: (-len(tasks), min(tasks)))
    return {str(number): tuple(tasks) for number, tasks in enumerate(ordered, start=1)}
