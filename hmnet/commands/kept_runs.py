"""The runs of an output folder: what each is, what it takes on the disk, and their removal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

import pandas as pd

from hmnet.errors import InputError, raise_problems
from hmnet.folder.outputs import Output
from hmnet.jobs.processes import is_owner_alive
from hmnet.runs.result import read_result
from hmnet.runs.spec import read_spec
from hmnet.runs.store import RUNNING_MARK, RunStore

State: TypeAlias = Literal["done", "running", "failed", "unfinished"]
COLUMNS = ("run", "design", "state", "score", "MB", "written")


@dataclass(frozen=True)
class KeptRun:
    """A run's folder.

    Attributes:
        run: its id.
        design: what its tasks share.
        tasks: their names; empty where its spec cannot be read.
        score: mean of the tasks' primary metrics; NaN for a run that is not done.
        has_model: whether the trained model is there.
        disk_bytes: what its files take.
        written: when it was last written.
    """

    run: str
    design: str
    tasks: tuple[str, ...]
    state: State
    score: float
    has_model: bool
    disk_bytes: int
    written: datetime


def list_runs(output: Output, prefix: str = "") -> list[KeptRun]:
    """Return the runs whose id begins with a prefix, by id."""
    folder = output.runs.folder
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    return [
        _look_at(path)
        for path in paths
        if path.is_dir() and path.name.startswith(prefix) and path.name[0] != "."
    ]


def _look_at(path: Path) -> KeptRun:
    try:
        spec = read_spec(path / "spec.json")
    except InputError:
        spec = None
    files = [file for file in path.rglob("*") if file.is_file() and not file.is_symlink()]
    return KeptRun(
        run=path.name,
        design="unreadable" if spec is None else spec.describe(),
        tasks=() if spec is None else spec.names,
        state=_find_run_state(path),
        score=_read_score(path),
        has_model=(path / "model" / "hmnet.json").exists(),
        disk_bytes=sum(file.stat().st_size for file in files),
        written=datetime.fromtimestamp(path.stat().st_mtime),  # noqa: DTZ006 (for people)
    )


def _find_run_state(path: Path) -> State:
    mark = path / RUNNING_MARK
    if mark.exists() and is_owner_alive(mark) is not False:
        return "running"
    if (path / "result.json").exists():
        return "done"
    return "failed" if (path / "failure.json").exists() else "unfinished"


def _read_score(path: Path) -> float:
    try:
        primary = read_result(path / "result.json").primary.values()
    except InputError:
        return math.nan
    return sum(primary) / len(primary)


def describe_runs(runs: Sequence[KeptRun]) -> Iterator[str]:
    """Yield a table of runs, 80 columns wide where ids are short, and what they take in all."""
    if not runs:
        yield "no run"
        return
    rows = [
        (
            each.run,
            each.design,
            each.state + (", model" if each.has_model else ""),
            "" if math.isnan(each.score) else f"{each.score:.3f}",
            f"{each.disk_bytes / 1e6:,.2f}",
            f"{each.written:%m-%d %H:%M}",
        )
        for each in runs
    ]
    yield pd.DataFrame(rows, columns=list(COLUMNS)).to_string(index=False)
    total = sum(each.disk_bytes for each in runs)
    yield f"{len(runs)} runs, {total / 1e6:,.1f} MB; score: mean of the tasks' primary metrics"


def choose_runs(output: Output, names: Sequence[str], *, unfinished: bool = False) -> list[KeptRun]:
    """Return the runs that are named, by id or the start of it, and those that are not done.

    Args:
        unfinished: also every run that failed or was cut off.

    Raises:
        InputError: for every name that fits no run; if one that is chosen is being done.
    """
    known = list_runs(output)
    raise_problems(
        f"Parameter `run` should name runs in {output.runs.folder}, by id or the start of it. "
        f"Found `{name}`, which fits none; `hmnet list` lists them."
        for name in names
        if not any(each.run.startswith(name) for each in known)
    )
    chosen = [
        each
        for each in known
        if any(each.run.startswith(name) for name in names)
        or (unfinished and each.state in ("failed", "unfinished"))
    ]
    raise_problems(
        f"Run `{each.run}` should not be under way. Found a process at it: stop that, or wait."
        for each in chosen
        if each.state == "running"
    )
    return chosen


def remove_runs(output: Output, runs: Sequence[KeptRun]) -> Iterator[str]:
    """Remove runs; whatever was made from them is said to be out of date from then on.

    Raises:
        BusyError: if a process began one of them meanwhile; those before it are gone.
    """
    store = RunStore(output.runs.folder)
    for each in runs:
        store.remove(each.run)
        yield f"removed {each.run}"
    total = sum(each.disk_bytes for each in runs)
    yield f"{len(runs)} runs, {total / 1e6:,.1f} MB; a command that needs them does them again"


def refuse_unasked(count: int) -> None:
    """Refuse a removal that nobody can be asked about.

    Raises:
        InputError: always.
    """
    raise InputError(
        f"Parameter `yes` should be given where no terminal is there to ask. Found {count} runs to "
        "remove: `--yes` removes them."
    )
