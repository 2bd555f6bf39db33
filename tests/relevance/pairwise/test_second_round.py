"""Planning a sweep, and a second round that adds seeds only where they may change a decision."""

from __future__ import annotations

import dataclasses
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from asserts import assert_nothing_runs, assert_same_bytes
from made_predictions import make_sweep
from tiny_study import write_study

from analysis.gains import seed_value
from analysis.gains.bootstrap import bootstrap_gains
from analysis.gains.power import expect_seed_sd, find_detectable_gain
from hmnet.errors import InputError
from hmnet.folder.outputs import Output, open_output
from hmnet.jobs.workers import Workers
from hmnet.study.study import Study, resolve_study
from relevance.commands.pairwise_sweep import PairwiseOptions, plan_pairwise_study, run_pairwise
from relevance.matrices.matrix import RelevanceMatrix
from relevance.pairwise.extra_seeds import (
    ExtraSeeds,
    Refinement,
    add_refinement,
    choose_seeds,
    extend_plan,
    read_refinement,
)
from relevance.pairwise.measurement import MeasureOptions
from relevance.pairwise.plan import PairwisePlan
from relevance.pairwise.planning import describe_split
from relevance.pairwise.second_round import describe_extra, plan_extra
from relevance.pairwise.sweep import plan_sweep, run_sweep

pytestmark = [pytest.mark.usefixtures("in_this_process"), pytest.mark.system]

WORKERS = Workers.choose(workers=1)
MEASURE = MeasureOptions(draws=40)


@pytest.fixture(scope="module")
def study_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def refined(
    study_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Output, Study, list[str]]:
    """An output folder with two seeds of two tasks, and a second round of at most three runs."""
    output = open_output(tmp_path_factory.mktemp("refined") / "out")
    changes = {"seeds": [0, 1], "tasks": ["match", "grade"]}
    study = resolve_study(output.folder, study_file, changes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seed_value, "LEAST_VALUE", 0.0)  # any run is worth its while
        options = PairwiseOptions(refine=3, measure=MEASURE)
        said = list(run_pairwise(output, study, WORKERS, options))
    return output, study, said


