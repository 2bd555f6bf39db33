"""A matrix that was measured elsewhere: square or not, wide or long, with gaps or without.

- wide: sources in the first column, targets in the first row;
- long: the columns source, target and value, with low and high where there are intervals.

A matrix holds every ordered pair of its tasks: those of which a task is a source alone, or a target
alone, are empty, and so are gaps. Values beyond 1 are taken for percent, which is recorded as
`unit` and said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from analysis.arrays import Floats
from analysis.gains.additive import find_cells, fit_additive, has_full_rank
from hmnet.data.delimited import DELIMITERS
from hmnet.errors import InputError, raise_problems
from hmnet.storage.tables import FOOTER_KEY
from relevance.matrices.gain_table import holds_gains
from relevance.matrices.matrix import RelevanceMatrix
from relevance.matrices.plain_table import find_column, is_plain, read_plain, to_numbers

Unit = Literal["auto", "fraction", "percent"]
Side = Literal["columns", "rows"]
UNITS = ("auto", "fraction", "percent")
SIDES = ("columns", "rows")
MEASURE = "own"
_LAYOUTS = (
    "a table with sources in the first column and targets in the first row, or one with the "
    "columns source, target and value (low and high for intervals)"
)
_LEAST_CONSTANT = 3
_SHOWN = 5


@dataclass(frozen=True, eq=False)
class OwnTable:
    """A table as it was read, before it is a matrix.

    Attributes:
        sources, targets: names, S and T of them.
        values: [S, T], NaN for gaps.
        low, high: intervals' ends, [S, T]; None where there are none.
        has_signs: whether a cell had a percent sign.
    """

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    values: Floats
    low: Floats | None = None
    high: Floats | None = None
    has_signs: bool = False


def is_own_table(path: Path) -> bool:
    """Tell whether a file is a table that this package did not write."""
    if path.suffix.lower() in DELIMITERS:
        return True
    return is_plain(path) and (path.suffix.lower() != ".parquet" or _is_foreign(path))


def _is_foreign(path: Path) -> bool:
    """Tell whether a parquet file is wide enough for a matrix, and none of this package's."""
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
    except (OSError, ValueError):  # pyarrow's errors are ValueErrors
        return False
    return FOOTER_KEY not in (schema.metadata or {}) and len(schema.names) > 2


def read_own_table(path: Path, unit: Unit = "auto", targets: Side = "columns") -> RelevanceMatrix:
    """Read a matrix of one's own; its measure is `own`.

    Args:
        unit: of the values; `auto` takes them for percent where one is beyond 1.
        targets: where a wide table has them.

    Raises:
        InputError: with every problem of the table.
    """
    return to_matrix(read_cells(path), path.name, unit, targets)


def read_cells(path: Path) -> OwnTable:
    """Read a wide or a long table.

    Raises:
        InputError: with every problem of the table.
    """
    frame = read_plain(path)
    columns = [find_column(frame, name) for name in ("source", "target")]
    value = find_column(frame, "value", "gain", "relevance")
    if None not in columns and value is not None:
        return _read_pairs(frame, path, value)
    if frame.shape[1] > 2 and len(frame) > 1 and frame.iloc[:, 0].map(_is_name).all():
        return _read_wide(frame, path)
    header = ",".join(map(str, frame.columns))
    raise InputError(f"{path}: the file should be {_LAYOUTS}. Found `{header[:80]}`.")


def _is_name(text: str) -> bool:
    return bool(text) and not text.lstrip("-").replace(".", "", 1).isdigit()


