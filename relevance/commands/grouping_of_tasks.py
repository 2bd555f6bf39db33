"""`relevance cluster`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hmnet.console.speaking import Aside, Shown, wrote
from hmnet.folder.freshness import Sources, deriving, note_files
from hmnet.folder.outputs import Output, find_output_folder, open_output
from hmnet.seeding import check_seed
from hmnet.study.hierarchy import Groups
from hmnet.study.study import resolve_study
from relevance.groups.doubt import (
    describe_doubt,
    group_matrix,
    name_source,
    parse_k,
    write_manual_groups,
)
from relevance.groups.published import compare_with_published
from relevance.imported.named_matrix import open_matrix
from relevance.matrices.holes import has_gaps, is_from_elsewhere
from relevance.matrices.manual import make_manual_groups, make_manual_matrix
from relevance.measures.find import find_measured


def run_cluster(
    out: Path | None,
    study: Path | None,
    source: str | None,
    k: str,
    method: str | None,
    seed: int,
    targets: str = "columns",
) -> Iterator[str]:
    """Group the tasks of a matrix; write groups, clusters and, where draws are at hand, stability.

    Args:
        source: a measure, `paper:...` or a file of results; see
            `relevance.imported.named_matrix.open_matrix`.
        k: number of groups, or `auto`.
        targets: where a wide table of one's own has its targets, columns or rows.
    """
    count = parse_k(k)
    check_seed(seed)
    if source == "manual":
        yield from _take_manual(open_output(out), study)
        return
    output = Output(find_output_folder(out))
    named = open_matrix(output, study, source, targets)
    is_partial = is_from_elsewhere(named.matrix) and has_gaps(named.matrix)
    draws = None if is_partial else named.draws  # those of a filled cell are not known
    found = name_source(group_matrix(named.matrix, count, method, seed, draws), source)
    path = find_measured(output, source)
    open_output(out)  # not before: nothing is left of a command that is refused
    with deriving(Sources("relevance cluster", files=note_files(output, *[path] if path else []))):
        written = found.write(output)
    yield from map(Aside, named.notes)
    yield from describe_doubt(found)
    yield from describe_groups(found.groups, written)


def _take_manual(output: Output, study: Path | None) -> Iterator[str]:
    tasks = resolve_study(output.folder, study).tasks.values()
    groups = make_manual_groups(tasks)
    with deriving(Sources("relevance cluster --matrix manual")):
        written = write_manual_groups(output, groups, make_manual_matrix(tasks))
    yield from describe_groups(groups, written)


def describe_groups(groups: Groups, written: tuple[Path, ...]) -> Iterator[str]:
    """Yield the groups, how far they agree with the paper's, and where they were written."""
    text = "\n".join(f"{name}: {', '.join(members)}" for name, members in groups.groups.items())
    yield Shown(text, groups=groups.groups, origin=groups.origin)
    if published := compare_with_published(groups):
        shown = ", ".join(f"{index:.2f} with {name}" for name, index in published.items())
        yield f"adjusted Rand index of agreement with the paper's groups: {shown}"
    yield wrote(*written)
