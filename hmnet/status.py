"""What an output folder holds and how far its runs are; takes no lock, at any time.

`relevance status` prints it from another terminal while a sweep runs, or after it was killed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hmnet.errors import InputError
from hmnet.outputs import Output
from hmnet.progress import format_seconds
from hmnet.progress_record import ProgressRecord
from hmnet.runs import FAILURE_SCHEMA, RUNNING_MARK, RunFailure
from hmnet.storage import read_document

MOST_FAILURES = 20


@dataclass(frozen=True)
class RunStates:
    """Run ids by state: finished, failed, begun by a process of now, or left unfinished."""

    done: tuple[str, ...]
    failed: tuple[str, ...]
    running: tuple[str, ...]
    unfinished: tuple[str, ...]


def find_states(folder: Path) -> RunStates:
    """Sort the runs of a store by what their folders hold."""
    states: dict[str, list[str]] = {"done": [], "failed": [], "running": [], "unfinished": []}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if (path / "spec.json").exists() or (path / "failure.json").exists():
            states[_find_state(path)].append(path.name)
    return RunStates(**{name: tuple(ids) for name, ids in states.items()})


def _find_state(path: Path) -> str:
    if (path / "result.json").exists():
        return "done"
    if (path / RUNNING_MARK).exists():
        return "running"
    return "failed" if (path / "failure.json").exists() else "unfinished"


def describe_status(output: Output) -> Iterator[str]:
    """Yield lines: stages, runs, the sweep under way, failed runs with their reasons."""
    yield str(output.folder)
    stages = _list_stages(output)
    width = max(len(path.name) for path, _ in stages)
    for path, command in stages:
        yield f"  {path.name:{width}}  {_describe_stage(path, command)}"
    states = find_states(output.runs.folder)
    yield (
        f"runs: {len(states.done)} done, {len(states.running)} begun, "
        f"{len(states.failed)} failed, {len(states.unfinished)} unfinished"
    )
    if (record := _read_progress(output)) is not None:
        yield _describe_sweep(record)
    yield from _describe_failures(output, states.failed)


def _list_stages(output: Output) -> list[tuple[Path, str]]:
    return [
        (output.vocab, "relevance vocab"),
        (output.pairwise, "relevance pairwise"),
        (output.groups, "relevance cluster"),
        (output.compare, "hmnet compare"),
        (output.report, "relevance report"),
    ]


def _describe_stage(path: Path, command: str) -> str:
    if not path.exists():
        return f"not yet: {command}"
    return f"written {datetime.fromtimestamp(path.stat().st_mtime):%Y-%m-%d %H:%M}"  # noqa: DTZ006


def _read_progress(output: Output) -> ProgressRecord | None:
    try:
        return ProgressRecord.read(output.progress) if output.progress.exists() else None
    except InputError:  # of another version
        return None


def _describe_sweep(record: ProgressRecord) -> str:
    line = f"last sweep: {record.cached + record.done} of {record.total} runs done"
    if record.failed:
        line += f", {record.failed} failed"
    if record.is_over:
        return f"{line}; it is over"
    if record.is_alive() is False:
        return f"{line}; its process {record.pid} is gone: the same command goes on"
    line += f", {record.tokens_per_s:,.0f} tokens/s"
    if record.seconds_left is not None:
        line += f", about {format_seconds(record.seconds_left)} left"
    return f"{line} (process {record.pid} on {record.host})"


def _describe_failures(output: Output, failed: tuple[str, ...]) -> Iterator[str]:
    for run_id in failed[:MOST_FAILURES]:
        path = output.runs.folder / run_id / "failure.json"
        yield f"failed: {run_id}: {read_document(path, FAILURE_SCHEMA, RunFailure).error}"
    if len(failed) > MOST_FAILURES:
        yield f"and {len(failed) - MOST_FAILURES} more"
