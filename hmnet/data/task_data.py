"""Tokenised rows in flat, memory-mapped arrays, shared by every job of a study.

    <folder>/<task>-<10 hex>/
        train.tokens.npy  train.offsets.npy  train.first.npy  train.labels.npy  train.rows.npy  ...
        train.texts.npy ...        a number per row that rows of the same texts share
        data.json                  written last: its presence means complete

- `prepare` finds a task's folder by what decides its content, or builds it: in a folder beside
  it, under a lock, renamed when complete. `load` needs only the folder, no tokenizer.

Legend: N examples, M tokens of a split in all.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
from filelock import FileLock
from pydantic.dataclasses import dataclass as validated

from hmnet.data.held_out import hold_out, split_by_use
from hmnet.data.raw import RawSplit, load_split, source_key
from hmnet.data.row_sampling import sample_rows
from hmnet.data.summary import SplitSummary, name_label, summarise, to_plain_summary
from hmnet.data.tokens import KnownTexts, SplitData, identify_tokenizer, tokenise
from hmnet.errors import InputError, raise_problems
from hmnet.storage.digests import canonical_json, digest, digest_bytes, digest_file, sign
from hmnet.storage.documents import parse_document, read_json, to_plain, write_document
from hmnet.storage.files import write_bytes
from hmnet.storage.regular_files import open_regular
from hmnet.study.settings import STRICT, DataSettings
from hmnet.study.tasks import Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

T = TypeVar("T")

DATA_SCHEMA = "task-data/1"
READING = 3
"""Bumped when the same files are read as other rows or labels, so that no folder of before is
found; a run's identity is of the arrays alone."""
TEXTS = "texts"
HELD_OUT = "train-held-out"
"""Split of training rows that are held out for choosing, where a study asks for them."""
JUDGED = "train-judged"
"""Split of training rows that are held out as a further dev split, where a study asks for them."""
ARRAYS = ("tokens", "offsets", "first", "labels", "rows", "questions")
WORD_ARRAYS = ("word_offsets", "places")
"""Further arrays of a split whose words have the labels."""


@dataclass(frozen=True)
class TaskData:
    """A task's tokenised splits.

    Attributes:
        task: the definition.
        splits: `train` and the dev splits, by our names, and `HELD_OUT` and `JUDGED` where they
            are asked for.
        fingerprint: hash of all arrays and of the tokenizer; part of every run's identity.
        folder: where the arrays lie; what a worker process is given in place of them.
        notes: a sentence for each oddity that was met while the rows were read.
    """

    task: Task
    splits: Mapping[str, SplitData]
    fingerprint: str
    folder: Path | None = None
    notes: tuple[str, ...] = ()

    @property
    def train(self) -> SplitData:
        """The training split."""
        return self.splits["train"]

    @property
    def judged_splits(self) -> tuple[str, ...]:
        """Names of the splits that scores are means over: dev splits, and `JUDGED` if there."""
        return (*self.task.dev_splits, *(name for name in (JUDGED,) if name in self.splits))

    @property
    def n_judged(self) -> int:
        """Rows of these splits."""
        return sum(len(self.splits[split]) for split in self.judged_splits)


