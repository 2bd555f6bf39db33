"""The training texts of a study's tasks, and their vocabulary relevance."""

from __future__ import annotations

from typing import Any, cast

import pyarrow as pa

from hmnet.encoder import load_tokenizer
from hmnet.sources import load_text_columns
from hmnet.study import Study
from relevance.matrix import RelevanceMatrix
from relevance.vocabulary import measure_vocabulary


def load_training_texts(study: Study) -> dict[str, pa.ChunkedArray]:
    """Return task name to all its training texts, column after column; row caps play no part."""
    return {
        name: _stack(load_text_columns(task, "train", study.data_folder))
        for name, task in study.tasks.items()
    }


def _stack(columns: tuple[pa.ChunkedArray, ...]) -> pa.ChunkedArray:
    chunks = [chunk.cast(pa.large_string()) for column in columns for chunk in column.chunks]
    return pa.chunked_array(chunks, type=pa.large_string())


def measure_study_vocabulary(
    study: Study, tokenizer: str | None, unit: str, equation: int
) -> RelevanceMatrix:
    """Measure the vocabulary co-occurrence of a study's tasks (equations 1 and 2).

    Args:
        tokenizer: folder or hub id; None for the study's encoder. `unit` word needs none.
        unit, equation: see `measure_vocabulary`.
    """
    loaded = None if unit == "word" else _load(study, tokenizer)
    options: Any = {"unit": unit, "equation": equation}
    return measure_vocabulary(cast(Any, load_training_texts(study)), loaded, **options)


def _load(study: Study, tokenizer: str | None) -> Any:
    return load_tokenizer(tokenizer) if tokenizer else load_tokenizer(study.model, study.revision)
