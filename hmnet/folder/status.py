"""What an output folder holds and how far its runs are; takes no lock, at any time.

`relevance status` prints it from another terminal while a sweep runs, or after it was killed.
"""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hmnet.errors import InputError, shorten
from hmnet.folder.freshness import find_stale
from hmnet.folder.outputs import Output, find_output_folder
from hmnet.jobs.processes import is_owner_alive
from hmnet.jobs.progress_file import SILENT_S, ProgressRecord, list_records
from hmnet.jobs.progress_line import format_seconds
from hmnet.runs.result import FAILURE_SCHEMA, RunFailure
from hmnet.runs.store import RUNNING_MARK
from hmnet.storage.documents import read_document

MOST_FAILURES = 20
MOST_BEGUN = 8


@dataclass(frozen=True)
class RunStates:
    """Run ids by state: finished, failed, begun (a process is at work), or left unfinished."""

    done: tuple[str, ...]
    failed: tuple[str, ...]
    running: tuple[str, ...]
    unfinished: tuple[str, ...]


@dataclass(frozen=True)
class StageFile:
    """A file of the output folder and the command that writes it.

    Attributes:
        is_optional: whether it is named only where it is there.
    """

    path: Path
    command: str
    is_optional: bool = False


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


def describe_status(output: Output, matrices: Sequence[StageFile] = ()) -> Iterator[str]:
    """Yield lines: stages, runs, the sweep under way, failed runs with their reasons.

    Text from files is shortened to one line and stripped of control characters, so that no file can
    send commands to the terminal.

    Args:
        matrices: the measures' files, which stand before the groups that are made from them.
    """
    yield from map(_make_printable, _describe(output, matrices))


def _describe(output: Output, matrices: Sequence[StageFile]) -> Iterator[str]:
    yield str(output.folder)
    stages = _list_stages(output, matrices)
    width = max(len(stage.path.name) for stage in stages)
    for stage in stages:
        yield f"  {stage.path.name:{width}}  {_describe_stage(stage)}"
    yield from _describe_stale(output)
    states = find_states(output.runs.folder)
    yield (
        f"runs: {len(states.done)} done, {len(states.running)} begun, "
        f"{len(states.failed)} failed, {len(states.unfinished)} unfinished"
    )
    records = _read_records(output)
    for each, age_s in records:
        yield _describe_sweep(each, age_s)
    record = _find_current(records)
    yield from _describe_begun(output, record, states.running)
    yield from _describe_failures(output, states.failed)
    yield f"next: {_find_next(output, stages, states, record)}"


def _describe_stale(output: Output) -> list[str]:
    try:
        return find_stale(output)
    except InputError as error:
        return list(error.problems)


def _list_stages(output: Output, matrices: Sequence[StageFile]) -> list[StageFile]:
    """Return every stage in the order of its making, without optional ones that are not there."""
    return [
        *(stage for stage in matrices if not stage.is_optional or stage.path.exists()),
        StageFile(output.groups, "relevance cluster"),
        StageFile(output.compare, "hmnet compare"),
        StageFile(output.report, "relevance report"),
    ]


def _describe_stage(stage: StageFile) -> str:
    if not stage.path.exists():
        return f"not yet: {stage.command}"
    written = datetime.fromtimestamp(stage.path.stat().st_mtime)  # noqa: DTZ006
    return f"written {written:%Y-%m-%d %H:%M}"


def _read_records(output: Output) -> list[tuple[ProgressRecord, float]]:
    """Return what sweeps recorded and how many seconds ago; none of another version."""
    found = []
    for path in list_records(output.progress):
        with contextlib.suppress(InputError, OSError):
            age_s = max(time.time() - path.stat().st_mtime, 0.0)
            found.append((ProgressRecord.read(path), age_s))
    return found


def _find_current(records: list[tuple[ProgressRecord, float]]) -> ProgressRecord | None:
    """Return a sweep that is running, else one that may be on another host, else the last."""
    ranks = [(not each.is_alive(), not _may_run(each, age_s)) for each, age_s in records]
    return records[ranks.index(min(ranks))][0] if records else None