@validated(frozen=True, config=STRICT)
class TaskDataRecord:
    """The document `data.json`.

    Attributes:
        task: the task's name.
        fingerprint: see `TaskData`.
        tokenizer: see `identify_tokenizer`.
        settings: the limits that the rows were cut to.
        sources: split to its `source_key`.
        splits: split to what it holds.
        notes: see `TaskData`.
        texts: split to the digest of its texts' hashes; empty in older documents, as the next.
        own: digest of all the rest (`hmnet.storage.digests.sign`).
    """

    task: str
    fingerprint: str
    tokenizer: str
    settings: DataSettings
    sources: Mapping[str, str]
    splits: Mapping[str, SplitSummary]
    notes: tuple[str, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    own: str = ""


def read_record(folder: Path) -> TaskDataRecord:
    """Read the `data.json` of a folder: the one reader of it, which no altered one passes.

    Raises:
        InputError: if it is missing, or not as it was written.
    """
    path = folder / "data.json"
    content = read_json(path)
    record = parse_document(content, DATA_SCHEMA, TaskDataRecord, str(path))
    if record.own and sign(content) != record.own:
        raise InputError(
            f"{path}: the file should be as it was written. It was altered. Delete the folder; the "
            "rows are tokenised again when needed."
        )
    return record


def prepare(
    task: Task,
    tokenizer: PreTrainedTokenizerBase,
    settings: DataSettings,
    folder: Path,
    data_dir: Path | None = None,
    known: KnownTexts | None = None,
) -> TaskData:
    """Return a task's tokenised splits from `folder`, tokenising them if they are not there.

    Args:
        tokenizer: a fast tokenizer of transformers.
        folder: holds a folder per task and content; may be shared by many processes.
        data_dir: see `hmnet.data.raw.load_split`.
        known: texts that the tokenizer met before, in tasks on the same texts.

    Raises:
        InputError: with the problems of all splits, or if the tokenizer is not a fast one.
        SourceError: if the hub repository cannot be loaded.
    """
    tokenizer_id = identify_tokenizer(tokenizer)
    sources = find_sources(task, data_dir)
    path = folder / f"{task.name}-{_content_key(task, sources, tokenizer_id, settings)[:10]}"
    if (found := _load_if_whole(path, task)) is not None:
        return found
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f".{path.name}.lock"):
        if (found := _load_if_whole(path, task)) is not None:  # built while we waited
            return found
        raw = _map_splits(task, lambda split: _load_learnable(task, split, data_dir))
        sampled = _sample(raw, task, settings)
        length = settings.max_length
        splits = {s: tokenise(rows, tokenizer, length, known) for s, rows in sampled.items()}
        hashes = {split: hash_texts(rows) for split, rows in sampled.items()}
        fingerprint = _fingerprint(splits, tokenizer_id, settings.max_length)
        summaries = {split: summarise(data, task) for split, data in splits.items()}
        notes = tuple(f"split `{split}`: {n}" for split, rows in raw.items() for n in rows.notes)
        record = TaskDataRecord(
            task.name,
            fingerprint,
            tokenizer_id,
            settings,
            sources,
            summaries,
            notes,
            {split: digest_bytes(_to_npy(found)) for split, found in hashes.items()},
        )
        _write(path, splits, hashes, record)
    return load(path, task)


def find_sources(task: Task, data_dir: Path | None = None) -> dict[str, str]:
    """Return what identifies each split's rows; see `hmnet.data.raw.source_key`.

    Raises:
        InputError: if a split has no file; with the problems of the other splits' rows, too.
    """
    try:
        return _map_splits(task, lambda split: source_key(task, split, data_dir))
    except InputError as error:
        problems = (*error.problems, *find_problems(task, data_dir))
        raise InputError(*dict.fromkeys(problems)) from None


def find_problems(task: Task, data_dir: Path | None = None) -> tuple[str, ...]:
    """Return every problem of a task's rows; they are read for nothing else."""
    try:
        _map_splits(task, lambda split: len(_load_learnable(task, split, data_dir)))
    except InputError as error:
        return error.problems
    return ()


def was_prepared(task: Task, sources: Mapping[str, str], folder: Path) -> bool:
    """Tell whether `folder` holds rows that were read from the same sources before."""
    return any(
        read_record(path.parent).sources == sources
        for path in folder.glob(f"{task.name}-{'?' * 10}/data.json")
    )


def load(path: Path, task: Task) -> TaskData:
    """Open a folder that `prepare` made; the arrays are memory-mapped and read-only.

    Raises:
        InputError: if it is not complete, is damaged, or holds another task.
    """
    record = read_record(path)
    names = [*task.splits, *(name for name in (HELD_OUT, JUDGED) if name in record.splits)]
    if (record.task, set(record.splits)) != (task.name, set(names)):
        raise InputError(
            f"{path}: the folder should hold the splits {list(task.splits)} of task "
            f"`{task.name}`. Found {list(record.splits)} of `{record.task}`."
        )
    splits = {split: _load_split_data(path, split, record.splits[split]) for split in names}
    return TaskData(task, splits, record.fingerprint, path, record.notes)


def check_arrays(path: Path) -> None:
    """Compare a folder's arrays with their fingerprint, once in a process; see `verify_folder`."""
    key = (path.absolute(), *_describe_files(path))
    if key not in _CHECKED:
        verify_folder(path)
        _CHECKED.add(key)


