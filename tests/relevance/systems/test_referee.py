"""`hmnet compare` as a referee: best numbers of epochs, rows for judging, tasks resampled."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny_study import STUDY, runs_in_this_process, write_study

from analysis.gains.paired import AVERAGE, Estimate
from analysis.gains.task_resampling import resample_tasks
from hmnet.cli import app
from hmnet.data.task_data import HELD_OUT, JUDGED
from hmnet.errors import InputError
from hmnet.folder.outputs import Output
from hmnet.jobs.prepared import PreparedStudy, prepare_study
from hmnet.storage.tables import read_table
from hmnet.study.study import load_study
from relevance.systems.best_epochs import choose_all_epochs
from relevance.systems.budget import describe_budget
from relevance.systems.choose import SystemOptions, choose_systems
from relevance.systems.systems import plan_system
from reports.inputs.score_table import arrange_scores
from reports.tables.score_rows import build_scores

COMPARED = """
[comparison]
epochs = [2, 1]
[[system]]
name = "short"
hierarchy = "1,1,1"
epochs = 1
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("referee")
    write_study(folder)
    text = STUDY.replace("[rows]", '[rows]\nholdout = 8\nholdout_use = "both"')
    text = text.replace('["tone", "match", "grade"]', '["tone", "match"]')
    (folder / "study.toml").write_text(text + COMPARED)
    return folder


@pytest.fixture(scope="module")
def prepared(folder: Path) -> PreparedStudy:
    return prepare_study(load_study(folder / "study.toml"), folder / "rows")


@pytest.fixture(scope="module")
def told(folder: Path, prepared: PreparedStudy) -> str:
    out = folder / "out"
    words = ["compare", "--study", str(folder / "study.toml"), "--out", str(out)]
    shown = io.StringIO()
    with runs_in_this_process(), contextlib.redirect_stdout(shown):
        app([*words, "--resample-tasks", "--draws", "50"], standalone_mode=False)
    return shown.getvalue()


def read(folder: Path) -> pd.DataFrame:
    return read_table(Output(folder / "out").compare, "comparison/1")[0]


def test_plain_systems_get_their_best_numbers_of_epochs_by_held_out_rows(
    folder: Path, prepared: PreparedStudy, told: str
) -> None:
    output = Output(folder / "out")
    systems, _ = choose_systems(output, prepared, SystemOptions())
    assert [system.epochs for system in systems] == [(2, 1), (2, 1), (1,)]
    assert len(plan_system(prepared, systems[0], 0)) == 4  # two tasks, each with two numbers
    assert "single-task: the best of 2, 1 epochs by held-out" in describe_budget(prepared, systems)
    single, multi, short = choose_all_epochs(prepared, systems, output.runs)
    for task in ("tone", "match"):
        scores = {
            job.spec.training.epochs: output.runs.held_out(job.spec)[task]
            for job in plan_system(prepared, systems[0], 0)
            if job.spec.names == (task,)
        }
        assert single.chosen[task] == max((1, 2), key=lambda e: (scores[e], -e))
    assert len(set(multi.chosen.values())) == 1
    assert short.chosen == {}
    epochs = [job.spec.training.epochs for job in plan_system(prepared, single, 0)]
    assert epochs == [single.chosen["tone"], single.chosen["match"]]
    assert plan_system(prepared, short, 0)[0].spec.training.epochs == 1


def test_the_cost_of_numbers_that_were_tried_is_counted(folder: Path, told: str) -> None:
    assert "single-task: of 2, 1 epochs the best by held-out training rows: " in told
    costs = read(folder).groupby("system")[["steps", "steps_beside", "seconds"]].first()
    # two tasks with 40 rows: 10 batches an epoch
    for plain in ("single-task", "multi-task"):
        assert costs.loc[plain, ["steps", "steps_beside"]].sum() == 10 + 20
    assert costs.loc["short", ["steps", "steps_beside"]].tolist() == [10, 0]
    assert (costs["seconds"] > 0).all()


