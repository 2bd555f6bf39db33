"""From a matrix to groups that say how far they can be trusted.

What `relevance.groups.at_hand` writes, and beside it: how many groups there are (`--k auto`), how
often resampled examples and seeds give the same ones (`stability.parquet`), and what they are
worth next to one group of all tasks and to no groups at all.

A matrix without bootstrap draws (a published table, vocabulary, a file) gets groups, and one line
about what cannot be said of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from analysis.arrays import Floats
from analysis.partitions.agreement import to_labels
from analysis.partitions.per_draw import measure_gain
from analysis.partitions.stability import GroupStability, measure_stability, tabulate_together
from analysis.partitions.structure import Structure, find_structure
from hmnet.errors import InputError
from hmnet.folder.outputs import Output, open_output
from hmnet.storage.tables import write_table
from hmnet.study.hierarchy import Groups
from relevance.groups.at_hand import group_tasks
from relevance.groups.clustering import cluster, to_table
from relevance.groups.group_format import CLUSTERS, STABILITY
from relevance.groups.partition import read_values
from relevance.matrices.draws import find_draws, read_draws
from relevance.matrices.find import find_matrix
from relevance.matrices.matrix import RelevanceMatrix

Say: TypeAlias = Callable[[str], None]

LEAST_TASKS = 4
"""With three tasks there is nothing between one group and none but two against one."""


def parse_k(text: str) -> int | None:
    """Return the number of groups, None for `auto`.

    Raises:
        InputError: if it is neither.
    """
    if text == "auto":
        return None
    if not text.isdigit():
        raise InputError(f"Parameter `k` should be a whole number or auto. Found `{text}`.")
    return int(text)


def group_with_doubt(
    out: Path | None,
    study: Path | None,
    source: str | None,
    k: int | None,
    method: str,
    seed: int,
    say: Say = print,
) -> tuple[Groups, tuple[Path, ...]]:
    """Group the tasks of a matrix; write groups, clusters and, where draws are at hand, stability.

    Args:
        source: `vocab`, `pairwise`, `manual`, `paper:...` or a file.
        k: number of groups; None to choose it.
        say: told what the groups are worth.

    Returns:
        The groups, and the files.
    """
    if source == "manual":
        return group_tasks(out, study, source, k or 1, method, seed)
    output = open_output(out)
    matrix = find_matrix(output, study, source)
    draws = read_draws(find_draws(output, source), matrix)
    return group_matrix(output, matrix, k, method, seed, draws, say)


def group_matrix(
    output: Output,
    matrix: RelevanceMatrix,
    k: int | None,
    method: str,
    seed: int,
    draws: Floats | None = None,
    say: Say = print,
) -> tuple[Groups, tuple[Path, ...]]:
    """Group the tasks of a matrix with its draws, as `group_with_doubt` does."""
    structure = None
    if k is None:
        structure = choose_k(matrix, method, draws, seed)
        k = structure.k
        for line in _describe_structure(structure, method, draws is not None):
            say(line)
    groups = cluster(matrix, k, method, seed)
    labels = to_labels(groups, matrix.tasks)
    stability = None
    if draws is not None and 1 < k < len(matrix.tasks):
        stability = measure_stability(*_see_as(method, matrix, draws), labels, method, seed)
    compared = _compare(matrix, labels, draws)
    groups = Groups(groups.groups, {**groups.origin, **_to_origin(structure, stability, compared)})
    written = _write(output, groups, matrix, stability)
    for line in _describe(matrix, groups, stability, draws, compared):
        say(line)
    return groups, written


def group_measured(
    output: Output, matrix: RelevanceMatrix, k: int, method: str, seed: int, say: Say = print
) -> Groups:
    """Group the tasks of the output folder's own matrix of gains."""
    draws = read_draws(output.draws, matrix)
    return group_matrix(output, matrix, k, method, seed, draws, say)[0]


def choose_k(
    matrix: RelevanceMatrix, method: str, draws: Floats | None, seed: int = 0
) -> Structure:
    """Choose the number of groups (`analysis.partitions.structure`).

    Raises:
        InputError: for fewer than four tasks, or missing values.
    """
    if len(matrix.tasks) < LEAST_TASKS:
        raise InputError(
            f"Parameter `k` should be a number for fewer than {LEAST_TASKS} tasks. Found `auto`."
        )
    cluster(matrix, 2, method, seed)  # says what is wrong with the matrix or the method
    if draws is None:
        column = "ci_low" if method == "exact-lower-bound" else "value"
        plain = read_values(matrix, column, diagonal=column == "value")
        return find_structure(plain, method, seed=seed)
    values, shifted = _see_as(method, matrix, draws)
    return find_structure(values, method, shifted, seed=seed)


def _see_as(method: str, matrix: RelevanceMatrix, draws: Floats) -> tuple[Floats, Floats]:
    """Return the values that a method clusters, and the draws on their level."""
    values = matrix.to_frame().to_numpy(dtype=np.float64)
    if method != "exact-lower-bound":
        return values, draws
    low = read_values(matrix, "ci_low", diagonal=False)
    margin = np.where(np.eye(len(low), dtype=bool), 0.0, values - low)
    return values - margin, draws - margin


