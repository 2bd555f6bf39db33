"""What a benchmark reports, and `results/latest.json`, the list of the last reports."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from hmnet.storage.files import write_bytes

RESULTS = Path(__file__).parent / "results" / "latest.json"


@dataclass(frozen=True)
class Entry:
    """One comparison.

    Attributes:
        name: `train_short`, `vocab`, ...
        ours, other: medians of the two sides.
        ratio: how many times better ours is.
        unit: of `ours` and `other`.
        what: what was measured, on what, against what.
    """

    name: str
    ours: float
    other: float
    ratio: float
    unit: str
    what: str


def write_entries(entries: Sequence[Entry], path: Path = RESULTS) -> None:
    """Write entries; those of the same name are replaced, the others are kept."""
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    names = {entry.name for entry in entries}
    rows = [row for row in kept if row["name"] not in names] + [asdict(e) for e in entries]
    rows.sort(key=lambda row: str(row["name"]))
    write_bytes(path, (json.dumps(rows, indent=2) + "\n").encode())


def format_entries(entries: Iterable[Entry]) -> str:
    """Return a table and, below it, what was measured."""
    entries = list(entries)
    lines = [f"{'name':12} {'ours':>12} {'other':>12} {'ratio':>7}  unit"]
    lines += [
        f"{e.name:12} {e.ours:12,.1f} {e.other:12,.1f} {e.ratio:7.2f}  {e.unit}" for e in entries
    ]
    return "\n".join([*lines, "", *(f"{entry.name}: {entry.what}" for entry in entries)])
