"""A matrix that was measured elsewhere: square or not, wide or long, with gaps or without.

- wide: sources in the first column, targets in the first row;
- long: the columns source, target and value, with low and high where there are intervals.

A matrix holds every ordered pair of its tasks: those of which a task is a source alone, or a target
alone, are empty, and so are gaps (`relevance.matrices.holes`).

What the values are called says what they are: the column of a long table, the first cell of a wide
one. `gain` and `relevance` are recorded as `holds`; `%` and `fraction` after it (`gain %`) say the
unit. Where neither they nor a percent sign in a cell do, values beyond 1 are taken for percent. The
unit is recorded as `unit`, what told it as `unit_by`, and both are said (`describe_own`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from analysis.arrays import Floats
from analysis.gains.additive import find_cells
from hmnet.data.delimited import DELIMITERS
from hmnet.errors import InputError, raise_problems
from hmnet.storage.documents import MAX_DOCUMENT_BYTES
from hmnet.storage.limits import LimitError, check_most
from hmnet.storage.regular_files import check_regular
from hmnet.storage.tables import FOOTER_KEY
from relevance.matrices.gain_table import GAINS
from relevance.matrices.holes import list_names
from relevance.matrices.matrix import RelevanceMatrix
from relevance.matrices.plain_table import find_column, is_plain, read_plain, to_numbers

Unit = Literal["auto", "fraction", "percent"]
Side = Literal["columns", "rows"]
UNITS = ("auto", "fraction", "percent")
SIDES = ("columns", "rows")
MEASURE = "own"
_LAYOUTS = (
    "a table with sources in the first column and targets in the first row, or one with the "
    "columns source, target and value (low and high for intervals); the third column, or the first "
    "cell, may be called gain or relevance, with % or fraction for the unit"
)
KINDS_OF_VALUES: Mapping[str, str | None] = {"value": None, "gain": GAINS, "relevance": "relevance"}
"""What values may be called, to what a matrix of them holds."""
_UNIT_WORDS: Mapping[str, Unit] = {"%": "percent", "percent": "percent", "fraction": "fraction"}
_INFINITE = ("inf", "infinity")
_LEAST_CONSTANT = 3
_OTHERWISE = (
    "; to say it, call them `value fraction` or `value %` (`gain ...` for gains), or `relevance "
    "import --unit`"
)


@dataclass(frozen=True, eq=False)
class OwnTable:
    """A table as it was read, before it is a matrix.

    Attributes:
        sources, targets: names, S and T of them.
        values: [S, T], NaN for gaps.
        low, high: intervals' ends, [S, T]; None where there are none.
        called: what the values are called; "" where they have no name.
        has_signs: whether a cell had a percent sign.
    """

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    values: Floats
    low: Floats | None = None
    high: Floats | None = None
    called: str = ""
    has_signs: bool = False

    @property
    def holds(self) -> str | None:
        """What the values are by their name: gains, relevance, or None where it is not said."""
        return KINDS_OF_VALUES.get(_split_words(self.called)[0])

    @property
    def unit(self) -> Unit:
        """The unit that the values' name gives, `auto` for none."""
        return _split_words(self.called)[1]


def _split_words(called: str) -> tuple[str, Unit]:
    """Return the word and the unit of what values are called.

    >>> _split_words("Gain%"), _split_words("value fraction"), _split_words("task")
    (('gain', 'percent'), ('value', 'fraction'), ('task', 'auto'))
    """
    words = called.casefold().replace("(", " ").replace(")", " ").replace("%", " % ").split()
    if words and words[-1] in _UNIT_WORDS:
        return " ".join(words[:-1]), _UNIT_WORDS[words[-1]]
    return " ".join(words), "auto"


def is_own_table(path: Path) -> bool:
    """Tell whether a file is a table that this package did not write."""
    if path.suffix.lower() in DELIMITERS:
        return True
    return is_plain(path) and (path.suffix.lower() != ".parquet" or _is_foreign(path))


def _is_foreign(path: Path) -> bool:
    """Tell whether a parquet file is wide enough for a matrix, and none of this package's."""
    import pyarrow.parquet as pq

    try:
        check_regular(path)
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
    return make_own_matrix(read_cells(path), path.name, unit, targets)


def read_cells(path: Path) -> OwnTable:
    """Read a wide or a long table.

    Raises:
        InputError: with every problem of the table.
    """
    _check_size(path)
    frame = read_plain(path)
    columns = [find_column(frame, name) for name in ("source", "target")]
    value = next((c for c in map(str, frame) if _split_words(c)[0] in KINDS_OF_VALUES), None)
    if None not in columns and value is not None:
        return _read_pairs(frame, path, value)
    if frame.shape[1] > 2 and len(frame) > 1 and frame.iloc[:, 0].map(_is_name).all():
        return _read_wide(frame, path)
    header = ",".join(map(str, frame.columns))
    raise InputError(f"{path}: the file should be {_LAYOUTS}. Found `{header[:80]}`.")


def _check_size(path: Path) -> None:
    """Refuse a table that no matrix is as large as; `read_plain` says what else is no table."""
    try:
        check_most(path.stat().st_size if path.is_file() else 0, MAX_DOCUMENT_BYTES, "bytes")
    except LimitError as error:
        raise InputError(f"{path}: {error}") from None


