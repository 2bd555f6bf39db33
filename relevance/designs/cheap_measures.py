"""Cheap measures that a screen learns from: those of rows, and what a folder has of single runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from analysis.arrays import Floats
from relevance.matrices.matrix import RelevanceMatrix
from relevance.measures.measure import Measure
from relevance.measures.measure_inputs import MeasureInputs
from relevance.measures.registry import MEASURES

CHEAP = ("study", "data")


def find_measures(inputs: MeasureInputs) -> dict[str, RelevanceMatrix]:
    """Return name to matrix; measures of rows that were not taken are taken now.

    Measures of single runs are there only where they were asked for by name.
    """
    return dict(_list_measures(inputs))


def _list_measures(inputs: MeasureInputs) -> Iterator[tuple[str, RelevanceMatrix]]:
    for measure in MEASURES.values():
        path = inputs.output.matrix(measure.name)
        if measure.needs in (*CHEAP, "single runs") and _is_current(path, inputs):
            yield measure.name, RelevanceMatrix.read(path)
        elif measure.needs in CHEAP and measure.compute is not None and _suits(measure, inputs):
            yield measure.name, measure.take(inputs)


def _is_current(path: Path, inputs: MeasureInputs) -> bool:
    """Tell whether a measure was taken of all tasks of the study."""
    return path.exists() and set(inputs.study.tasks) <= set(RelevanceMatrix.read(path).tasks)


def _suits(measure: Measure, inputs: MeasureInputs) -> bool:
    return all(task.kind in measure.kinds for task in inputs.study.tasks.values())


def stack_measures(
    matrices: Mapping[str, RelevanceMatrix], tasks: tuple[str, ...]
) -> Floats | None:
    """Return the measures' values, [F, T, T]; None without any.

    A missing cell is its target's mean. The diagonal says nothing of a source and is left 0.
    """
    found = [_read_values(matrix.select(tasks)) for matrix in matrices.values()]
    return np.stack(found) if found else None


def _read_values(matrix: RelevanceMatrix) -> Floats:
    values = matrix.to_frame().to_numpy(dtype=np.float64, copy=True)
    np.fill_diagonal(values, np.nan)
    known = np.isfinite(values)
    mean = np.where(known, values, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    filled: Floats = np.where(known, values, mean)
    np.fill_diagonal(filled, 0.0)
    return filled
