"""Rows of a repository on the hub, or of a local folder laid out like one.

- The hub is asked once; where it cannot be reached, a copy in the cache does, if it is of the
  pinned revision.
- Every error says how to go on without the hub.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pandas as pd
import pyarrow as pa

from hmnet.data.rows import Rows, list_needed
from hmnet.errors import InputError, SourceError, first_line
from hmnet.study.tasks import Source, Task

if TYPE_CHECKING:
    from datasets import Dataset

_HUB_TIMEOUT_S = 10.0
_COMMIT = re.compile(r"[0-9a-f]{40}")


def describe_repository(task: Task) -> str:
    """Return a task's repository and configuration, as a message names them."""
    parts = (task.source.repository, task.source.config, task.source.data_dir)
    return ", ".join(part for part in parts if part)


def find_local_repository(task: Task) -> Path | None:
    """Return the local folder that stands for a task's repository, or None for the hub."""
    folder = Path(task.source.repository or "").expanduser()
    return folder.absolute() if task.source.repository and folder.is_dir() else None


def read_hub(task: Task, split: str) -> Rows:
    """Read the columns that a task needs from its repository.

    Args:
        split: our name of the split, a key of `task.splits`.

    Raises:
        SourceError: if the repository cannot be loaded.
    """
    import datasets

    source, folder = task.source, find_local_repository(task)
    obstacle = None if folder else _find_obstacle(task)
    try:
        with _offline(obstacle is not None):
            dataset = datasets.load_dataset(
                str(folder or source.repository),
                source.config,
                split=task.splits[split],
                data_dir=source.data_dir,
                revision=None if folder else source.revision,
            )
    except Exception as error:  # noqa: BLE001  datasets and the hub's client raise many kinds
        _raise_source_error(task, split, error, obstacle)
    if obstacle is not None:
        _check_cached_revision(task, dataset)
    return _to_rows(dataset, task)


def read_repository(repository: str, config: str | None = None) -> dict[str, pd.DataFrame]:
    """Return the training rows and one dev split of a repository, classes by their names.

    Raises:
        SourceError: if it cannot be loaded, or has no training split.
    """
    import datasets

    source = Source(repository, config)
    task = Task("rows", ("text",), labels=(0, 1), source=source)
    obstacle = _find_obstacle(task)
    try:
        with _offline(obstacle is not None):
            found = datasets.load_dataset(repository, config)
    except Exception as error:  # noqa: BLE001  datasets and the hub's client raise many kinds
        _raise_source_error(task, "train", error, obstacle)
    splits = [str(split) for split in found]
    if "train" not in splits:
        raise SourceError(f"`{repository}` should have a split `train`. Found {splits}.")
    dev = sorted(
        (split for split in splits if split.startswith(("val", "dev", "test"))),
        key=lambda split: (split.startswith("test"), splits.index(split)),
    )
    return {
        "train": _name_classes(found["train"]),
        **({"validation": _name_classes(found[dev[0]])} if dev else {}),
    }


def _name_classes(dataset: Dataset) -> pd.DataFrame:
    """Return a split's columns, classes by their names; a hidden label, -1, becomes none."""
    import datasets

    frame = pd.DataFrame(dataset.to_pandas())
    for column, feature in dataset.features.items():
        if isinstance(feature, datasets.ClassLabel):
            names = dict(enumerate(map(str, feature.names)))
            frame[column] = frame[column].map(names)
    return frame


def read_saved_dataset(folder: Path, task: Task, where: str) -> Rows:
    """Read the columns that a task needs from a folder that `Dataset.save_to_disk` wrote.

    Args:
        where: how an error names the folder.

    Raises:
        InputError: if the folder is damaged.
    """
    import datasets

    try:
        return _to_rows(datasets.load_from_disk(str(folder)), task)
    except Exception as error:  # datasets and arrow raise many kinds
        raise InputError(
            f"{where}: the folder should be one that `save_to_disk` of datasets wrote. Found: "
            f"{first_line(error)}"
        ) from error


def _to_rows(dataset: Dataset, task: Task) -> Rows:
    import datasets

    names = tuple(dataset.column_names)
    feature = dataset.features.get(task.label)
    feature = getattr(feature, "feature", feature)  # of each of a list
    class_names = (
        tuple(map(str, feature.names)) if isinstance(feature, datasets.ClassLabel) else None
    )
    needed = list_needed(names, (*task.text, *task.label_columns, *task.question))
    table = dataset.select_columns(needed).with_format("arrow")[:] if needed else pa.table({})
    return Rows(table, names, class_names=class_names)


def _find_obstacle(task: Task) -> str | None:
    """Ask the hub for the repository once, because `datasets` would retry for half a minute.

    Returns:
        What is in the way of reaching the hub, or None.

    Raises:
        SourceError: if the hub answers that there is no such repository or revision.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    repository, revision = task.source.repository, task.source.revision
    try:
        HfApi().dataset_info(str(repository), revision=revision, timeout=_HUB_TIMEOUT_S)
    except (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError) as error:
        raise SourceError(
            f"Task `{task.name}`: Parameter `source` should name a local folder, or a repository "
            f"and revision on the hub that can be read. Found `{repository}` at `{revision}`: "
            f"{type(error).__name__}. {_go_on(task)}"
        ) from error
    except HfHubHTTPError:  # the hub is there but busy: `datasets` knows how to retry
        return None
    except Exception as error:  # noqa: BLE001  no network, offline mode: perhaps there is a copy
        return type(error).__name__
    return None


@contextmanager
def _offline(is_offline: bool) -> Iterator[None]:
    """Let `datasets` look into its cache only."""
    import datasets

    previous = datasets.config.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = previous or is_offline
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = previous


def _check_cached_revision(task: Task, dataset: Dataset) -> None:
    """Refuse a cached copy of another revision, which `datasets` takes when it is offline."""
    revision = task.source.revision or ""
    found = {Path(file["filename"]).parent.name for file in dataset.cache_files}
    if _COMMIT.fullmatch(revision) and found != {revision}:
        raise SourceError(
            f"Task `{task.name}`: the hub could not be reached, and the copy of "
            f"`{task.source.repository}` in the cache should be of revision `{revision}`. "
            f"Found `{', '.join(sorted(found))}`. {_go_on(task)}"
        )


def _raise_source_error(task: Task, split: str, error: Exception, obstacle: str | None) -> NoReturn:
    where = f"Task `{task.name}`, split `{split}`: `{describe_repository(task)}`"
    if "scripts are no longer supported" in str(error):
        raise SourceError(
            f"{where} is loaded by a script, and scripts are not run. Set the source's `revision` "
            "to `refs/convert/parquet`, the hub's own parquet conversion, or go on with "
            "`--data DIR`."
        ) from error
    if obstacle is not None:
        raise SourceError(
            f"{where} could not be loaded: the hub could not be reached ({obstacle}), and the "
            f"cache holds no copy of it. {_go_on(task)}"
        ) from error
    raise SourceError(
        f"{where} could not be loaded. {first_line(error).rstrip('.')}. {_go_on(task)}"
    ) from error


def _go_on(task: Task) -> str:
    return (
        f"Go on with `--data DIR`, which reads DIR/{task.name}/train.parquet (or csv, jsonl) and "
        "so on, or try `relevance demo`, which needs no network."
    )
