"""At which epoch a run's tasks stopped, and how they were scored after each one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic.dataclasses import dataclass

from hmnet.storage.documents import read_document, write_document
from hmnet.study.settings import STRICT

STOPPING_SCHEMA = "stopping/1"
STOPPING_FILE = "stopping.json"


@dataclass(frozen=True, config=STRICT)
class Stopping:
    """The document `stopping.json` of a run with a stopping point per task.

    Attributes:
        scores: task to its primary metric on held-out training rows after each epoch.
        epochs: task to the number of the epoch whose path it has, from 1.
    """

    scores: Mapping[str, tuple[float, ...]]
    epochs: Mapping[str, int]


def write_stopping(folder: Path, stopping: Stopping) -> None:
    """Write the document into a run's folder."""
    write_document(folder / STOPPING_FILE, STOPPING_SCHEMA, stopping)


def read_stopping(folder: Path) -> Stopping | None:
    """Read a run's document; None where its tasks went on to the end.

    Raises:
        InputError: as in `read_document`.
    """
    path = folder / STOPPING_FILE
    return read_document(path, STOPPING_SCHEMA, Stopping) if path.exists() else None
