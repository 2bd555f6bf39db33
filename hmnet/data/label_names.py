"""Which class each value of a label column means: by name wherever the value has one.

- A value that is a declared label is that label; case, surrounding spaces and other spellings of
  the same characters (`é` as one or two, zero-width ones) do not count.
- Booleans, and words for them (yes, f, 1, ...), are the declared label of the same truth.
- Whole numbers that name no label are codes: positions in the declared order. Where the declared
  labels say the contrary of the positions (`["yes", "no"]`: is 1 a yes?) they are refused.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

from hmnet.errors import InputError, shorten, suggest
from hmnet.study.tasks import Task

UNLABELLED = -1

Value = str | int | float | bool

_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMERAL = re.compile(r"([-+]?[0-9]+)(\.0*)?")
_TRUTH = {
    **dict.fromkeys(("true", "yes", "y", "t", "1"), True),
    **dict.fromkeys(("false", "no", "n", "f", "0"), False),
}


def match_values(values: Sequence[Value], task: Task, is_ordered: bool) -> dict[Value, int]:
    """Return the class code of each distinct value that has one; -1 for unlabelled.

    Args:
        values: the distinct values of a label column.
        is_ordered: whether the source itself names its codes, so that they are certain.

    Raises:
        InputError: if booleans cannot be matched, or codes may be meant in two ways.
    """
    labels = [str(label) for label in task.labels]
    named = {value: code for value in values if (code := _find_name(value, labels)) is not None}
    others = [value for value in values if value not in named]
    unlabelled = {v: UNLABELLED for v in others if _to_integer(v) == UNLABELLED}
    others = [value for value in others if value not in unlabelled]
    found = {**named, **unlabelled}
    if not others or named:  # what has no name beside names is reported
        return found
    if any(map(_is_word, others)) and all(_find_truth(value) is not None for value in others):
        return {**found, **_match_truth(others, labels, task)}
    return {**found, **_match_codes(others, labels, task, is_ordered)}


def _is_word(value: Value) -> bool:
    return isinstance(value, bool) or _to_integer(value) is None


def are_numerals(labels: Sequence[str]) -> bool:
    """Tell whether every declared label is a whole number, so that values are labels."""
    return all(_INTEGER.fullmatch(label) for label in labels)


def _find_name(value: Value, labels: Sequence[str]) -> int | None:
    """Return the code of the label that a value spells, or None."""
    number = _to_integer(value)
    spelled = str(value).strip() if number is None else str(number)
    for text in (str(value), spelled):
        if text in labels:
            return labels.index(text)
    alike = [code for code, label in enumerate(labels) if _fold(label) == _fold(spelled)]
    return alike[0] if len(alike) == 1 else None


def _fold(text: str) -> str:
    """Return a text as names are compared: case, spaces around it, and Unicode's spelling aside."""
    shown = "".join(c for c in text if unicodedata.category(c) != "Cf")  # no zero-width characters
    return unicodedata.normalize("NFKC", shown).strip().casefold()


def says_true_first(labels: Sequence[str]) -> bool:
    """Tell whether two labels are a yes and then a no, so that the second is not the positive.

    >>> says_true_first(["yes", "no"]), says_true_first(["negative", "positive"])
    (True, False)
    """
    positive = {"positive": True, "pos": True, "negative": False, "neg": False}
    return [positive.get(_fold(each), _find_truth(each)) for each in labels] == [True, False]