_CHECKED: set[tuple[object, ...]] = set()


def _describe_files(path: Path) -> Iterator[tuple[str, int, int]]:
    """Yield what changes of each file when it is written: its name, size and time."""
    for file in sorted(path.glob("*.npy")):
        facts = file.stat()
        yield file.name, facts.st_size, facts.st_mtime_ns


def verify_folder(path: Path) -> None:
    """Read every array of a folder that `prepare` made.

    Raises:
        InputError: if something is missing, damaged, or not what the fingerprint stands for.
    """
    record = read_record(path)
    splits = {
        split: _load_split_data(path, split, summary) for split, summary in record.splits.items()
    }
    for split, expected in record.texts.items():
        if digest_file(file := path / f"{split}.{TEXTS}.npy") != expected:
            raise InputError(
                f"{file}: the file should be as it was written. It was altered. Delete the folder; "
                "the rows are tokenised again when needed."
            )
    found = _fingerprint(splits, record.tokenizer, record.settings.max_length)
    if found != record.fingerprint:
        raise InputError(
            f"{path}: the arrays should have the fingerprint {record.fingerprint}. Found {found}: "
            "a file was altered. Delete the folder; the rows are tokenised again when needed."
        )


def describe(data: TaskData) -> dict[str, dict[str, object]]:
    """Return what each split holds (Table 4): split to rows, labels and token lengths.

    The keys are those of `SplitSummary`, and `truncated_frac`, the share of truncated examples.
    """
    summaries = {split: summarise(part, data.task) for split, part in data.splits.items()}
    return {
        split: {**to_plain_summary(summary), "truncated_frac": summary.truncated / summary.rows}
        for split, summary in summaries.items()
    }


# Identity


def _content_key(
    task: Task, sources: Mapping[str, str], tokenizer_id: str, settings: DataSettings
) -> str:
    """Identify what a folder holds: all that decides its arrays, by where they come from."""
    definition: list[object] = [
        task.name,
        task.text,
        task.label,
        task.kind,
        task.labels,
        task.question,
    ]
    definition += [] if task.scheme == "auto" else [task.scheme]
    limits = to_plain(settings)
    if settings.holdout is None:
        del limits["holdout"]
    if settings.holdout_use == "choosing":
        del limits["holdout_use"]
    parts = [DATA_SCHEMA, READING, definition, sources, tokenizer_id, limits]
    return digest(canonical_json(parts))


def _fingerprint(splits: Mapping[str, SplitData], tokenizer_id: str, max_length: int) -> str:
    """Identify the arrays themselves, wherever their rows were read from."""
    parts: list[str | bytes] = [tokenizer_id, str(max_length)]
    for split in sorted(splits):
        for name, array in list_arrays(splits[split]):
            parts += [f"{split}.{name}:{array.dtype.str}", array.tobytes()]
    return digest(*parts)


# On disk


def _map_splits(task: Task, read: Callable[[str], T]) -> dict[str, T]:
    """Return what `read` returns for each split; the problems of all splits in one error."""
    found: dict[str, T] = {}
    problems: list[str] = []
    for split in task.splits:
        try:
            found[split] = read(split)
        except InputError as error:
            problems.extend(error.problems)
    raise_problems(dict.fromkeys(problems))
    return found


def _load_if_whole(path: Path, task: Task) -> TaskData | None:
    """Return a folder's content, or None where it is missing or damaged: it is a cache."""
    try:
        check_arrays(path)
        return load(path, task)
    except InputError:
        return None


