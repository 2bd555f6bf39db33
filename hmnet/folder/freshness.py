"""What a derived file was made from, and whether that is still so.

    with deriving(output, Sources("relevance cluster", files=note_files(output, output.pairwise))):
        groups.write(output.groups)
    find_stale(output, output.groups)        # empty until pairwise.parquet is another one

What a file was made from stands in the manifest (`hmnet.storage.manifest`): settings of the study,
other files, runs. A file is stale once one of them has changed. It is read all the same, and said
with the command that renews it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hmnet.errors import InputError, shorten
from hmnet.folder.outputs import Output
from hmnet.runs.result import read_outcome
from hmnet.storage.digests import canonical_json, digest, digest_file
from hmnet.storage.documents import to_plain
from hmnet.storage.manifest import Manifest, find_home, list_recorded, made_from, read_manifest
from hmnet.study.study import Study, load_study
from hmnet.study.tasks import PAPER_TASKS, Task, to_plain_task

MOST_NAMED = 4
STUDY_CHANGED = "study.toml has other settings now"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sources:
    """What a file was made from.

    Attributes:
        command: what makes it anew.
        study: setting to its value (`note_study`).
        files: file of the output folder to its digest, empty where there was none (`note_files`).
        runs: run id to what came out of it (`note_runs`).
    """

    command: str
    study: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    runs: Mapping[str, str] = field(default_factory=dict)


def deriving(sources: Sources) -> AbstractContextManager[None]:
    """Have what is written meanwhile recorded as made from `sources`."""
    return made_from(asdict(sources))


def note_study(
    output: Output, study: Study, parts: Iterable[str] = ("training", "rows")
) -> dict[str, Any]:
    """Return what of a study decides numbers: tasks, encoder, and the settings of `parts`.

    Seeds are not among it (the runs are known by name), nor is where rows lie: rows are known by
    their fingerprints, and folders may be moved.
    """
    found: dict[str, Any] = {"tasks": sorted(study.tasks), "revision": study.revision}
    found["model"] = _note_place(output, study.model)
    for part in parts:
        found |= {f"{part}.{key}": value for key, value in to_plain(getattr(study, part)).items()}
    return found | {f"task.{name}": _note_task(task) for name, task in study.tasks.items()}


def _note_place(output: Output, name: str) -> list[str]:
    """Return a hub id, or a folder's path and the one from the output folder: either may hold."""
    if not Path(name).exists():
        return [name]
    path = os.path.abspath(name)  # noqa: PTH100 (keeps links)
    return [path, os.path.relpath(path, output.folder.absolute())]


def _note_task(task: Task) -> str:
    plain = to_plain_task(task)
    return digest(canonical_json({**plain, "source": {**plain["source"], "folder": None}}))


def note_files(output: Output, *paths: Path) -> dict[str, str]:
    """Return files of the output folder with their digests; others are known by their path."""
    return {_name(output, path): _digest(path) for path in paths}


def note_runs(output: Output, run_ids: Iterable[str]) -> dict[str, str]:
    """Return what came out of each run (`hmnet.runs.result.read_outcome`)."""
    folder = output.runs.folder
    return {run_id: read_outcome(folder / run_id / "result.json") for run_id in sorted(run_ids)}


def _name(output: Output, path: Path) -> str:
    home = find_home(path)
    is_here = home is not None and home[0] == output.folder.absolute()
    return home[1] if home is not None and is_here else str(path.absolute())


def _digest(path: Path) -> str:
    try:
        return digest_file(path)
    except OSError:
        return ""


def find_stale(output: Output, *paths: Path) -> list[str]:
    """Return a sentence for each of some files that is stale; without paths, of all recorded.

    Raises:
        InputError: if the manifest is not as it was written.
    """
    judge = _Judge(output, read_manifest(output.folder))
    return [
        text for path in paths or list_recorded(output.folder) if (text := judge.describe(path))
    ]


def tell_stale(output: Output, *paths: Path) -> None:
    """Log which of some files are stale."""
    for text in find_stale(output, *paths):
        _LOG.warning("note: %s", text)