def _is_name(text: str) -> bool:
    return bool(text) and not text.lstrip("-").replace(".", "", 1).isdigit()


def _read_pairs(frame: pd.DataFrame, path: Path, value: str) -> OwnTable:
    source, target = (str(find_column(frame, name)) for name in ("source", "target"))
    pairs = list(zip(frame[source], frame[target], strict=True))
    problems = [
        f"{path}: {s} to {t} should stand once. Found it {count} times."
        for (s, t), count in Counter(pairs).items()
        if count > 1
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
            cells = to_numbers(_blank_own(frame[column], pairs), places, problems)
            arrays[name] = _spread(pairs, cells, (sources, targets))
    raise_problems(problems)
    assert arrays["value"] is not None  # noqa: S101 (its column is there)
    has_both = arrays["low"] is not None and arrays["high"] is not None
    low, high = (arrays["low"], arrays["high"]) if has_both else (None, None)
    signs = _has_signs(frame[value])
    return OwnTable(sources, targets, arrays["value"], low, high, value, signs)


def _blank_own(texts: Iterable[str], pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Return cells' texts without the infinite ones of a task with itself, which mean nothing."""
    return [
        "" if source == target and text.strip("+-").casefold() in _INFINITE else text
        for text, (source, target) in zip(texts, pairs, strict=True)
    ]


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
        texts = _blank_own(frame.iloc[:, column + 1], [(source, target) for source in sources])
        values[:, column] = to_numbers(texts, places, problems)
    raise_problems(problems)
    signs = bool(frame.iloc[:, 1:].apply(_has_signs).any())
    return OwnTable(sources, targets, values, called=str(frame.columns[0]), has_signs=signs)


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


def make_own_matrix(
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
    found, told_by = _find_unit(table, unit, float(known.max()))
    columns = {"ci_low": table.low, "ci_high": table.high}
    wide = {key: _widen(table, each, tasks) for key, each in columns.items() if each is not None}
    scale = 100.0 if found == "percent" else 1.0
    shape = {"sources": len(table.sources), "targets": len(table.targets)}
    holds = {} if table.holds is None else {"holds": table.holds}
    return RelevanceMatrix.from_array(
        _widen(table, table.values, tasks) / scale,
        tasks,
        MEASURE,
        {"file": name, "unit": found, "unit_by": told_by, **shape, **holds},
        **{key: each / scale for key, each in wide.items()},
    )


def _find_unit(table: OwnTable, unit: Unit, most: float) -> tuple[str, str]:
    """Return the unit of a table's values, and what told it.

    Args:
        unit: what was asked for.
        most: the largest absolute value between two tasks.
    """
    if unit != "auto":
        return unit, "--unit"
    if table.unit != "auto":
        return table.unit, f"called `{table.called}`"
    if table.has_signs:
        return "percent", "a cell has a percent sign"
    if most > 1:
        return "percent", f"the largest, {most:g}, is beyond 1"
    return "fraction", "none is beyond 1"


def _check_choices(unit: str, targets: str) -> None:
    raise_problems(
        f"Parameter `{name}` should be one of {list(known)}. Found `{value}`."
        for name, value, known in (("unit", unit, UNITS), ("targets", targets, SIDES))
        if value not in known
    )


def _turn(table: OwnTable) -> OwnTable:
    low, high = (None if each is None else each.T for each in (table.low, table.high))
    return replace(
        table,
        sources=table.targets,
        targets=table.sources,
        values=table.values.T,
        low=low,
        high=high,
    )


def _widen(table: OwnTable, values: Floats, tasks: list[str]) -> Floats:
    """Return values of some sources and targets among all tasks, [T, T]."""
    frame = pd.DataFrame(values, index=list(table.sources), columns=list(table.targets))
    return frame.reindex(index=tasks, columns=tasks).to_numpy(dtype=np.float64)


def describe_own(matrix: RelevanceMatrix) -> Iterator[str]:
    """Yield how a matrix of one's own was read: its unit, its shape and its gaps."""
    unit, told_by = (matrix.provenance.get(name) for name in ("unit", "unit_by"))
    if unit is not None:
        otherwise = _OTHERWISE if "beyond" in str(told_by) else ""
        yield f"values read as {unit} ({told_by}){otherwise}"
    cells = np.isfinite(matrix.to_frame().to_numpy(dtype=np.float64))
    np.fill_diagonal(cells, False)
    gives, gets = cells.any(axis=1), cells.any(axis=0)
    if not (gives & gets).all():
        for has, lacks, word in ((gives, gets, "source"), (gets, gives, "target")):
            alone = [t for t, a, b in zip(matrix.tasks, has, lacks, strict=True) if a and not b]
            if alone:
                other = "target" if word == "source" else "source"
                yield f"no {other}, a {word} alone: {list_names(alone)}"
    gaps = int(gives.sum() * gets.sum() - (gives & gets).sum() - cells.sum())
    if gaps > 0:
        yield f"{gaps} of {gaps + int(cells.sum())} values are missing"
