"""Raw rows of a task: found, read and checked.

- A split is looked up in `data_dir/<task>/`, then in the task's own folder, then in its hub
  repository (or a local folder laid out like one).
- Every source ends as an arrow table with the task's columns (`hmnet.formats`, `hmnet.hub`); the
  checks do not know where it came from, except that a CSV file has no types.
- All problems of a split are reported at once. Rows are numbered from 0.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hmnet.errors import InputError, raise_problems, shorten, suggest
from hmnet.formats import SUFFIXES, Rows, read_file
from hmnet.hub import describe_repository, find_local_repository, read_hub
from hmnet.storage import canonical_json, digest, digest_file
from hmnet.tasks import Task

UNLABELLED = -1
_UNKNOWN = -2
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER = r"^\s*[-+]?[0-9]+([.,][0-9]+)?\s*$"


@dataclass(frozen=True)
class RawSplit:
    """The rows of one split, before they are tokenised.

    Attributes:
        texts: a list of N strings per text column, in the task's order.
        labels: class codes (int64) or values (float32), [N].
        rows: row numbers in the source's split, ascending, int64 [N].
        questions: which question each answer belongs to, -1 where there is none, int64 [N].
    """

    texts: tuple[list[str], ...]
    labels: npt.NDArray[np.int64] | npt.NDArray[np.float32]
    rows: npt.NDArray[np.int64]
    questions: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, index: npt.NDArray[np.int64]) -> RawSplit:
        """Return the examples `index`, [n], with their row numbers and questions."""
        texts = tuple([column[i] for i in index.tolist()] for column in self.texts)
        return RawSplit(texts, self.labels[index], self.rows[index], self.questions[index])


def load_split(task: Task, split: str, data_dir: Path | None = None) -> RawSplit:
    """Read one split of a task and check it.

    Args:
        split: our name of the split, a key of `task.splits`.
        data_dir: a folder with `<task>/<split>.parquet` (or csv, jsonl), in place of the hub.

    Raises:
        InputError: with every problem of the split: columns, texts, labels, questions.
        SourceError: if the hub repository cannot be loaded.
    """
    rows, where = _read(task, split, data_dir)
    return _check(rows, task, where)


def load_text_columns(
    task: Task, split: str, data_dir: Path | None = None
) -> tuple[pa.ChunkedArray, ...]:
    """Read a split's text columns alone, as arrow columns; arguments as for `load_split`.

    The rows are those of `load_split`: unlabelled ones are left out. Data without the label's
    column will do too.

    Raises:
        InputError: with every problem of these columns, and of the labels of a classification.
        SourceError: if the hub repository cannot be loaded.
    """
    rows, where = _read(task, split, data_dir)
    _check_rows(rows, where)
    problems: list[str] = []
    columns = tuple(_collect(problems, _take_text, rows, name) for name in task.text)
    has_codes = task.kind != "regression" and _has_labels(rows, task)
    codes = _collect(problems, _read_labels, rows, task) if has_codes else None
    raise_problems(f"{where}: {problem}" for problem in problems)
    is_labelled = None if codes is None else _find_labelled(codes, where)
    if is_labelled is None or is_labelled.all():
        return columns
    return tuple(column.filter(pa.array(is_labelled)) for column in columns)


def load_texts(task: Task, path: Path) -> RawSplit:
    """Read a task's text columns from a file, for prediction; labels are not read.

    Raises:
        InputError: if the file is missing or of no known format, or a text column is.
    """
    _check_input(path)
    rows = read_file(path, task, str(path))
    _check_rows(rows, str(path))
    problems: list[str] = []
    texts = tuple(_collect(problems, _read_text, rows, name) for name in task.text)
    raise_problems(f"{path}: {problem}" for problem in problems)
    count = len(texts[0])
    return RawSplit(
        texts,
        np.zeros(count, dtype=np.int64),
        np.arange(count, dtype=np.int64),
        np.full(count, -1, dtype=np.int64),
    )


def list_columns(path: Path, task: Task) -> tuple[str, ...]:
    """Return the names of all columns of a file, which need not be those of the task.

    Raises:
        InputError: if the file is missing or of no known format.
    """
    _check_input(path)
    return read_file(path, task, str(path)).names


def _check_input(path: Path) -> None:
    if path.suffix not in SUFFIXES or not path.is_file():
        raise InputError(
            f"Parameter `input` should be a {', '.join(s[1:] for s in SUFFIXES)} file. "
            f"Found `{path}`{'' if path.is_file() else ', which does not exist'}."
        )


def source_key(task: Task, split: str, data_dir: Path | None = None) -> str:
    """Return 32 hex digits that identify what `load_split` would read, without reading rows.

    A local file counts by its content, a hub repository by its name, configuration, revision and
    split: one without a pinned revision is taken to stay as it is.

    Raises:
        InputError: if there is no such file.
    """
    columns = [task.text, task.label, task.kind, task.labels, task.question]
    path = find_file(task, split, data_dir)
    if path is not None:
        return digest(canonical_json(["file", path.suffix, digest_file(path), columns]))
    source = task.source
    folder = find_local_repository(task)
    where = source.repository if folder is None else _digest_folder(folder)
    revision = source.revision if folder is None else None
    return digest(
        canonical_json(["hub", where, source.config, revision, task.splits[split], columns])
    )


def _digest_folder(folder: Path) -> str:
    """Identify a folder by the names and contents of its files, hidden ones left out."""
    paths = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    shown = [p for p in paths if not any(part.startswith(".") for part in p.parts)]
    return digest(*(part for p in shown for part in (p.as_posix(), digest_file(folder / p))))


# Finding and reading


def _read(task: Task, split: str, data_dir: Path | None) -> tuple[Rows, str]:
    """Return a split's rows, and how an error names the split."""
    path = find_file(task, split, data_dir)
    where = f"Task `{task.name}`, split `{split}` ({path or describe_repository(task)})"
    rows = read_hub(task, split) if path is None else read_file(path, task, where)
    return rows, where


