"""Designs and screens: observations by hand, cells that nobody knows, and the commands."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from tiny_study import runs_in_this_process, write_study
from typer.testing import CliRunner

from analysis.guesses.balanced_blocks import draw_blocks
from analysis.guesses.gain_model import GainModel, Observation
from analysis.scores.predictions import Arm, Predictions
from hmnet.folder.outputs import Output
from relevance.cli import app
from relevance.designs.block_observations import TargetRuns, arrange_observations, measure_target
from relevance.designs.block_plan import BlockPlan
from relevance.designs.design_matrix import describe_additivity, judge_model, make_matrix
from relevance.designs.screening import ScreenOptions, choose_pairs
from relevance.matrices.gain_table import holds_gains
from relevance.matrices.matrix import RelevanceMatrix

LABELS = np.array([0, 1] * 10)


def predict(*right: int) -> Arm:
    """Return an arm of runs that are right on so many of 20 rows."""
    values = np.tile(1 - LABELS, (len(right), 1))
    for row, count in enumerate(right):
        values[row, :count] = LABELS[:count]
    return Arm(tuple(range(len(right))), values)


def test_what_a_target_gains_in_each_run_and_how_noisy_it_is() -> None:
    # Alone .5 and .6, so .55; with others .66 / .55 - 1: .77 / .55 is right on 15.4 rows; 11 of 20
    # are .55, a gain of 0; 20 of 20 are 1 / .55 - 1.
    joint = {"b+c": predict(11), "d+e": predict(20)}
    rows = {"splits": np.full(20, "validation", object), "questions": np.full(20, -1)}
    predictions = Predictions("a", "accuracy", LABELS, **rows, single=predict(10, 12), joint=joint)
    found = measure_target(predictions, [(0, 1, 2), (0, 3, 4)])
    assert found is not None
    np.testing.assert_allclose(found.gains, [0, 1 / 0.55 - 1])
    # seeds: the variance of .5 and .6 is .005, over .55 squared
    assert found.seed_variance == pytest.approx(0.005 / 0.55**2)
    assert found.singles == 2
    assert (found.own >= 0).all()


def test_noise_is_drawn_towards_the_targets_mean_and_the_single_runs_part_kept_apart() -> None:
    def make(variance: float, own: float) -> TargetRuns:
        return TargetRuns(np.array([0.1]), ((0, 1),), variance, 3, np.array([own]), 0.0)

    found = arrange_observations(("a", "b"), {"a": make(0.02, 0.0), "b": make(0.04, 1.0)})
    # a: (4 * .03 + 2 * .02) / 6; b: the dev rows' variance is the larger one
    a, b = found.observations
    assert a == Observation(0, (1,), 0.1, pytest.approx(0.16 / 6), 0)
    assert b.variance == 1
    np.testing.assert_allclose(found.shared, [0.16 / 18, 0.2 / 18])


def make_model(blocks: list[tuple[int, ...]], size: int = 6) -> GainModel:
    rng = np.random.default_rng(0)
    family = np.arange(size) // 3
    gains = np.where(family[:, None] == family, 0.05, -0.05) + rng.normal(0, 0.01, (size, size))
    observations = [
        Observation(
            t,
            tuple(s for s in block if s != t),
            float(gains[[s for s in block if s != t], t].mean()),
            1e-4,
            run,
        )
        for run, block in enumerate(blocks)
        for t in block
    ]
    return GainModel(size, observations, np.zeros(size))


def test_a_task_that_no_run_had_has_unknown_gains() -> None:
    model = make_model([(0, 1), (1, 2), (2, 3), (3, 4), (0, 4)])
    tasks = tuple("abcdef")
    matrix = make_matrix(model, tasks, "design", {})
    wide = matrix.to_frame()
    assert wide.loc["f", "a"] != wide.loc["f", "a"]
    assert wide["f"].drop("f").isna().all()
    others = wide.drop("f").drop(columns="f")
    assert others.notna().all(axis=None)
    low, high = matrix.to_frame("ci_low"), matrix.to_frame("ci_high")
    assert (low.loc["a", "b"] < wide.loc["a", "b"] < high.loc["a", "b"]) is np.True_
    ahead = matrix.to_frame("predicted_high")
    assert ahead.loc["a", "c"] > high.loc["a", "c"]
    assert matrix.to_frame("measured").loc["a", "c"] == 0
    assert holds_gains(matrix)
    whole = make_matrix(model, tasks, "screen", {}, knows_all=True)
    assert whole.to_frame().notna().all(axis=None)


def test_all_pairs_measured_leave_nothing_to_change_and_nothing_to_run() -> None:
    pairs = draw_blocks(6, 2, 15)
    model = make_model(pairs)
    verdict = judge_model(model)
    assert verdict.missed < 0.005
    assert choose_pairs(model, verdict.decision, pairs, 3) == []


def test_pairs_that_are_run_next_were_not_run_and_are_told_apart() -> None:
    pairs = draw_blocks(6, 2, 6)
    model = make_model(pairs)
    chosen = choose_pairs(model, judge_model(model).decision, pairs, 4)
    assert 0 < len(chosen) == len(set(chosen)) <= 4
    assert not set(chosen) & set(pairs)


def test_a_design_costs_its_passes_over_tasks() -> None:
    # 13 tasks, 3 seeds of singles, 20 blocks of 4: (39 + 80) / (39 + 13 * 12 * 3)
    tasks = tuple(f"t{i}" for i in range(13))
    singles = {(task, seed): None for task in tasks for seed in range(3)}
    blocks = dict.fromkeys(draw_blocks(13, 4, 20))
    plan = BlockPlan(tasks, singles, blocks, 39 + 13 * 12 * 3)  # type: ignore[arg-type]
    assert plan.cost_frac == pytest.approx(119 / 507)


def test_a_screen_begins_with_half_of_its_budget_or_every_task_once() -> None:
    assert ScreenOptions(20).count_first(13) == 10
    assert ScreenOptions(8).count_first(13) == 7
    assert ScreenOptions(3).count_first(13) == 3


def test_pairs_alone_say_nothing_of_additivity() -> None:
    assert list(describe_additivity(make_model(draw_blocks(6, 2, 9)).test_additivity())) == []
    said = list(describe_additivity(make_model(draw_blocks(6, 3, 9)).test_additivity()))
    assert len(said) == 1


# The commands, on four tiny tasks


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("designs")
    study = write_study(path)
    shutil.copytree(path / "data" / "tone", path / "data" / "pitch")
    text = study.read_text().replace('"grade"]', '"grade", "pitch"]')
    study.write_text(f'{text}\n[task.pitch]\ntext = ["text"]\nlabels = ["low", "high"]\n')
    return path


def run(folder: Path, *words: str) -> str:
    study = str(folder / "study.toml")
    command = ["pairwise", "--study", study, "--out", str(folder / "out"), *words]
    with runs_in_this_process():
        found = CliRunner().invoke(app, command, catch_exceptions=False)
    return str(found.output)


@pytest.mark.system
def test_a_design_and_a_screen_share_their_single_runs(folder: Path) -> None:
    said = run(folder, "--design", "blocks", "--block-size", "3", "--budget", "3", "--seeds", "2")
    output = Output(folder / "out")
    assert "8 single runs and 3 runs of 3 tasks" in said
    assert "a full sweep would find other groups with a probability of" in said
    design = RelevanceMatrix.read(output.matrix("design"))
    assert design.provenance["cost_frac"] == pytest.approx(17 / 32)  # (8 + 9) / (8 + 4 * 3 * 2)
    assert design.to_frame().notna().all(axis=None)
    said = run(folder, "--screen", "--budget", "3", "--seeds", "2")
    assert "cheap measures that it learns from: vocab, manual" in said
    screen = RelevanceMatrix.read(output.matrix("screen"))
    assert screen.to_frame().notna().all(axis=None)
    done = [path for path in output.runs.folder.iterdir() if (path / "result.json").exists()]
    assert len(done) == 8 + 3 + len(screen.provenance["blocks"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--design", "squares"), "should be one of ['pairs', 'blocks']"),
        (("--design", "blocks", "--block-size", "9"), "should be from 2 to 4"),
        (("--screen", "--single-seeds", "1"), "at least 2 seeds"),
        (("--screen", "--refine"), "without `refine`"),
        (("--screen", "--budget", "0"), "should be at least 1"),
    ],
)
def test_what_cannot_be_is_said(folder: Path, words: tuple[str, ...], told: str) -> None:
    with runs_in_this_process():
        command = ["pairwise", "--study", str(folder / "study.toml"), "--out", str(folder / "no")]
        found = CliRunner().invoke(app, [*command, "--seeds", "2", *words])
    assert told in str(found.exception) + found.output
