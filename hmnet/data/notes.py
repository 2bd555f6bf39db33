"""What is odd about the rows that were prepared last, kept beside them for the report."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from pydantic.dataclasses import dataclass

from hmnet.storage.documents import read_document, write_document
from hmnet.study.settings import STRICT

NOTES_SCHEMA = "data-notes/1"
NOTES_FILE = "notes.json"
"""In the folder of tokenised rows."""


@dataclass(frozen=True, config=STRICT)
class DataNotes:
    """The document `notes.json`: a sentence for each oddity of the rows."""

    notes: tuple[str, ...]


def write_notes(folder: Path, notes: Sequence[str]) -> None:
    """Write the notes beside the rows in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_document(folder / NOTES_FILE, NOTES_SCHEMA, DataNotes(tuple(notes)))


def tell_notes(notes: Sequence[str], folder: Path) -> None:
    """Log each note as a warning, once in a process and for each folder of rows."""
    for text in notes:
        if (folder, text) not in _TOLD:
            _TOLD.add((folder, text))
            _LOG.warning("note: %s", text)


_TOLD: set[tuple[Path, str]] = set()
_LOG = logging.getLogger(__name__)


def read_notes(path: Path) -> tuple[str, ...]:
    """Read the notes of a file that `write_notes` wrote."""
    return read_document(path, NOTES_SCHEMA, DataNotes).notes
