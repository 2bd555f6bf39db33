"""The benchmark of decisions: halves are disjoint, and regret is what the best has more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_predictions import make_sweep

from benchmarks.decisions import (
    ADVICE,
    ALL,
    ALONE,
    Study,
    describe_trials,
    judge,
    measure_decisions,
    try_planted,
)
from benchmarks.rows import Material
from benchmarks.stored_runs import _find_complete, read_stored, split_halves
from hmnet.errors import InputError


def test_halves_share_neither_seeds_nor_rows() -> None:
    predictions = make_sweep(np.zeros((4, 4)), dev=41, seeds=5)
    one, other = split_halves(predictions, np.random.default_rng(0))
    for name, whole in predictions.items():
        a, b = one[name], other[name]
        assert (len(a.single.seeds), len(b.single.seeds)) == (3, 2)
        assert set(a.single.seeds) | set(b.single.seeds) == set(whole.single.seeds)
        assert len(a.labels) + len(b.labels) == len(whole.labels) == 41
        assert set(a.joint) == set(whole.joint)
        assert a.single.values.shape == (3, len(a.labels))


def test_of_an_unfinished_sweep_the_complete_tasks_are_taken() -> None:
    names = list("abcde")
    every = [(n,) for n in names] + [(a, b) for a in names for b in names if a < b]
    specs = {each: dict.fromkeys((0, 1, 2)) for each in every}
    assert _find_complete(specs) == (names, [0, 1, 2])  # type: ignore[arg-type]
    specs["a", "e"] = {0: None}
    specs["b", "e"] = {}
    assert _find_complete(specs) == (list("abcd"), [0, 1, 2])  # type: ignore[arg-type]


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Found 0 tasks and 0 seeds"):
        read_stored(tmp_path)


def test_regret_is_what_the_best_way_has_more() -> None:
    family = np.arange(6) % 2
    truth = np.where(family[:, None] == family, 0.05, -0.05)
    np.fill_diagonal(truth, 0.0)
    draws = truth + np.random.default_rng(0).normal(0, 1e-3, (40, 6, 6))
    draws[:, range(6), range(6)] = 0.0
    trial = judge(Study(truth, draws, np.arange(6.0)), truth, np.random.default_rng(0))
    assert trial.regret(ADVICE) == pytest.approx(0)
    # each task gains 5 points from both others of its family
    assert trial.gains[ADVICE] == pytest.approx(5)
    assert trial.regret(ALONE) == pytest.approx(5)
    # together: (2 x 5 - 3 x 5) / 5
    assert trial.gains[ALL] == pytest.approx(-1)


@pytest.mark.parametrize("truth", ["nothing", "sharing helps", "sharing harms", "families"])
def test_advice_is_no_worse_than_the_better_of_together_and_alone(truth: str) -> None:
    trials = try_planted(truth, tasks=5, seeds=3, repeats=6)
    gains = {way: np.mean([t.gains[way] for t in trials]) for way in (ADVICE, ALL, ALONE)}
    assert gains[ADVICE] >= max(gains[ALL], gains[ALONE]) - 0.3
    assert any(line.startswith(f"| {truth}") for line in describe_trials({truth: trials}))


def test_it_is_a_part_of_the_benchmarks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import benchmarks.decisions as module

    material = Material(tmp_path, tmp_path, tmp_path, is_real=False)
    kept = dict(module.TRUTHS)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(module.RUNS, raising=False)
        patch.setattr(module, "TRUTHS", {"nothing": kept["nothing"]})
        (entry,) = measure_decisions(material, 1, 0.01)
    assert entry.name == "decisions_nothing"
    assert entry.ours <= entry.other
    assert "| regret |" in capsys.readouterr().out


def test_coverage_is_a_part_of_the_benchmarks_too(tmp_path: Path) -> None:
    from benchmarks.__main__ import PARTS

    material = Material(tmp_path, tmp_path, tmp_path, is_real=False)
    entries = PARTS["coverage"](material, 1, 0.01)
    assert next(e.name for e in entries) == "coverage_seeds_and_examples"
    assert all(0 <= entry.ours <= 100 and entry.other == 95 for entry in entries)
