"""The training texts of a study's tasks, and their vocabulary relevance."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from hmnet.data.raw import load_text_columns
from hmnet.encoders.locate import load_tokenizer
from hmnet.study.study import Study
from hmnet.study.tasks import Task
from relevance.matrices.matrix import RelevanceMatrix
from relevance.vocabulary.cooccurrence import check_options, measure_vocabulary, stack_columns
from relevance.vocabulary.token_counts import TokenCounts, count_pieces


def load_training_texts(study: Study) -> dict[str, pa.ChunkedArray]:
    """Return task name to all its training texts, column after column; row caps play no part."""
    return {name: _load(task, study.data_folder) for name, task in study.tasks.items()}


def _load(task: Task, data_folder: Path | None) -> pa.ChunkedArray:
    columns = load_text_columns(task, "train", data_folder)
    return stack_columns(pa.table(list(columns), names=list(task.text)), task.text)


def count_study_tokens(study: Study) -> TokenCounts:
    """Count the tokens of each task's training texts, by the study's encoder."""
    return count_pieces(load_training_texts(study), load_tokenizer(study.model, study.revision))


def measure_study_vocabulary(
    study: Study, tokenizer: str | None, unit: str, equation: int
) -> RelevanceMatrix:
    """Measure the vocabulary co-occurrence of a study's tasks (equations 1 and 2).

    Args:
        tokenizer: folder or hub id; None for the study's encoder. `unit` word needs none.
        unit, equation: see `measure_vocabulary`.
    """
    unit, equation = check_options(unit, equation)
    loaded = None
    if unit == "wordpiece":
        loaded = load_tokenizer(tokenizer or study.model, None if tokenizer else study.revision)
    return measure_vocabulary(load_training_texts(study), loaded, unit, equation)
