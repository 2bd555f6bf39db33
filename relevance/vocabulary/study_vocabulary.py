"""The training texts of a study's tasks, and their vocabulary relevance."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from hmnet.data.raw import load_text_columns
from hmnet.errors import InputError, RelevanceError, SourceError, raise_problems
from hmnet.study.study import Study
from hmnet.study.tasks import Task
from relevance.matrices.matrix import RelevanceMatrix
from relevance.vocabulary.cooccurrence import check_options, measure_vocabulary, stack_columns
from relevance.vocabulary.token_counts import TokenCounts, count_pieces


def load_training_texts(study: Study) -> dict[str, pa.ChunkedArray]:
    """Return task name to all its training texts, column after column; row caps play no part.

    Raises:
        InputError, SourceError: with the problems of all tasks.
    """
    texts: dict[str, pa.ChunkedArray] = {}
    errors: list[RelevanceError] = []
    for name, task in study.tasks.items():
        try:
            texts[name] = _load(task, study.data_folder)
        except (InputError, SourceError) as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    raise_problems(dict.fromkeys(problem for error in errors for problem in error.problems))
    return texts


def _load(task: Task, data_folder: Path | None) -> pa.ChunkedArray:
    columns = load_text_columns(task, "train", data_folder)
    return stack_columns(pa.table(list(columns), names=list(task.text)), task.text)


def count_study_tokens(study: Study) -> TokenCounts:
    """Count the tokens of each task's training texts, by the study's encoder."""
    from hmnet.encoders.locate import load_tokenizer

    texts = load_training_texts(study)  # refused before what takes seconds to load
    return count_pieces(texts, load_tokenizer(study.model, study.revision))


def measure_study_vocabulary(
    study: Study, tokenizer: str | None, unit: str, equation: int
) -> RelevanceMatrix:
    """Measure the vocabulary co-occurrence of a study's tasks (equations 1 and 2).

    Args:
        tokenizer: folder or hub id; None for the study's encoder. `unit` word needs none.
        unit, equation: see `measure_vocabulary`.
    """
    unit, equation = check_options(unit, equation)
    texts = load_training_texts(study)
    loaded = None
    if unit == "wordpiece":
        from hmnet.encoders.locate import load_tokenizer  # takes seconds; texts are refused before

        loaded = load_tokenizer(tokenizer or study.model, None if tokenizer else study.revision)
    return measure_vocabulary(texts, loaded, unit, equation)
