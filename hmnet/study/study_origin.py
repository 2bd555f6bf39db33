"""Where the study of an output folder came from, so that a later edit of that file is seen.

Paths inside of the project are recorded relative to the output folder: a project folder may be
moved, renamed or copied to another machine.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic.dataclasses import dataclass

from hmnet.storage.digests import digest_file
from hmnet.storage.documents import read_document, write_document
from hmnet.study.settings import STRICT

if TYPE_CHECKING:
    from hmnet.study.study_file import Setting, Table

ORIGIN_SCHEMA = "study-origin/1"
ORIGIN_FILE = "study-origin.json"


@dataclass(frozen=True, config=STRICT)
class StudyOrigin:
    """The document `study-origin.json`.

    Attributes:
        file: the study file that was recorded, relative to the output folder where the project
            holds both; None where there was none.
        digest: of that file, when it was recorded.
        copy: digest of the recorded study file.
        flags: what was laid over the file, as nested tables; paths are written as in `file`.
    """

    file: str | None
    digest: str | None
    copy: str
    flags: Mapping[str, Any]

    def find_file(self, out: Path) -> Path | None:
        """Return the file that was recorded, if it is still there."""
        path = None if self.file is None else out / self.file
        return path if path is not None and path.is_file() else None


def write_origin(
    out: Path, source: Path | None, recorded: Path, flags: Mapping[str, Setting]
) -> None:
    """Note in an output folder which file its recorded study came from."""
    project = find_project(out, source)
    origin = StudyOrigin(
        file=None if source is None else relate(str(source), out, project),
        digest=None if source is None else digest_file(source),
        copy=digest_file(recorded),
        flags=relate_paths(flags, out, project),
    )
    write_document(out / ORIGIN_FILE, ORIGIN_SCHEMA, origin)


def read_origin(out: Path) -> StudyOrigin | None:
    """Return where an output folder's study came from; None in a folder of an older version."""
    path = out / ORIGIN_FILE
    return read_document(path, ORIGIN_SCHEMA, StudyOrigin) if path.exists() else None


def find_project(out: Path, source: Path | None) -> Path:
    """Return the folder that moves as a whole: the study file's, or the working directory.

    Where that does not hold the output folder, it is the folder around the output folder.
    """
    folder = Path.cwd() if source is None else _absolute(source).parent
    inside = _absolute(out)
    return folder if inside.is_relative_to(folder) else inside.parent


def relate_paths(content: Mapping[str, Setting], base: Path, project: Path) -> Table:
    """Return a study's tables with the paths inside of `project` relative to `base`."""
    found = dict(content)
    for key in ("data", "model", "folder", "repository"):
        if isinstance(found.get(key), str | Path):
            found[key] = relate(str(found[key]), base, project)
    for key, value in found.items():
        if isinstance(value, dict):
            found[key] = relate_paths(value, base, project)
    return found


def relate(path: str, base: Path, project: Path) -> str:
    """Return a path inside of `project` relative to `base`, anything else as it is."""
    if not os.path.isabs(path) and not Path(path).is_file():  # noqa: PTH117 (names of the hub)
        return path
    absolute = _absolute(Path(path))
    if not absolute.is_relative_to(project):
        return str(absolute)
    related = Path(os.path.relpath(absolute, _absolute(base))).as_posix()
    return related if related.startswith("..") else f"./{related}"


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 (keeps links)
