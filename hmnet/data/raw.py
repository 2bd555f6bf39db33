"""Raw rows of a task: found, read and checked.

- A split is looked up in `data_dir/<task>/`, then in the task's own folder, then in its hub
  repository (or a local folder laid out like one).
- Every source ends as an arrow table with the task's columns (`hmnet.data.file_formats`,
  `hmnet.data.hub`); the checks do not know where it came from, except that a CSV file has no types.
- All problems of a split are reported at once. Rows are numbered from 0.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hmnet.data.columns import (
    check_rows,
    collect,
    read_any_text,
    read_questions,
    read_text,
    take_text,
)
from hmnet.data.file_formats import FILE_SUFFIXES, SUFFIXES, read_file, split_name
from hmnet.data.gaps import drop_gaps
from hmnet.data.hub import describe_repository, find_local_repository, read_hub, read_saved_dataset
from hmnet.data.label_names import UNLABELLED
from hmnet.data.labels import (
    LabelArray,
    describe_numbers,
    find_labelled,
    has_labels,
    number_rows,
    read_labels,
)
from hmnet.data.rows import Rows
from hmnet.data.tagged import read_tagged, read_words
from hmnet.data.word_spans import Words
from hmnet.errors import InputError, raise_problems, suggest
from hmnet.storage.digests import canonical_json, digest, digest_file
from hmnet.study.tasks import Task

SAVED_MARK = "state.json"
"""A file in each folder that `Dataset.save_to_disk` writes."""


@dataclass(frozen=True)
class RawSplit:
    """The rows of one split, before they are tokenised.

    Attributes:
        texts: a list of N strings per text column, in the task's order.
        labels: class codes (int64) or values (float32), [N]; of a kind per word, a code a word.
        rows: row numbers in the source's split, ascending, int64 [N].
        questions: which question each answer belongs to, -1 where there is none, int64 [N].
        notes: a sentence for each oddity of the file and for rows that were left out.
        words: the words that have the labels; None where each row has one label.
    """

    texts: tuple[list[str], ...]
    labels: LabelArray
    rows: npt.NDArray[np.int64]
    questions: npt.NDArray[np.int64]
    notes: tuple[str, ...] = ()
    words: Words | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def select(self, index: npt.NDArray[np.int64]) -> RawSplit:
        """Return the examples `index`, [n], with their row numbers and questions."""
        texts = tuple([column[i] for i in index.tolist()] for column in self.texts)
        labels = self.labels[index if self.words is None else self.words.find(index)]
        words = None if self.words is None else self.words.select(index)
        kept = (labels, self.rows[index], self.questions[index])
        return RawSplit(texts, *kept, self.notes, words)

    def number_labels(self) -> npt.NDArray[np.generic]:
        """Return a number per row that rows of the same labels share, [N]; see `number_rows`."""
        return number_rows(self.labels, None if self.words is None else self.words.offsets)


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
    check_rows(rows, where)
    if task.facts.reads_words:
        return (pa.chunked_array([_check_words(rows, task, where).texts[0]]),)
    problems: list[str] = []
    labelled = collect(problems, drop_gaps, rows, task)
    (rows,) = labelled or [rows]
    columns = [c for name in task.text for c in collect(problems, take_text, rows, name)]
    has_codes = task.facts.has_labels and has_labels(rows, task)
    codes = collect(problems, read_labels, rows, task) if has_codes and labelled else []
    raise_problems(f"{where}: {problem}" for problem in problems)
    for labels in codes:
        is_labelled = find_labelled(labels, where)
        if not is_labelled.all():
            columns = [column.filter(pa.array(is_labelled)) for column in columns]
    return tuple(columns)


def load_texts(task: Task, path: Path) -> RawSplit:
    """Read a task's text columns from a file, for prediction; labels are not read.

    A column of numbers is read as texts: new data need not look like the training data. Where words
    have labels, a text's words are those that `hmnet.data.tagged.split_words` finds.

    Raises:
        InputError: if the file is missing or of no known format, or a text column is.
    """
    rows = read_input(path, task.text)
    problems: list[str] = []
    words = None
    if task.facts.reads_words:
        found = collect(problems, read_words, rows, task.text[0])
        texts, words = [each for each, _ in found], next((own for _, own in found), None)
    else:
        texts = [t for name in task.text for t in collect(problems, read_any_text, rows, name)]
    raise_problems(f"{path}: {problem}" for problem in problems)
    count = len(texts[0])
    return RawSplit(
        tuple(texts),
        np.zeros(count if words is None else len(words.starts), dtype=np.int64),
        np.arange(count, dtype=np.int64),
        np.full(count, -1, dtype=np.int64),
        rows.notes,
        words,
    )


def read_input(path: Path, wanted: Sequence[str]) -> Rows:
    """Read columns of a file of new rows, which need not be those of a task.

    Args:
        wanted: the columns, or fields of columns.

    Raises:
        InputError: if the file is missing, empty or of no known format.
    """
    if not path.is_file() or not split_name(path)[1]:
        raise InputError(
            f"Parameter `input` should be a {', '.join(s[1:] for s in FILE_SUFFIXES)} file. "
            f"Found `{path}`{_describe_place(path)}."
        )
    rows = read_file(path, wanted, str(path))
    check_rows(rows, str(path))
    return rows


def _describe_place(path: Path) -> str:
    if path.is_dir():
        return ", which is a folder"
    return "" if path.is_file() else ", which does not exist"


def source_key(task: Task, split: str, data_dir: Path | None = None) -> str:
    """Return 32 hex digits that identify what `load_split` would read, without reading rows.

    A local file counts by its content, a hub repository by its name, configuration, revision and
    split: one without a pinned revision is taken to stay as it is.

    Raises:
        InputError: if there is no such file.
    """
    columns: list[object] = [task.text, task.label, task.kind, task.labels, task.question]
    columns += [] if task.scheme == "auto" else [task.scheme]
    path = find_file(task, split, data_dir)
    if path is not None:
        content = _digest_folder(path) if path.is_dir() else digest_file(path)
        suffix = split_name(path)[1]
        return digest(canonical_json(["file", suffix, content, columns]))
    source = task.source
    folder = find_local_repository(task)
    where = source.repository if folder is None else _digest_folder(folder)
    revision = source.revision if folder is None else None
    columns += [] if source.data_dir is None else [source.data_dir]
    return digest(
        canonical_json(["hub", where, source.config, revision, task.splits[split], columns])
    )


def name_texts(task: Task, data_dir: Path | None = None) -> tuple[object, ...]:
    """Return what tasks have in common that read the same texts: files or repository, and columns.

    Raises:
        InputError: if there is no such file.
    """
    files = tuple(find_file(task, split, data_dir) for split in task.splits)
    source = task.source
    hub = (source.repository, source.config, source.revision, *task.splits.values())
    return task.text, files if None not in files else hub


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
    if path is None:
        return read_hub(task, split), where
    if path.is_dir():
        return read_saved_dataset(path, task, where), where
    rows = read_file(path, (*task.text, *task.label_columns, *task.question), where)
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
    stems = tuple(dict.fromkeys((split, task.splits[split])))
    found = find_split(folder, stems) or find_split(folder, _SYNONYMS.get(stems[-1], ()))
    if found is not None:
        return found
    if not folder.is_dir():
        raise InputError(
            f"Task `{task.name}`: `{folder}` should be a folder with a file per split, such as "
            f"{' and '.join(f'{s}.csv' for s in task.splits)}. Found {_describe_absence(folder)}."
        )
    names = [f"{stem}{suffix}" for stem in stems for suffix in SUFFIXES]
    also = f"; {', '.join(others)} will do" if (others := _SYNONYMS.get(stems[-1], ())) else ""
    raise InputError(
        f"Task `{task.name}`, split `{split}`: `{folder}` should hold one of "
        f"{', '.join(names)}{also}. Found {_list_folder(folder)}. A file of another name is "
        f'named in `[task.{task.name}.splits]`, such as `{split} = "other"`.'
    )


_SYNONYMS = {"validation": ("dev", "valid", "val", "eval")}
"""Other names for files of a split, where there is none of its own name."""


def find_split(folder: Path, stems: Sequence[str]) -> Path | None:
    """Return the file, or the folder of `save_to_disk`, with the first of some stems.

    Formats come in the order of `SUFFIXES`; letter case and `.gz` do not count.
    """
    places: dict[tuple[str, str], Path] = {}
    for path in sorted(folder.iterdir(), reverse=True) if folder.is_dir() else ():
        if path.is_file() and (parts := split_name(path))[1]:
            places[parts] = path
        elif (path / SAVED_MARK).is_file():
            places[path.name, ""] = path
    for stem in stems:
        for suffix in (*FILE_SUFFIXES, ""):
            if (stem, suffix) in places:
                return places[stem, suffix]
    return None


def list_shadowed(task: Task, data_dir: Path | None = None) -> list[str]:
    """Return a sentence for each split that has another file than the one that is read."""
    said = []
    for split in task.splits:
        read = find_file(task, split, data_dir)
        folder = None if read is None else read.parent
        if read is None or folder is None:
            continue
        stems = {split, task.splits[split], *_SYNONYMS.get(task.splits[split], ())}
        others = [
            path.name
            for path in sorted(folder.iterdir())
            if path != read and split_name(path)[1] and split_name(path)[0] in stems
        ]
        if others:
            said.append(
                f"split `{split}`: {read.name} is read, not {' or '.join(others)} beside it"
            )
    return said


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


def _describe_absence(folder: Path) -> str:
    """Say what there is in the place of a folder that is none."""
    around = next(path for path in folder.parents if path.exists())
    if folder.exists():
        return "a file"
    if around.is_file():
        return f"`{around}`, a file"
    return f"no such folder (in `{around}`: {_list_folder(around)})"


def _list_folder(folder: Path) -> str:
    """Return a folder's content in words, and how to go on with files that are not read."""
    names = [_describe_entry(path) for path in sorted(folder.iterdir())]
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "") or "an empty folder"
    ways = [way for ends, way in _WAYS.items() if any(n.lower().endswith(ends) for n in names)]
    return shown + "".join(f": {way}" for way in ways[:1])


