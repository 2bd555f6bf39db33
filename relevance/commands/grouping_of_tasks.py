"""`relevance cluster`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hmnet.folder.outputs import Output, find_output_folder, open_output
from hmnet.study.hierarchy import Groups
from hmnet.study.study import resolve_study
from relevance.groups.doubt import describe_doubt, group_matrix, parse_k, write_manual_groups
from relevance.groups.published import compare_with_published
from relevance.matrices.draws import read_draws
from relevance.matrices.manual import make_manual_groups, make_manual_matrix
from relevance.measures.find import find_draws, find_matrix


def run_cluster(
    out: Path | None, study: Path | None, source: str | None, k: str, method: str | None, seed: int
) -> Iterator[str]:
    """Group the tasks of a matrix; write groups, clusters and, where draws are at hand, stability.

    Args:
        source: a measure, `paper:...` or a file; see `find_matrix`.
        k: number of groups, or `auto`.
    """
    count = parse_k(k)
    if source != "manual":  # refused before a folder is made
        find_matrix(Output(find_output_folder(out)), study, source)
    output = open_output(out)
    if source == "manual":
        yield from _take_manual(output, study)
        return
    matrix = find_matrix(output, study, source)
    draws = read_draws(find_draws(output, source), matrix)
    found = group_matrix(matrix, count, method, seed, draws)
    written = found.write(output)
    yield from describe_doubt(found)
    yield from describe_groups(found.groups, written)


def _take_manual(output: Output, study: Path | None) -> Iterator[str]:
    tasks = resolve_study(output.folder, study).tasks.values()
    groups = make_manual_groups(tasks)
    yield from describe_groups(
        groups, write_manual_groups(output, groups, make_manual_matrix(tasks))
    )


def describe_groups(groups: Groups, written: tuple[Path, ...]) -> Iterator[str]:
    """Yield the groups, how far they agree with the paper's, and where they were written."""
    for name, members in groups.groups.items():
        yield f"{name}: {', '.join(members)}"
    if published := compare_with_published(groups):
        shown = ", ".join(f"{index:.2f} with {name}" for name, index in published.items())
        yield f"adjusted Rand index of agreement with the paper's groups: {shown}"
    yield f"wrote {' and '.join(str(path) for path in written)}"
