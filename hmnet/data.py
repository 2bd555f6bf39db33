"""Tokenised rows in flat, memory-mapped arrays, shared by every job of a study.

    <folder>/<task>-<10 hex>/
        train.tokens.npy  train.offsets.npy  train.first.npy  train.labels.npy  train.rows.npy  ...
        data.json                  written last: its presence means complete

- `prepare` finds a task's folder by what decides its content, or builds it: in a folder beside
  it, under a lock, renamed when complete. `load` needs only the folder, no tokenizer.
- Each distinct text is tokenised once, without special tokens; examples are then put together
  with numpy, by a template that is read off the tokenizer.

Legend: N examples, M tokens of a split in all, S segments (text columns) of an example.
"""

from __future__ import annotations

import io
import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from filelock import FileLock
from pydantic.dataclasses import dataclass as validated

from hmnet.errors import InputError, raise_problems
from hmnet.settings import STRICT, DataSettings
from hmnet.sources import RawSplit, load_split, source_key
from hmnet.storage import (
    canonical_json,
    digest,
    read_document,
    to_plain,
    write_bytes,
    write_document,
)
from hmnet.tasks import Task

T = TypeVar("T")
Ints = npt.NDArray[np.int64]
Tokens = npt.NDArray[np.int32]

DATA_SCHEMA = "task-data/1"
ARRAYS = ("tokens", "offsets", "first", "labels", "rows", "questions")
_TEXTS_PER_CALL = 4096  # bounds the memory of the tokenizer's own objects
_ROWS_PER_GATHER = 16384  # bounds the memory of the index that puts examples together


@dataclass(frozen=True)
class SplitData:
    """One tokenised split.

    Attributes:
        tokens: ids of all examples, one after the other, special tokens included, int32 [M].
        offsets: example i is `tokens[offsets[i]:offsets[i + 1]]`, int64 [N + 1].
        first: tokens of each example that have segment id 0 (the others have 1), int32 [N].
        labels: class codes (int64) or values (float32), [N].
        rows: row numbers in the source's split, int64 [N].
        questions: which question each answer belongs to, -1 where there is none, int64 [N].
        truncated: number of examples that lost tokens to the maximal length.
    """

    tokens: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]
    first: npt.NDArray[np.int32]
    labels: npt.NDArray[np.int64] | npt.NDArray[np.float32]
    rows: npt.NDArray[np.int64]
    questions: npt.NDArray[np.int64]
    truncated: int = 0

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each example, [N]."""
        return np.diff(self.offsets)


@dataclass(frozen=True)
class TaskData:
    """A task's tokenised splits.

    Attributes:
        task: the definition.
        splits: `train` and the dev splits, by our names.
        fingerprint: hash of all arrays and of the tokenizer; part of every run's identity.
        folder: where the arrays lie; what a worker process is given in place of them.
    """

    task: Task
    splits: Mapping[str, SplitData]
    fingerprint: str
    folder: Path | None = None

    @property
    def train(self) -> SplitData:
        """The training split."""
        return self.splits["train"]


@validated(frozen=True, config=STRICT)
class SplitSummary:
    """What a split holds (the paper's Table 4, and what the maximal length cost).

    Attributes:
        rows: examples, N.
        tokens: tokens of all examples, special tokens included, M.
        truncated: examples that lost tokens to the maximal length.
        median_tokens, p95_tokens, max_tokens: quantiles of the examples' lengths.
        label_counts: label to its number of examples; empty for a regression.
    """

    rows: int
    tokens: int
    truncated: int
    median_tokens: float
    p95_tokens: float
    max_tokens: int
    label_counts: Mapping[str, int]


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
    """

    task: str
    fingerprint: str
    tokenizer: str
    settings: DataSettings
    sources: Mapping[str, str]
    splits: Mapping[str, SplitSummary]


def prepare(
    task: Task,
    tokenizer: Any,
    settings: DataSettings,
    folder: Path,
    data_dir: Path | None = None,
) -> TaskData:
    """Return a task's tokenised splits from `folder`, tokenising them if they are not there.

    Args:
        tokenizer: a fast tokenizer of transformers.
        folder: holds a folder per task and content; may be shared by many processes.
        data_dir: see `hmnet.sources.load_split`.

    Raises:
        InputError: with the problems of all splits, or if the tokenizer is not a fast one.
        SourceError: if the hub repository cannot be loaded.
    """
    tokenizer_id = identify_tokenizer(tokenizer)
    sources = _map_splits(task, lambda split: source_key(task, split, data_dir))
    path = folder / f"{task.name}-{_content_key(task, sources, tokenizer_id, settings)[:10]}"
    if (found := _load_if_whole(path, task)) is not None:
        return found
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f".{path.name}.lock"):
        if (found := _load_if_whole(path, task)) is not None:  # built while we waited
            return found
        raw = _map_splits(task, lambda split: load_split(task, split, data_dir))
        splits = _tokenise_task(task, raw, tokenizer, settings)
        fingerprint = _fingerprint(splits, tokenizer_id, settings.max_length)
        summaries = {split: summarise(data, task) for split, data in splits.items()}
        record = TaskDataRecord(task.name, fingerprint, tokenizer_id, settings, sources, summaries)
        _write(path, splits, record)
    return load(path, task)


