"""Data-parallel training: several processes, the numbers of one."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from tiny_study import write_groups, write_study

import hmnet.training.execution
from hmnet.cli import app
from hmnet.console.options import parse_seeds
from hmnet.errors import InputError
from hmnet.folder.outputs import Output
from hmnet.study.study import load_study
from hmnet.training import distributed
from hmnet.training.distributed import ProcessGroup

SETTINGS = ("--set", "training.dropout=0.0", "--set", "training.batch_size=7")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("study"))


HIERARCHY = ("--hierarchy", "1,1,1")
STAGES = ("--stages", "3,0,0:0.3 1,1,1:0.7:0.5")


def list_words(
    study: Path, out: Path, *more: str, sharing: tuple[str, ...] = HIERARCHY
) -> list[str]:
    groups = write_groups(study.parent / "groups.json", {"a": ["tone", "grade"], "b": ["match"]})
    words = ["train", "--study", str(study), "--groups", str(groups), "--out", str(out)]
    return [*words, "--threads", "1", *sharing, *SETTINGS, *more]


def launch(study: Path, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Train HMNet with two processes, as a user would; its sharing becomes finer meanwhile."""
    two = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "hmnet"]
    return subprocess.run(
        [sys.executable, "-m", *two, *list_words(study, out, *more, sharing=STAGES)],
        text=True,
        capture_output=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def read_losses(out: Path) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    (path,) = out.glob("runs/*/metrics.jsonl")
    return np.array([json.loads(line)["loss"] for line in path.read_text().splitlines()])


def read_logits(out: Path) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    store = Output(out).runs
    spec = store.find("3tasks")[1]
    frames = [store.predictions(spec, task) for task in spec.names]
    return np.concatenate([np.concatenate(list(frame["logits"])) for frame in frames])


@pytest.mark.system
def test_two_processes_give_the_numbers_of_one(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # 48 rows in batches of 7: shares of 4 and 3, and a last batch of 6
    epochs = ("--set", "training.epochs=2")
    one, two = tmp_path / "one", tmp_path / "two"
    app(list_words(study, one, *epochs, sharing=STAGES), standalone_mode=False)
    done = launch(study, two, *epochs)
    assert done.returncode == 0, done.stderr
    for printed in (capsys.readouterr().out, done.stdout):
        assert printed.count("mean of the primary metric") == 1
    np.testing.assert_allclose(read_losses(two), read_losses(one), rtol=1e-5)
    np.testing.assert_allclose(read_logits(two), read_logits(one), atol=1e-5)
    words = list_words(study, two, *epochs, sharing=STAGES)  # done already: nothing is trained
    context = get_context("fork")  # quicker than to start others
    port = find_port()
    again = [context.Process(target=join, args=(rank, port, words)) for rank in range(2)]
    for process in again:
        process.start()
    for process in again:
        process.join(60)
    assert [process.exitcode for process in again] == [0, 0]


def find_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def join(rank: int, port: int, words: list[str]) -> None:
    """Be one of two processes that `torchrun` started; none of them may train."""
    names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_PORT")
    numbers = (rank, rank, 2, 2, port)
    os.environ.update({name: str(number) for name, number in zip(names, numbers, strict=True)})
    os.environ["MASTER_ADDR"] = "127.0.0.1"
    hmnet.training.execution.train = None  # type: ignore[assignment]
    app(words, standalone_mode=False)


@pytest.mark.system
def test_an_error_of_all_processes_is_one_sentence_and_ends_them(
    study: Path, tmp_path: Path
) -> None:
    done = launch(study, tmp_path / "out", "--set", "training.learning_rate=1e30")
    assert done.returncode != 0
    assert "error: The training loss of" in done.stderr


def test_shares_hold_every_example_once() -> None:
    index = np.arange(7) * 10
    shares = [ProcessGroup(rank, 3).share(index) for rank in range(3)]
    assert sorted(np.concatenate([own for own, _ in shares])) == index.tolist()
    assert [share for _, share in shares] == [3 / 7, 2 / 7, 2 / 7]
    own, share = ProcessGroup(2, 3).share(index[:2])  # fewer examples than processes
    assert (own.tolist(), share) == ([0], 0.0)
    assert ProcessGroup().share(index)[1] == 1.0


VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def set_environment(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in values.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    "left",
    [
        {"WORLD_SIZE": "2"},
        {"RANK": "1"},
        {"RANK": "1", "WORLD_SIZE": "1"},
        {"RANK": "0", "WORLD_SIZE": "2"},
        {"RANK": "0", "WORLD_SIZE": "two"},
        {"WORLD_SIZE": "-3"},
        dict.fromkeys(VARIABLES, "3"),  # the fourth of three
    ],
)
def test_a_process_group_left_in_the_environment_is_refused_at_once(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: dict[str, str]
) -> None:
    set_environment(monkeypatch, left)
    monkeypatch.setattr("hmnet.commands.train.prepare_study", None)  # nothing is prepared
    with pytest.raises(InputError, match=r"one process of a group.*`unset RANK") as error:
        app(list_words(study, tmp_path / "out"), standalone_mode=False)
    assert len(error.value.problems) == 1


@pytest.mark.parametrize("rank", ["0", "1"])
def test_processes_that_do_not_come_are_not_waited_for_without_end(
    monkeypatch: pytest.MonkeyPatch, rank: str
) -> None:
    whole = dict(zip(VARIABLES, (rank, "2", rank, "2", "127.0.0.1", ""), strict=True))
    set_environment(monkeypatch, {**whole, "MASTER_PORT": str(find_port())})
    monkeypatch.setattr(distributed, "START_LIMIT", timedelta(seconds=1))
    with pytest.raises(InputError, match=f"process {rank} of 2.*did not find each other"):
        distributed.join_process_group(on_gpus=False)


@pytest.mark.parametrize("left", [{}, {"WORLD_SIZE": "1", "RANK": "0"}, {"LOCAL_RANK": "0"}])
def test_a_process_alone_is_a_group_of_one(
    monkeypatch: pytest.MonkeyPatch, left: dict[str, str]
) -> None:
    set_environment(monkeypatch, left)
    assert distributed.join_process_group(on_gpus=False) == ProcessGroup()


@pytest.mark.parametrize("seed", [2**63, 2**64, 10**30])
def test_a_seed_beyond_a_tables_integers_is_refused_at_once(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr("hmnet.commands.train.prepare_study", None)
    with pytest.raises(InputError, match="Parameter `seed` should be from 0 to"):
        app(list_words(study, tmp_path / "out", "--seed", str(seed)), standalone_mode=False)
    with pytest.raises(InputError, match="Parameter `seeds` should be from 0 to"):
        parse_seeds(f"0,{seed}")
    with pytest.raises(InputError, match="should be at most"):
        parse_seeds(str(seed))
    with pytest.raises(InputError, match=r"Parameter `seeds.0` should be less than 9223372036854"):
        load_study(study, {"seeds": [seed]})
