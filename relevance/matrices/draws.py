"""A matrix in every bootstrap draw, stored beside it: `<name>.parquet` has `<name>-draws.parquet`.

What is done with a matrix (groups, comparisons) can so be done with each draw, without the runs.

Legend: B draws, T tasks; sources are rows, targets columns.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from analysis.arrays import Floats
from analysis.gains.bootstrap import GainBootstrap
from hmnet.storage.tables import read_table, write_table
from relevance.matrices.matrix import RelevanceMatrix

DRAWS_SCHEMA = "draws/1"


def locate_draws(path: Path) -> Path:
    """Return where the draws of a matrix's file lie."""
    return path.with_name(f"{path.stem}-draws.parquet")


def write_draws(path: Path, matrix: RelevanceMatrix, found: GainBootstrap) -> None:
    """Write the relative gains of every draw: a row per ordered pair, with a list of values."""
    size, tasks = len(matrix.tasks), list(matrix.tasks)
    own = [tasks.index(task) for task in found.tasks]
    draws = found.draws("relative").astype(np.float32)
    whole = np.full((len(draws), size, size), np.nan, np.float32)
    whole[:, np.array(own)[:, None], own] = draws
    table = pd.DataFrame({"source": np.repeat(tasks, size), "target": np.tile(tasks, size)})
    table["draws"] = pd.Series(list(whole.reshape(len(draws), -1).T))
    provenance = {"matrix": matrix.identity, "bootstrap": matrix.provenance.get("bootstrap", {})}
    write_table(path, table, DRAWS_SCHEMA, provenance)


def read_draws(path: Path, matrix: RelevanceMatrix) -> Floats | None:
    """Return the draws of a matrix, [B, T, T], in its order of tasks.

    None where there are none, they are of another matrix, or no draw has all measured values;
    draws that lack one are left out.
    """
    if not path.exists():
        return None
    table, provenance = read_table(path, DRAWS_SCHEMA)
    if provenance.get("matrix") != matrix.identity:
        return None
    size = len(matrix.tasks)
    table = table.set_index(["source", "target"]).reindex(
        pd.MultiIndex.from_product([matrix.tasks, matrix.tasks])
    )
    draws = np.stack(list(table["draws"]), axis=1).astype(np.float64).reshape(-1, size, size)
    measured = np.isfinite(matrix.to_frame().to_numpy(dtype=np.float64))
    kept = draws[np.isfinite(draws[:, measured]).all(axis=1)]
    return kept if len(kept) > 1 else None