def load(path: Path, task: Task) -> TaskData:
    """Open a folder that `prepare` made; the arrays are memory-mapped and read-only.

    Raises:
        InputError: if it is not complete, is damaged, or holds another task.
    """
    record = read_document(path / "data.json", DATA_SCHEMA, TaskDataRecord)
    if (record.task, set(record.splits)) != (task.name, set(task.splits)):
        raise InputError(
            f"{path}: the folder should hold the splits {list(task.splits)} of task "
            f"`{task.name}`. Found {list(record.splits)} of `{record.task}`."
        )
    splits = {split: _load_split_data(path, split, record.splits[split]) for split in task.splits}
    return TaskData(task, splits, record.fingerprint, path)


def describe(data: TaskData) -> dict[str, dict[str, Any]]:
    """Return what each split holds (Table 4): split to rows, labels and token lengths.

    The keys are those of `SplitSummary`, and `truncated_frac`, the share of truncated examples.
    """
    summaries = {split: summarise(part, data.task) for split, part in data.splits.items()}
    return {
        split: {**to_plain(summary), "truncated_frac": summary.truncated / summary.rows}
        for split, summary in summaries.items()
    }


def summarise(data: SplitData, task: Task) -> SplitSummary:
    """Return counts and quantiles of one split."""
    median, p95 = np.quantile(data.lengths, (0.5, 0.95))
    return SplitSummary(
        rows=len(data),
        tokens=len(data.tokens),
        truncated=data.truncated,
        median_tokens=float(median),
        p95_tokens=float(p95),
        max_tokens=int(data.lengths.max()),
        label_counts=_count_labels(data, task),
    )


def _count_labels(data: SplitData, task: Task) -> dict[str, int]:
    if task.kind == "regression":
        return {}
    counts = np.bincount(data.labels.astype(np.int64), minlength=len(task.labels))
    return {str(label): int(count) for label, count in zip(task.labels, counts, strict=True)}


# Identity


def _content_key(
    task: Task, sources: Mapping[str, str], tokenizer_id: str, settings: DataSettings
) -> str:
    """Identify what a folder holds: all that decides its arrays, by where they come from."""
    definition = [task.name, task.text, task.label, task.kind, task.labels, task.question]
    parts = [DATA_SCHEMA, definition, sources, tokenizer_id, to_plain(settings)]
    return digest(canonical_json(parts))


def _fingerprint(splits: Mapping[str, SplitData], tokenizer_id: str, max_length: int) -> str:
    """Identify the arrays themselves, wherever their rows were read from."""
    parts: list[str | bytes] = [tokenizer_id, str(max_length)]
    for split in sorted(splits):
        for name in ARRAYS:
            array = getattr(splits[split], name)
            parts += [f"{split}.{name}:{array.dtype.str}", array.tobytes()]
    return digest(*parts)


