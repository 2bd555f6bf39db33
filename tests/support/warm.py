"""Commands as processes of their own, without the seconds that a new interpreter imports for.

They are forked from a server that has imported the libraries once for all tests of this process.
For tests of what happens between processes: signals, locks, exit codes. What a command imports,
and when, is tested in interpreters of its own.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tiny_study import runs_in_this_process

LIBRARIES = (
    "torch._dynamo",
    "transformers.models.auto.modeling_auto",
    "transformers.models.bert.modeling_bert",
    "hmnet.training.execution",
    "hmnet.commands.predict",
    "relevance.commands.pairwise_sweep",
)

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(list(LIBRARIES))


@dataclass(frozen=True)
class Place:
    """Where a command runs.

    Attributes:
        said: folder of what it says, `out` and `err`.
        cwd: its working folder.
        environment: all of its variables.
        is_leader: whether it leads a session of its own, as a command of a terminal does.
        has_workers: whether its runs are done by workers, new interpreters, and not by itself.
    """

    said: Path
    cwd: Path
    environment: Mapping[str, str]
    is_leader: bool
    has_workers: bool


class Command:
    """A command that was started, with the methods of `subprocess.Popen`."""

    def __init__(
        self, name: str, *words: object, is_leader: bool = False, has_workers: bool = False
    ) -> None:
        self._said = tempfile.TemporaryDirectory(prefix="said-")
        place = Place(Path(self._said.name), Path.cwd(), dict(os.environ), is_leader, has_workers)
        self._process = _SERVER.Process(target=_be, args=(name, list(map(str, words)), place))
        self._process.start()
        atexit.register(self._process.kill)  # before `multiprocessing` would wait for it

    @property
    def pid(self) -> int:
        """Its process id, and that of its group if it leads one."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code, the negative signal that ended it, or None."""
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for its end; return, once, what it printed and what it said on standard error."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0.0)
        out, err = ((Path(self._said.name) / name).read_text() for name in ("out", "err"))
        self._said.cleanup()
        return out, err


def run(name: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, its runs in its own process."""
    command = Command(name, *words)
    out, err = command.communicate()
    assert command.returncode is not None
    return subprocess.CompletedProcess([name, *map(str, words)], command.returncode, out, err)


def _be(name: str, words: list[str], place: Place) -> None:
    """Be a command: what `python -m <name> <words>` is."""
    if place.is_leader:
        os.setsid()
    for handle, said in ((1, "out"), (2, "err")):
        file = os.open(place.said / said, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, handle)
        os.close(file)
    os.chdir(place.cwd)
    os.environ.clear()
    os.environ.update(place.environment)
    sys.argv = [name, *words]
    main = importlib.import_module(f"{name}.cli").main
    with contextlib.nullcontext() if place.has_workers else runs_in_this_process():
        try:
            main()
        finally:
            atexit._run_exitfuncs()
