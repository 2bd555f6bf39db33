"""A task guessed from a table: its texts, its label, its kind, its labels, its metric, and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pandas as pd

from hmnet.data.file_formats import read_file
from hmnet.errors import InputError
from hmnet.starting.file_columns import Column, find_elements, look_at
from hmnet.starting.file_groups import FileGroup, make_name

LABEL_NAMES = ("label", "labels", "class", "category", "target", "gold", "y")
"""Names by which one of several possible label columns is chosen; without one, each is a task."""
TEXT_NAMES = (
    *("text", "sentence", "sentence1", "premise", "question", "title", "subject", "headline"),
    *("sentence2", "hypothesis", "passage", "body", "message", "content", "review", "comment"),
)
MOST_TEXTS = 3
LABEL_ROLES = ("classes", "values", "sets")
KINDS: Mapping[str, Literal["classification", "regression", "multilabel"]] = {
    "classes": "classification",
    "values": "regression",
    "sets": "multilabel",
}
"""What a column is likely to be to the kind of task that it is the label of."""
RARE = 0.1
"""Share of the rarest label below which every label counts alike in the metric."""


@dataclass(frozen=True)
class TaskGuess:
    """A task, each part of it with its reason.

    Attributes:
        name: its name.
        group: its files.
        text, label, kind, labels, metric: as in `hmnet.study.tasks.Task`.
        reasons: part to why it was guessed so.
        unsure: parts that may well be otherwise.
        others: columns that could be the label instead.
        siblings: label columns of all tasks that were made of the file, whose dev rows are the
            same: else one task's dev rows would be another one's training rows.
    """

    name: str
    group: FileGroup
    text: tuple[str, ...]
    label: str
    kind: Literal["classification", "regression", "multilabel"]
    labels: tuple[str, ...]
    metric: str
    reasons: Mapping[str, str]
    unsure: frozenset[str] = frozenset()
    others: tuple[str, ...] = field(default=())
    siblings: tuple[str, ...] = field(default=())

    @property
    def labelled(self) -> tuple[str, ...]:
        """Every column of the file that is, or could be, a label."""
        return (self.label, *self.others)


def read_as_text(path: Path) -> pd.DataFrame:
    """Return a table's columns as text, without spaces around it; "" for no value.

    Raises:
        InputError: if it is no table, or a column's name stands twice.
    """
    names = read_file(path, (), str(path)).names
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise InputError(f"{path}: the table should name each column once. Found {doubled} twice.")
    table = read_file(path, names, str(path)).table
    columns = {
        name: ["" if value is None else str(value).strip() for value in table[name].to_pylist()]
        for name in table.column_names
        if name
    }
    return pd.DataFrame(columns, dtype=object)


def guess_tasks(
    group: FileGroup, label: str | None = None, group_column: str | None = None
) -> tuple[TaskGuess, ...]:
    """Return the tasks of a table: one for each column that may be a label.

    Args:
        label: the label column; None to guess.
        group_column: a column that only says which rows belong together.

    Raises:
        InputError: with what is missing: a text, or a label.
    """
    frame = read_as_text(group.train)
    found = [look_at(str(name), frame[name]) for name in frame.columns if name != group_column]
    texts = _choose_texts(found, label)
    labels, is_sure = _choose_labels(found, label, texts)
    problems = _find_problems(group.train, found, texts, labels, label)
    if problems:
        raise InputError(*problems)
    guesses = [
        _guess(group, frame, texts, column, is_sure=is_sure, several=len(labels) > 1, found=found)
        for column in labels
    ]
    classes = [each.label for each in guesses if each.kind == "classification"]
    shared = tuple(classes or [each.label for each in guesses][:1]) if len(guesses) > 1 else ()
    return tuple(dataclasses.replace(each, siblings=shared) for each in guesses)


def _find_problems(
    path: Path,
    found: Sequence[Column],
    texts: Sequence[Column],
    labels: Sequence[Column],
    asked: str | None,
) -> list[str]:
    problems = []
    shown = "; ".join(f"`{c.name}`: {c.reason}" for c in found[:8])
    if asked is not None and asked not in [column.name for column in found]:
        names = ", ".join(column.name for column in found)
        return [
            f"{path}: Parameter `label` should be one of its columns. Found `{asked}`: {names}."
        ]
    if asked is not None and not labels:
        column = next(column for column in found if column.name == asked)
        return [
            f"{path}: Parameter `label` should be a column of few values that repeat, or of "
            f"numbers. Found `{asked}`: {column.reason}."
        ]
    if not texts:
        problems.append(f"{path}: the table should have a column of texts. Found {shown}.")
    if not labels:
        problems.append(
            f"{path}: the table should have a label column, with few values that repeat, or "
            f"numbers. Found {shown}."
        )
    return problems


def _choose_texts(found: Sequence[Column], label: str | None) -> list[Column]:
    texts = [c for c in found if c.role == "text" and c.name != label]
    named = [c for c in texts if c.name.casefold() in TEXT_NAMES]
    return (named if len(texts) > MOST_TEXTS and named else texts)[:MOST_TEXTS]


def _choose_labels(
    found: Sequence[Column], asked: str | None, texts: Sequence[Column]
) -> tuple[list[Column], bool]:
    """Return the columns that are labels, and whether there is no doubt."""
    if asked is not None:
        return [c for c in found if c.name == asked and c.role in LABEL_ROLES], True
    candidates = [c for c in found if c.role in LABEL_ROLES and c not in texts]
    named = [c for c in candidates if c.name.casefold() in LABEL_NAMES]
    if len(named) == 1:
        return named, len(candidates) == 1
    return named or candidates, len(candidates) == 1


def _guess(
    group: FileGroup,
    frame: pd.DataFrame,
    texts: Sequence[Column],
    column: Column,
    *,
    is_sure: bool,
    several: bool,
    found: Sequence[Column],
) -> TaskGuess:
    values = frame.loc[frame[column.name] != "", column.name]
    kind = KINDS[column.role]
    if kind == "multilabel":
        elements = pd.Series([e for row in find_elements(values) for e in row], dtype=object)
        labels = _order(elements)
        metric, why = _choose_metric_of_sets(elements, len(values), labels)
    else:
        labels = () if kind == "regression" else _order(values)
        metric, why = _choose_metric(values, labels)
    others = tuple(c.name for c in found if c.role in LABEL_ROLES and c.name != column.name)
    unsure = set() if is_sure else {"label"}
    if kind == "classification" and len(labels) > 2 and _are_numbers(labels):
        unsure.add("kind")
    if not group.is_sure:
        unsure.add("source")
    left = [f"`{c.name}` ({c.reason})" for c in found if c.role not in ("text", *LABEL_ROLES)]
    return TaskGuess(
        name=make_name(f"{group.name}-{column.name}") if several else group.name,
        group=group,
        text=tuple(c.name for c in texts),
        label=column.name,
        kind=kind,
        labels=labels,
        metric=metric,
        reasons={
            "source": group.reason,
            "text": "; ".join(c.reason for c in texts)
            + (f"; left out: {', '.join(left)}" if left else ""),
            "label": column.reason + (f"; it could be {_quote(others)}" if others else ""),
            "kind": _WHY[kind] + ('; as an order, kind = "regression"' if "kind" in unsure else ""),
            "metric": why,
        },
        unsure=frozenset(unsure),
        others=others,
    )


_WHY = {
    "classification": "few values",
    "regression": "numbers with many values",
    "multilabel": "any number of a few values",
}


def _choose_metric_of_sets(
    elements: pd.Series, rows: int, labels: Sequence[str]
) -> tuple[str, str]:
    """Return a metric, and why: rare labels count where there are some."""
    rarest = float(elements.value_counts().min()) / rows
    text = f"{len(labels)} labels, the rarest in {rarest:.0%} of the rows"
    return ("label_f1_macro" if rarest < RARE else "label_f1_micro"), text


def _quote(names: Sequence[str]) -> str:
    return " or ".join(f"`{name}`" for name in names)


def _are_numbers(labels: Sequence[str]) -> bool:
    return all(label.lstrip("-").replace(".", "", 1).isdigit() for label in labels)


def _order(values: pd.Series) -> tuple[str, ...]:
    names = [str(value) for value in values.unique()]
    return tuple(sorted(names, key=float) if _are_numbers(names) else sorted(names))


def find_numbers(frame: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the columns of a table of texts that hold numbers alone, as numbers; gaps are NaN."""
    found = {}
    for name in frame.columns:
        known = frame[name] != ""
        numbers = pd.to_numeric(frame.loc[known, name], errors="coerce")
        if known.any() and numbers.notna().all():
            is_whole = bool((numbers % 1 == 0).all())
            whole = pd.to_numeric(frame[name].where(known), errors="coerce")
            found[str(name)] = whole.astype("Int64" if is_whole else "float64")
    return found


def _choose_metric(values: pd.Series, labels: Sequence[str]) -> tuple[str, str]:
    """Return a metric, and why: small classes count where they are rare."""
    if not labels:
        return "correlation", "mean of Pearson's and Spearman's correlation"
    rarest = float(values.value_counts(normalize=True).min())
    text = f"{len(labels)} labels, rarest {rarest:.0%}"
    return ("f1_macro", text) if rarest < RARE else ("accuracy", text)


def rename(guess: TaskGuess, taken: Sequence[str]) -> TaskGuess:
    """Return a guess whose name is none of those taken."""
    name = guess.name
    while name in taken:
        name = f"{name[:62]}-2"
    return dataclasses.replace(guess, name=name)
