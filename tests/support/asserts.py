"""Properties that many parts of the project share, as assertions to apply to many inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hmnet.study.hierarchy import Groups
from relevance.matrices.matrix import RelevanceMatrix


def assert_deterministic(compute: Callable[[], object], times: int = 2) -> None:
    """The same call gives the same value, whatever was computed in between."""
    first = compute()
    for _ in range(times - 1):
        np.random.default_rng().normal()
        assert compute() == first


def assert_groups_ignore_order(
    group: Callable[[RelevanceMatrix], Groups], matrix: RelevanceMatrix, order: Sequence[int]
) -> None:
    """Permuted tasks give the same groups, of the same names."""
    shuffled = matrix.select([matrix.tasks[index] for index in order])
    groups, again = group(matrix), group(shuffled)
    assert groups.partition == again.partition
    assert name_members(groups) == name_members(again)


def name_members(groups: Groups) -> dict[str, set[str]]:
    """Return group name to its tasks, whatever their order."""
    return {name: set(tasks) for name, tasks in groups.groups.items()}


def assert_permutation_equivariant(
    compute: Callable[[npt.NDArray[np.float64]], npt.ArrayLike],
    square: npt.NDArray[np.float64],
    order: Sequence[int],
) -> None:
    """Permuted rows and columns of a square array give the values, permuted as its rows are."""
    found = np.asarray(compute(square))
    again = np.asarray(compute(square[np.ix_(order, order)]))
    place = np.ix_(*[order] * found.ndim)
    np.testing.assert_allclose(again, found[place], atol=1e-12)


@contextmanager
def assert_same_bytes(files: Iterable[Path]) -> Iterator[None]:
    """What is done inside leaves files as they were, byte by byte: redone is as done."""
    before = {path: path.read_bytes() for path in files}
    assert before, "there is no file to compare"
    yield
    for path, content in before.items():
        assert path.read_bytes() == content, f"{path.name} has changed"


@contextmanager
def assert_nothing_runs(runs: Path) -> Iterator[None]:
    """What is done inside uses finished runs as they are, and adds none."""
    before = {path: path.stat().st_mtime_ns for path in runs.glob("*/result.json")}
    assert before, "there is no run"
    yield
    assert {path: path.stat().st_mtime_ns for path in runs.glob("*/result.json")} == before