def test_no_held_out_row_is_for_choosing_and_judging(prepared: PreparedStudy) -> None:
    for data in prepared.data.values():
        held, judged, train = (data.splits[n].rows for n in (HELD_OUT, JUDGED, "train"))
        assert (len(held), len(judged), len(train)) == (4, 4, 40)
        assert len({*held, *judged, *train}) == 48
        assert data.judged_splits == ("validation", JUDGED)


def test_judged_rows_are_a_further_dev_split(
    folder: Path, prepared: PreparedStudy, told: str
) -> None:
    output = Output(folder / "out")
    spec = prepared.single("tone", 0).spec
    result = output.runs.result(spec)
    assert dict(result.n_dev["tone"]) == {"validation": 24, JUDGED: 4}
    both = [result.scores["tone"][split]["accuracy"] for split in ("validation", JUDGED)]
    assert result.primary["tone"] == pytest.approx(np.mean(both))
    assert set(output.runs.predictions(spec, "tone")["split"]) == {"validation", JUDGED}


def test_the_report_tells_what_systems_took_and_how_often_they_win(folder: Path, told: str) -> None:
    shown = dict(build_scores(arrange_scores(read(folder))).below)
    assert shown["Steps"][-1] == "10"
    assert shown["Steps beside"][-1] == "0"
    assert set(shown) >= {
        "Parameters activated",
        "Training time",
        "Won, lost, drawn against multi-task",
    }
    assert shown["Won, lost, drawn against multi-task"][-1].count(",") == 2


def test_averages_have_intervals_over_tasks_like_these(folder: Path, told: str) -> None:
    means = read(folder)
    means = means[means["seed"].isna() & (means["system"] == "short")].set_index("task")
    assert means.loc[AVERAGE, "vs_multi_tasks_low"] <= means.loc[AVERAGE, "vs_multi_low"]
    assert means.loc[AVERAGE, "vs_multi_tasks_high"] >= means.loc[AVERAGE, "vs_multi_high"]
    assert "on average over tasks like these (tasks resampled too): short " in told
    assert "8 training rows that were held out as a further dev split" in told
    assert means.drop(AVERAGE)["vs_multi_tasks_low"].isna().all()


def test_an_interval_over_tasks_is_that_of_their_means_where_noise_is_small() -> None:
    values = np.random.default_rng(0).normal(0.01, 0.02, 13)
    mean = float(values.mean())
    low, high = resample_tasks(values, Estimate(mean, mean - 0.001, mean + 0.001, 5), 4000)
    # 1.96 standard errors of a mean of 13
    assert high - low == pytest.approx(2 * 1.96 * values.std(ddof=1) / np.sqrt(13), rel=0.08)
    noisy = Estimate(mean, mean - 0.5, mean + 0.5, 5)
    assert resample_tasks(values, noisy) == (noisy.low, noisy.high)
    assert resample_tasks(values[:1], noisy) == (noisy.low, noisy.high)


def test_numbers_of_epochs_need_rows_to_choose_by(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text('schema = "study/1"\n[comparison]\nepochs = [2, 3]\n')
    with pytest.raises(
        InputError, match=r"`rows.holdout` should be given where `comparison.epochs`"
    ):
        load_study(file)
    file.write_text('schema = "study/1"\n[comparison]\nepochs = [2, 2]\n')
    with pytest.raises(InputError, match=r"`epochs` should name each number once"):
        load_study(file)
    file.write_text('schema = "study/1"\n[rows]\nholdout_use = "judging"\n')
    with pytest.raises(InputError, match=r"`holdout_use` should be left out unless `holdout`"):
        load_study(file)
    judged = '[rows]\nholdout = 10\nholdout_use = "judging"\n[training]\nstopping = "task"\n'
    file.write_text('schema = "study/1"\n' + judged)
    with pytest.raises(InputError, match=r"another `holdout_use` than judging. Found `judging`"):
        load_study(file)
