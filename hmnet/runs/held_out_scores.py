"""How a run scores on training rows that were held out for choosing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic.dataclasses import dataclass

from hmnet.storage.documents import read_document, write_document
from hmnet.study.settings import STRICT

HELD_OUT_SCHEMA = "held-out/1"
HELD_OUT_FILE = "held-out.json"


@dataclass(frozen=True, config=STRICT)
class HeldOutScores:
    """The document `held-out.json` of a run whose tasks have rows that are held out for choosing.

    Attributes:
        scores: task to its primary metric on these rows, at the end.
    """

    scores: Mapping[str, float]


def write_held_out(folder: Path, scores: Mapping[str, float]) -> None:
    """Write the document into a run's folder; nothing without scores."""
    if scores:
        write_document(folder / HELD_OUT_FILE, HELD_OUT_SCHEMA, HeldOutScores(scores))


def read_held_out(folder: Path) -> Mapping[str, float]:
    """Return a run's scores on held-out rows; none where there is no document.

    Raises:
        InputError: as in `read_document`.
    """
    path = folder / HELD_OUT_FILE
    if not path.exists():
        return {}
    return read_document(path, HELD_OUT_SCHEMA, HeldOutScores).scores
