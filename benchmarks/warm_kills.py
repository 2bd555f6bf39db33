"""Kills of every command, at random moments and at every kind of write, many in little time.

    python -m benchmarks.warm_kills --kills 100

As `benchmarks.kills`, but each command is a fork of one process that has imported everything, and
does its runs itself: a kill costs what it costs the command, and no start. Half of the kills come
at a random time, half at a chosen moment: just before or just after a file takes its place.
Beside each command, `relevance verify --redo` looks at the folder again and again; it may find
nothing and must discard nothing. What is left must be, byte for byte, what an undisturbed folder
holds. Kills of workers alone are those of `benchmarks.kills`.
"""

from __future__ import annotations

import os
import random
import re
import shlex
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, NoReturn

import torch
import typer

import hmnet.cli
import hmnet.jobs.schedule
import relevance.cli
import relevance.commands
import reports
from benchmarks.kills import CHECKPOINT_S, TASKS, write_small_study
from hmnet.errors import RelevanceError
from hmnet.folder.integrity import discard_damaged, verify
from hmnet.folder.outputs import Output
from hmnet.jobs.worker_process import Execute, Outcome, run_job
from hmnet.jobs.workers import Workers
from hmnet.runs.job import Job
from hmnet.runs.store import RunStore
from hmnet.storage.digests import digest_file

PAIR = ",".join(TASKS[:2])
COMMANDS = (
    "relevance vocab",
    "relevance tasks",
    "relevance pairwise --seeds 2",
    "relevance pairwise --seeds 2 --refine --budget 2",
    "relevance pairwise --seeds 2 --keep-models",
    "relevance cluster --k 2 --method exact",
    "hmnet train --threads 1",
    "hmnet compare --no-skillnet --draws 20",
    "hmnet sweep --shared 1",
    f"relevance attention --pair {PAIR}",
    "relevance attention --all-pairs",
    f"hmnet export RUN --task {TASKS[0]}",
    f"hmnet predict RUN --task {TASKS[0]}",
    f"relevance target {TASKS[2]} --seeds 2",
    "relevance measure size text-embedding",
    "relevance export-scores --predictions",
    "relevance import SCORES",
    "relevance report",
)
WITHOUT_STUDY = ("cluster", "report", "export", "predict", "export-scores", "import")
NOT_COMPARED = ("manifest.json", "result.json", "report.html", "README.md", "failure.json")
"""They hold times of day or of work; all but the last are looked at by `verify`."""


@dataclass
class Tally:
    """What happened.

    Attributes:
        kills: command to kills that hit it while it ran.
        chosen: kills at a write, of all.
        folders: folders that came to their end.
        said: what `verify` said meanwhile.
        different: files that are not those of the undisturbed folder.
    """

    kills: Counter[str] = field(default_factory=Counter)
    chosen: int = 0
    folders: int = 0
    said: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)


def run_here(
    jobs: list[Job], store: RunStore, workers: Workers, waits: bool, execute: Execute | None
) -> Iterator[Outcome]:
    """Do a sweep's runs in this process."""
    with tempfile.TemporaryDirectory() as slots:
        for job in jobs:
            yield run_job(job, store.folder, workers, Path(slots), waits, execute)


def complete(command: str, study: Path, out: Path) -> list[str]:
    """Return a command's words, with its folder, study and run."""
    words = command.split()
    name = words[1]
    if "RUN" in words:
        kept = sorted(out.glob("runs/3tasks-*/model/hmnet.json"))
        words[words.index("RUN")] = kept[0].parent.parent.name
    if name in ("export", "export-scores"):
        return [*words, "--to", str(out / name), "--out", str(out)]
    if name == "import":
        words[words.index("SCORES")] = str(study.parent / "scores.csv")
        return [*words, "--out", str(out / "imported")]
    if name == "predict":
        rows = next((study.parent / "data" / TASKS[0]).glob("validation.*"))
        words += ["--input", str(rows), "--to", str(out / "predicted.jsonl")]
    if name not in WITHOUT_STUDY:
        words += ["--study", str(study)]
    return [*words, "--out", str(out)]