def _compare(
    matrix: RelevanceMatrix, labels: npt.NDArray[np.int64], draws: Floats | None
) -> list[dict[str, Any]]:
    """Return what a task gains on average in one group of all, in its group, and alone."""
    if matrix.measure != "pairwise":
        return []
    values = matrix.to_frame().to_numpy(dtype=np.float64)
    size = len(values)
    rows = []
    for partition in (np.zeros_like(labels), labels, np.arange(size)):
        gain = float(measure_gain(values, partition)) / size
        row = {"k": int(partition.max()) + 1, "mean_gain": gain}
        if draws is not None:
            low, high = np.quantile(measure_gain(draws, partition) / size, [0.025, 0.975])
            row |= {"low": float(low), "high": float(high)}
        rows.append(row)
    return list({row["k"]: row for row in rows}.values())


def _to_origin(
    structure: Structure | None,
    stability: GroupStability | None,
    compared: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    origin: dict[str, Any] = {}
    if structure is not None:
        origin["auto"] = {
            "best": structure.best,
            "p_values": dict(structure.p_values),
            "z": {str(k): z for k, z in structure.z.items()},
        }
    if stability is not None:
        origin["resampling"] = stability.to_origin()
    return {**origin, "compared": list(compared)} if compared else origin


def _write(
    output: Output, groups: Groups, matrix: RelevanceMatrix, stability: GroupStability | None
) -> tuple[Path, ...]:
    """Write everything; a stability file of earlier groups is removed."""
    table = to_table(groups, matrix)
    written = [output.clusters, output.groups]
    output.stability.unlink(missing_ok=True)
    if stability is not None:
        table = table.assign(stability=stability.by_task)
        together = tabulate_together(stability.together, matrix.tasks)
        write_table(output.stability, together, STABILITY.schema, dict(groups.origin))
        written.append(output.stability)
    write_table(output.clusters, table, CLUSTERS.schema, dict(groups.origin))
    groups.write(output.groups)
    return tuple(written)


def _describe_structure(structure: Structure, method: str, has_draws: bool) -> Iterator[str]:
    if structure.k > 1:
        yield (f"{structure.k} groups stand out most from chance (p = {structure.p_value:.3f})")
    else:
        advice = "; --method exact, which groups tasks that help each other, may see more"
        yield (
            f"warning: no structure found (p = {structure.p_value:.2f}): {method} would group "
            "sources and targets shuffled, or pure noise, as well; all tasks are left in one group"
            + (advice if method == "kmeans" else "")
        )
    if not has_draws:
        yield "tested against shuffled values only: how noisy they are is not known"


def _describe(
    matrix: RelevanceMatrix,
    groups: Groups,
    stability: GroupStability | None,
    draws: Floats | None,
    compared: Sequence[dict[str, Any]],
) -> Iterator[str]:
    if compared:
        parts = [f"{_name(row['k'], len(matrix.tasks))} {_format(row)}" for row in compared]
        yield f"a task's mean gain: {', '.join(parts)}; on the data that chose the groups"
    loss = groups.origin.get("kmeans_loss", 0.0) / len(matrix.tasks)
    if loss > 0:
        yield f"the best {len(groups.groups)} groups by gain give {loss:.1%} more"
    if draws is None:
        yield (
            "no dev predictions behind this matrix: whether other seeds or examples would give "
            "these groups cannot be said"
        )
    if stability is not None:
        yield from _describe_stability(matrix, stability)


def _name(k: int, size: int) -> str:
    return "all in one group" if k == 1 else "alone" if k == size else f"{k} groups"


def _format(row: dict[str, Any]) -> str:
    text = f"{row['mean_gain']:+.1%}"
    has_interval = "low" in row and row["low"] < row["high"]
    return f"{text} ({row['low']:+.1%} to {row['high']:+.1%})" if has_interval else text


def _describe_stability(matrix: RelevanceMatrix, stability: GroupStability) -> Iterator[str]:
    chance = "" if np.isnan(stability.chance) else f", by chance up to {stability.chance:.2f}"
    yield (
        f"stability over {stability.draws} draws: adjusted Rand index {stability.mean:.2f} "
        f"({stability.low:.2f} to {stability.high:.2f}){chance}"
    )
    if not stability.is_beyond_chance:
        yield ("warning: these groups are no more stable than groups of noise; do not rely on them")
    shaky = [t for t, s in zip(matrix.tasks, stability.by_task, strict=True) if s < 0.5]
    if shaky:
        yield f"tasks whose company changes in most draws: {', '.join(shaky)}"
    bootstrap = matrix.provenance.get("bootstrap", {})
    if not bootstrap.get("seed_noise_included", True):
        yield "one seed: draws leave out seed noise, and the groups look stabler than they are"
