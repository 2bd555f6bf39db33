"""The loss of a training's last steps, by which it is judged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hmnet.errors import InputError
from hmnet.runs.late_losses import read_late_losses


def write_losses(path: Path, losses: list[tuple[int, str, float]]) -> Path:
    lines = [
        json.dumps({"step": i, "epoch": e, "task": t, "loss": v})
        for i, (e, t, v) in enumerate(losses)
    ]
    path.write_text("".join(line + "\n" for line in lines))
    return path


def test_one_long_epoch_is_judged_by_its_last_quarter(tmp_path: Path) -> None:
    falling = [(0, "tickets", float(80 - i)) for i in range(80)]  # 80, 79, ... 1
    path = write_losses(tmp_path / "metrics.jsonl", falling)
    assert read_late_losses(path) == {"tickets": 10.5}  # mean of 20 ... 1


def test_earlier_epochs_do_not_count_and_few_steps_count_all(tmp_path: Path) -> None:
    losses = [(0, "a", 9.0), (0, "b", 9.0), (1, "a", 1.0), (1, "b", 2.0), (1, "a", 3.0)]
    assert read_late_losses(write_losses(tmp_path / "m", losses)) == {"a": 2.0, "b": 2.0}


@pytest.mark.parametrize("content", ["x\n", "[]\n", '{"epoch": 0}\n', "\xff"])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "m").write_text(content, encoding="latin-1")
    with pytest.raises(InputError, match="should hold a loss per line"):
        read_late_losses(tmp_path / "m")
