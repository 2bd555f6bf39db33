"""The groupings that an output folder has at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hmnet.errors import InputError
from hmnet.folder.outputs import Output
from hmnet.study.hierarchy import Groups
from hmnet.study.study import Study
from relevance.groups.clustering import cluster
from relevance.matrices.manual import make_manual_groups
from relevance.matrices.matrix import RelevanceMatrix
from relevance.matrices.reference import REFERENCES, load_reference
from relevance.measures.registry import MEASURES, list_standard


@dataclass(frozen=True)
class Groupings:
    """Groups of a study's tasks, by name.

    Attributes:
        groups: name to groups.
        notes: of each matrix that gives no groups, why.
    """

    groups: Mapping[str, Groups]
    notes: tuple[str, ...] = ()


def find_groupings(output: Output, study: Study, k: int | None = None) -> Groupings:
    """Return the groupings of a study's tasks that are at hand.

    Those of the standard measures (`vocabulary` and `pairwise`) where these have been measured, by
    k-means, and `manual` always. groups.json is taken under the name of the matrix that it was made
    from, which is how another measure takes part.

    Args:
        k: number of groups of a clustering; None for that of groups.json if this was made from a
            matrix that is at hand and has several groups, else 3.
    """
    names = list(study.tasks)
    matrices, notes = _read_measured(output)
    known = _read_groups(output, names)
    measures = {matrix.identity: matrix.measure for matrix in matrices.values()}
    count = min(k or _choose_count(known, measures), len(names))
    found = {"manual": make_manual_groups(study.tasks.values())}
    for file, matrix in matrices.items():
        try:
            found[matrix.measure] = cluster(matrix.select(names), count)
        except InputError as error:
            notes.append(f"note: no groups from {file}: {error}")
    if known is not None and k in (None, len(known.groups)):
        found[_name_origin(known, measures)] = known
    return Groupings({name: found[name] for name in sorted(found, key=_place)}, tuple(notes))


def _read_measured(output: Output) -> tuple[dict[str, RelevanceMatrix], list[str]]:
    """Return file name to matrix for those that have been measured, and what is wrong with one."""
    matrices, notes = {}, []
    for path in (output.matrix(measure.name) for measure in list_standard()):
        try:
            if path.exists():
                matrices[path.name] = RelevanceMatrix.read(path)
        except InputError as error:
            notes.append(f"note: no groups from {path.name}: {error}")
    return matrices, notes


def _read_groups(output: Output, names: list[str]) -> Groups | None:
    """Return the groups of groups.json, if they are those of these tasks and not the manual ones.

    The manual groups are those of the study's categories as they are now.
    """
    groups = Groups.read(output.groups) if output.groups.exists() else None
    if groups is None or groups.origin.get("method") == "manual":
        return None
    return groups if sorted(groups.tasks) == sorted(names) else None


def _choose_count(known: Groups | None, measures: Mapping[str, str]) -> int:
    """Return the number of groups that every clustering gets.

    Args:
        measures: identity of each matrix at hand to its measure.
    """
    is_ours = known is not None and known.origin.get("matrix") in measures
    return len(known.groups) if known is not None and is_ours and len(known.groups) > 1 else 3


def _name_origin(known: Groups, measures: Mapping[str, str]) -> str:
    """Return the name of the matrix that groups were made from, not that of another one's."""
    identity = str(known.origin.get("matrix", "file"))
    measure = str(known.origin.get("measure", known.origin.get("method", "groups")))
    if identity in measures:
        return measures[identity]
    reference = next((name for name in REFERENCES if load_reference(name).identity == identity), "")
    if reference:
        return reference.replace(":", "-")
    return f"{measure}-{identity}" if measure in measures.values() else measure


def _place(name: str) -> tuple[int, str]:
    """Return where a grouping stands in a table: in the paper's order, then by name."""
    order = [measure.measure for measure in MEASURES.values()]
    return (order.index(name) if name in order else len(order), name)