def list_arrays(split: SplitData) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Yield name and content of each array that a split has."""
    for name in (*ARRAYS, *WORD_ARRAYS):
        if (array := getattr(split, name)) is not None:
            yield name, array


def _load_split_data(path: Path, split: str, summary: SplitSummary) -> SplitData:
    names = (*ARRAYS, *(WORD_ARRAYS if summary.words else ()))
    arrays = {name: _map_array(path / f"{split}.{name}.npy") for name in names}
    found = (len(arrays["rows"]), len(arrays["tokens"]), len(arrays["labels"]))
    expected = (summary.rows, summary.tokens, summary.words or summary.rows)
    if found != expected:
        raise InputError(
            f"{path}: split `{split}` should have {expected[0]} rows, {expected[1]} tokens and "
            f"{expected[2]} labels. Found {found[0]}, {found[1]} and {found[2]}."
        )
    return SplitData(**arrays, truncated=summary.truncated)


_NPY = b"\x93NUMPY"


def _map_array(path: Path) -> npt.NDArray[Any]:
    """Map a file; as a plain array, whose slices cost less than those of `np.memmap`."""
    try:
        with open_regular(path) as file:  # an archive is what `np.load` would open too
            if file.read(len(_NPY)) != _NPY:
                raise ValueError("something else")
        return np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
    except Exception as error:  # noqa: BLE001 (a damaged header raises nearly anything)
        raise InputError(f"{path}: the file should be a numpy array. Found: {error}.") from None


def _write(
    path: Path,
    splits: Mapping[str, SplitData],
    hashes: Mapping[str, npt.NDArray[np.uint64]],
    record: TaskDataRecord,
) -> None:
    """Write a folder beside `path` and rename it; under the lock of `path`."""
    for stale in path.parent.glob(f".{path.name}.*.part"):  # left by a process that died
        shutil.rmtree(stale)
    part = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
    try:
        for split, data in splits.items():
            for name, array in list_arrays(data):
                write_bytes(part / f"{split}.{name}.npy", _to_npy(array))
            write_bytes(part / f"{split}.{TEXTS}.npy", _to_npy(hashes[split]))
        plain = _to_plain_record(record)
        write_document(part / "data.json", DATA_SCHEMA, {**plain, "own": sign(plain)})
        part.chmod(path.parent.stat().st_mode & 0o777)  # mkdtemp's own is for one user only
        shutil.rmtree(path, ignore_errors=True)  # a damaged one
        part.rename(path)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _to_plain_record(record: TaskDataRecord) -> dict[str, Any]:
    """Return a record as JSON's types."""
    plain: dict[str, Any] = to_plain(record)
    return {**plain, "splits": {s: to_plain_summary(each) for s, each in record.splits.items()}}


def _to_npy(array: npt.NDArray[np.generic]) -> bytes:
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    return content.getvalue()


# Rows


def _sample(raw: Mapping[str, RawSplit], task: Task, settings: DataSettings) -> dict[str, RawSplit]:
    """Return the rows of each split that a study keeps, with held-out ones where it has some."""
    kept = {split: sample_rows(rows, task, split, settings) for split, rows in raw.items()}
    if settings.holdout is not None:
        kept["train"], held = hold_out(raw["train"], kept["train"], task, settings)
        parts = zip((HELD_OUT, JUDGED), split_by_use(held, task, settings), strict=True)
        kept |= {split: rows for split, rows in parts if len(rows)}
    return kept


def _load_learnable(task: Task, split: str, data_dir: Path | None) -> RawSplit:
    """Read a split; a training split whose rows all have the same label is refused."""
    rows = load_split(task, split, data_dir)
    if split == "train" and (rows.labels == rows.labels[0]).all():
        only = name_label(task, rows.labels[0])
        left_out = f" ({'; '.join(rows.notes)})" if rows.notes else ""
        raise InputError(
            f"Task `{task.name}`, split `train`: Parameter `label` should name a column with more "
            f"than one label. Found `{only}` alone in the {len(rows):,} rows of column "
            f"`{task.label}`{left_out}."
        )
    return rows


def hash_texts(rows: RawSplit) -> npt.NDArray[np.uint64]:
    """Return a number per row that rows of the same words share, case and spaces aside, [N]."""
    found = (
        "\0".join(" ".join(text.split()) for text in texts).casefold().encode("utf-8", "replace")
        for texts in zip(*rows.texts, strict=True)
    )
    numbers = (int.from_bytes(blake2b(text, digest_size=8).digest()) for text in found)
    return np.fromiter(numbers, np.uint64, len(rows))


def load_text_hashes(folder: Path, split: str) -> npt.NDArray[np.uint64]:
    """Return what `hash_texts` gave for a split of a folder that `prepare` made, [N]."""
    return _map_array(folder / f"{split}.{TEXTS}.npy")
