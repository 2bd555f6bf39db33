"""`hmnet sweep`: Figures 3 and 4, and the sampling options of a run."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from asserts import assert_nothing_runs, assert_same_bytes
from made import make_data
from pydantic import ValidationError
from tiny_study import write_groups, write_study

from hmnet.cli import app
from hmnet.errors import InputError
from hmnet.folder.outputs import Output
from hmnet.jobs.cost import count_tokens, estimate_work
from hmnet.runs.job import Job
from hmnet.runs.spec import RunSpec
from hmnet.storage.tables import read_table
from hmnet.study.hierarchy import HierarchySpec
from hmnet.study.settings import ModelRef, TrainingSettings
from hmnet.training.steps import count_batches, plan_steps
from reports.inputs.report_inputs import read_inputs

pytestmark = [pytest.mark.usefixtures("in_this_process"), pytest.mark.system]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def groups(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("groups")
    one = write_groups(folder / "one.json", {"a": ["tone", "match"], "b": ["grade"]})
    two = write_groups(folder / "two.json", {"a": ["tone"], "b": ["match", "grade"]})
    return ["--groups", f"one={one}", "--groups", f"two={two}"]


@pytest.fixture(scope="module")
def output(study: Path, groups: list[str], tmp_path_factory: pytest.TempPathFactory) -> Output:
    """An output folder with both sweeps."""
    folder = tmp_path_factory.mktemp("sweeps") / "out"
    rest = ["--study", str(study), "--out", str(folder), "--set", "training.epochs=2"]
    layers = ["sweep", "--tasks", "tone,match", "--shared", "0,1,3", "--seeds", "2"]
    app([*layers, *rest], standalone_mode=False)
    combinations = ["sweep", "--hierarchies", "1,1,1;2,1,0;0,1,2", *groups]
    app([*combinations, *rest, "--tasks", "tone,match,grade"], standalone_mode=False)
    return Output(folder)


def test_a_sweep_over_layers_has_a_score_per_task_number_and_seed(output: Output) -> None:
    table, _ = read_table(output.folder / "sweep-layers.parquet", "sweep-layers/1")
    assert list(table.columns) == ["task", "shared", "seed", "score", "run"]
    # 2 tasks, 3 numbers of layers, 2 seeds
    assert len(table) == 2 * 3 * 2
    assert sorted(set(table["shared"])) == [0, 1, 3]
    assert table["score"].between(0, 1).all()


def test_a_sweep_over_combinations_has_every_one_and_the_multi_task_line(output: Output) -> None:
    path = output.folder / "sweep-combinations.parquet"
    table, _ = read_table(path, "sweep-combinations/1")
    # 3 hierarchies x 2 groupings, and multi-task
    assert Counter(table["grouping"]) == {"one": 3, "two": 3, "multi-task": 1}
    assert set(table["hierarchy"]) == {"1,1,1", "2,1,0", "0,1,2", "3,0,0"}
    run = table.set_index(["grouping", "hierarchy"]).loc[("one", "1,1,1")]
    spec = output.runs.find(str(run["run"]))[1]
    result = output.runs.result(spec)
    assert run["score"] == pytest.approx(sum(result.primary.values()) / 3)


def test_the_report_reads_both_sweeps(output: Output) -> None:
    found = read_inputs(output.folder)
    assert found.problems == ()
    layers, combined = found.layer_sweep, found.combination_sweep
    assert layers is not None
    assert combined is not None
    assert set(layers.tasks) == {"tone", "match"}
    assert combined.tasks == ("tone", "match", "grade")
    assert combined.hierarchies == ("0,1,2", "1,1,1", "2,1,0")
    assert set(combined.rows["grouping"]) == {"one", "two"}
    table, _ = read_table(output.folder / "sweep-combinations.parquet", "sweep-combinations/1")
    (level,) = table.loc[table["grouping"] == "multi-task", "score"]
    assert combined.multi_task == level


def test_a_second_sweep_runs_nothing(output: Output, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["sweep", "--tasks", "tone,match", "--shared", "0,1,3", "--seeds", "2"]
    rest = ["--set", "training.epochs=2", "--out", str(output.folder)]
    app([*words, *rest, "--dry-run"], standalone_mode=False)
    assert "6 already done, 0 to do" in capsys.readouterr().out
    files = [output.folder / "sweep-layers.parquet"]
    with assert_same_bytes(files), assert_nothing_runs(output.runs.folder):
        app([*words, *rest], standalone_mode=False)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "One of the parameters `shared` and `hierarchies` should be given. Found none"),
        (["--shared", "1", "--hierarchies", "1,1,1"], "Found both"),
        (["--shared", "0,4"], r"between 0 and the encoder's depth, 3\. Found `4`"),
        (["--shared", "1,1"], r"`shared` should name each value once\. Found `1` twice"),
        (["--shared", "x"], "`shared` should be whole numbers"),
        (["--shared", "1", "--tasks", "tone"], "at least two tasks"),
        (["--hierarchies", ";"], r"such as 8,2,2;6,4,2\. Found `;`"),
        (["--hierarchies", "1,1"], "three layer counts"),
        (["--hierarchies", "8,2,2"], "sum to the encoder's depth, 3"),
        (["--hierarchies", "1,1,1;1,1,1"], r"name each value once\. Found `1,1,1` twice"),
    ],
)
def test_bad_input_gets_a_sentence(
    study: Path, groups: list[str], tmp_path: Path, words: list[str], message: str
) -> None:
    rest = ["--study", str(study), "--out", str(tmp_path / "out"), *groups]
    if "tone" in words:
        rest = rest[:4]
    with pytest.raises(InputError, match=message):
        app(["sweep", *words, *rest], standalone_mode=False)


# Sampling

SIZES = {"large": 800, "middle": 80, "small": 9}


def count(**options: object) -> dict[str, int]:
    settings = TrainingSettings(batch_size=8, **options)  # type: ignore[arg-type]
    return count_batches(SIZES, settings)


def test_proportional_sampling_takes_every_batch() -> None:
    # 800 / 8, 80 / 8, and 9 / 8 rounded up
    assert count() == {"large": 100, "middle": 10, "small": 2}


def test_temperature_flattens_shares_and_keeps_the_number_of_steps() -> None:
    assert count(sampling="temperature", temperature=1) == count()
    flat = count(sampling="temperature", temperature=2)
    # Square roots of 100, 10 and 2 are 10, 3.162 and 1.414, 14.576 in all; of 112 batches that
    # is 76.8, 24.3 and 10.9.
    assert flat == {"large": 77, "middle": 24, "small": 11}
    even = count(sampling="temperature", temperature=1e9)
    assert set(even.values()) == {37}  # 112 / 3


def test_a_cap_limits_large_tasks_alone() -> None:
    # At most 30 examples: 30 / 8 rounded up
    assert count(sampling="capped", cap=30) == {"large": 4, "middle": 4, "small": 2}


def test_all_batches_are_the_plan_without_a_sampling() -> None:
    plain = plan_steps(SIZES, 3, 8, seed=5)
    counted = plan_steps(SIZES, 3, 8, seed=5, counts=count())
    assert len(plain) == len(counted) == 3 * 112
    for one, other in zip(plain, counted, strict=True):
        assert (one.task, one.visit, one.epoch) == (other.task, other.visit, other.epoch)
        np.testing.assert_array_equal(one.index, other.index)


def test_epochs_go_on_through_a_tasks_examples() -> None:
    steps = plan_steps(SIZES, 5, 8, seed=0, counts={"large": 4, "middle": 4, "small": 4})
    seen: dict[str, Counter[int]] = {task: Counter() for task in SIZES}
    for step in steps:
        seen[step.task].update(step.index.tolist())
    # 20 batches of each: a fifth of the large one, and 2 and 10 rounds through the others
    assert sorted(seen["large"].values()) == [1] * 160
    assert seen["middle"] == dict.fromkeys(range(80), 2)
    assert seen["small"] == dict.fromkeys(range(9), 10)
    assert [step.visit for step in steps if step.task == "middle"] == list(range(20))


def test_the_expected_cost_follows_the_sampling_and_the_active_skills() -> None:
    data = {"alpha": make_data("alpha", size=20)}
    task = dataclasses.replace(data["alpha"].task, category="other")
    spec = RunSpec(
        tasks=(task,),
        data={"alpha": "x"},
        model=ModelRef("m", None, "x"),
        hierarchy=HierarchySpec(3, 0, 0),
        groups=(("alpha",),),
        training=TrainingSettings(epochs=3, batch_size=4),
        seed=0,
    )
    train, dev = (len(data["alpha"].splits[split].tokens) for split in ("train", "validation"))
    assert count_tokens(Job(spec, {}), data) == {"alpha": (3 * train, dev)}
    capped = dataclasses.replace(spec.training, sampling="capped", cap=8)
    # 2 of 5 batches
    job = Job(dataclasses.replace(spec, training=capped), {})
    assert count_tokens(job, data) == {"alpha": (3 * train * 2 // 5, dev)}
    # Two skills are active, so 1 + 2/3 of a path.
    skillnet = Job(dataclasses.replace(spec, system="skillnet"), {})
    plain = estimate_work(Job(spec, {}), data)
    assert estimate_work(skillnet, data) == pytest.approx(plain * 5 / 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampling": "temperature"}, "`temperature` should be given"),
        ({"sampling": "capped"}, "`cap` should be given"),
        ({"temperature": 2.0}, "`temperature` should be left out"),
        ({"sampling": "temperature", "temperature": 2.0, "cap": 5}, "`cap` should be left out"),
        ({"sampling": "temperature", "temperature": 0.5}, "greater than or equal to 1"),
        ({"loss_weights": {"a": 0}}, "greater than 0"),
    ],
)
def test_sampling_options_that_do_not_fit_are_refused(
    options: dict[str, object], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        TrainingSettings(**options)  # type: ignore[arg-type]


def test_options_reach_a_run_from_the_command_line(study: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["sweep", "--shared", "3", "--tasks", "tone,match", "--study", str(study)]
    capped = ["--set", "training.sampling=capped", "--set", "training.cap=8"]
    weighted = ["--set", "training.loss_weights={tone = 2.0}", "--set", "training.epochs=2"]
    app([*words, *capped, *weighted, "--out", str(out)], standalone_mode=False)
    table, _ = read_table(out / "sweep-layers.parquet", "sweep-layers/1")
    spec = Output(out).runs.find(str(table["run"].iloc[0]))[1]
    assert spec.training.loss_weights == {"tone": 2.0}
    # 2 tasks, 8 of 48 examples each, batches of 8, 2 epochs
    assert Output(out).runs.result(spec).steps == 2 * 1 * 2