def write_scores(path: Path) -> None:
    """Write made scores of three tasks, two seeds each, as another trainer would."""
    lines = ["target,partner,seed,score,metric,n_dev"]
    for i, target in enumerate(TASKS):
        for j, partner in enumerate(("", *TASKS)):
            if partner != target:
                scores = (0.6 + 0.03 * i + 0.01 * j + 0.004 * seed for seed in (0, 1))
                lines += [
                    f"{target},{partner},{seed},{score:.3f},accuracy,60"
                    for seed, score in enumerate(scores)
                ]
    path.write_text("\n".join(lines) + "\n")


def fork(work: Callable[[], object], log: Path) -> int:
    """Start `work` in a process of its own; return its number."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        torch.set_num_threads(1)
        _end(work)
    return pid


def _end(work: Callable[[], object]) -> NoReturn:
    code = 1
    try:
        work()
        code = 0
    except RelevanceError as error:
        code = error.exit_code
        sys.stderr.write(f"error: {error}\n")
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException as error:  # noqa: BLE001 (a fork must not go on as its parent)
        sys.stderr.write(f"{error!r}\n")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def run_command(words: Sequence[str], at: int | None, count: Path) -> None:
    """Run a command here; killed just before or after its write number `at`, from 1."""
    app = {"relevance": relevance.cli.app, "hmnet": hmnet.cli.app}[words[0]]
    hmnet.jobs.schedule._run_parallel = run_here
    replace, seen = Path.replace, [0]

    def replace_or_die(path: Path, target: Path) -> Path:
        seen[0] += 1
        if seen[0] == at and at % 2:
            os.kill(os.getpid(), signal.SIGKILL)
        found = replace(path, target)
        if seen[0] == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    Path.replace = replace_or_die  # type: ignore[method-assign]
    app(list(words[1:]), standalone_mode=False)
    count.write_text(str(seen[0]))


def look_again(out: Path, log: Path) -> None:
    """Verify a folder again and again, and have what is damaged redone; note what was found."""
    parent = os.getppid()
    while os.getppid() == parent:
        for folder in (out, out / "imported"):
            if not (folder / "output.json").exists():
                continue
            problems = list(verify(Output(folder)))
            with log.open("a") as file:
                file.writelines(f"{problem.text}\n" for problem in problems)
                file.writelines(f"discarded: {name}\n" for name in discard_damaged(problems))
        time.sleep(0.2)


def wait(pid: int, seconds: float | None = None) -> int | None:
    """Wait for a process; after so many seconds, kill it. Return its exit code, None if killed."""
    end = None if seconds is None else time.monotonic() + seconds
    while end is not None and time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return _read_status(status)
        time.sleep(0.002)
    if end is not None:
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:  # just forked: not the leader of a group yet
            os.kill(pid, signal.SIGKILL)
    return _read_status(os.waitpid(pid, 0)[1])


def _read_status(status: int) -> int | None:
    return None if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status)


def digest_folder(out: Path) -> dict[str, str]:
    """Return each file that is compared with its digest."""
    paths = (path for path in sorted(out.rglob("*")) if path.is_file())
    names = {path.relative_to(out).as_posix(): path for path in paths}
    return {
        name: digest_file(path)
        for name, path in names.items()
        if path.name not in NOT_COMPARED
        and not path.name.startswith((".", "progress"))
        and "/checkpoint/" not in name
    }


@dataclass(frozen=True)
class Bench:
    """Where the study, the folders and what is noted lie."""

    folder: Path
    study: Path
    commands: Sequence[str] = COMMANDS

    def start(self, command: str, out: Path, at: int | None = None) -> int:
        """Start a command on an output folder; return its process."""
        words = complete(command, self.study, out)
        return fork(lambda: run_command(words, at, self.folder / "writes"), self.folder / "log")

    def run_alone(self, out: Path) -> list[tuple[float, int]]:
        """Run every command undisturbed; return the seconds and the writes of each."""
        found = []
        for command in self.commands:
            began = time.monotonic()
            self.check(command, wait(self.start(command, out)))
            seconds = time.monotonic() - began
            found.append((seconds, int((self.folder / "writes").read_text())))
        return found

    def run_disturbed(
        self, out: Path, usual: Sequence[tuple[float, int]], each: int, tally: Tally
    ) -> None:
        """Run every command, killed so many times before it may end."""
        seen = self.folder / "seen"
        for command, (seconds, writes) in zip(self.commands, usual, strict=True):
            watcher = fork(lambda: look_again(out, seen), self.folder / "log")
            for number in range(each):
                if number % 2 and writes:
                    at, limit = random.randint(1, writes), None
                else:
                    at, limit = None, random.uniform(0.0, seconds)
                code = wait(self.start(command, out, at), limit)
                if code is not None:
                    self.check(command, code)
                    break
                tally.kills[command] += 1
                tally.chosen += at is not None
            self.check(command, wait(self.start(command, out)))
            wait(watcher, 0.0)
            typer.echo(f"{command}: {tally.kills[command]} kills so far", err=True)
        tally.said += seen.read_text().splitlines() if seen.exists() else []
        seen.unlink(missing_ok=True)

    def check(self, command: str, code: int | None) -> None:
        """Raise an error unless a command ended well; an export that is there is left alone."""
        is_there = "export" in command and code == 2
        if code != 0 and not is_there:
            log = (self.folder / "log").read_text().splitlines()[-15:]
            raise RuntimeError("\n".join([f"{command} ended with {code}", *log]))


def measure(folder: Path, commands: Sequence[str], kills: int, each: int, tally: Tally) -> None:
    """Run an undisturbed folder, then disturbed ones until there were enough kills."""
    bench = Bench(folder, folder / "study.toml", commands)
    made = fork(
        lambda: write_small_study(folder, 0, 64, 1), folder / "log"
    )  # no thread is to be forked
    bench.check("the study", wait(made))
    write_scores(folder / "scores.csv")
    usual = bench.run_alone(folder / "alone")
    typer.echo(f"undisturbed: {sum(seconds for seconds, _ in usual):.0f} s", err=True)
    expected = digest_folder(folder / "alone")
    while tally.kills.total() < kills:
        out = folder / f"kill{tally.folders}"
        bench.run_disturbed(out, usual, each, tally)
        tally.folders += 1
        found = digest_folder(out)
        tally.different += sorted(n for n in expected | found if expected.get(n) != found.get(n))
        typer.echo(f"{tally.kills.total()} kills, {len(tally.different)} different", err=True)


def run(
    kills: Annotated[int, typer.Option(help="Kills in all, at least.", min=1)] = 100,
    each: Annotated[int, typer.Option(help="Most kills of a command in a folder.", min=1)] = 6,
    seed: Annotated[int, typer.Option(help="Seed of the moments.")] = 0,
    only: Annotated[str, typer.Option(help="Commands that fit this expression.")] = "",
) -> None:
    """Kill every command at random and at chosen moments; compare what is left."""
    random.seed(seed)
    os.environ["RELEVANCE_CHECKPOINT_S"] = str(CHECKPOINT_S)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    _ = (relevance.commands.run_pairwise, reports.write_report)  # imported before the first fork
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="relevance-kills-") as name:
        chosen = [command for command in COMMANDS if re.search(only, command)]
        measure(Path(name), chosen, kills, each, tally)
    for command, count in tally.kills.items():
        typer.echo(f"{count:4} kills of {command}")
    typer.echo(
        f"{tally.kills.total()} kills ({tally.chosen} at a write) over {tally.folders} folders; "
        f"verify --redo said {len(tally.said)} sentences; {len(tally.different)} files differ"
    )
    for text in (*tally.said, *(shlex.quote(name) for name in tally.different)):
        typer.echo(text)
    if tally.said or tally.different:
        raise typer.Exit(1)


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    app.command()(run)
    app()