@pytest.mark.system
@pytest.mark.parametrize("moment", ["runs", "matrix"])
def test_a_second_round_that_was_cut_off_goes_on_with_its_plan(
    refined: tuple[Output, Study, list[str]],
    tmp_path: Path,
    moment: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole, study, _ = refined
    output = Output(Path(shutil.copytree(whole.folder, tmp_path / "out")))
    monkeypatch.setattr(seed_value, "LEAST_VALUE", 0.0)
    options = PairwiseOptions(refine=3, measure=MEASURE)
    plan = plan_sweep(output, study)[1]
    output.refinement.unlink()
    run_sweep(output, study, WORKERS, options=MEASURE)  # as after the first round
    for job in plan.jobs:
        if job.spec.seed > 1 and moment == "runs":
            shutil.rmtree(output.runs.path(job.spec))
    add_refinement(output, read_refinement(whole).runs)  # and here it was killed
    said = list(run_pairwise(output, study, WORKERS, options))
    assert said[0] == "the further seeds in refinement.json are not measured yet: it goes on"
    names = ("refinement.json", "pairwise.parquet", "pairwise-scores.parquet")
    for name in names:
        assert (output.folder / name).read_bytes() == (whole.folder / name).read_bytes()


def count_seeds(plan: PairwisePlan) -> Counter[tuple[str, ...]]:
    return Counter([(task,) for task, _ in plan.singles] + [pair[:2] for pair in plan.pairs])


def test_the_second_round_adds_what_it_says_and_no_more(
    refined: tuple[Output, Study, list[str]],
) -> None:
    output, study, said = refined
    assert said[0] == "the first round lacks 6 runs"
    added = read_refinement(output).runs
    count = sum(len(entry.seeds) for entry in added)
    assert 1 <= count <= 3
    assert f"{count} further runs where they may change a decision:" in said
    plan = plan_sweep(output, study)[1]
    assert len(plan.jobs) == 6 + count
    assert all(output.runs.is_done(job.spec) for job in plan.jobs)


def test_unequal_seeds_are_counted_cell_by_cell(refined: tuple[Output, Study, list[str]]) -> None:
    output, study, _ = refined
    seeds = count_seeds(plan_sweep(output, study)[1])
    matrix = RelevanceMatrix.read(output.pairwise)
    table = matrix.table.set_index(["source", "target"])
    for source, target in (("match", "grade"), ("grade", "match")):
        assert table.loc[(source, target), "n_seeds"] == seeds["match", "grade"]
        assert table.loc[(source, target), "n_single_seeds"] == seeds[(target,)]


def test_further_seeds_belong_to_the_sweep_from_then_on(
    refined: tuple[Output, Study, list[str]],
) -> None:
    output, study, _ = refined
    with assert_same_bytes([output.pairwise]), assert_nothing_runs(output.runs.folder):
        run_sweep(output, study, WORKERS, options=MEASURE)


def test_a_plan_is_extended_by_what_is_recorded(
    refined: tuple[Output, Study, list[str]], tmp_path: Path
) -> None:
    output, study, _ = refined
    other = Output(tmp_path)
    prepared, whole = plan_sweep(output, study)
    plan = dataclasses.replace(
        whole,
        singles={key: job for key, job in whole.singles.items() if key[1] < 2},
        pairs={key: job for key, job in whole.pairs.items() if key[2] < 2},
    )
    runs = choose_seeds(plan, {("grade", "match"): 2, ("match",): 1})
    assert runs == [ExtraSeeds(("grade", "match"), (2, 3)), ExtraSeeds(("match",), (2,))]
    add_refinement(other, runs[:1])
    add_refinement(other, runs[1:])
    extended = extend_plan(plan, prepared, read_refinement(other))
    assert count_seeds(extended) == {("match",): 3, ("grade",): 2, ("match", "grade"): 4}
    unknown = Refinement((ExtraSeeds(("match", "gone"), (9,)),))
    assert extend_plan(plan, prepared, unknown) == plan


def test_one_seed_is_told_to_be_too_few() -> None:
    one = bootstrap_gains(make_sweep(np.zeros((3, 3)), seeds=1), draws=20)
    with pytest.raises(InputError, match="give --seeds 3"):
        plan_extra(one, 10)


def test_a_budget_of_nothing_is_refused(refined: tuple[Output, Study, list[str]]) -> None:
    output, study, _ = refined
    with pytest.raises(InputError, match="budget"):
        list(run_pairwise(output, study, WORKERS, PairwiseOptions(refine=0)))


def test_nothing_to_add_is_said() -> None:
    assert list(describe_extra([])) == ["no further seed is likely to change a decision"]


def test_a_plan_says_runs_power_and_split_before_anything_ran(
    study_file: Path, tmp_path: Path
) -> None:
    output = open_output(tmp_path / "out")
    study = resolve_study(output.folder, study_file, {"seeds": [0, 1]})
    said = list(plan_pairwise_study(output, study, WORKERS, [0, 1, 2], budget=30))
    assert said[0] == "9 single runs and 6 pair runs"
    assert any("M training tokens" in line for line in said)
    assert any("expected from published" in line for line in said)
    row = next(line for line in said[-2].splitlines() if line.split()[0] == "tone").split()
    detectable = 100 * find_detectable_gain(expect_seed_sd(24, 48), 2, 3)
    assert float(row[3]) == pytest.approx(detectable, abs=0.01)
    assert not list(output.runs.folder.glob("*")) if output.runs.folder.exists() else True
    # 3 single and 3 pair runs a seed: 30 runs pay 5 seeds of both
    assert "--seeds 5 --single-seeds 5 (30 runs)" in said[-1]


def test_after_a_round_the_plan_uses_what_was_measured(
    refined: tuple[Output, Study, list[str]],
) -> None:
    output, study, _ = refined
    said = list(plan_pairwise_study(output, study, WORKERS))
    assert any("measured in the runs so far" in line for line in said)


def test_a_split_of_13_tasks_gives_singles_more_seeds() -> None:
    # 78 pairs; 3 seeds of pairs and 6 to 7 of singles
    (line,) = describe_split(13, 320)
    assert "--seeds 3 --single-seeds 6 (312 runs)" in line
    assert list(describe_split(13, 50)) == [
        "50 runs do not pay one seed of 13 single and 78 pair runs"
    ]
