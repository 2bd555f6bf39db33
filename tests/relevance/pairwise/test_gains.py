"""A sweep's matrix with its uncertainty, on a tiny study: values, files, and what is said."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from asserts import assert_nothing_runs, assert_same_bytes
from made_predictions import make_sweep
from tiny_study import write_study

from analysis.gains.bootstrap import GainBootstrap, bootstrap_gains
from analysis.gains.scales import Scale
from analysis.gains.seed_value import plan_refinement
from analysis.scores.predictions import collect_sweep
from hmnet.errors import RunsFailedError
from hmnet.folder.outputs import Output, open_output
from hmnet.jobs.schedule import SweepSummary
from hmnet.jobs.workers import Workers
from hmnet.runs.store import RunStore
from hmnet.storage.documents import read_json
from hmnet.storage.tables import read_table
from hmnet.study.metrics import METRICS
from hmnet.study.study import resolve_study
from relevance.matrices.matrix import RelevanceMatrix
from relevance.pairwise.measurement import MeasureOptions, describe_measurement, measure_sweep
from relevance.pairwise.plan import PairwisePlan
from relevance.pairwise.results import read_stored
from relevance.pairwise.sweep import plan_sweep, run_sweep
from relevance.pairwise.sweep_text import describe_significant, format_matrix
from relevance.pairwise.uncertainty import (
    attach_uncertainty,
    describe_targets,
    mark_undefined,
    to_matrix,
)

pytestmark = pytest.mark.usefixtures("in_this_process")

Sweep = Callable[..., tuple[Output, list[str]]]


@pytest.fixture(scope="module")
def study_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def swept(study_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Output, list[str]]:
    """An output folder with a sweep of two seeds, three for the single runs."""
    output = open_output(tmp_path_factory.mktemp("gains") / "out")
    return output, run(output, study_file)


def run(output: Output, study_file: Path, *, drop_collapsed: bool = False) -> list[str]:
    """Run the sweep; return what was said."""
    changes = {"seeds": [0, 1], "training.epochs": 2}
    study = resolve_study(output.folder, study_file, changes)
    options = MeasureOptions(drop_collapsed, draws=80)
    workers = Workers.choose(workers=1)
    found = run_sweep(output, study, workers, single_seeds=[0, 1, 2], options=options)
    return list(describe_measurement(found))


def read_plan(output: Output) -> PairwisePlan:
    return plan_sweep(output, resolve_study(output.folder), [0, 1, 2])[1]


def test_values_stay_those_of_the_equations(swept: tuple[Output, list[str]]) -> None:
    output, _ = swept
    matrix = RelevanceMatrix.read(output.pairwise)
    scores, _ = read_table(output.scores, "pairwise-scores/1")
    means = scores.groupby(["task", "partner"])["score"].mean()
    for row in matrix.table.itertuples():
        if row.source != row.target and means[row.target, ""] > 0:
            single, joint = means[row.target, ""], means[row.target, row.source]
            assert row.value == (joint - single) / single
            assert row.points == pytest.approx(joint - single)
            assert row.headroom == pytest.approx((joint - single) / (1 - single))


def test_predictions_give_the_scores_of_the_runs(swept: tuple[Output, list[str]]) -> None:
    output, _ = swept
    scores, _ = read_table(output.scores, "pairwise-scores/1")
    for task, found in collect_sweep(read_stored(read_plan(output), output.runs)).items():
        for partner, arm in found.arms.items():
            rows = scores[(scores["task"] == task) & (scores["partner"] == partner)]
            expected = dict(zip(rows["seed"], rows["score"], strict=True))
            for seed, values in zip(arm.seeds, arm.values, strict=True):
                compute = METRICS[found.metric].compute
                assert compute(found.labels, values, found.questions) == pytest.approx(
                    expected[seed]
                )


def test_every_cell_has_its_uncertainty(swept: tuple[Output, list[str]]) -> None:
    matrix = RelevanceMatrix.read(swept[0].pairwise)
    cells = matrix.table[matrix.table["source"] != matrix.table["target"]]
    assert (cells["n_seeds"] == 2).all()
    assert (cells["n_single_seeds"] == 3).all()
    assert (cells["n_dev"] == 24).all()
    for name in ("p_value", "q_value", "points_low", "points_high"):
        assert cells[name].notna().all(), name
    assert (cells["points_low"] <= cells["points_high"]).all()
    assert (cells["p_value"] <= cells["q_value"] + 1e-12).all()
    bootstrap = matrix.provenance["bootstrap"]
    assert bootstrap["seed_noise_included"] is True
    assert bootstrap["draws"] == 80


def test_what_stands_beside_the_matrix_is_written(swept: tuple[Output, list[str]]) -> None:
    output, said = swept
    matrix = RelevanceMatrix.read(output.pairwise)
    targets, provenance = read_table(output.targets, "targets/1")
    assert sorted(targets["task"]) == sorted(matrix.tasks)
    assert {"single", "majority", "beats", "seed_sd", "detectable"} <= set(targets.columns)
    assert provenance["matrix"] == matrix.identity
    collapsed, _ = read_table(output.collapsed, "collapsed/1")
    assert list(collapsed.columns) == ["task", "partner", "seed", "reason", "in_means"]
    assert collapsed["in_means"].all()
    parts = read_json(output.decomposition)
    assert parts["matrix"] == matrix.identity
    assert sum(parts["shares"].values()) == pytest.approx(1)
    assert RelevanceMatrix.read(output.additive).tasks == matrix.tasks
    assert any("gains are beyond noise" in line for line in said)
    assert any("variance of the gains" in line for line in said)
    assert not any("one seed" in line for line in said)


def test_a_second_measurement_writes_the_same_bytes(
    swept: tuple[Output, list[str]], study_file: Path
) -> None:
    output, said = swept
    files = (output.pairwise, output.targets, output.collapsed, output.decomposition)
    with assert_same_bytes(files), assert_nothing_runs(output.runs.folder):
        assert run(output, study_file) == said


def test_collapsed_runs_are_left_out_only_when_asked_and_it_is_said(
    swept: tuple[Output, list[str]], study_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, _ = swept
    before = RelevanceMatrix.read(output.pairwise)
    read = RunStore.predictions

    def collapse(self: RunStore, spec: object, task: str) -> pd.DataFrame:
        """Predict one class in the joint run of tone and match with seed 1."""
        frame = read(self, spec, task)  # type: ignore[arg-type]
        is_it = spec.names == ("match", "tone") and spec.seed == 1  # type: ignore[attr-defined]
        return frame.assign(prediction=0) if is_it and task == "tone" else frame

    monkeypatch.setattr(RunStore, "predictions", collapse)
    said = run(output, study_file)
    assert any("tone with match, seed 1 (one class predicted" in line for line in said)
    assert any("in the means; --drop-collapsed" in line for line in said)
    said = run(output, study_file, drop_collapsed=True)
    assert any("left out of means" in line for line in said)
    after = RelevanceMatrix.read(output.pairwise)
    collapsed, _ = read_table(output.collapsed, "collapsed/1")
    gone = collapsed[~collapsed["in_means"]].groupby(["task", "partner"])["seed"].count()
    assert gone["tone", "match"] >= 1
    for row in before.table.itertuples():
        if row.source != row.target:
            left = row.n_seeds - gone.get((row.target, row.source), 0)
            assert after.to_frame("n_seeds").loc[row.source, row.target] == left
    assert ["tone", "match", 1] in after.provenance["bootstrap"]["dropped"]
    monkeypatch.undo()
    run(output, study_file)


def test_a_task_without_a_single_run_is_named_and_its_cells_are_empty(
    swept: tuple[Output, list[str]], study_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, _ = swept
    is_done = RunStore.is_done

    def forget(self: RunStore, spec: object, **options: bool) -> bool:
        return is_done(self, spec, **options) and spec.names != ("grade",)  # type: ignore[arg-type, attr-defined]

    plan = read_plan(output)
    prepared = plan_sweep(output, resolve_study(output.folder), [0, 1, 2])[0]
    monkeypatch.setattr(RunStore, "is_done", forget)
    found = measure_sweep(prepared, plan, output.runs, MeasureOptions(draws=40))
    said, matrix = list(describe_measurement(found)), found.matrix
    assert any("no finished single run of grade" in line for line in said)
    assert matrix.to_frame()["grade"].drop("grade").isna().all()
    assert np.isfinite(matrix.to_frame("p_value").loc["tone", "match"])
    assert matrix.to_frame("p_value").loc["grade"].isna().all()
    monkeypatch.undo()
    run(output, study_file)


def test_one_seed_is_told_plainly(study_file: Path, tmp_path: Path) -> None:
    output = open_output(tmp_path / "out")
    changes = {"training.epochs": 1, "tasks": ["tone", "grade"]}
    study = resolve_study(output.folder, study_file, changes)
    workers, options = Workers.choose(workers=1), MeasureOptions(draws=40)
    found = run_sweep(output, study, workers, options=options)
    said, matrix = list(describe_measurement(found)), found.matrix
    assert any("seed noise is not in them" in line for line in said)
    assert matrix.provenance["bootstrap"]["seed_noise_included"] is False
    assert not output.decomposition.exists()  # two tasks cannot be told apart


def test_significant_cells_are_marked_and_counted() -> None:
    gains = np.array([[0, 0.2, 0], [0, 0, -0.2], [0, 0, 0]])
    found = bootstrap_gains(make_sweep(gains, dev=400), draws=200)
    matrix = to_matrix(found)
    lines = list(describe_significant(matrix))
    assert "2 of 6 gains are beyond noise (q < 0.05): 1 up, 1 down" in lines
    assert any(line.startswith("  a -> b: +") for line in lines)
    text = format_matrix(matrix)
    assert text.count("*") == 2 + 1  # and the legend


def test_targets_say_whether_singles_beat_the_majority_and_what_is_detectable() -> None:
    sweep = make_sweep(np.zeros((2, 2)), dev=300)
    found = bootstrap_gains(sweep, draws=100)
    table = describe_targets(sweep, found)
    assert list(table["task"]) == ["a", "b"]
    assert (table["beats"] == "yes").all()
    assert (table["detectable"] > 0.01).all()
    assert plan_refinement(found, 4) is not None


def test_gains_over_nothing_learned_are_marked_and_counted_apart() -> None:
    gains = np.array([[0, 0.2, 0], [0, 0, -0.2], [0, 0, 0]])
    found = bootstrap_gains(make_sweep(gains, dev=400), draws=200)
    matrix = mark_undefined(to_matrix(found), ["b"])
    assert matrix.to_frame("undefined")["b"].tolist() == [True, False, True]
    lines = list(describe_significant(matrix))
    assert lines[0] == "1 of 6 gains are beyond noise (q < 0.05): 0 up, 1 down"
    assert "not counted: 1 over single runs" in lines[-1]
    text = format_matrix(matrix)
    assert text.count("?") == 2 + 1
    assert text.count("*") == 1 + 1


def test_each_scale_s_interval_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = bootstrap_gains(make_sweep(np.zeros((3, 3))), draws=40)
    asked: list[str] = []
    interval = GainBootstrap.interval

    def count(self: GainBootstrap, scale: Scale = "relative", level: float = 0.95) -> object:
        asked.append(scale)
        return interval(self, scale, level)

    plain = to_matrix(found)
    monkeypatch.setattr(GainBootstrap, "interval", count)
    matrix = attach_uncertainty(plain, found)
    assert asked == ["relative", "points", "headroom"]
    for name in ("ci_low", "ci_high", "p_value", "q_value", "n_single_seeds"):
        assert matrix.table[name].equals(plain.table[name]), name


def copy_folder(output: Output, folder: Path) -> Output:
    shutil.copytree(output.folder, folder)
    return open_output(folder)


def test_a_sweep_of_fewer_runs_keeps_the_matrix_of_more_and_fails(
    swept: tuple[Output, list[str]], study_file: Path, tmp_path: Path
) -> None:
    output = copy_folder(swept[0], tmp_path / "out")
    tables = {path: path.read_bytes() for path in output.folder.glob("pairwise*")}

    def discard(*words: object) -> SweepSummary:
        run_id = next(iter(read_plan(output).pairs.values())).spec.run_id
        output.runs.discard(run_id)
        return SweepSummary()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("relevance.pairwise.sweep.train_sweep", discard)
        with pytest.raises(RunsFailedError, match=r"1 of \d+ planned runs are gone") as error:
            run(output, study_file)
    assert "stays as it was: it is of more runs of this study" in error.value.problems[-1]
    assert {path: path.read_bytes() for path in output.folder.glob("pairwise*")} == tables
    run(output, study_file)
    assert output.pairwise.read_bytes() == tables[output.pairwise]


@pytest.mark.parametrize("is_damaged", [True, False])
def test_a_first_matrix_of_fewer_runs_is_written_and_fails(
    swept: tuple[Output, list[str]], study_file: Path, tmp_path: Path, is_damaged: bool
) -> None:
    output = copy_folder(swept[0], tmp_path / "out")
    output.scores.write_bytes(b"PAR1") if is_damaged else output.pairwise.unlink()
    output.runs.discard(next(iter(read_plan(output).pairs.values())).spec.run_id)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("relevance.pairwise.sweep.train_sweep", lambda *words: SweepSummary())
        with pytest.raises(RunsFailedError, match="planned runs are gone") as error:
            run(output, study_file)
    assert len(error.value.problems) == 1
    scores, _ = read_table(output.scores, "pairwise-scores/1")
    assert scores["run"].nunique() == len(read_plan(output).jobs) - 1
    assert RelevanceMatrix.read(output.pairwise).tasks == ("tone", "match", "grade")