_WAYS = {
    (".xlsx", ".xls", ".ods"): "save each sheet as csv",
    (".zip", ".7z", ".tar", ".tgz", ".tar.gz", ".bz2", ".xz"): "unpack the archive",
    (".txt", ".dat"): "name a table of text .csv or .tsv",
    (".pkl", ".pickle", ".feather", ".arrow"): "save it as parquet",
}
"""Ends of names of files that are not read, and what helps."""


def _describe_entry(path: Path) -> str:
    if path.is_dir():
        return f"{path.name}/"
    return path.name if path.exists() else f"{path.name} (a link that leads nowhere)"


# Checking


def _check(rows: Rows, task: Task, where: str) -> RawSplit:
    """Turn columns into a split, with every problem of every column at once."""
    check_rows(rows, where)
    if task.facts.reads_words:
        return _check_words(rows, task, where)
    problems: list[str] = []
    labelled = collect(problems, drop_gaps, rows, task)
    (rows,) = labelled or [rows]
    texts = [t for name in task.text for t in collect(problems, read_text, rows, name)]
    found = collect(problems, read_labels, rows, task) if labelled else []
    numbers = collect(problems, read_questions, rows, task.question)
    raise_problems(f"{where}: {problem}" for problem in problems)
    (labels,), (questions,) = found, numbers
    notes = (*rows.notes, *describe_numbers(rows, task), *_count_blank(texts, task))
    whole = RawSplit(tuple(texts), labels, rows.find_numbers(), questions, notes)
    return _drop_unlabelled(whole, task, where)


