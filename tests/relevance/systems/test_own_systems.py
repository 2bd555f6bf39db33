"""`hmnet compare` with the systems that a study lists: trained, counted and judged."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd
import pytest
from asserts import assert_nothing_runs
from tiny_study import STUDY, runs_in_this_process, write_groups, write_study

from analysis.gains.paired import LARGE_AVERAGE
from hmnet.cli import app
from hmnet.errors import InputError
from hmnet.folder.outputs import Output
from hmnet.jobs.prepared import PreparedStudy, prepare_study
from hmnet.storage.tables import read_table
from hmnet.study.settings import Distillation, TrainingSettings
from hmnet.study.study import load_study
from hmnet.study.study import write_study as write_study_file
from hmnet.study.system_settings import SystemSettings
from relevance.systems import large_tasks
from relevance.systems.choose import SystemOptions, choose_systems
from relevance.systems.record import describe_record
from relevance.systems.systems import plan_system

SYSTEMS = """
[[system]]
name = "coarse-to-fine"
groups = "mine.json"
stages = [{ share = 0.5, hierarchy = "3,0,0" }, { share = 0.5, hierarchy = "1,1,1" }]

[[system]]
name = "taught"
hierarchy = "3,0,0"
averaging = 0.5
distillation = { start = 0.2 }

[[system]]
name = "single-stopped"
alone = true
stopping = "task"
"""
NAMES = ["single-task", "multi-task", "coarse-to-fine", "taught", "single-stopped"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("systems")
    write_study(folder)
    text = STUDY.replace("epochs = 6", "epochs = 2").replace("[rows]", "[rows]\nholdout = 8")
    text = text.replace('["tone", "match", "grade"]', '["tone", "match"]')
    (folder / "study.toml").write_text(text + SYSTEMS)
    write_groups(folder / "mine.json", {"a": ["tone"], "b": ["match"]})
    return folder


@pytest.fixture(scope="module")
def prepared(folder: Path) -> PreparedStudy:
    return prepare_study(load_study(folder / "study.toml"), folder / "out" / "data")


def words(folder: Path, *more: str) -> list[str]:
    return ["compare", "--study", str(folder / "study.toml"), "--out", str(folder / "out"), *more]


@pytest.mark.system
def test_a_study_lists_the_systems_that_are_compared(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_tasks, "list_large", lambda prepared: ["tone"])
    with runs_in_this_process():
        app(words(folder), standalone_mode=False)
        told = capsys.readouterr().out
        with assert_nothing_runs(folder / "out" / "runs"):
            app(words(folder), standalone_mode=False)
    table = read_table(Output(folder / "out").compare, "comparison/1")[0]
    assert list(dict.fromkeys(table["system"])) == NAMES
    assert "average over the 1 tasks of at least 250 dev rows" in told
    rows = table.set_index(["system", "task"])
    # ten batches of 8 rows of 40 in two epochs, of two tasks; the teachers are single runs
    assert (rows.loc[NAMES, "steps"] == 20).all()
    beside = rows["steps_beside"].groupby(level=0).first()
    assert beside.to_dict() == {name: 20.0 if name == "taught" else 0.0 for name in NAMES}
    assert rows.loc[("taught", LARGE_AVERAGE), "score"].tolist() == pytest.approx(
        rows.loc[("taught", "tone"), "score"].tolist()
    )
    assert "training time " in told
    assert "steps, one seed " in told
    assert "drawn of 2 tasks" in told
    assert "equal budget: every system is trained for 2 epochs" in told
    # two single runs, which are also the teachers; three of several tasks; two that stop
    assert len(list((folder / "out" / "runs").glob("*/result.json"))) == 7


def test_systems_differ_in_what_they_say_alone(folder: Path, prepared: PreparedStudy) -> None:
    systems = {s.name: s for s in choose_systems(Output(folder), prepared, SystemOptions())[0]}
    jobs = {name: plan_system(prepared, system, 0) for name, system in systems.items()}
    staged, taught = jobs["coarse-to-fine"][0].spec, jobs["taught"][0].spec
    assert [str(stage.hierarchy) for stage in staged.stages] == ["3,0,0", "1,1,1"]
    assert staged.groups == (("match",), ("tone",))
    assert staged.training == prepared.study.training
    singles = {job.spec.names[0]: job.spec.run_id for job in jobs["single-task"]}
    assert taught.teachers == singles
    assert (taught.training.averaging, taught.training.distillation) == (
        0.5,
        Distillation(start=0.2),
    )
    assert [job.spec.training.stopping for job in jobs["single-stopped"]] == ["task", "task"]


def test_systems_survive_the_recorded_study(folder: Path, tmp_path: Path) -> None:
    study = load_study(folder / "study.toml")
    assert study.systems[0].groups == str(folder / "mine.json")  # relative to the study file
    write_study_file(tmp_path / "again.toml", study)
    assert load_study(tmp_path / "again.toml") == study


def test_what_is_no_system_is_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    head = 'schema = "study/1"\n'
    file.write_text(
        head + '[[system]]\nname = "multi-task"\n[[system]]\nname = "a"\naverage = 0.3\n'
        '[[system]]\nname = "b"\nalone = true\nhierarchy = "3,0,0"\n'
    )
    with pytest.raises(InputError) as caught:
        load_study(file)
    told = str(caught.value)
    assert "Parameter `name` should be none of single-task" in told
    assert "Parameter `system.1.average` is unknown. Did you mean `averaging`" in told
    assert "Parameter `alone` should be left out of a system with a hierarchy" in told
    file.write_text(head + '[[system]]\nname = "a"\n[[system]]\nname = "a"\nstopping = "task"\n')
    with pytest.raises(InputError) as caught:
        load_study(file)
    assert "should have a name for each. Found `a` 2 times" in str(caught.value)
    assert "Parameter `rows.holdout` should be given" in str(caught.value)


def test_a_grouping_that_is_not_at_hand_is_refused(folder: Path, prepared: PreparedStudy) -> None:
    asked = (SystemSettings("a", groups="pairwize"),)
    study = dataclasses.replace(prepared.study, systems=asked)
    other = dataclasses.replace(prepared, study=study)
    with pytest.raises(InputError, match=r"grouping at hand or a groups.json. Found `pairwize`"):
        choose_systems(Output(folder), other, SystemOptions())


def test_a_system_may_undo_the_averaging_of_its_study() -> None:
    averaged = TrainingSettings(averaging=0.5, averaging_steps=10)
    plain = SystemSettings("a", averaging=0.0).change(averaged)
    assert (plain.averaging, plain.averaging_steps) == (0.0, None)


def test_a_record_counts_intervals_that_leave_zero_out() -> None:
    rows = [("a", 0.01, 0.03), ("b", -0.02, 0.02), ("c", -0.05, -0.01), ("average", 0.01, 0.02)]
    means = pd.DataFrame(rows, columns=["task", "vs_multi_low", "vs_multi_high"])
    means["system"] = "mine"
    assert list(describe_record(means, "vs_multi")) == ["mine: 1 won, 1 lost, 1 drawn of 3 tasks"]