def find_file(task: Task, split: str, data_dir: Path | None = None) -> Path | None:
    """Return the local file of a split, or None if the rows come from a repository.

    The file's stem is our name of the split, or else the source's (`test` for IMDB's dev split).

    Raises:
        InputError: if the split is unknown, or there is no such file, or no source at all, or
            the source's name of the split leads out of the folder.
    """
    if split not in task.splits:
        raise InputError(
            f"Task `{task.name}`: Parameter `split` should be a split of the task. "
            f"Found `{split}`.{suggest(split, task.splits)}"
        )
    folder = _find_folder(task, data_dir)
    if folder is None:
        return None
    _check_stem(task, split)
    stems = dict.fromkeys((split, task.splits[split]))
    names = [f"{stem}{suffix}" for stem in stems for suffix in SUFFIXES]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise InputError(
        f"Task `{task.name}`, split `{split}`: `{folder}` should hold one of "
        f"{', '.join(names)}. Found {_list_folder(folder)}."
    )


def _check_stem(task: Task, split: str) -> None:
    """Refuse a source's name of a split that is no plain file name: it would name other folders."""
    stem = task.splits[split]
    if any(character in stem for character in "/\\"):
        raise InputError(
            f"Task `{task.name}`: Parameter `splits` should name files in the task's own folder, "
            f"without `/` or `\\`. Found `{stem}`."
        )


def _find_folder(task: Task, data_dir: Path | None) -> Path | None:
    """Return the folder that holds the task's files, or None for a repository.

    A task with a folder of its own keeps it where `data_dir` does not speak of the task.
    """
    own = None if task.source.folder is None else Path(task.source.folder).expanduser()
    if data_dir is not None and (own is None or (data_dir / task.name).is_dir()):
        return data_dir / task.name
    if own is None and task.source.repository is None:
        raise InputError(
            f"Task `{task.name}`: Parameter `source` should name a repository or a folder. "
            "Found neither, and no `--data DIR`."
        )
    return own


