"""Random kills: sweeps that are killed again and again must end as undisturbed ones do.

    python -m benchmarks.kills --kills 50

Each sweep (the pairwise runs, then groups, then a trained HMNet, on planted tasks) is started,
killed with SIGKILL after a random time, all its processes at once or the command alone, and
started again at once, until it ends by itself. Runs save a checkpoint every fraction of a second,
and go on from it. Then every matrix, score, group and prediction is compared byte by byte with
those of a sweep that was left alone, runs that were begun again are counted, and a result that was
written must have stayed as it was.
"""

from __future__ import annotations

import hashlib
import os
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from hmnet.planted import write_planted
from hmnet.study.settings import DataSettings, TrainingSettings
from hmnet.study.study import Study, write_study

CHECKPOINT_S = 0.2
TASKS = ("sentiment-coast", "entailment-coast", "sentiment-town")
COMPARED = (
    "vocab.parquet",
    "pairwise.parquet",
    "pairwise-*.parquet",
    "clusters.parquet",
    "groups.json",
    "runs/*/predictions/*.parquet",
    "runs/*/metrics.jsonl",
    "runs/*/model/model.safetensors",
)


@dataclass
class Tally:
    """What happened.

    Attributes:
        kills: kills that hit a running command.
        sweeps: sweeps that came to their end.
        redone: runs that were begun again after a kill.
        most_redone: of a single kill; at most the runs that were under way.
        different: files that are not those of the undisturbed sweep.
        alone: kills of the command alone, whose workers had to end by themselves.
        resumed: cut-off runs that had left a checkpoint.
        settled: result of a run that was done to the digest of its content.
    """

    kills: int = 0
    sweeps: int = 0
    redone: int = 0
    most_redone: int = 0
    different: tuple[str, ...] = ()
    alone: int = 0
    resumed: int = 0
    settled: dict[Path, str] = field(default_factory=dict)


def write_small_study(folder: Path, seed: int, rows: int = 150, epochs: int = 3) -> Path:
    """Write three planted tasks, an encoder and the study of them; return the study's file."""
    planted = write_planted(folder, seed, train_rows=rows, dev_rows=60)
    study = Study(
        tasks={name: planted.tasks[name] for name in TASKS},
        model=str(planted.encoder),
        data_folder=planted.data,
        training=TrainingSettings(epochs=epochs, batch_size=8, learning_rate=2e-3),
        rows=DataSettings(max_length=48),
    )
    write_study(folder / "study.toml", study)
    return folder / "study.toml"


def list_commands(study: Path, out: Path, workers: int) -> list[list[str]]:
    """Return the commands of a sweep, one after the other."""
    words = [
        ["relevance", "vocab", "--study", study],
        ["relevance", "pairwise", "--study", study, "--workers", workers],
        ["relevance", "cluster", "--k", "2", "--matrix", "vocab"],
        ["hmnet", "train", "--threads", "1"],
    ]
    return [[str(word) for word in (*command, "--out", out)] for command in words]


def run_disturbed(
    commands: list[list[str]], seconds: list[float], kills: int, tally: Tally
) -> None:
    """Run commands; kill each at a random moment as long as there are kills left, and go on.

    Args:
        seconds: what each command takes when it is left alone.
    """
    for command, usual_s in zip(commands, seconds, strict=True):
        while tally.kills < kills:
            out = Path(command[-1])
            is_alone = tally.kills % 3 == 2
            if _run_for(command, random.uniform(0.0, 1.25 * usual_s), is_alone=is_alone):
                break
            tally.kills += 1
            tally.alone += is_alone
            _count_redone(out, tally)
        else:
            _run_for(command, None)


def _run_for(command: list[str], seconds: float | None, *, is_alone: bool = False) -> bool:
    """Run a command for at most so long, then kill it; tell whether it ended by itself.

    Args:
        is_alone: whether the command alone is killed, and not its workers.
    """
    module, *words = command
    process = subprocess.Popen(
        [sys.executable, "-m", module, *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "RELEVANCE_CHECKPOINT_S": str(CHECKPOINT_S)},
    )
    try:
        _, said = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        if is_alone:
            process.kill()
            process.wait()
        else:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        return False
    if process.returncode:
        raise RuntimeError(f"{shlex.join(command)} ended with {process.returncode}: {said}")
    return True


def _count_redone(out: Path, tally: Tally) -> None:
    """Count the runs that were cut off: these, and no others, are begun again."""
    begun = {path.parent for path in out.glob("runs/*/spec.json")}
    cut_off = [path for path in begun if not (path / "result.json").exists()]
    tally.redone += len(cut_off)
    tally.most_redone = max(tally.most_redone, len(cut_off))
    tally.resumed += sum((path / "checkpoint").exists() for path in cut_off)
    _check_settled(out, tally)


def _check_settled(out: Path, tally: Tally) -> None:
    """Note results that are there, and those that are not what they were."""
    for path in out.glob("runs/*/result.json"):
        found = hashlib.blake2b(path.read_bytes()).hexdigest()
        if tally.settled.setdefault(path, found) != found:
            tally.different += (f"{path.parent.name}: a finished run was done again",)


def digest_outputs(out: Path) -> dict[str, str]:
    """Return each compared file of an output folder with the digest of its content."""
    return {
        path.relative_to(out).as_posix(): hashlib.blake2b(path.read_bytes()).hexdigest()
        for pattern in COMPARED
        for path in sorted(out.glob(pattern))
    }


def run(
    kills: Annotated[int, typer.Option(help="Kills in all.", min=1)] = 50,
    workers: Annotated[int, typer.Option(help="Worker processes.", min=1)] = 2,
    seed: Annotated[int, typer.Option(help="Seed of the planted tasks and the times.")] = 0,
) -> None:
    """Kill sweeps at random moments until enough kills are done; compare their results."""
    random.seed(seed)
    with tempfile.TemporaryDirectory(prefix="relevance-kills-") as name:
        tally = measure_kills(Path(name), kills, workers, seed)
    typer.echo(
        f"{tally.kills} kills ({tally.alone} of the command alone) over {tally.sweeps} sweeps; "
        f"{tally.redone} runs begun again ({tally.resumed} from a checkpoint), at most "
        f"{tally.most_redone} after one kill ({workers} workers); "
        f"{len(tally.different)} files differ from the undisturbed sweep's"
    )
    for different in tally.different:
        typer.echo(f"different: {different}")
    if tally.different or tally.most_redone > workers:
        raise typer.Exit(1)


def measure_kills(folder: Path, kills: int, workers: int, seed: int) -> Tally:
    """Run an undisturbed sweep, then disturbed ones until there were enough kills."""
    study = write_small_study(folder, seed)
    seconds = []
    for command in list_commands(study, folder / "alone", workers):
        began = time.monotonic()
        _run_for(command, None)
        seconds.append(time.monotonic() - began)
    expected = digest_outputs(folder / "alone")
    tally = Tally()
    if not any(name.endswith(".safetensors") for name in expected):
        raise RuntimeError("the undisturbed sweep left no model to compare")
    while tally.kills < kills:
        out = folder / f"sweep-{tally.sweeps}"
        run_disturbed(list_commands(study, out, workers), seconds, kills, tally)
        tally.sweeps += 1
        _check_settled(out, tally)
        found = digest_outputs(out)
        different = {n for n in expected | found if expected.get(n) != found.get(n)}
        tally.different += tuple(f"sweep {tally.sweeps}: {name}" for name in sorted(different))
    return tally


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    app.command()(run)
    app()