def _read_pairs(frame: pd.DataFrame, path: Path, value: str) -> OwnTable:
    source, target = (str(find_column(frame, name)) for name in ("source", "target"))
    pairs = list(zip(frame[source], frame[target], strict=True))
    problems = [
        f"{path}: {s} to {t} should stand once. Found it {pairs.count((s, t))} times."
        for s, t in dict.fromkeys(pairs)
        if pairs.count((s, t)) > 1
    ]
    if any(not s or not t for s, t in pairs):
        problems.append(f"{path}: every row should name source and target. Found an empty name.")
    sources, targets = (tuple(dict.fromkeys(pair[side] for pair in pairs)) for side in (0, 1))
    arrays: dict[str, Floats | None] = {}
    for name, column in (
        ("value", value),
        ("low", find_column(frame, "low", "ci_low", "lower")),
        ("high", find_column(frame, "high", "ci_high", "upper")),
    ):
        arrays[name] = None
        if column is not None:
            places = [f"{path}: `{column}` of {s} to {t}" for s, t in pairs]
            cells = to_numbers(frame[column], places, problems)
            arrays[name] = _spread(pairs, cells, (sources, targets))
    raise_problems(problems)
    assert arrays["value"] is not None  # noqa: S101 (its column is there)
    has_both = arrays["low"] is not None and arrays["high"] is not None
    low, high = (arrays["low"], arrays["high"]) if has_both else (None, None)
    return OwnTable(sources, targets, arrays["value"], low, high, _has_signs(frame[value]))


def _spread(
    pairs: Sequence[tuple[str, str]], cells: Floats, names: Sequence[Sequence[str]]
) -> Floats:
    places = [{name: i for i, name in enumerate(each)} for each in names]
    wide = np.full((len(names[0]), len(names[1])), np.nan)
    for (source, target), cell in zip(pairs, cells, strict=True):
        wide[places[0][source], places[1][target]] = cell
    return wide


def _read_wide(frame: pd.DataFrame, path: Path) -> OwnTable:
    sources = tuple(frame.iloc[:, 0])
    targets = tuple(str(name).strip() for name in frame.columns[1:])
    problems = [
        f"{path}: source `{name}` should have one row. Found {sources.count(name)}."
        for name in dict.fromkeys(sources)
        if sources.count(name) > 1
    ]
    values = np.empty((len(sources), len(targets)))
    for column, target in enumerate(targets):
        places = [f"{path}: {source} to {target}" for source in sources]
        values[:, column] = to_numbers(frame.iloc[:, column + 1], places, problems)
    raise_problems(problems)
    return OwnTable(
        sources, targets, values, has_signs=bool(frame.iloc[:, 1:].apply(_has_signs).any())
    )


def _has_signs(cells: pd.Series) -> bool:
    return bool(cells.str.endswith("%").any())


def find_constant(matrix: RelevanceMatrix) -> list[str]:
    """Return the targets whose sources all have one value, where there are several."""
    values = matrix.to_frame().to_numpy(dtype=np.float64)
    cells = find_cells(values)
    columns = [values[cells[:, t], t] for t in range(len(values))]
    return [
        task
        for task, column in zip(matrix.tasks, columns, strict=True)
        if len(column) >= _LEAST_CONSTANT and len(set(column.tolist())) == 1
    ]


def to_matrix(
    table: OwnTable, name: str, unit: Unit = "auto", targets: Side = "columns"
) -> RelevanceMatrix:
    """Return a table as a matrix of fractions.

    Raises:
        InputError: for an unknown unit or side, fewer than two tasks, or no value between two.
    """
    _check_choices(unit, targets)
    if targets == "rows":
        table = _turn(table)
    tasks = list(dict.fromkeys((*table.sources, *table.targets)))
    off = np.array([[s != t for t in table.targets] for s in table.sources])
    known = np.abs(table.values[off & np.isfinite(table.values)])
    if len(tasks) < 2 or not len(known):
        raise InputError(
            f"{name}: the matrix should hold values between two tasks or more. Found none."
        )
    is_percent = unit == "percent" or (unit == "auto" and (table.has_signs or known.max() > 1))
    found = "percent" if is_percent else "fraction"
    columns = {"ci_low": table.low, "ci_high": table.high}
    wide = {key: _widen(table, each, tasks) for key, each in columns.items() if each is not None}
    scale = 100.0 if is_percent else 1.0
    return RelevanceMatrix.from_array(
        _widen(table, table.values, tasks) / scale,
        tasks,
        MEASURE,
        {"file": name, "unit": found, "sources": len(table.sources), "targets": len(table.targets)},
        **{key: each / scale for key, each in wide.items()},
    )


def _check_choices(unit: str, targets: str) -> None:
    raise_problems(
        f"Parameter `{name}` should be one of {list(known)}. Found `{value}`."
        for name, value, known in (("unit", unit, UNITS), ("targets", targets, SIDES))
        if value not in known
    )


