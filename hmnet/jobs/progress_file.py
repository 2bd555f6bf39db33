"""How far a sweep is, on disk, for whoever asks from another terminal (`hmnet.folder.status`)."""

from __future__ import annotations

import os
import shlex
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path

from pydantic.dataclasses import dataclass

from hmnet.errors import InputError
from hmnet.jobs.processes import is_process_alive
from hmnet.storage.documents import read_document, write_document
from hmnet.study.settings import STRICT

PROGRESS_SCHEMA = "progress/1"
SILENT_S = 3600.0
"""Seconds without a write after which a process of another host counts as gone."""


@dataclass(frozen=True, config=STRICT)
class ProgressRecord:
    """The document `progress.json`, of the sweep that ran last in an output folder.

    A sweep that begins while another one is under way writes beside it, `progress-HOST-PID.json`.

    Attributes:
        total: runs of the sweep.
        cached: runs that were done before it began.
        done, failed: runs that ended since.
        tokens_per_s: training tokens per second, over the whole sweep.
        seconds_left: expected; None before the first run ends.
        host, pid: the process that schedules the runs.
        is_over: whether it ended by itself.
        command: what was typed; empty where that is not known.
    """

    total: int
    cached: int
    done: int = 0
    failed: int = 0
    tokens_per_s: float = 0.0
    seconds_left: float | None = None
    host: str = ""
    pid: int = 0
    is_over: bool = False
    command: str = ""

    def write(self, path: Path) -> None:
        """Write the record, as one of this process."""
        own = replace(self, host=socket.gethostname(), pid=os.getpid(), command=find_command())
        write_document(path, PROGRESS_SCHEMA, own)

    @classmethod
    def read(cls, path: Path) -> ProgressRecord:
        """Read a record."""
        return read_document(path, PROGRESS_SCHEMA, cls)

    def is_alive(self) -> bool | None:
        """Tell whether its process still runs; None where that cannot be seen from this host."""
        if self.is_over:
            return False
        if self.host != socket.gethostname():
            return None
        return is_process_alive(self.pid)


def claim_record(path: Path) -> Path:
    """Return where this process is to record its sweep: `path`, or beside it if that is in use.

    Records beside it of sweeps that are over, or whose process is gone, are removed.
    """
    for other in list_records(path)[1:]:
        if not _is_in_use(other):
            other.unlink(missing_ok=True)
    if not _is_in_use(path):
        return path
    return path.with_name(f"{path.stem}-{socket.gethostname()}-{os.getpid()}{path.suffix}")


def list_records(path: Path) -> list[Path]:
    """Return `path` and the records beside it, whether or not the first is there."""
    return [path, *sorted(path.parent.glob(f"{path.stem}-*{path.suffix}"))]


def _is_in_use(path: Path) -> bool:
    """Tell whether another process still writes a record; one of another host, if it is fresh."""
    try:
        record = ProgressRecord.read(path)
        age_s = time.time() - path.stat().st_mtime
    except (InputError, OSError):
        return False
    if (record.host, record.pid) == (socket.gethostname(), os.getpid()):
        return False
    alive = record.is_alive()
    return age_s < SILENT_S if alive is None else alive


def find_command() -> str:
    """Return the command of this process as it was typed; empty if it is none of ours."""
    program = Path(sys.argv[0])
    name = program.parent.name if program.name == "__main__.py" else program.name
    return shlex.join([name, *sys.argv[1:]]) if name in ("relevance", "hmnet") else ""