def find_alike(labels: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each declared label that differs from an earlier one in its spelling alone."""
    seen: dict[str, str] = {}
    for label in labels:
        if (first := seen.setdefault(_fold(label), label)) != label:
            yield first, label


def _to_integer(value: Value) -> int | None:
    """Return the whole number that a value is or spells (`1.0` as pandas writes it), or None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        match = _NUMERAL.fullmatch(value.strip())
        return int(match[1]) if match and len(match[1]) < 20 else None
    return int(value) if isinstance(value, int) or value.is_integer() else None


def find_truth(value: Value) -> bool | None:
    """Return what a boolean, 0 or 1, or a word for one of them means; None for anything else."""
    number = _to_integer(value)
    return _find_truth(value if number is None else str(number))


def _find_truth(value: Value) -> bool | None:
    return value if isinstance(value, bool) else _TRUTH.get(_fold(str(value)))


def _match_truth(values: Sequence[Value], labels: Sequence[str], task: Task) -> dict[Value, int]:
    """Match booleans by what the declared labels mean."""
    by_truth: dict[bool, list[int]] = {True: [], False: []}
    for code, label in enumerate(labels):
        if (truth := _find_truth(label)) is not None:
            by_truth[truth].append(code)
    if all(len(codes) == 1 for codes in by_truth.values()):
        return {value: by_truth[bool(_find_truth(value))][0] for value in values}
    first, last = shorten(labels[0]), shorten(labels[-1])
    raise InputError(
        f"Parameter `labels` should say which label means true, as the column `{task.label}` "
        f"holds {_list(values)}. Found {list(labels)}. Either declare "
        f'`labels = ["false", "true"]`, or write the names ({first}, {last}) into the column.'
    )


def _match_codes(
    values: Sequence[Value], labels: Sequence[str], task: Task, is_ordered: bool
) -> dict[Value, int]:
    """Match whole numbers by position; those that are no position are left out."""
    if are_numerals(labels):
        return {}
    numbers = {value: _to_integer(value) for value in values}
    codes = {v: n for v, n in numbers.items() if n is not None and 0 <= n < len(labels)}
    truths = [_find_truth(label) for label in labels]
    if codes and truths == [True, False] and not is_ordered:
        yes, no = labels
        raise InputError(
            f"Parameter `labels` should leave no doubt about the codes {_list(values)} in column "
            f"`{task.label}`. Found {list(labels)}: by position 0 is `{yes}`, by meaning 1 is. If "
            f'1 means `{yes}`, declare `labels = ["{no}", "{yes}"]`; if 0 does, write the names '
            "into the column."
        )
    return codes


def _list(values: Sequence[Value]) -> str:
    shown = sorted({f"`{shorten(value)}`" for value in values})
    return ", ".join(shown[:8]) + (", ..." if len(shown) > 8 else "")


def describe_unknown(value: Value, place: str, values: Sequence[Value], task: Task) -> str:
    """Return the sentence for a value without a class, with the found set beside the declared."""
    labels = [str(label) for label in task.labels]
    takes_codes = _to_integer(value) is not None and not are_numerals(labels)
    codes = f", or their codes 0 to {len(labels) - 1}" if takes_codes else ""
    hint = suggest(value, labels) if isinstance(value, str) else ""
    hint = hint if hint.startswith(" Did") else _advise(value, values, labels)
    return (
        f"Parameter `label` should name a column of the declared labels, {labels}{codes}. "
        f"Found `{shorten(value)}` in {place} of column `{task.label}`, which holds "
        f"{_list(values)}.{hint}"
    )


def _advise(value: Value, values: Sequence[Value], labels: Sequence[str]) -> str:
    """Say how to go on with a value that is no label."""
    if any(_find_name(v, labels) is not None for v in values):
        return (
            " If it is a label, add it to `labels`; a row without a label has -1 there, or is left "
            "out of the file."
        )
    numbers = sorted(n for v in values if (n := _to_integer(v)) is not None)
    if len(numbers) == len(values) and not are_numerals(labels):
        return _explain_codes(numbers, labels)
    if isinstance(value, float) or _is_fraction(str(value)):
        return ' Numbers that are no codes are for a task of `kind = "regression"`.'
    if len(values) <= _MOST_LISTED:
        return (
            f" If these are the labels, declare `labels = {json.dumps(sorted(map(str, values)))}`."
        )
    return f" It holds {len(values):,} values: `labels` should list each that is a label."


_MOST_LISTED = 8
_FRACTION = re.compile(r"\s*[-+]?[0-9]*[.,][0-9]+\s*")


def _is_fraction(text: str) -> bool:
    return _FRACTION.fullmatch(text) is not None


def _explain_codes(numbers: Sequence[int], labels: Sequence[str]) -> str:
    """Say how to go on where the values are codes of another range than 0 to C - 1."""
    if len(numbers) == len(labels):
        return (
            f" If these are all the codes, declare `labels = {list(numbers)}`, or write the names "
            "into the column."
        )
    return " Write the names into the column, or declare every code that there is as a label."


def check_class_names(class_names: Sequence[str] | None, task: Task) -> None:
    """Refuse declared labels that are the source's own class names at other positions.

    Letter case does not count, and the start of a name (`pos`) stands for it.
    """
    declared = [str(label) for label in task.labels]
    for position, label in enumerate(declared):
        places = _find_places(label, class_names or ())
        if places and position not in places:
            raise InputError(
                f"Parameter `labels` should list the labels in the order of the source's codes, "
                f"{list(class_names or ())}. Found `{declared}`."
            )


def _find_places(label: str, names: Sequence[str]) -> list[int]:
    folded = [_fold(name) for name in names]
    own = _fold(label)
    same = [i for i, name in enumerate(folded) if name == own]
    return same or [
        i
        for i, name in enumerate(folded)
        if len(min(own, name, key=len)) > 2 and (own.startswith(name) or name.startswith(own))
    ]


def describe_codes(found: Mapping[str, int], task: Task) -> str:
    """Return labels with their numbers of rows, as a message shows them."""
    return ", ".join(f"`{label}` {found.get(str(label), 0):,}" for label in task.labels)
