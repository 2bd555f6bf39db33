"""F1 of each type of entity, or of each plain tag, from a run's stored predictions."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from hmnet.folder.outputs import Output
from hmnet.study.answers import gather_answers
from hmnet.study.tag_codes import list_types, match_entities
from hmnet.study.tasks import Task


def score_types(output: Output, run: str) -> pd.DataFrame:
    """Return a row per task of tags, dev split and type of entity.

    Columns: `task`, `split`, `type`, `true` and `found` entities, `precision`, `recall` and `f1`,
    which are 0 where they are undefined. Of plain tags each word is an entity.
    """
    _, spec = output.runs.find(run)
    rows = [
        row
        for task in spec.tasks
        if task.facts.reads_words
        for row in _score_task(task, output.runs.predictions(spec, task.name))
    ]
    return pd.DataFrame(rows)


def _score_task(task: Task, frame: pd.DataFrame) -> Iterator[dict[str, object]]:
    types = list_types([str(label) for label in task.labels])
    for split, part in frame.groupby("split", sort=False):
        answers = gather_answers(task, part)
        found = match_entities(answers.labels, answers.predictions, answers.questions)
        counts = [np.bincount(each, minlength=len(types) + 1)[1:] for each in found]
        for name, true, named, right in zip(types, *counts, strict=True):
            yield {
                "task": task.name,
                "split": split,
                "type": name,
                "true": int(true),
                "found": int(named),
                "precision": float(right / named) if named else 0.0,
                "recall": float(right / true) if true else 0.0,
                "f1": float(2 * right / (true + named)) if true + named else 0.0,
            }


def describe_types(table: pd.DataFrame) -> str:
    """Return the table as text."""
    return table.to_string(index=False, float_format=lambda value: f"{value:.4f}")
