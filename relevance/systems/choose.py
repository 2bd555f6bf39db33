"""Which systems to compare, from the options of a command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from hmnet.errors import raise_problems
from hmnet.folder.outputs import Output
from hmnet.jobs.prepared import PreparedStudy
from hmnet.study.hierarchy import Groups, HierarchySpec
from hmnet.study.study import Study
from hmnet.study.tasks import NAME_PATTERN
from relevance.groups.at_hand import find_groupings
from relevance.systems.systems import System, list_systems


def choose_systems(
    output: Output,
    prepared: PreparedStudy,
    *,
    groups: Sequence[str] = (),
    k: int | None = None,
    hierarchy: str | None = None,
    skillnet: bool = True,
    duplicate: str = "layer",
    say: Callable[[str], None] = print,
) -> list[System]:
    """Return the systems to compare, from the options of the command line.

    Args:
        groups: NAME=FILE of each grouping; none for those that are at hand
            (`relevance.groups.at_hand.find_groupings`, which `k` is for).
        duplicate: `layer`, `ffn`, or both separated by a comma.
        say: told of a matrix that gives no groups.

    Raises:
        InputError: with every option that does not fit.
    """
    duplicates = [name.strip() for name in duplicate.split(",")]
    raise_problems(
        f"Parameter `duplicate` should be layer, ffn or both. Found `{name}`."
        for name in duplicates
        if name not in ("layer", "ffn")
    )
    layers = None if hierarchy is None else HierarchySpec.parse(hierarchy)
    if layers is not None:
        layers.check_depth(prepared.depth)
    found = choose_groupings(output, prepared.study, groups, k, say)
    return list_systems(prepared, found, layers, skillnet=skillnet, duplicates=duplicates)  # type: ignore[arg-type]


def choose_groupings(
    output: Output,
    study: Study,
    given: Sequence[str],
    k: int | None,
    say: Callable[[str], None] = print,
) -> dict[str, Groups]:
    """Return the groupings that are given, else those at hand."""
    return read_groupings(given, study) if given else find_groupings(output, study, k, say)


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
