"""Relevance as the likeness of two tasks' words: no training needed.

>>> from relevance.vocabulary import measure_vocabulary
>>> texts = {"weather": ["it rains", "it snows"], "mood": ["it rains"]}
>>> matrix = measure_vocabulary(texts, unit="word")     # equation 2: share of the target's words
>>> matrix.to_frame().loc["weather", "mood"], matrix.to_frame().loc["mood", "weather"].round(3)
(np.float64(1.0), np.float64(0.667))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relevance.vocabulary.cooccurrence import (
        Equation,
        Texts,
        Unit,
        compute_cooccurrence,
        describe_tokenizer,
        extract_vocabulary,
        measure_vocabulary,
        stack_columns,
    )
    from relevance.vocabulary.splitter import Splitter, choose_splitter
    from relevance.vocabulary.study_vocabulary import (
        count_study_tokens,
        load_training_texts,
        measure_study_vocabulary,
    )
    from relevance.vocabulary.token_counts import Counts, TokenCounts, count_pieces
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "Counts",
    "Equation",
    "Splitter",
    "Texts",
    "TokenCounts",
    "Unit",
    "choose_splitter",
    "compute_cooccurrence",
    "count_pieces",
    "count_study_tokens",
    "describe_tokenizer",
    "extract_vocabulary",
    "load_training_texts",
    "measure_study_vocabulary",
    "measure_vocabulary",
    "stack_columns",
]
