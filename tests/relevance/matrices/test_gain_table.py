"""Gains as rows: made once for a matrix, and for as long as it lives."""

from __future__ import annotations

import gc
import weakref

from relevance.matrices.gain_table import tabulate_gains
from relevance.matrices.matrix import RelevanceMatrix


def make_matrix() -> RelevanceMatrix:
    return RelevanceMatrix.from_array([[0, 0.2], [-0.1, 0]], ["a", "b"], "pairwise")


def test_a_matrix_is_tabulated_once() -> None:
    matrix = make_matrix()
    assert tabulate_gains(matrix) is tabulate_gains(matrix)
    assert tabulate_gains(matrix) is not tabulate_gains(make_matrix())


def test_a_table_keeps_no_matrix_alive() -> None:
    matrix = make_matrix()
    tabulate_gains(matrix)
    gone = weakref.ref(matrix)
    del matrix
    gc.collect()
    assert gone() is None
