"""All measures of relevance. A new one is a file in this room and its name in `FILES`."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import cast

from hmnet.folder.outputs import Output
from hmnet.folder.status import StageFile
from relevance.measures.measure import Measure

FILES = (
    "shared_vocabulary",
    "manual_categories",
    "joint_gains",
    "equal_vocabulary",
    "token_coverage",
    "jensen_shannon",
    "text_embedding",
    "training_rows",
    "label_words",
    "h_score",
    "h_score_last",
    "log_evidence_of_layers",
    "log_evidence_of_last_layer",
    "label_expectation",
    "conditional_entropy",
    "task_vectors",
    "fisher",
    "representations",
    "attention_likeness",
    "learning_curves",
    "lookahead_affinity",
    "first_order_affinity",
    "gradient_cosine",
    "discriminated_rows",
    "designed_gains",
    "screened_gains",
)
"""Modules of this room, each with a `MEASURE`: the paper's three, then others, in this order."""


def _read(file: str) -> Measure:
    return cast("Measure", importlib.import_module(f"relevance.measures.{file}").MEASURE)


MEASURES: Mapping[str, Measure] = {measure.name: measure for measure in map(_read, FILES)}
"""Name to measure, in the order of `FILES`."""


def list_standard() -> Iterator[Measure]:
    """Yield the measures that every study is expected to have in a file."""
    return (measure for measure in MEASURES.values() if measure.is_standard)


def list_further() -> Iterator[Measure]:
    """Yield the measures whose file is there only where they were asked for."""
    return (measure for measure in MEASURES.values() if not measure.is_standard)


def identify_measure(name: str) -> Measure | None:
    """Return the measure whose matrices are called so; None for one of the user's."""
    return next((measure for measure in MEASURES.values() if measure.measure == name), None)


def list_stages(output: Output) -> list[StageFile]:
    """Return the file of each measure that has one, and the command that writes it."""
    return [
        StageFile(output.matrix(m.name), m.made_by, is_optional=not m.is_standard)
        for m in MEASURES.values()
    ]
