"""Data-parallel training: several processes, the numbers of one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_study import write_groups, write_study

from hmnet.distributed import Group
from hmnet.outputs import Output

SETTINGS = ("--set", "training.dropout=0.0", "--set", "training.batch_size=7")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("study"))


def train(study: Path, out: Path, processes: int, *more: str) -> subprocess.CompletedProcess[str]:
    """Train HMNet with so many processes, as a user would."""
    groups = write_groups(study.parent / "groups.json", {"a": ["tone", "grade"], "b": ["match"]})
    launch = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "-m"]
    words = ["hmnet", "train", "--study", str(study), "--groups", str(groups), "--out", str(out)]
    command = [sys.executable, "-m", *(launch if processes > 1 else []), *words, "--threads", "1"]
    return subprocess.run(
        [*command, "--hierarchy", "1,1,1", *SETTINGS, *more],
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


def test_two_processes_give_the_numbers_of_one(study: Path, tmp_path: Path) -> None:
    # 48 rows in batches of 7: shares of 4 and 3, and a last batch of 6
    epochs = ("--set", "training.epochs=2")
    one, two = tmp_path / "one", tmp_path / "two"
    for out, processes in ((one, 1), (two, 2)):
        done = train(study, out, processes, *epochs)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("mean of the primary metric") == 1
    np.testing.assert_allclose(read_losses(two), read_losses(one), rtol=1e-5)
    np.testing.assert_allclose(read_logits(two), read_logits(one), atol=1e-5)
    again = train(study, two, 2, *epochs)  # done already: nothing is trained
    assert again.returncode == 0, again.stderr


def test_an_error_of_all_processes_is_one_sentence_and_ends_them(
    study: Path, tmp_path: Path
) -> None:
    done = train(study, tmp_path / "out", 2, "--set", "training.learning_rate=1e30")
    assert done.returncode != 0
    assert "error: The training loss of" in done.stderr


def test_shares_hold_every_example_once() -> None:
    index = np.arange(7) * 10
    shares = [Group(rank, 3).share(index) for rank in range(3)]
    assert sorted(np.concatenate([own for own, _ in shares])) == index.tolist()
    assert [share for _, share in shares] == [3 / 7, 2 / 7, 2 / 7]
    own, share = Group(2, 3).share(index[:2])  # fewer examples than processes
    assert (own.tolist(), share) == ([0], 0.0)
    assert Group().share(index)[1] == 1.0