def _check_words(rows: Rows, task: Task, where: str) -> RawSplit:
    """Turn columns of words and their labels into a split."""
    problems: list[str] = []
    found = collect(problems, read_tagged, rows, task)
    numbers = collect(problems, read_questions, rows, task.question)
    raise_problems(f"{where}: {problem}" for problem in problems)
    (tagged,), (questions,) = found, numbers
    return RawSplit(
        (tagged.texts,),
        tagged.labels,
        tagged.rows,
        questions[tagged.rows],
        (*rows.notes, *tagged.notes),
        tagged.words,
    )


def _count_blank(texts: Sequence[Sequence[str]], task: Task) -> Iterator[str]:
    for name, column in zip(task.text, texts, strict=True):
        count = sum(not text.strip() for text in column)
        if count:
            yield f"{count:,} of {len(column):,} rows have an empty text in column `{name}`"


def _drop_unlabelled(whole: RawSplit, task: Task, where: str) -> RawSplit:
    """Leave out rows with the label -1, as SNLI has on the hub; rows keep their numbers."""
    if not task.facts.has_labels or task.facts.reads_words:
        return whole
    is_labelled = find_labelled(whole.labels, where)
    if is_labelled.all():
        return whole
    count = len(whole) - int(is_labelled.sum())
    note = (
        f"{count:,} of {len(whole):,} rows are left out, as their label is {UNLABELLED}, which "
        "means unlabelled"
    )
    kept = whole.select(np.flatnonzero(is_labelled))
    return dataclasses.replace(kept, notes=(*whole.notes, note))