def identify_tokenizer(tokenizer: Any) -> str:
    """Return 32 hex digits of all that decides a tokenizer's ids.

    Its truncation and padding do not count: they change with every call of it.

    Raises:
        InputError: if the tokenizer is not a fast one.
    """
    with _plain_backend(tokenizer) as backend:
        content = backend.to_str()
    segments = "token_type_ids" in tokenizer.model_input_names
    options = [segments, tokenizer.truncation_side, bool(tokenizer.split_special_tokens)]
    return digest(content, canonical_json(options))


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
        return load(path, task)
    except InputError:
        return None


def _load_split_data(path: Path, split: str, summary: SplitSummary) -> SplitData:
    arrays = {name: _map_array(path / f"{split}.{name}.npy") for name in ARRAYS}
    found = (len(arrays["labels"]), len(arrays["tokens"]))
    if found != (summary.rows, summary.tokens):
        raise InputError(
            f"{path}: split `{split}` should have {summary.rows} rows and {summary.tokens} "
            f"tokens. Found {found[0]} and {found[1]}."
        )
    return SplitData(**arrays, truncated=summary.truncated)


def _map_array(path: Path) -> npt.NDArray[Any]:
    """Map a file; as a plain array, whose slices cost less than those of `np.memmap`."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)  # type: ignore[no-any-return]
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: the file should be a numpy array. Found: {error}.") from None


def _write(path: Path, splits: Mapping[str, SplitData], record: TaskDataRecord) -> None:
    """Write a folder beside `path` and rename it; under the lock of `path`."""
    for stale in path.parent.glob(f".{path.name}.*.part"):  # left by a process that died
        shutil.rmtree(stale)
    part = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
    try:
        for split, data in splits.items():
            for name in ARRAYS:
                write_bytes(part / f"{split}.{name}.npy", _to_npy(getattr(data, name)))
        write_document(part / "data.json", DATA_SCHEMA, record)
        part.chmod(path.parent.stat().st_mode & 0o777)  # mkdtemp's own is for one user only
        shutil.rmtree(path, ignore_errors=True)  # a damaged one
        part.rename(path)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _to_npy(array: npt.NDArray[Any]) -> bytes:
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    return content.getvalue()


# Rows


def _tokenise_task(
    task: Task, raw: Mapping[str, RawSplit], tokenizer: Any, settings: DataSettings
) -> dict[str, SplitData]:
    sampled = {split: sample_rows(rows, task, split, settings) for split, rows in raw.items()}
    return {
        split: tokenise(rows, tokenizer, settings.max_length) for split, rows in sampled.items()
    }


def sample_rows(rows: RawSplit, task: Task, split: str, settings: DataSettings) -> RawSplit:
    """Return a random sample of at most `max_train` or `max_dev` rows, in their order.

    The sample depends on the seed, the task's name, the split and the number of rows alone.
    """
    most = settings.max_train if split == "train" else settings.max_dev
    if most is None or most >= len(rows):
        return rows
    seed = int(digest(str(settings.sample_seed), task.name, split), 16)
    chosen = np.random.default_rng(seed).choice(len(rows), size=most, replace=False)
    return rows.select(np.sort(chosen).astype(np.int64))


def tokenise(rows: RawSplit, tokenizer: Any, max_length: int) -> SplitData:
    """Tokenise the rows of one split.

    Special tokens stand where the tokenizer puts them for a pair; a third segment follows as the
    second follows the first. Truncation takes tokens from the longest segment first.

    Raises:
        InputError: if the tokenizer is not a fast one, or does not suit.
    """
    columns = rows.texts
    codes, texts = pd.factorize(np.array(list(itertools.chain(*columns)), dtype=object))
    with _plain_backend(tokenizer) as backend:
        template = _learn_template(tokenizer, backend, len(columns))
        flat, sizes = _encode(backend, texts.tolist())
    which = codes.reshape(len(columns), -1).T  # [N, S]
    lengths = sizes[which]
    kept = cut_longest(lengths, _budget(template, max_length))
    starts = (np.cumsum(sizes) - sizes)[which]
    if tokenizer.truncation_side == "left":
        starts = starts + lengths - kept
    tokens, offsets = _assemble(template, flat, starts, kept)
    first = template.first_specials + kept[:, : template.first_segments].sum(axis=1)
    return SplitData(
        tokens=tokens,
        offsets=offsets,
        first=first.astype(np.int32),
        labels=rows.labels,
        rows=rows.rows,
        questions=rows.questions,
        truncated=int((kept < lengths).any(axis=1).sum()),
    )


def _budget(template: Template, max_length: int) -> int:
    """Return the tokens that are left for the segments."""
    specials = sum(len(piece) for piece in template.specials)
    if specials >= max_length:
        raise InputError(
            f"Parameter `max_length` should be more than the {specials} special tokens of an "
            f"example. Found `{max_length}`."
        )
    return max_length - specials


def cut_longest(lengths: Ints, budget: int) -> Ints:
    """Return how many tokens each segment keeps, [N, S], at most `budget` an example.

    Tokens are taken from the longest segment until all fit: the shortest segment keeps all that
    is within its equal share of the budget, the next shortest its equal share of the rest, and
    so on. Of equally long segments, the later ones keep the odd tokens, as in the tokenizers'
    `longest_first`.

    Args:
        lengths: tokens of each segment, shape [N, S].
    """
    order = np.argsort(lengths, axis=1, kind="stable")
    kept = np.empty_like(lengths)
    rest = np.full(len(lengths), budget)
    segments = lengths.shape[1]
    for rank in range(segments):
        at = order[:, rank, None]
        share = rest // (segments - rank)
        keep = np.minimum(np.take_along_axis(lengths, at, axis=1)[:, 0], share)
        np.put_along_axis(kept, at, keep[:, None], axis=1)
        rest = rest - keep
    return kept


def _assemble(template: Template, flat: Tokens, starts: Ints, kept: Ints) -> tuple[Tokens, Ints]:
    """Put special tokens and segments together.

    Args:
        flat: tokens of all distinct texts, one after the other.
        starts: where each segment's tokens begin in it, [N, S].
        kept: how many of them to take, [N, S].

    Returns:
        The tokens of all examples, [M], and their offsets, [N + 1].
    """
    rows, segments = starts.shape
    sizes = np.array([len(piece) for piece in template.specials])
    stock = np.concatenate([*template.specials, flat])
    begins = np.empty((rows, 2 * segments + 1), dtype=np.int64)
    spans = np.empty_like(begins)
    begins[:, ::2], spans[:, ::2] = np.cumsum(sizes) - sizes, sizes
    begins[:, 1::2], spans[:, 1::2] = starts + sizes.sum(), kept
    offsets = np.concatenate([[0], np.cumsum(spans.sum(axis=1))])
    tokens = np.empty(offsets[-1], dtype=np.int32)
    for low in range(0, rows, _ROWS_PER_GATHER):
        high = min(low + _ROWS_PER_GATHER, rows)
        part = slice(offsets[low], offsets[high])
        tokens[part] = stock[_span_index(begins[low:high].ravel(), spans[low:high].ravel())]
    return tokens, offsets


def _span_index(begins: Ints, sizes: Ints) -> Ints:
    """Return the positions begin, begin + 1, ... of each span, one span after the other."""
    ends = np.cumsum(sizes)
    index: Ints = np.arange(ends[-1]) + np.repeat(begins - (ends - sizes), sizes)
    return index


# The tokenizer


@contextmanager
def _plain_backend(tokenizer: Any) -> Iterator[Any]:
    """Lend a tokenizer's backend without truncation and padding, and restore them.

    A saved tokenizer carries settings of its own, and every call of it leaves others behind.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise InputError(
            "Parameter `tokenizer` should be a fast tokenizer of transformers (one that has a "
            f"`tokenizer.json`). Found `{type(tokenizer).__name__}`."
        )
    backend = tokenizer.backend_tokenizer
    truncation, padding = backend.truncation, backend.padding
    split_special = backend.encode_special_tokens
    backend.no_truncation()
    backend.no_padding()
    backend.encode_special_tokens = tokenizer.split_special_tokens
    try:
        yield backend
    finally:
        backend.encode_special_tokens = split_special
        if truncation is not None:
            backend.enable_truncation(**truncation)
        if padding is not None:
            backend.enable_padding(**padding)


