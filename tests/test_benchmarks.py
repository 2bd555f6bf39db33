"""The benchmarks run, and keep their results as promised."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT
from torch import nn

from benchmarks.entries import Entry, format_entries, write_entries
from benchmarks.scale import Course, find_problems
from benchmarks.timing import count_operations, time_pair

PARTS = ("train_short", "train_long", "evaluate", "vocab", "attention", "memory", "sweep")
MORE = ("gpu",)
PADDINGS = ("attention_limit", "attention_longest", "attention_sorted")


MODULES = tuple(sorted(path.stem for path in (ROOT / "benchmarks").glob("[!_]*.py")))


@pytest.mark.parametrize("name", MODULES)
def test_every_benchmark_finds_what_it_imports(name: str) -> None:
    assert importlib.import_module(f"benchmarks.{name}").__doc__


def make_entry(name: str, ratio: float = 2.0) -> Entry:
    return Entry(name, 1.0, ratio, ratio, "s", f"what {name} is")


def test_sides_take_turns_and_medians_are_told() -> None:
    calls: list[str] = []
    ours, other = iter([1.0, 9.0, 2.0]), iter([4.0, 6.0, 5.0])

    def run_ours() -> float:
        calls.append("ours")
        return next(ours)

    def run_other() -> float:
        calls.append("other")
        return next(other)

    pair = time_pair(run_ours, run_other, 3)
    assert calls == ["ours", "other", "other", "ours", "ours", "other"]
    assert (pair.ours, pair.other, pair.ratio, pair.spread) == (2.0, 5.0, 2.5, 9.0)


def test_a_side_without_its_own_clock_is_timed() -> None:
    pair = time_pair(lambda: None, lambda: None, 1)
    assert pair.ours >= 0


def test_a_partial_run_replaces_its_own_entries_alone(tmp_path: Path) -> None:
    path = tmp_path / "latest.json"
    write_entries([make_entry("vocab"), make_entry("sweep")], path)
    write_entries([make_entry("vocab", 8.0)], path)
    rows = json.loads(path.read_text())
    assert [(row["name"], row["ratio"]) for row in rows] == [("sweep", 2.0), ("vocab", 8.0)]
    assert set(rows[0]) == {"name", "ours", "other", "ratio", "unit", "what"}
    text = format_entries([make_entry("vocab", 8.0)])
    assert "8.00" in text
    assert "vocab: what vocab is" in text


def test_operations_are_six_per_parameter_and_token() -> None:
    model = nn.ModuleDict({"embeddings": nn.Embedding(10, 4), "layer": nn.Linear(4, 3)})
    assert count_operations(model, 5) == 6 * (4 * 3 + 3) * 5  # without the embeddings


def make_course(job_ms: float, growth: float) -> Course:
    course = Course()
    course.ended_s = [5.0 + i * job_ms / 1000 for i in range(101)]  # whatever the first one took
    course.mib = [100.0 * (1 + (growth - 1) * i / 100) for i in range(101)]
    return course


def test_a_sweep_of_many_jobs_is_told_where_it_is_slow_or_grows() -> None:
    assert find_problems(make_course(19.0, 1.09)) == []
    (slow,) = find_problems(make_course(21.0, 1.0))
    assert slow == "A job should cost at most 20 ms. Found 21.0 ms."
    (grown,) = find_problems(make_course(1.0, 1.2))
    assert grown.endswith("Found 1.18.")  # 120 over 101.8, the most of the first ten


@pytest.mark.slow
def test_many_jobs_cost_little_each_and_leave_nothing_in_memory(root: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.scale", "--tasks", "20", "--draws", "20"]
    command += ["--workers", "2", "--most-ms", "100"]  # other programs may use the cores as well
    done = subprocess.run(command, cwd=root, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_every_part_runs_at_a_tiny_size(tmp_path: Path, root: Path) -> None:
    out = tmp_path / "latest.json"
    command = [sys.executable, "-m", "benchmarks", *PARTS, *MORE, "--quick", "--repeats", "1"]
    subprocess.run([*command, "--out", str(out)], check=True, cwd=root)
    names = {row["name"] for row in json.loads(out.read_text())}
    on_gpu = {name for name in names if name.startswith("gpu_")}
    assert {"gpu_peak", "gpu_step_recorded", "gpu_short", "gpu_sweep"} <= on_gpu
    assert names - on_gpu == {*PARTS, *PADDINGS, "estimate"}