def _may_run(record: ProgressRecord, age_s: float) -> bool:
    """Tell whether a sweep of another host, whose processes cannot be seen, has written lately."""
    return record.is_alive() is None and age_s < SILENT_S


def _find_next(
    output: Output,
    stages: list[StageFile],
    states: RunStates,
    record: ProgressRecord | None,
) -> str:
    """Return what to do now, in words or as a command."""
    if record is not None and record.is_alive():
        return "wait; the sweep is running"
    again = (record.command if record is not None else "") or "the same command again"
    if record is not None and record.is_alive() is None:
        return f"look on {record.host}; where the sweep has stopped there, {again} goes on"
    if record is not None and not record.is_over:
        return f"{again} (goes on where the sweep was stopped)"
    if states.failed:
        return f"{again} (tries the failed runs again)"
    missing = [stage.command for stage in stages if not stage.path.exists()]
    if missing:
        return missing[0] + _name_folder(output)
    if _is_stale(output.report, [stage.path for stage in stages]):
        return f"relevance report{_name_folder(output)} (the report is older than the numbers)"
    return f"open {output.report}"


def _is_stale(report: Path, stages: list[Path]) -> bool:
    written = report.stat().st_mtime
    return any(path.stat().st_mtime > written for path in stages if path != report)


def _name_folder(output: Output) -> str:
    """Return the option that names the folder, where it is not the default one."""
    is_default = output.folder == find_output_folder()
    return "" if is_default else f" --out {shlex.quote(str(output.folder))}"


def _describe_sweep(record: ProgressRecord, age_s: float) -> str:
    missing = record.total - record.cached - record.done - record.failed
    line = f"last sweep: {record.cached + record.done} of {record.total} runs done"
    if record.failed:
        line += f", {record.failed} failed"
    if missing:
        line += f", {missing} to come"
    if record.is_over:
        return f"{line}; it is over"
    if record.is_alive() is False:
        return f"{line}; its process {record.pid} is gone: the same command goes on"
    where = f"process {record.pid} on {record.host}"
    if record.is_alive() is None:
        where += ", which cannot be looked at from here"
        if not _may_run(record, age_s):
            return f"{line}; nothing was said for {format_seconds(age_s)} ({where})"
    line += f", {record.tokens_per_s:,.0f} tokens/s"
    if record.seconds_left is not None:
        line += f", about {format_seconds(max(record.seconds_left - age_s, 0.0))} left"
    return f"{line} ({where})"


def _describe_begun(
    output: Output, record: ProgressRecord | None, begun: tuple[str, ...]
) -> Iterator[str]:
    """Yield the runs that a process has marked as begun: under way, or cut off with it.

    Where that process cannot be seen from here, the sweep's own speaks for it.
    """
    words: dict[str, list[str]] = {}
    for run_id in begun:
        alive = is_owner_alive(output.runs.folder / run_id / RUNNING_MARK)
        alive = record.is_alive() if alive is None and record is not None else alive
        words.setdefault("cut off" if alive is False else "under way", []).append(run_id)
    for word, found in words.items():
        more = f" and {len(found) - MOST_BEGUN} more" if len(found) > MOST_BEGUN else ""
        yield f"{word}: {', '.join(found[:MOST_BEGUN])}{more}"


def _describe_failures(output: Output, failed: tuple[str, ...]) -> Iterator[str]:
    for run_id in failed[:MOST_FAILURES]:
        path = output.runs.folder / run_id / "failure.json"
        yield f"failed: {run_id}: {_read_reason(path)}"
    if len(failed) > MOST_FAILURES:
        yield f"and {len(failed) - MOST_FAILURES} more"


def _read_reason(path: Path) -> str:
    """Return an error as one short line."""
    try:
        error = read_document(path, FAILURE_SCHEMA, RunFailure).error
    except InputError as problem:
        error = str(problem)
    line = " ".join(error.split()) or "no reason given"
    return shorten(line)


def _make_printable(line: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
