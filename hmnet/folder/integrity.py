"""Whether an output folder is whole: every file is read, and compared with its digest.

    for problem in verify(output): print(problem.text)

Only `discard_damaged` changes anything: it discards runs with problems, so that the next command
that needs them trains them again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hmnet.data.notes import NOTES_FILE
from hmnet.data.task_data import verify_folder
from hmnet.errors import InputError, raise_problems
from hmnet.folder.freshness import MOST_NAMED, find_stale
from hmnet.folder.outputs import Output
from hmnet.runs.result import check_files, read_result
from hmnet.runs.spec import read_spec
from hmnet.runs.store import RunStore
from hmnet.storage.digests import digest_file
from hmnet.storage.documents import read_json
from hmnet.storage.manifest import (
    MANIFEST_FILE,
    check_recorded,
    is_recorded,
    list_recorded,
    read_manifest,
)
from hmnet.storage.tables import read_parquet
from hmnet.study.hierarchy import Groups
from hmnet.study.study import load_study
from hmnet.study.study_origin import read_origin


@dataclass(frozen=True)
class Problem:
    """Something that is not as it was written.

    Attributes:
        text: a sentence that names the file.
        run: the folder of the run that it belongs to, if any.
    """

    text: str
    run: Path | None = None


def verify(output: Output) -> Iterator[Problem]:
    """Yield every problem of an output folder."""
    for path in _list_files(output):
        problems = list(_try(_find_check(path), path))
        yield from problems if os.path.lexists(path) else ()  # a command beside took it away
    yield from _try(lambda _: _check_manifest(output), output.folder / MANIFEST_FILE)
    if output.runs.folder.is_dir():
        for path in sorted(output.runs.folder.iterdir()):
            if (path / "result.json").exists():
                yield from _try(_check_run, path, run=path)
    if output.data.is_dir():
        for path in sorted(output.data.iterdir()):
            if path.is_dir() and not path.name.startswith("."):
                yield from _try(verify_folder, path)


def discard_damaged(problems: list[Problem]) -> list[str]:
    """Discard the runs with problems, so that they are trained again; return their ids.

    Each is looked at once more under its lock: a run that was being written is whole by now.
    """
    runs = sorted({problem.run for problem in problems if problem.run is not None})
    return [p.name for p in runs if RunStore(p.parent).discard(p.name, _is_damaged)]


def _is_damaged(path: Path) -> bool:
    return (path / "result.json").exists() and any(_try(_check_run, path))


def _try(check: Callable[[Path], object], path: Path, run: Path | None = None) -> Iterator[Problem]:
    try:
        check(path)
    except InputError as error:
        yield from (Problem(text, run) for text in error.problems)
    except OSError as error:  # a disk that fails is what this is for
        yield Problem(f"{error.filename or path}: the file cannot be read: {error.strerror}.", run)


def _find_check(path: Path) -> Callable[[Path], object]:
    """Return how a file of the output folder itself is read."""
    if path.name == "groups.json":
        return Groups.read
    if path.name == "study.toml":
        return load_study
    return {".json": read_json, ".parquet": read_parquet}.get(path.suffix, _accept)


def _list_files(output: Output) -> Iterator[Path]:
    """Yield the files of the output folder itself, and those of attention."""
    yield from sorted(output.folder.iterdir())
    yield from sorted(path for path in output.attention.rglob("*") if not path.is_dir())
    yield from (path for path in (output.data / NOTES_FILE,) if path.exists())


def _check_manifest(output: Output) -> None:
    """Compare the files that no other check reads with their digests."""
    read = {path for path in _list_files(output) if path.suffix in (".json", ".parquet")}
    problems: list[str] = []
    for path in list_recorded(output.folder):
        if path not in read:
            try:
                check_recorded(path)
            except InputError as error:
                problems += error.problems
    raise_problems(problems)


def describe_doubts(output: Output) -> Iterator[str]:
    """Yield what is said of a folder whose files are whole: which are stale, or in no manifest.

    Raises:
        InputError: if the manifest is not as it was written.
    """
    yield from _describe_study(output)
    yield from find_stale(output)
    if names := list_unrecorded(output):
        shown = ", ".join(names[:MOST_NAMED]) + (", ..." if len(names) > MOST_NAMED else "")
        yield f"not in the manifest, so not compared with what was written: {shown}"


def _describe_study(output: Output) -> Iterator[str]:
    """Yield that the study file is not as it was recorded: a person edited it, or a disk did."""
    origin, path = read_origin(output.folder), output.study_file
    if origin is not None and path.exists() and digest_file(path) != origin.copy:
        yield f"{path.name} was edited since it was recorded"


def list_unrecorded(output: Output) -> list[str]:
    """Return the files of an output folder that are in no manifest: older, or not ours.

    Raises:
        InputError: if the manifest is not as it was written.
    """
    names = [path.relative_to(output.folder).as_posix() for path in _list_files(output)]
    known = read_manifest(output.folder).files
    return [n for n in names if is_recorded(n) and n not in known and (output.folder / n).is_file()]


def _accept(path: Path) -> None:
    """Accept a file that no command reads."""


def _check_run(path: Path) -> None:
    spec = read_spec(path / "spec.json")
    if spec.run_id != path.name:
        raise InputError(
            f"{path}: the folder should have the name of its run, {spec.run_id}. Its spec.json "
            "was altered, or the folder was renamed."
        )
    result = read_result(path / "result.json")
    expected = {f"predictions/{name}.parquet": "" for name in spec.names}
    check_files(path, {**expected, **result.files})
