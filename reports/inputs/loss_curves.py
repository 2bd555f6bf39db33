"""Loss curves of runs, thinned for a picture."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from hmnet.storage.limits import MAX_LOSSES_BYTES, LimitError
from hmnet.storage.regular_files import read_regular_text
from reports.inputs.run_index import RunIndex, RunKind, RunRecord
from reports.style.formatting import count_noun

CURVE_POINTS = 48
MOST_LINES = 6
"""Most kinds of run whose curves are drawn; a sweep over layers may have many more."""


@dataclass(frozen=True, eq=False)
class Curve:
    """A task's training loss in one run, averaged over equal stretches of the run.

    Attributes:
        run_id: the run.
        kind: how its tasks share layers.
        label: what to call the run in a legend.
        progress: share of the run's steps done, at the middle of each stretch; shape [P].
        loss: mean training loss in the stretch, shape [P].
    """

    run_id: str
    kind: RunKind
    label: str
    progress: npt.NDArray[np.float64]
    loss: npt.NDArray[np.float64]


def read_curves(index: RunIndex) -> dict[str, list[Curve]]:
    """Return task to its loss curves: single, multi-task and hierarchical runs of one seed.

    Pairs are left out: a study has too many of them to be seen in a picture.
    """
    found: dict[str, list[Curve]] = {}
    for record, label in _choose_curves(index):
        for task, progress, loss in _read_losses(record.folder / "metrics.jsonl"):
            curve = Curve(record.run_id, record.kind, label, progress, loss)
            found.setdefault(task, []).append(curve)
    return found


def _choose_curves(index: RunIndex) -> Iterator[tuple[RunRecord, str]]:
    """Yield each run to draw with its label: the lowest seed of each configuration."""
    seen: dict[object, str] = {}
    for record in sorted(index.done, key=lambda r: (r.spec.seed, r.run_id)):
        spec = record.spec
        shared = (str(spec.varied), spec.groups, spec.duplicate, spec.stages, spec.start_from)
        key = (spec.names, spec.system, *shared)
        if record.kind in ("pair", "sequential") or key in seen:
            continue
        label = label_run(record)
        if len({label, *seen.values()}) <= MOST_LINES:
            seen[key] = label
            yield record, label


def label_run(record: RunRecord) -> str:
    """Return what to call a run: how it shares layers."""
    if record.kind != "hierarchical":
        return record.kind
    suffix = "" if record.spec.duplicate == "layer" else f", {record.spec.duplicate}"
    groups = count_noun(len(record.spec.groups), "group")
    shown = " to ".join(f"{{{each}}}" for each in record.spec.list_hierarchies())
    return f"hierarchical {shown}, {groups}{suffix}"


def _read_losses(
    path: Path,
) -> Iterator[tuple[str, npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
    lines = _read_lines(path)
    if not lines:
        return
    frame = pd.DataFrame(lines, columns=["step", "task", "loss"])
    steps = float(frame["step"].max()) + 1
    for task, rows in frame.groupby("task"):
        parts = np.array_split(np.arange(len(rows)), min(CURVE_POINTS, len(rows)))
        progress = rows["step"].to_numpy(np.float64) / steps
        loss = rows["loss"].to_numpy(np.float64)
        yield str(task), _average(progress, parts), _average(loss, parts)


def _average(
    values: npt.NDArray[np.float64], parts: Sequence[npt.NDArray[np.intp]]
) -> npt.NDArray[np.float64]:
    return np.array([values[part].mean() for part in parts])


def _read_lines(path: Path) -> list[tuple[int, str, float]]:
    """Return step, task and loss of every line; a killed run may leave half of one."""
    if not path.exists():
        return []
    try:
        lines = read_regular_text(path, MAX_LOSSES_BYTES, "replace").splitlines()
    except (OSError, LimitError):  # of a run that is not done; files of done ones are checked
        return []
    return [entry for line in lines if (entry := _read_line(line)) is not None]


def _read_line(line: str) -> tuple[int, str, float] | None:
    try:
        entry = json.loads(line)
        return int(entry["step"]), str(entry["task"]), float(entry["loss"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
