"""The kinds of task: what one answer is, and what it is given to.

    TASK_KINDS["tags"].per                # "word": every word of a row has a label
    TASK_KINDS["regression"].answer       # "value": a number, and no labels are listed

All code that treats kinds differently asks for these properties, never for a kind's name. What a
kind does besides, where arrays or tensors are at hand, stands in one place for each concern: labels
are read in `hmnet.data.raw`, losses and distances are in `hmnet.training.losses` (`LOSSES`), and
logits become predictions, and stored predictions what metrics take, in `hmnet.study.answers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

KindName: TypeAlias = Literal["classification", "regression", "tags", "multilabel"]
Answer: TypeAlias = Literal["class", "value", "set"]
ProblemType: TypeAlias = Literal[
    "regression", "single_label_classification", "multi_label_classification"
]


@dataclass(frozen=True)
class TaskKind:
    """One kind of task.

    Attributes:
        name: the value of `Task.kind`.
        noun: how a message names a task of it.
        metric: the primary metric of a task that names none.
        answer: what is predicted: the code of a `class`, a `value`, or which of the labels there
            are, a `set` of them.
        per: what has an answer: a `row`, or each `word` of a row. Words of a row are drawn together
            wherever rows are drawn, sampled or held out.
        problem_type: what the configuration of an exported model says of its head.
    """

    name: KindName
    noun: str
    metric: str
    answer: Answer
    per: Literal["row", "word"] = "row"
    problem_type: ProblemType | None = None

    @property
    def has_labels(self) -> bool:
        """Whether a task lists its labels, which the codes of answers number."""
        return self.answer != "value"

    @property
    def reads_words(self) -> bool:
        """Whether the head reads the first piece of each word, in place of a row's first token."""
        return self.per == "word"

    def count_outputs(self, labels: int) -> int:
        """Return the width of the head of a task with so many labels."""
        return labels if self.has_labels else 1


TASK_KINDS: Mapping[str, TaskKind] = {
    kind.name: kind
    for kind in (
        TaskKind(
            "classification",
            "a classification",
            "accuracy",
            "class",
            problem_type="single_label_classification",
        ),
        TaskKind("regression", "a regression", "correlation", "value", problem_type="regression"),
        TaskKind("tags", "a task of tags", "entity_f1", "class", per="word"),
        TaskKind(
            "multilabel",
            "a multi-label task",
            "label_f1_micro",
            "set",
            problem_type="multi_label_classification",
        ),
    )
}
"""Every kind by its name."""
