"""One small task, what shall be added: only its own pairs run, and noise is no advice."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from asserts import assert_nothing_runs
from made_predictions import make_sweep
from tiny_study import write_study

from analysis.gains.bootstrap import bootstrap_gains, bootstrap_targets, score_target
from hmnet.errors import InputError
from hmnet.folder.freshness import find_stale
from hmnet.folder.outputs import Output, open_output
from hmnet.jobs.prepared import prepare_study
from hmnet.jobs.workers import Workers
from hmnet.models.saved import load_model
from hmnet.storage.digests import digest_file
from hmnet.storage.manifest import read_manifest
from hmnet.study.study import Study, resolve_study
from hmnet.training.execution import begin_model, build_model
from relevance.commands.pairwise_sweep import run_pairwise
from relevance.commands.ranking_of_sources import TargetOptions, run_target
from relevance.pairwise.one_target import _tabulate, decide_sources
from relevance.pairwise.target_choice import choose_tasks
from reports.html import write_report
from reports.inputs.report_inputs import read_inputs

pytestmark = pytest.mark.usefixtures("in_this_process")

WORKERS = Workers.choose(workers=1)
GAINS = np.zeros((4, 4))
GAINS[1, 0], GAINS[2, 0] = 0.10, -0.10  # b helps a, c hurts it, d does nothing


def rank(
    predictions_seed: int, gains: object = GAINS, seeds: int = 3, base: float = 0.7
) -> pd.DataFrame:
    made = make_sweep(gains, dev=2000, seeds=seeds, base=base, seed=predictions_seed)["a"]
    found = bootstrap_targets([score_target(made, 400, 0)], 400, tasks=("a", *made.joint))
    return _tabulate(found, {}, learned=True)


def test_a_planted_helper_is_found_and_a_planted_loss_is_said() -> None:
    table = rank(0)
    assert table["source"].tolist() == ["b", "d", "c"]
    assert table["verdict"].tolist() == ["helps", "within noise", "hurts"]
    said = decide_sources("a", table)
    assert said.startswith("add b (+1")
    assert said.endswith("; nothing else is beyond noise; c would hurt")


def test_a_task_that_nothing_helps_is_left_alone() -> None:
    said = decide_sources("a", rank(1, np.zeros((4, 4))), 0.021)
    assert said.startswith("nothing helps a: no gain is beyond noise")
    assert "(one of 2.1 points would be found 80% of the time)" in said


def test_two_helpers_are_named_and_not_taken_for_tried_together() -> None:
    gains = np.zeros((3, 3))
    gains[1, 0], gains[2, 0] = 0.1, 0.07
    said = decide_sources("a", rank(2, gains))
    assert "add b" in said
    assert said.endswith("c helps too, beyond noise, and was not tried with it")


def test_one_seed_decides_nothing_and_neither_does_a_target_that_learned_nothing() -> None:
    assert "give --seeds 3" in decide_sources("a", rank(0, seeds=1))
    lost = rank(0).assign(verdict="no baseline")
    assert "no better than a constant answer" in decide_sources("a", lost)


def test_a_column_alone_is_that_of_the_whole_matrix_but_for_what_columns_share() -> None:
    made = make_sweep(GAINS, dev=500)
    whole = bootstrap_gains(made, draws=400)
    alone = bootstrap_targets([score_target(made["a"], 400, 0)], 400, tasks=whole.tasks)
    assert np.array_equal(whole.joint[1:, 0], alone.joint[1:, 0])
    widths = [np.subtract(*reversed(found.interval()))[1:, 0] for found in (whole, alone)]
    assert np.allclose(widths[0], widths[1], rtol=0.35)  # noise is pooled over targets there
    assert np.isnan(alone.joint[:, 1:]).all()


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("study")
    changes = {"seeds": [0, 1], "training.epochs": 1}
    return resolve_study(folder, write_study(folder), changes)


@pytest.fixture(scope="module")
def asked(
    study: Study, tmp_path_factory: pytest.TempPathFactory, in_this_process: None
) -> tuple[Output, list[str]]:
    """An output folder in which `match` was asked for, with both other tasks: 2 + 4 runs."""
    output = open_output(tmp_path_factory.mktemp("asked") / "out")
    return output, list(run_target(output, study, WORKERS, TargetOptions("match")))


def count_runs(output: Output) -> int:
    return sum((path / "result.json").exists() for path in output.runs.folder.iterdir())


def test_only_the_runs_of_the_target_are_done_and_none_twice(
    asked: tuple[Output, list[str]], study: Study
) -> None:
    output, said = asked
    assert count_runs(output) == 2 + 2 * 2
    with assert_nothing_runs(output.runs.folder):
        again = list(run_target(output, study, WORKERS, TargetOptions("match")))
        fewer = list(run_target(output, study, WORKERS, TargetOptions("match", ["tone"])))
    assert again == said
    assert not any("grade" in line for line in fewer)
    dry = run_target(output, study, WORKERS, TargetOptions("match"), dry_run=True)
    assert any("6 already done, 0 to do" in line for line in dry)


def test_a_ranking_is_of_its_own_tasks_and_runs_whatever_else_the_study_holds(
    asked: tuple[Output, list[str]], study: Study
) -> None:
    output, _ = asked
    list(run_target(output, study, WORKERS, TargetOptions("match", ["tone"])))
    table = output.one_target("match")
    noted = read_manifest(output.folder).find_sources(table.name, digest_file(table))
    assert noted["command"] == "relevance target match --sources tone"
    assert len(noted["runs"]) == 2 + 2
    assert "task.grade" not in noted["study"]
    assert find_stale(output, table) == []


def test_the_report_has_a_section_for_the_target(
    asked: tuple[Output, list[str]], study: Study
) -> None:
    output, _ = asked
    said = list(run_target(output, study, WORKERS, TargetOptions("match")))
    (found,) = read_inputs(output.folder).asked
    assert found.target == "match"
    assert found.decision in said
    assert 'id="asked-match"' in write_report(output.folder).read_text()


def test_a_sweep_goes_on_from_the_runs_of_a_target(
    asked: tuple[Output, list[str]], study: Study
) -> None:
    output, _ = asked
    two = dataclasses.replace(study, tasks={n: study.tasks[n] for n in ("tone", "match")})
    list(run_pairwise(output, two, WORKERS))
    assert count_runs(output) == 6 + 2  # the single runs of `tone`


def test_unknown_tasks_are_all_named_with_the_closest_ones(study: Study) -> None:
    with pytest.raises(InputError) as error:
        choose_tasks(study, "mach", ["tones", "grade"])
    assert len(error.value.problems) == 2
    assert "`match`" in str(error.value)
    with pytest.raises(InputError, match="other tasks than the target"):
        choose_tasks(study, "tone", ["tone", "match"])
    assert list(choose_tasks(study, "match", ["tone"]).tasks) == ["tone", "match"]


def test_a_folder_without_targets_has_no_section(tmp_path: Path) -> None:
    output = open_output(tmp_path / "out")
    assert "What to add" not in write_report(output.folder).read_text()


@pytest.fixture(scope="module")
def sequential(
    study: Study, tmp_path_factory: pytest.TempPathFactory, in_this_process: None
) -> tuple[Output, list[str]]:
    """`match` with `tone`, and after it: 2 single, 2 pair, 2 source and 2 later runs."""
    output = open_output(tmp_path_factory.mktemp("sequential") / "out")
    options = TargetOptions("match", ["tone"], sequential=True)
    return output, list(run_target(output, study, WORKERS, options))


def test_a_source_is_trained_first_once_and_ranked_beside_its_pair(
    sequential: tuple[Output, list[str]], study: Study
) -> None:
    output, said = sequential
    assert count_runs(output) == 4 * 2
    (found,) = read_inputs(output.folder).asked
    assert sorted(zip(found.table["source"], found.table["way"], strict=True)) == [
        ("tone", "after"),
        ("tone", "with"),
    ]
    assert any("tone first" in line for line in said)
    page = write_report(output.folder).read_text()
    assert "tone first" in page
    assert "trained on the source, then on match" in page
    with assert_nothing_runs(output.runs.folder):
        dry = run_target(
            output, study, WORKERS, TargetOptions("match", ["tone"], None, True), dry_run=True
        )
        assert "2 single runs and 2 pair runs, 2 after a source's own run" in list(dry)


def test_a_target_begins_with_its_source_but_for_the_output_layer(
    sequential: tuple[Output, list[str]], study: Study
) -> None:
    output, _ = sequential
    job = prepare_study(study, output.data).after("tone", "match", 0)
    (first,) = job.before
    folder = output.runs.path(first.spec)
    begun = begin_model(replace(job, parents={first.spec.run_id: folder}), {}).path("match")
    source = load_model(folder / "model", first.spec).path("tone")
    fresh = build_model(job.spec).path("match")
    outputs = {name for name, _ in begun.named_parameters() if name.startswith("classifier")}
    for name, parameter in begun.named_parameters():
        origin = fresh if name in outputs else source
        assert torch.equal(parameter, dict(origin.named_parameters())[name]), name
    assert len(outputs) == 2


def test_the_way_of_a_help_is_said_in_the_decision() -> None:
    table = rank(0).assign(way=["after", "with", "with"])
    assert decide_sources("a", table).startswith("train on b first (+1")