def is_measured_with(output: Output, path: Path, source: Path) -> bool:
    """Tell whether a file was made from another one as that is now; true where it is not known.

    False where `path` is not there.
    """
    if not path.exists():
        return False
    manifest, name = read_manifest(output.folder), _name(output, path)
    noted = manifest.find_sources(name, digest_file(path)).get("files", {})
    return bool(noted.get(_name(output, source), _digest(source)) == _digest(source))


class _Judge:
    """Judges files by a manifest; each file, run and setting is looked at once."""

    def __init__(self, output: Output, manifest: Manifest) -> None:
        self.output = output
        self.manifest = manifest
        self.outcomes: dict[str, str] = {}
        self.reasons: dict[str, list[str]] = {}
        self.study = _load_study(output)

    def describe(self, path: Path) -> str:
        """Return why a file is stale and what renews it; empty where it is not."""
        name = _name(self.output, path)
        reasons = self.judge(name)
        if not reasons:
            return ""
        command = self._find_sources(name).get("command", "")
        way = f" `{command}` makes it anew." if command else ""
        return f"{name} is out of date: {'; '.join(reasons)}.{way}"

    def judge(self, name: str) -> list[str]:
        """Return what has changed since a file was made."""
        if name not in self.reasons:
            self.reasons[name] = []  # a file that names itself is not asked twice
            sources = self._find_sources(name)
            self.reasons[name] = [
                *self._judge_study(sources.get("study", {})),
                *self._judge_files(sources.get("files", {})),
                *self._judge_runs(sources.get("runs", {})),
            ]
        return self.reasons[name]

    def _find_sources(self, name: str) -> Mapping[str, Any]:
        path = self.output.folder / name
        known = name in self.manifest.files and path.is_file()
        return self.manifest.find_sources(name, digest_file(path)) if known else {}

    def _judge_study(self, noted: Mapping[str, Any]) -> Iterator[str]:
        if self.study is None or not noted:
            return
        now = note_study(self.output, self.study) | _note_tasks(self.study)
        changed = [
            _describe_change(key, value, now.get(key))
            for key, value in noted.items()
            if not _is_same(value, now.get(key), is_place=key == "model")
        ]
        if changed:
            yield f"{STUDY_CHANGED}: {_list(changed)}"

    def _judge_files(self, noted: Mapping[str, str]) -> Iterator[str]:
        for name, was in noted.items():
            if _digest(self.output.folder / name) != was:
                yield f"{name} has changed since"
            elif self.judge(name):
                yield f"{name}, from which it was made, is out of date"

    def _judge_runs(self, noted: Mapping[str, str]) -> Iterator[str]:
        changed = [run for run, was in noted.items() if self._find_outcome(run) != was]
        if changed:
            yield f"{len(changed)} of its {len(noted)} runs are gone or have other numbers"

    def _find_outcome(self, run_id: str) -> str:
        if run_id not in self.outcomes:
            self.outcomes |= note_runs(self.output, [run_id])
        return self.outcomes[run_id]


def _load_study(output: Output) -> Study | None:
    try:
        return load_study(output.study_file) if output.study_file.exists() else None
    except InputError:  # said by whoever needs the file
        return None


def _note_tasks(study: Study) -> dict[str, str]:
    """Return every task that a study knows, whether or not it is among its own."""
    known = {**PAPER_TASKS, **study.unused, **study.tasks}
    return {f"task.{name}": _note_task(task) for name, task in known.items()}


def _describe_change(key: str, was: object, now: object) -> str:
    if key.startswith("task."):
        return f"task `{key.removeprefix('task.')}`"
    if key == "model":  # the path alone; the second one is that from the output folder
        was, now = (value[:1] if isinstance(value, list) else value for value in (was, now))
    return f"`{key}` ({shorten(_show(was))} to {shorten(_show(now))})"


def _is_same(was: object, now: object, *, is_place: bool) -> bool:
    if is_place and isinstance(was, list) and isinstance(now, list):
        return not set(was).isdisjoint(now)
    return canonical_json(was) == canonical_json(now)


def _show(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "none" if value is None else str(value)


def _list(texts: list[str]) -> str:
    more = f" and {len(texts) - MOST_NAMED} more" if len(texts) > MOST_NAMED else ""
    return ", ".join(texts[:MOST_NAMED]) + more