def _list_folder(folder: Path) -> str:
    if not folder.is_dir():
        return "no such folder"
    names = sorted(path.name for path in folder.iterdir())
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "") or "an empty folder"


# Checking


def _check(rows: Rows, task: Task, where: str) -> RawSplit:
    """Turn columns into a split, with every problem of every column at once."""
    _check_rows(rows, where)
    problems: list[str] = []
    texts = tuple(_collect(problems, _read_text, rows, name) for name in task.text)
    labels = _collect(problems, _read_labels, rows, task)
    questions = _collect(problems, _read_questions, rows, task.question)
    raise_problems(f"{where}: {problem}" for problem in problems)
    whole = RawSplit(texts, labels, np.arange(len(labels), dtype=np.int64), questions)
    return _drop_unlabelled(whole, task, where)


def _check_rows(rows: Rows, where: str) -> None:
    """Refuse a split without rows; where every column is missing, that is reported instead."""
    if rows.table.num_rows == 0 and (rows.table.num_columns or not rows.names):
        raise InputError(f"{where}: the split should hold rows. Found none.")


def _collect(problems: list[str], read: Callable[..., Any], *args: Any) -> Any:
    """Return what `read` returns; if it raises an `InputError`, keep the problems instead."""
    try:
        return read(*args)
    except InputError as error:
        problems.extend(error.problems)
        return None


def _drop_unlabelled(whole: RawSplit, task: Task, where: str) -> RawSplit:
    """Leave out rows with the label -1, as SNLI has on the hub; rows keep their numbers."""
    if task.kind == "regression":
        return whole
    is_labelled = _find_labelled(whole.labels, where)
    return whole if is_labelled.all() else whole.select(np.flatnonzero(is_labelled))


def _find_labelled(codes: npt.NDArray[Any], where: str) -> npt.NDArray[np.bool_]:
    """Tell which rows have a label, [N]; a split without any is refused."""
    is_labelled: npt.NDArray[np.bool_] = codes != UNLABELLED
    if not is_labelled.any():
        raise InputError(
            f"{where}: the split should hold labelled rows. Found {len(codes)} rows with the "
            f"label {UNLABELLED}, which means unlabelled."
        )
    return is_labelled


def _take(rows: Rows, name: str, parameter: str) -> pa.ChunkedArray:
    """Return a column, or the field of a struct column, decoded to plain values."""
    if rows.names.count(name) > 1:
        raise InputError(f"Parameter `{parameter}` should name one column. Found `{name}` twice.")
    if name in rows.table.column_names:
        return _decode(rows.table.column(name))
    column_name, _, field = name.partition(".")
    if not field or column_name not in rows.table.column_names:
        _raise_missing(name, rows.names, parameter, "columns")
    column = rows.table.column(column_name)
    for part in field.split("."):
        fields = [f.name for f in column.type] if pa.types.is_struct(column.type) else []
        if part not in fields:
            inside = [f"{column_name}.{f}" for f in fields]
            _raise_missing(name, inside, parameter, f"fields of `{column_name}`")
        column, column_name = pc.struct_field(column, [part]), f"{column_name}.{part}"
    return _decode(column)


def _raise_missing(name: str, known: Sequence[str], parameter: str, what: str) -> NoReturn:
    has_close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    raise InputError(
        f"Parameter `{parameter}` should name a column of the data. Found `{name}`. "
        f"The {what} are: {', '.join(known) or 'none'}.{suggest(name, known) if has_close else ''}"
    )


