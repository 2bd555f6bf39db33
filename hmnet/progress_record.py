"""How far a sweep is, on disk, for whoever asks from another terminal (`hmnet.status`)."""

from __future__ import annotations

import os
import shlex
import socket
import sys
from dataclasses import replace
from pathlib import Path

from pydantic.dataclasses import dataclass

from hmnet.settings import STRICT
from hmnet.storage import read_document, write_document

PROGRESS_SCHEMA = "progress/1"


@dataclass(frozen=True, config=STRICT)
class ProgressRecord:
    """The document `progress.json`, of the sweep that ran last in an output folder.

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
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # another user's
            return True
        return True


def find_command() -> str:
    """Return the command of this process as it was typed; empty if it is none of ours."""
    program = Path(sys.argv[0])
    name = program.parent.name if program.name == "__main__.py" else program.name
    return shlex.join([name, *sys.argv[1:]]) if name in ("relevance", "hmnet") else ""
