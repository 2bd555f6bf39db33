"""Distillation from single runs: its loss by hand, its limits, and where the lessons are kept."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made import make_data, make_encoder, make_split, make_task
from tiny_study import runs_in_this_process, write_groups, write_study

from hmnet.cli import app
from hmnet.errors import InputError
from hmnet.folder.outputs import Output
from hmnet.jobs.prepared import prepare_study
from hmnet.jobs.schedule import Watcher, run_jobs
from hmnet.jobs.workers import Workers
from hmnet.models.paths import HMNet
from hmnet.packing.batch import pack
from hmnet.study.hierarchy import HierarchySpec
from hmnet.study.settings import Distillation, TrainingSettings
from hmnet.study.study import load_study
from hmnet.training import teaching
from hmnet.training.course import PLAIN, Course
from hmnet.training.evaluation import predict
from hmnet.training.loop import Trainer, train
from hmnet.training.losses import compute_loss, measure_distance
from hmnet.training.targets import TargetScale
from hmnet.training.teaching import Teaching, find_weight, load_lesson

CPU = torch.device("cpu")
SETTINGS = TrainingSettings(epochs=2, batch_size=8, learning_rate=1e-3, weight_decay=0.0)
ROWS = make_split(0, 4, 1)
DATA = {"alpha": make_data("alpha", 3), "beta": make_data("beta", 1, seed=1)}


@pytest.fixture(scope="module", params=("bert", "roberta", "electra"))
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return make_encoder(tmp_path_factory.mktemp("encoder"), request.param, depth=2)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return make_encoder(tmp_path_factory.mktemp("bert"), "bert", depth=2)


def build(encoder: Any) -> HMNet:
    tasks = [d.task for d in DATA.values()]
    return HMNet(encoder, tasks, HierarchySpec(1, 0, 1), [["alpha", "beta"]], seed=0)


def distil(start: float, end: float) -> TrainingSettings:
    return dataclasses.replace(SETTINGS, distillation=Distillation(start=start, end=end))


def make_lessons() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        name: rng.normal(size=(22, d.task.num_outputs)).astype(np.float32)
        for name, d in DATA.items()
    }


def follow(model: HMNet, settings: TrainingSettings, course: Course) -> list[float]:
    losses: list[float] = []
    train(model, DATA, settings, 0, log=lambda line: losses.append(line["loss"]), course=course)
    return losses


# The loss


def test_where_only_the_labels_count_a_run_is_the_plain_one(encoder: Any) -> None:
    plain, taught = build(encoder), build(encoder)
    losses = follow(plain, SETTINGS, PLAIN)
    assert follow(taught, distil(1, 1), Course(teachers=make_lessons())) == losses
    for one, other in zip(plain.parameters(), taught.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


@pytest.mark.parametrize("is_resident", [False, True])
def test_a_teacher_that_is_the_student_itself_moves_nothing(
    encoder: Any, is_resident: bool
) -> None:
    model = build(encoder)
    settings = dataclasses.replace(distil(0, 0), targets="raw")
    lessons = {name: predict(model, name, d.train, "fp32", CPU) for name, d in DATA.items()}
    trainer = Trainer(model, DATA, settings, 0, CPU, course=Course(teachers=lessons))
    if is_resident:
        trainer.move_rows_to_device()
    for position in (0, 5):
        trainer.teaching.begin_step(position, len(trainer.steps))
        step = trainer.steps[position]
        batches = list(trainer._cut(step))
        trainer._add_gradients(step.task, batches)
    gradients = [p.grad for p in model.parameters() if p.grad is not None and not p.grad.is_sparse]
    assert gradients
    assert max(float(grad.abs().max()) for grad in gradients) < 1e-5


def test_a_taught_run_is_another_one_whose_logged_loss_is_that_of_the_labels(bert: Any) -> None:
    plain, taught = build(bert), build(bert)
    losses = follow(plain, SETTINGS, PLAIN)
    found = follow(taught, distil(0, 1), Course(teachers=make_lessons()))
    assert found[0] == losses[0]  # before anything was learned
    assert found[1:] != losses[1:]


def test_distances_by_hand() -> None:
    # teacher 3/4, 1/4; student 1/2, 1/2: 3/4 ln(3/2) + 1/4 ln(1/2); equal ones: 0. Mean of both.
    student = torch.tensor([[0.0, 0.0], [1.0, 2.0]])
    teacher = torch.tensor([[math.log(3), 0.0], [4.0, 5.0]])
    expected = (0.75 * math.log(1.5) + 0.25 * math.log(0.5)) / 2
    found = measure_distance(student, teacher, "classification")
    assert float(found) == pytest.approx(expected, rel=1e-5)
    # (1 - 3) ** 2 and 0, mean 2
    values = (torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0], [2.0]]))
    assert float(measure_distance(*values, "regression")) == pytest.approx(2.0)


def test_a_regression_learns_its_teacher_in_the_unit_that_is_trained_on() -> None:
    # teacher 70 of mean 50 and deviation 10: 2 deviations; the student says 1. Label 40: -1.
    scale = TargetScale(50.0, 10.0)
    taught = Teaching({"a": np.array([[0.0], [70.0]], np.float32)}, Distillation(), CPU)
    taught.begin_step(1, 5)  # a quarter of the way: 1/4 of the labels, 3/4 of the teacher
    labels = scale.standardise(torch.tensor([40.0]))
    own = compute_loss(torch.tensor([[1.0]]), labels, "regression")
    distance = taught.measure(make_task("a", 1), torch.tensor([[1.0]]), pack(ROWS, [1]), scale)
    assert (float(own), float(distance)) == pytest.approx((4.0, 1.0))
    assert float(taught.blend(own, distance)) == pytest.approx(0.25 * 4.0 + 0.75 * 1.0)


def test_a_task_without_a_teacher_is_not_taught() -> None:
    outputs = {"a": np.zeros((1, 2), np.float32)}
    assert Teaching(outputs, Distillation(), CPU).teaches("a")
    assert not Teaching(outputs, Distillation(), CPU).teaches("b")
    assert not Teaching(outputs, None, CPU).teaches("a")


def test_the_weight_goes_linearly_from_the_first_step_to_the_last() -> None:
    weights = Distillation(start=0.2, end=1.0)
    found = [find_weight(weights, position, 5) for position in range(5)]
    assert found == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert find_weight(weights, 0, 1) == pytest.approx(0.2)


# The lessons


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    write_study(folder)
    write_groups(folder / "groups.json", {"a": ["tone"], "b": ["grade"]})
    words = ["train", "--study", str(folder / "study.toml"), "--out", str(folder / "out")]
    words += ["--groups", str(folder / "groups.json"), "--threads", "1", "--tasks", "tone,grade"]
    words += ["--set", "training.epochs=2", "--set", "training.distillation={start=0.1}"]
    app([*words, "--hierarchy", "1,1,1"], standalone_mode=False)
    return folder


def test_the_teachers_are_the_plain_single_runs_of_the_study(folder: Path) -> None:
    output = Output(folder / "out")
    study = load_study(output.study_file)
    taught = output.runs.find("grade-tone")[1]
    plain = dataclasses.replace(study.training, distillation=None)
    prepared = prepare_study(dataclasses.replace(study, training=plain), output.data)
    single = {name: prepared.single(name, 0).spec for name in study.tasks}
    assert taught.teachers == {name: spec.run_id for name, spec in single.items()}
    assert all(output.runs.is_done(spec, with_model=True) for spec in single.values())
    assert taught.training.distillation == Distillation(start=0.1, end=1.0)


def test_a_lesson_is_computed_once_and_anew_where_it_was_damaged(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = Output(folder / "out")
    prepared = prepare_study(load_study(output.study_file), output.data)
    home = output.runs.path(
        prepared.make_job(["tone"], HierarchySpec(0, 0, 3), [["tone"]], 0).before[0].spec
    )
    path = home / "lessons" / "tone.safetensors"
    content = path.read_bytes()
    calls: list[str] = []

    def count(*arguments: Any) -> Any:
        calls.append(arguments[1])
        return predict(*arguments)

    monkeypatch.setattr(teaching, "predict", count)
    kept = load_lesson(home, prepared.data["tone"], CPU)
    assert (kept.shape, calls) == ((48, 2), [])
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    again = load_lesson(home, prepared.data["tone"], CPU)
    assert calls == ["tone"]
    np.testing.assert_array_equal(kept, again)
    assert path.read_bytes() == content
    with pytest.raises(InputError, match=r"trained on the same rows.*other rows of `grade`"):
        load_lesson(home, prepared.data["grade"], CPU)


class CountingWatcher(Watcher):
    """Notes how many runs each sweep has."""

    def __init__(self) -> None:
        self.totals: list[int] = []

    def start(self, total: int, cached: int, total_cost: float) -> None:
        self.totals.append(total)


@pytest.mark.system
def test_a_sweep_does_the_teachers_first(folder: Path, tmp_path: Path) -> None:
    output = Output(folder / "out")
    prepared = prepare_study(load_study(output.study_file), output.data)
    jobs = [prepared.shared(["tone", "grade"], 0), prepared.single("tone", 0)]
    store, watcher = Output(tmp_path).runs, CountingWatcher()
    with runs_in_this_process():
        summary = run_jobs(jobs, store, Workers.choose(workers=1), watcher=watcher)
        again = run_jobs(jobs, store, Workers.choose(workers=1), watcher=watcher)
    assert not summary.failed
    assert len(summary.done) == len(again.cached) == 4  # two teachers, and the jobs
    assert watcher.totals == [4, 4]  # told as one sweep each
    assert set(summary.done[:2]) == {job.spec.run_id for job in jobs[0].before}
    assert not again.done
