"""Tasks on the same texts, trained on together: one pass, summed losses, gaps left out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made import make_data, make_encoder

from hmnet.data.task_data import TaskData
from hmnet.models.paths import HMNet
from hmnet.packing.batch import pack
from hmnet.study.hierarchy import HierarchySpec
from hmnet.study.settings import Distillation, TrainingSettings
from hmnet.training.checkpoint import Checkpoint
from hmnet.training.course import Course
from hmnet.training.loop import Trainer, train
from hmnet.training.step_rows import group_by_rows, list_sources

SETTINGS = TrainingSettings(
    epochs=2, batch_size=8, learning_rate=1e-3, shared_rows="together", weight_decay=0.1
)
APART = dataclasses.replace(SETTINGS, shared_rows="apart")


def take_rows(data: TaskData, index: np.ndarray[Any, Any]) -> TaskData:
    """Return a task with some of its training rows alone."""
    own = data.train
    spans = [own.tokens[own.offsets[i] : own.offsets[i + 1]] for i in index]
    part = dataclasses.replace(
        own,
        tokens=np.concatenate(spans),
        offsets=np.concatenate([[0], np.cumsum([len(span) for span in spans])]),
        first=own.first[index],
        labels=own.labels[index],
        rows=own.rows[index],
        questions=own.questions[index],
    )
    return dataclasses.replace(data, splits={**data.splits, "train": part})


def make_columns() -> dict[str, TaskData]:
    """Return two tasks of one file, `tone` of classes and `stars` of values, and one of another.

    Rows 0-15 have a tone, rows 6-21 have stars.
    """
    tone = make_data("tone", 3)
    values = make_data("stars", 1)
    stars = dataclasses.replace(
        values,
        splits={
            split: dataclasses.replace(part, labels=values.splits[split].labels)
            for split, part in tone.splits.items()
        },
    )
    return {
        "tone": take_rows(tone, np.arange(16)),
        "stars": take_rows(stars, np.arange(6, 22)),
        "other": make_data("other", 2, seed=5),
    }


DATA = make_columns()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("encoders")


def make_model(folder: Path, hierarchy: str = "3,0,0", dropout: float = 0.0) -> HMNet:
    encoder = make_encoder(folder / "bert", depth=3, dropout=dropout)
    tasks = [each.task for each in DATA.values()]
    return HMNet(encoder, tasks, HierarchySpec.parse(hierarchy), [sorted(DATA)], seed=0)


def make_trainer(folder: Path, settings: TrainingSettings = SETTINGS) -> Trainer:
    return Trainer(make_model(folder), DATA, settings, 0, torch.device("cpu"))


def test_tasks_share_rows_where_rows_of_one_number_have_the_same_tokens() -> None:
    assert group_by_rows(DATA) == [["other"], ["stars", "tone"]]
    assert set(list_sources(DATA, APART)) == {"tone", "stars", "other"}
    source = list_sources(DATA, SETTINGS)["stars + tone"]
    assert source.split.rows.tolist() == list(range(22))
    assert source.numbers["tone"].tolist() == [*range(16), *[-1] * 6]
    assert source.numbers["stars"].tolist() == [*[-1] * 6, *range(16)]
    for number, row in enumerate(source.split.rows):
        own = DATA["tone"] if row < 16 else DATA["stars"]
        place = int(np.flatnonzero(own.train.rows == row)[0])
        expected = own.train.tokens[own.train.offsets[place] : own.train.offsets[place + 1]]
        begin, end = source.split.offsets[number : number + 2]
        assert source.split.tokens[begin:end].tolist() == expected.tolist()


def test_an_epoch_has_every_label_once(folder: Path) -> None:
    trainer = make_trainer(folder)
    for epoch in range(2):
        seen: dict[str, list[int]] = {name: [] for name in DATA}
        for step in (step for step in trainer.steps if step.epoch == epoch):
            source = trainer.sources[step.task]
            for task in source.tasks:
                numbers = source.numbers[task][step.index] if source.is_shared else step.index
                seen[task] += [int(number) for number in numbers if number >= 0]
        for task, found in seen.items():
            assert sorted(found) == list(range(len(DATA[task].train)))


def test_a_step_sums_the_losses_of_the_labels_that_its_rows_have(folder: Path) -> None:
    trainer = make_trainer(folder)
    step = next(step for step in trainer.steps if step.task == "stars + tone")
    sums = trainer._add_gradients(step.task, trainer._cut(step))
    found = {n: p.grad.clone() for n, p in trainer.model.named_parameters() if p.grad is not None}
    trainer.optimizer.zero_grad(set_to_none=True)
    apart, expected = make_trainer(folder, APART), {}
    source = trainer.sources[step.task]
    for task in source.tasks:
        own = source.numbers[task][step.index]
        batch = pack(DATA[task].train, own[own >= 0])
        _, loss = apart._measure_loss(task, apart.model(task, batch).float(), batch)
        expected[task] = (
            float(loss.detach()) * apart.scales[task].deviation ** 2
            if (task in apart.scales)
            else float(loss.detach())
        )
        loss.backward()
    assert sums[:2].tolist() == pytest.approx([expected[t] for t in source.tasks], rel=1e-4)
    assert int(sums[2]) == int(source.split.lengths[step.index].sum())  # each text counts once
    for name, parameter in apart.model.named_parameters():
        if parameter.grad is not None and name in found:
            torch.testing.assert_close(found[name], parameter.grad, rtol=1e-3, atol=1e-6)


def test_shared_layers_run_once_for_all_labels(folder: Path) -> None:
    trainer = make_trainer(folder)
    calls = []
    layer = next(m for n, m in trainer.model.named_modules() if n.endswith("layer.0"))
    forward = layer.forward
    layer.forward = lambda *a, **k: (calls.append(1), forward(*a, **k))[1]  # type: ignore[method-assign]
    source = trainer.sources["stars + tone"]
    source.run(trainer.model, source.tasks, pack(source.split, np.arange(8)))
    assert len(calls) == 1


def test_parts_of_a_batch_add_up_to_its_gradient(folder: Path) -> None:
    gradients = []
    for parts in (1, 3):
        trainer = make_trainer(folder)
        trainer.micro_batches = parts
        step = next(step for step in trainer.steps if step.task == "stars + tone")
        sums = trainer._add_gradients(step.task, trainer._cut(step))
        grads = [p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None]
        gradients.append((sums, torch.cat(grads)))
    (sums, whole), (sums_of_parts, added) = gradients
    torch.testing.assert_close(sums, sums_of_parts, rtol=1e-5, atol=0)
    assert float((whole - added).norm() / whole.norm()) < 1e-5


def test_a_step_touches_no_task_without_a_label_in_its_batch(folder: Path) -> None:
    trainer = make_trainer(folder)
    step = dataclasses.replace(trainer.steps[0], task="stars + tone", index=np.arange(6))
    trainer.steps[0] = step  # of rows 0-5, which have no stars
    before = {n: p.detach().clone() for n, p in trainer.model.path("stars").named_parameters()}
    trainer.update(0)
    own = [n for n in before if "classifier" in n or "pooler" in n]
    assert own
    for name, parameter in trainer.model.path("stars").named_parameters():
        if name in own:
            torch.testing.assert_close(parameter, before[name], rtol=0, atol=0)
    assert trainer.list_tasks(step) == [(1, "tone")]


def test_resuming_from_any_step_equals_an_uninterrupted_run(folder: Path, tmp_path: Path) -> None:
    whole, resumed = (make_model(folder, dropout=0.1) for _ in range(2))
    lines: list[tuple[int, str]] = []
    whole_log = train(
        whole, DATA, SETTINGS, 0, log=lambda line: lines.append((line["step"], line["task"]))
    )
    assert whole_log.final_loss.keys() == DATA.keys()
    assert len(lines) > whole_log.steps  # a line for each task of a step

    class StoppedError(Exception):
        pass

    def stop(line: Mapping[str, Any]) -> None:
        if line["step"] == 4:
            raise StoppedError

    stopped = make_model(folder, dropout=0.1)
    with pytest.raises(StoppedError):
        train(stopped, DATA, SETTINGS, 0, checkpoint=Checkpoint(tmp_path, 0.0), log=stop)
    log = train(resumed, DATA, SETTINGS, 0, checkpoint=Checkpoint(tmp_path, 0.0))
    assert (log.final_loss, log.tokens) == (whole_log.final_loss, whole_log.tokens)
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


@pytest.mark.parametrize("hierarchy", ["3,0,0", "1,1,1", "0,0,3"])
def test_one_engine_trains_every_way_of_sharing(folder: Path, hierarchy: str) -> None:
    model = make_model(folder, hierarchy)
    log = train(model, DATA, dataclasses.replace(SETTINGS, class_weights="balanced"), 0)
    assert all(np.isfinite(loss) for loss in log.final_loss.values())


def test_a_teacher_is_asked_for_the_rows_that_its_task_has(folder: Path) -> None:
    taught = dataclasses.replace(SETTINGS, epochs=1, distillation=Distillation(start=0.0, end=0.0))
    outputs = {
        name: np.zeros((len(each.train), each.task.num_outputs), np.float32)
        for name, each in DATA.items()
    }
    log = train(make_model(folder), DATA, taught, 0, course=Course([], teachers=outputs))
    assert log.steps > 0


def test_without_shared_rows_nothing_changes(folder: Path) -> None:
    data = {name: DATA[name] for name in ("tone", "other")}
    encoder = make_encoder(folder / "bert", depth=3, dropout=0.1)
    tasks = [each.task for each in data.values()]
    found = []
    for settings in (SETTINGS, APART):
        model = HMNet(encoder, tasks, HierarchySpec(3, 0, 0), [sorted(data)], seed=0)
        found.append((train(model, data, settings, 0).final_loss, list(model.parameters())))
    (one, first), (other, second) = found
    assert one == other
    for a, b in zip(first, second, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