def _decode(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Undo dictionary encoding (pandas' categories), and views, which arrow cannot filter."""
    if pa.types.is_dictionary(column.type):
        return _decode(pc.cast(column, column.type.value_type))
    if pa.types.is_string_view(column.type):
        return pc.cast(column, pa.large_string())
    return column


def _check_filled(column: pa.ChunkedArray, name: str, parameter: str) -> None:
    if column.null_count:
        row = int(np.argmax(pc.is_null(column).to_numpy()))
        raise InputError(
            f"Parameter `{parameter}` should name a column without missing values. "
            f"Found {column.null_count} in column `{name}`, the first in row {row}."
        )


def _is_text(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _read_text(rows: Rows, name: str) -> list[str]:
    """Return a text column as strings."""
    return _take_text(rows, name).to_pylist()


def _take_text(rows: Rows, name: str) -> pa.ChunkedArray:
    """Return a text column. Numbers are refused: they point to the wrong column."""
    column = _take(rows, name, "text")
    _check_filled(column, name, "text")
    if _is_text(column.type):
        holds_numbers = (
            not rows.has_types and pc.all(pc.match_substring_regex(column, _NUMBER)).as_py()
        )
        kind = "numbers"
    else:
        holds_numbers, kind = True, str(column.type)
    if holds_numbers:
        raise InputError(
            f"Parameter `text` should name columns of text. Found {kind} in column `{name}`, "
            f"such as `{shorten(column[0].as_py())}` in row 0."
        )
    return column


def _read_questions(rows: Rows, names: Sequence[str]) -> npt.NDArray[np.int64]:
    """Number the combinations of the question columns in order of appearance, [N]."""
    codes = np.full(rows.table.num_rows, -1, dtype=np.int64)
    problems: list[str] = []
    for name in names:
        column = _collect(problems, _read_question, rows, name)
        if column is not None:
            own = pd.factorize(column)[0].astype(np.int64)
            codes = pd.factorize((codes + 1) * (own.max() + 1) + own)[0].astype(np.int64)
    raise_problems(problems)
    return codes


def _read_question(rows: Rows, name: str) -> npt.NDArray[Any]:
    column = _take(rows, name, "question")
    _check_filled(column, name, "question")
    if pa.types.is_nested(column.type):
        raise InputError(
            f"Parameter `question` should name columns of numbers or strings. Found "
            f"{column.type} in column `{name}`; `{name}.<field>` names a field of it."
        )
    return column.to_numpy()


# Labels


def _has_labels(rows: Rows, task: Task) -> bool:
    """Tell whether there is a label column, or a struct column that may hold it."""
    return not {task.label, task.label.partition(".")[0]}.isdisjoint(rows.names)


def _read_labels(rows: Rows, task: Task) -> npt.NDArray[np.int64] | npt.NDArray[np.float32]:
    column = _take(rows, task.label, "label")
    if not rows.has_types:
        column = _infer_type(column, task)
    _check_filled(column, task.label, "label")
    if task.kind == "regression":
        return _read_values(column, task)
    _check_class_names(rows.class_names, task)
    return _read_codes(column, task)


def _infer_type(column: pa.ChunkedArray, task: Task) -> pa.ChunkedArray:
    """Give a CSV column the type of its content; an empty field is a missing value."""
    column = pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
    declared = pa.array([str(label) for label in task.labels], pa.string())
    found = pc.drop_null(pc.unique(column))
    if pc.all(pc.is_in(found, value_set=declared)).as_py() and len(declared):
        return column
    if pc.all(pc.is_in(pc.utf8_lower(found), value_set=pa.array(["true", "false"]))).as_py():
        return pc.equal(pc.utf8_lower(column), "true")
    for kind in (pa.int64(), pa.float64()):
        try:
            return pc.cast(column, kind)
        except pa.ArrowInvalid:
            continue
    return column


def _read_values(column: pa.ChunkedArray, task: Task) -> npt.NDArray[np.float32]:
    """Return the values of a regression, [N]."""
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        raise InputError(
            f"Parameter `label` should name a column of numbers for a regression. Found {kind} in "
            f"column `{task.label}`{_first_that(column, _is_no_number)}."
        )
    with np.errstate(over="ignore"):  # what overflows is infinite, and refused below
        values = pc.cast(column, pa.float64(), safe=False).to_numpy().astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise InputError(
            f"Parameter `label` should name a column of finite float32 numbers. "
            f"Found `{column[int(bad[0])].as_py()}` in row {bad[0]} of column `{task.label}`."
        )
    return values


def _is_no_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return True
    return False


def _first_that(column: pa.ChunkedArray, is_odd: Callable[[Any], bool]) -> str:
    """Say where the first odd value of a column is; the first value if none is odd."""
    values = column.to_pylist()
    row = next((i for i, value in enumerate(values) if is_odd(value)), 0)
    return f", such as `{shorten(values[row])}` in row {row}"


def _check_class_names(class_names: tuple[str, ...] | None, task: Task) -> None:
    """Refuse declared labels that are the source's own class names in another order."""
    declared = tuple(str(label) for label in task.labels)
    if class_names and class_names != declared and sorted(class_names) == sorted(declared):
        raise InputError(
            f"Parameter `labels` should list the labels in the order of the source's codes, "
            f"{list(class_names)}. Found `{list(declared)}`."
        )


def _read_codes(column: pa.ChunkedArray, task: Task) -> npt.NDArray[np.int64]:
    """Return class codes; -1 for unlabelled rows, [N]."""
    values, known = _match(column, task)
    positions, uniques = pd.factorize(values)
    codes = np.array([known.get(value, _UNKNOWN) for value in uniques.tolist()], dtype=np.int64)
    codes = codes[positions]
    bad = np.flatnonzero(codes == _UNKNOWN)
    if len(bad):
        _raise_unknown_label(column[int(bad[0])].as_py(), int(bad[0]), task)
    return codes


def _match(column: pa.ChunkedArray, task: Task) -> tuple[npt.NDArray[Any], Mapping[Any, int]]:
    """Return comparable values of a label column, and which value has which code."""
    declared = [str(label) for label in task.labels]
    by_name = {label: code for code, label in enumerate(declared)}
    if pa.types.is_boolean(column.type):
        if set(declared) == {"True", "False"}:
            return pc.if_else(column, "True", "False").to_numpy(), by_name
        return column.to_numpy().astype(np.int64), {0: 0, 1: 1}
    if pa.types.is_integer(column.type) or _is_integral(column):
        return column.to_numpy(), {UNLABELLED: UNLABELLED, **_integer_codes(declared)}
    if _is_text(column.type):
        return column.to_numpy().astype(object), by_name
    raise InputError(
        f"Parameter `label` should name a column of labels or of codes. Found {column.type} in "
        f"column `{task.label}`{_first_that(column, _is_fractional)}. "
        f"The labels are: {', '.join(declared)}."
    )


def _is_integral(column: pa.ChunkedArray) -> bool:
    """Tell whether a column holds whole numbers as floats, as pandas writes them."""
    return bool(
        pa.types.is_floating(column.type)
        and pc.all(pc.is_finite(column)).as_py()
        and pc.all(pc.equal(column, pc.floor(column))).as_py()
    )


def _is_fractional(value: Any) -> bool:
    return isinstance(value, float) and not value.is_integer()


def _integer_codes(declared: Sequence[str]) -> dict[int, int]:
    """Map integers to codes: by value where every label is a numeral, else 0 to C - 1."""
    if all(_INTEGER.fullmatch(label) for label in declared):
        return {int(label): code for code, label in enumerate(declared)}
    return {code: code for code in range(len(declared))}


def _raise_unknown_label(value: Any, row: int, task: Task) -> NoReturn:
    declared = [str(label) for label in task.labels]
    has_codes = isinstance(value, int | float) and not all(map(_INTEGER.fullmatch, declared))
    codes = f", or their codes 0 to {len(declared) - 1}" if has_codes else ""
    hint = suggest(value, declared) if isinstance(value, str) else ""
    hint = hint if hint.startswith(" Did") else ""
    raise InputError(
        f"Parameter `label` should name a column of the declared labels, {declared}{codes}. "
        f"Found `{shorten(value)}` in row {row} of column `{task.label}`.{hint}"
    )
