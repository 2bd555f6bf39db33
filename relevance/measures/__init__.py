"""Measures of relevance, one file each: what each is, and its matrix of a study.

>>> from relevance.measures import MEASURES
>>> list(MEASURES)[:3]
['vocab', 'manual', 'pairwise']
>>> MEASURES["text-embedding"].direction
'symmetric'
>>> from relevance.measures.training_rows import compare_sizes
>>> compare_sizes({"large": 300, "small": 100}).to_frame().loc["large", "small"]
np.float64(0.75)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relevance.measures.find import find_draws, find_matrix
    from relevance.measures.measure import ANY_KIND, Measure
    from relevance.measures.measure_inputs import MeasureInputs
    from relevance.measures.registry import (
        MEASURES,
        identify_measure,
        list_further,
        list_stages,
        list_standard,
    )
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "ANY_KIND",
    "MEASURES",
    "Measure",
    "MeasureInputs",
    "find_draws",
    "find_matrix",
    "identify_measure",
    "list_further",
    "list_stages",
    "list_standard",
]
