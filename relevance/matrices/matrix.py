"""The result of every measure: a directed source x target matrix, with its uncertainty.

On disk it is a long parquet table, a row per ordered pair, `source` before `target`, with
provenance in the footer. A measure without uncertainty leaves those columns null.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from hmnet.errors import InputError, raise_problems
from hmnet.lazy import call_above
from hmnet.storage.digests import canonical_json, digest
from hmnet.storage.tables import read_table, write_table

MATRIX_SCHEMA = "relevance-matrix/1"
UNCERTAINTY = ("ci_low", "ci_high", "p_value", "q_value", "n_dev", "n_seeds")
COLUMNS = ("source", "target", "value", *UNCERTAINTY)


@dataclass(frozen=True, eq=False)
class RelevanceMatrix:
    """Directed relevance of each source task (row) to each target task (column).

    Attributes:
        table: a row per ordered pair with the columns `COLUMNS`; `value` is a fraction (a
            co-occurrence ratio, or a relative gain, equation 4: 0.05 means +5 %).
        measure: one of `relevance.measures`, such as `vocabulary`, or a name of the user's.
        provenance: what the values were computed from; part of the identity.
    """

    table: pd.DataFrame
    measure: str
    provenance: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        raise_problems(self._problems())

    def _problems(self) -> list[str]:
        missing = [column for column in COLUMNS if column not in self.table.columns]
        if missing:
            return [
                f"A relevance matrix should have the columns {list(COLUMNS)}. Missing: {missing}."
            ]
        pairs = list(zip(self.table["source"], self.table["target"], strict=True))
        size = len(self.tasks)
        if len(pairs) != size * size or set(pairs) != set(itertools.product(self.tasks, repeat=2)):
            return [
                f"A relevance matrix should hold each ordered pair of its tasks once. "
                f"Found {len(pairs)} rows for {size} tasks."
            ]
        return list(self._value_problems())

    def _value_problems(self) -> Iterator[str]:
        values = self.table["value"]
        if not pd.api.types.is_numeric_dtype(values):
            yield f"Column `value` should hold numbers. Found the type `{values.dtype}`."
        elif np.isinf(values.to_numpy(np.float64, na_value=np.nan)).any():
            yield "Column `value` should hold finite numbers, or none. Found an infinite one."

    @classmethod
    def from_array(
        cls,
        values: npt.ArrayLike,
        tasks: Sequence[str],
        measure: str,
        provenance: Mapping[str, object] | None = None,
        **columns: npt.ArrayLike,
    ) -> RelevanceMatrix:
        """Build a matrix from a square array, shape [T, T], rows sources and columns targets.

        Args:
            columns: arrays of shape [T, T] for any of `UNCERTAINTY`, or further columns.
        """
        array = np.asarray(values, dtype=np.float64)
        size = len(tasks)
        if array.shape != (size, size):
            raise InputError(
                f"Parameter `values` should have shape [{size}, {size}]. Found {list(array.shape)}."
            )
        table = pd.DataFrame(
            {"source": np.repeat(tasks, size), "target": np.tile(tasks, size)}, dtype="str"
        )
        table["value"] = array.ravel()
        for name in UNCERTAINTY:
            table[name] = np.full(size * size, np.nan)
        for name, column in columns.items():
            if np.shape(column) != array.shape:
                raise InputError(
                    f"Parameter `{name}` should have shape [{size}, {size}]. "
                    f"Found {list(np.shape(column))}."
                )
            table[name] = np.asarray(column).ravel()
        return cls(table, measure, dict(provenance or {}))

    from_scores = call_above("relevance.imported.frames", "matrix_of_scores")

    @property
    def tasks(self) -> tuple[str, ...]:
        """Task names in the order of the rows."""
        return tuple(str(name) for name in pd.unique(self.table["source"]))

    @property
    def identity(self) -> str:
        """Ten hex digits of the measure, the tasks and the values."""
        values = [None if np.isnan(v) else float(v) for v in self.to_frame().to_numpy().ravel()]
        return digest(canonical_json([self.measure, self.tasks, values]))[:10]

    @property
    def has_seed_noise(self) -> bool | None:
        """Whether its intervals count the noise of seeds; None where that is not recorded."""
        bootstrap = self.provenance.get("bootstrap")
        if not isinstance(bootstrap, Mapping) or "seed_noise_included" not in bootstrap:
            return None
        return bool(bootstrap["seed_noise_included"])

    def to_frame(self, column: str = "value") -> pd.DataFrame:
        """Return one column as a wide table: sources as rows, targets as columns, shape [T, T]."""
        wide = self.table.pivot(index="source", columns="target", values=column)
        return wide.reindex(index=list(self.tasks), columns=list(self.tasks))

    def select(self, tasks: Sequence[str]) -> RelevanceMatrix:
        """Return the matrix of some of its tasks, in the order given."""
        unknown = [task for task in tasks if task not in self.tasks]
        raise_problems(
            f"The matrix should hold task `{task}`. It holds {list(self.tasks)}."
            for task in unknown
        )
        index = pd.MultiIndex.from_product([tasks, tasks], names=["source", "target"])
        table = self.table.set_index(["source", "target"]).loc[index].reset_index()
        return RelevanceMatrix(table, self.measure, self.provenance)

    def write(self, path: Path) -> None:
        """Write the long table as parquet."""
        provenance = {**self.provenance, "measure": self.measure}
        write_table(path, self.table, MATRIX_SCHEMA, provenance)

    @classmethod
    def read(cls, path: Path) -> RelevanceMatrix:
        """Read a matrix that `write` wrote."""
        table, provenance = read_table(path, MATRIX_SCHEMA)
        return cls(table, str(provenance.pop("measure", "unknown")), provenance)