def _turn(table: OwnTable) -> OwnTable:
    low, high = (None if each is None else each.T for each in (table.low, table.high))
    return OwnTable(table.targets, table.sources, table.values.T, low, high, table.has_signs)


def _widen(table: OwnTable, values: Floats, tasks: list[str]) -> Floats:
    """Return values of some sources and targets among all tasks, [T, T]."""
    frame = pd.DataFrame(values, index=list(table.sources), columns=list(table.targets))
    return frame.reindex(index=tasks, columns=tasks).to_numpy(dtype=np.float64)


def is_from_elsewhere(matrix: RelevanceMatrix) -> bool:
    """Tell whether a matrix was not measured by runs of this package."""
    return "file" in matrix.provenance or "imported" in matrix.provenance


def describe_own(matrix: RelevanceMatrix) -> Iterator[str]:
    """Yield how a matrix of one's own was read: its unit, its shape and its gaps."""
    unit = matrix.provenance.get("unit")
    if unit is not None:
        rule = "a value is beyond 1" if unit == "percent" else "no value is beyond 1"
        yield f"values read as {unit} ({rule}, unless --unit says it)"
    cells = np.isfinite(matrix.to_frame().to_numpy(dtype=np.float64))
    np.fill_diagonal(cells, False)
    gives, gets = cells.any(axis=1), cells.any(axis=0)
    if not (gives & gets).all():
        for has, lacks, word in ((gives, gets, "source"), (gets, gives, "target")):
            alone = [t for t, a, b in zip(matrix.tasks, has, lacks, strict=True) if a and not b]
            if alone:
                other = "target" if word == "source" else "source"
                yield f"no {other}, a {word} alone: {_list(alone)}"
    gaps = int(gives.sum() * gets.sum() - (gives & gets).sum() - cells.sum())
    if gaps > 0:
        yield f"{gaps} of {gaps + int(cells.sum())} values are missing"


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" * (len(names) > _SHOWN))


def complete(matrix: RelevanceMatrix) -> tuple[RelevanceMatrix, tuple[str, ...]]:
    """Return a matrix from elsewhere as tasks can be grouped by it, and what was done to it.

    Tasks that are no source, or no target, are left out. A gap takes the sum of its source's and
    its target's mean effect, where enough values are there to tell them apart.
    """
    cells = find_cells(matrix.to_frame().to_numpy(dtype=np.float64))
    kept = [t for i, t in enumerate(matrix.tasks) if cells[i].any() and cells[:, i].any()]
    notes = []
    if len(kept) < len(matrix.tasks):
        left = [task for task in matrix.tasks if task not in kept]
        notes.append(f"not grouped, as they are not both source and target: {_list(left)}")
        if len(kept) < 2:
            raise InputError(
                "A matrix to group tasks by should hold at least two that are source and target. "
                f"Found {kept}."
            )
        matrix = matrix.select(kept)
    matrix = _fill_diagonal(matrix)
    values = matrix.to_frame().to_numpy(dtype=np.float64)
    cells = find_cells(values)
    gaps = ~cells & ~np.eye(len(values), dtype=bool)
    if not gaps.any() or not has_full_rank(cells):
        return matrix, tuple(notes)
    mean, row, column = fit_additive(values, cells)
    notes.append(
        f"{int(gaps.sum())} missing values are filled from their source's and target's mean effects"
    )
    filled = np.where(gaps, mean + row[:, None] + column, values)
    table = matrix.table.assign(value=filled.ravel())
    return RelevanceMatrix(table, matrix.measure, matrix.provenance), tuple(notes)


def _fill_diagonal(matrix: RelevanceMatrix) -> RelevanceMatrix:
    """Return a matrix whose tasks have a relevance to themselves: no gain, or the column's best."""
    values = matrix.to_frame().to_numpy(dtype=np.float64, copy=True)
    is_gap = np.isnan(np.diag(values))
    if not is_gap.any():
        return matrix
    own = np.zeros(len(values)) if holds_gains(matrix) else np.nanmax(values, axis=0)
    np.fill_diagonal(values, np.where(is_gap, own, np.diag(values)))
    table = matrix.table.assign(value=values.ravel())
    return RelevanceMatrix(table, matrix.measure, matrix.provenance)
