"""Which systems to compare, from the options of a command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast, get_args

from hmnet.errors import raise_problems, suggest
from hmnet.folder.outputs import Output
from hmnet.jobs.prepared import PreparedStudy
from hmnet.study.hierarchy import Groups, Hierarchy, HierarchySpec, vary_hierarchy
from hmnet.study.study import Study
from hmnet.study.system_settings import SystemSettings
from hmnet.study.tasks import NAME_PATTERN
from relevance.groups.at_hand import Groupings, find_groupings
from relevance.systems.comparison_format import MULTI, SINGLE
from relevance.systems.systems import Duplicate, System, list_systems


@dataclass(frozen=True)
class SystemOptions:
    """Which systems to compare.

    Attributes:
        groups: NAME=FILE of each grouping; none for those that are at hand
            (`relevance.groups.at_hand.find_groupings`, with `k` groups each).
        k: number of groups of a clustering.
        hierarchy: layers of HMNet, such as 8,2,2; None for the default of the encoder's depth.
        skillnet: whether the SkillNet-style baseline is among them.
        duplicate: `layer`, `ffn`, or both separated by a comma.
    """

    groups: Sequence[str] = ()
    k: int | None = None
    hierarchy: str | None = None
    skillnet: bool = True
    duplicate: str = "layer"


def choose_systems(
    output: Output, prepared: PreparedStudy, options: SystemOptions
) -> tuple[list[System], tuple[str, ...]]:
    """Return the systems to compare, and notes about matrices that give no groups.

    Where the study lists systems of its own and no option says otherwise, these are trained beside
    single-task and multi-task. These two have the numbers of epochs that the study compares.

    Raises:
        InputError: with every option that does not fit.
    """
    systems, notes = _choose(output, prepared, options)
    epochs = prepared.study.comparison.epochs
    plain = (SINGLE, MULTI)
    return [replace(s, epochs=epochs) if s.name in plain else s for s in systems], notes


def _choose(
    output: Output, prepared: PreparedStudy, options: SystemOptions
) -> tuple[list[System], tuple[str, ...]]:
    if prepared.study.systems and options in (SystemOptions(), SystemOptions(skillnet=False)):
        return list_own_systems(output, prepared)
    duplicates = _parse_duplicates(options.duplicate)
    layers = None if options.hierarchy is None else HierarchySpec.parse(options.hierarchy)
    if layers is not None:
        layers.check_depth(prepared.depth)
    found = choose_groupings(output, prepared.study, options.groups, options.k)
    skillnet = options.skillnet
    systems = list_systems(prepared, found.groups, layers, skillnet=skillnet, duplicates=duplicates)
    return systems, found.notes


def list_own_systems(
    output: Output, prepared: PreparedStudy
) -> tuple[list[System], tuple[str, ...]]:
    """Return single-task, multi-task and the study's systems, and notes about matrices.

    Raises:
        InputError: with every grouping that is not at hand, or a hierarchy of another depth.
    """
    found = find_groupings(output, prepared.study)
    asked = prepared.study.systems
    known = {each.groups: each.groups in found.groups for each in asked if each.groups}
    raise_problems(
        f"Parameter `system.groups` should be a grouping at hand or a groups.json. Found "
        f"`{name}`.{suggest(name, found.groups)}"
        for name, is_known in known.items()
        if not is_known and not Path(name).is_file()
    )
    files = [f"file={name}" for name, is_known in known.items() if not is_known]
    read = {file: read_groupings([file], prepared.study)["file"] for file in files}
    groups = {**found.groups, **{file.removeprefix("file="): g for file, g in read.items()}}
    plain = list_systems(prepared, {})
    return [*plain, *(_make_system(prepared, each, groups) for each in asked)], found.notes


def _make_system(
    prepared: PreparedStudy, asked: SystemSettings, groups: Mapping[str, Groups]
) -> System:
    changed = asked.change(prepared.study.training)
    training = None if changed == prepared.study.training else changed
    if asked.alone:
        return System(asked.name, training=training, epochs=asked.epochs)
    found = groups[asked.groups] if asked.groups else Groups.one(prepared.study.tasks)
    layers = _choose_layers(asked, found, prepared.depth)
    layers.check_depth(prepared.depth)
    return System(
        asked.name,
        layers,
        found if asked.groups else None,
        asked.duplicate,
        stages=asked.stages,
        training=training,
        epochs=asked.epochs,
    )


def _choose_layers(asked: SystemSettings, groups: Groups, depth: int) -> Hierarchy:
    """Return what a system's tasks share in the end."""
    said = asked.stages[-1].hierarchy if asked.stages else asked.hierarchy
    advised = groups.advise()
    if advised is not None and said is None and not asked.depths:
        return advised
    return vary_hierarchy(said or HierarchySpec.default(depth), asked.depths, groups)


def _parse_duplicates(text: str) -> list[Duplicate]:
    names = [name.strip() for name in text.split(",")]
    raise_problems(
        f"Parameter `duplicate` should be layer, ffn or both. Found `{name}`."
        for name in names
        if name not in get_args(Duplicate)
    )
    return [cast("Duplicate", name) for name in names]


def choose_groupings(
    output: Output, study: Study, given: Sequence[str], k: int | None
) -> Groupings:
    """Return the groupings that are given, else those at hand."""
    return Groupings(read_groupings(given, study)) if given else find_groupings(output, study, k)


def read_groupings(given: Sequence[str], study: Study) -> dict[str, Groups]:
    """Read groupings given as NAME=FILE.

    Raises:
        InputError: if an entry has another form, or its groups do not hold the study's tasks.
    """
    parts = [text.partition("=") for text in given]
    raise_problems(
        f"Parameter `groups` should be NAME=FILE, such as mine=groups.json. Found `{text}`."
        for text, (name, _, file) in zip(given, parts, strict=True)
        if not (NAME_PATTERN.fullmatch(name) and file)
    )
    found = {name: Groups.read(Path(file)) for name, _, file in parts}
    for name, groups in found.items():
        groups.check_tasks(study.tasks, name)
    return found
