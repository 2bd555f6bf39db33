"""`relevance cluster`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hmnet.folder.outputs import Output, find_output_folder, open_output
from hmnet.study.hierarchy import Groups
from hmnet.study.study import resolve_study
from relevance.commands.import_results import open_matrix
from relevance.commands.lines import Aside
from relevance.groups.doubt import describe_doubt, group_matrix, parse_k, write_manual_groups
from relevance.groups.published import compare_with_published
from relevance.matrices.manual import manual_groups, manual_matrix
from relevance.matrices.own_table import complete, is_from_elsewhere


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
        source: `vocab`, `pairwise`, `manual`, `paper:...` or a file of results; see
            `relevance.commands.import_results.open_matrix`.
        k: number of groups, or `auto`.
        targets: where a wide table of one's own has its targets, columns or rows.
    """
    count = parse_k(k)
    if source == "manual":
        yield from _take_manual(open_output(out), study)
        return
    # refused before a folder is made
    named = open_matrix(Output(find_output_folder(out)), study, source, targets)
    matrix, notes = named.matrix, named.notes
    if is_from_elsewhere(matrix):
        matrix, filled = complete(matrix)
        notes = (*notes, *map(Aside, filled))
    draws = named.draws if matrix is named.matrix else None
    found = group_matrix(matrix, count, method, seed, draws)
    yield from notes
    written = found.write(open_output(out))
    yield from describe_doubt(found)
    yield from describe_groups(found.groups, written)


def _take_manual(output: Output, study: Path | None) -> Iterator[str]:
    tasks = resolve_study(output.folder, study).tasks.values()
    groups = manual_groups(tasks)
    yield from describe_groups(groups, write_manual_groups(output, groups, manual_matrix(tasks)))


def describe_groups(groups: Groups, written: tuple[Path, ...]) -> Iterator[str]:
    """Yield the groups, how far they agree with the paper's, and where they were written."""
    for name, members in groups.groups.items():
        yield f"{name}: {', '.join(members)}"
    if published := compare_with_published(groups):
        shown = ", ".join(f"{index:.2f} with {name}" for name, index in published.items())
        yield f"adjusted Rand index of agreement with the paper's groups: {shown}"
    yield f"wrote {' and '.join(str(path) for path in written)}"