def _encode(backend: Any, texts: Sequence[str]) -> tuple[Tokens, Ints]:
    """Return the tokens of all texts, one after the other, and how many each has."""
    flats, sizes = [], []
    for low in range(0, len(texts), _TEXTS_PER_CALL):
        batch = texts[low : low + _TEXTS_PER_CALL]
        ids = [e.ids for e in backend.encode_batch_fast(batch, add_special_tokens=False)]
        sizes.append(np.fromiter(map(len, ids), np.int64, len(ids)))
        flats.append(np.fromiter(itertools.chain(*ids), np.int32, int(sizes[-1].sum())))
    return np.concatenate(flats), np.concatenate(sizes)


@dataclass(frozen=True)
class Template:
    """The special tokens around the S segments of an example.

    Attributes:
        specials: those before the first segment, between two, and after the last; S + 1 arrays.
        first_specials: how many of them have segment id 0.
        first_segments: how many segments have segment id 0.
    """

    specials: tuple[Tokens, ...]
    first_specials: int
    first_segments: int


def _learn_template(tokenizer: Any, backend: Any, segments: int) -> Template:
    """Read the template off the tokenizer's encoding of one text, or of a pair."""
    probe = backend.encode("a") if segments == 1 else backend.encode("a", "a")
    has_segments = "token_type_ids" in tokenizer.model_input_names
    kinds = np.array(probe.type_ids) if has_segments else np.zeros(len(probe.ids), dtype=np.int64)
    ids = np.array(probe.ids, dtype=np.int32)
    owners = np.array([-1 if owner is None else owner for owner in probe.sequence_ids])
    bounds = [np.flatnonzero(owners == segment) for segment in range(min(segments, 2))]
    if any(len(bound) == 0 for bound in bounds) or bounds[0][0] == 0:
        raise InputError(
            "Parameter `tokenizer` should begin an example with a special token, which the "
            f"encoder's head reads. Found tokens `{probe.tokens}` for the text `a`."
        )
    cuts = [0, *(i for bound in bounds for i in (bound[0], bound[-1] + 1)), len(ids)]
    pieces = [slice(cuts[i], cuts[i + 1]) for i in range(len(cuts) - 1)]
    specials = [ids[piece] for piece in pieces[::2]]
    special_kinds = [kinds[piece] for piece in pieces[::2]]
    segment_kinds = [int(kinds[bound[0]]) for bound in bounds]
    for _ in range(segments - 2):  # a third segment follows the second as that follows the first
        specials.insert(-1, specials[1])
        special_kinds.insert(-1, np.full_like(special_kinds[1], segment_kinds[1]))
        segment_kinds.append(segment_kinds[1])
    return _make_template(specials, special_kinds, segment_kinds)


def _make_template(
    specials: Sequence[Tokens], special_kinds: Sequence[Ints], segment_kinds: Sequence[int]
) -> Template:
    """Check that segment ids are zeros, then ones; they are stored as one number."""
    between = itertools.zip_longest(special_kinds, segment_kinds)
    order = [
        int(kind) for piece, own in between for kind in (*piece, *([] if own is None else [own]))
    ]
    if order != sorted(order) or not set(order) <= {0, 1}:
        raise InputError(
            "Parameter `tokenizer` should give segment ids that are 0 first and 1 then. "
            f"Found {order} for the special tokens and segments of an example."
        )
    first_specials = sum(int((piece == 0).sum()) for piece in special_kinds)
    return Template(tuple(specials), first_specials, segment_kinds.count(0))
