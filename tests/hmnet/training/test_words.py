"""Tasks whose words have labels, beside tasks of whole sequences, in the one engine."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made import TAGS, make_data, make_encoder, make_tagged

from hmnet.jobs.cost import _sample, _time_steps
from hmnet.models.paths import HMNet
from hmnet.packing.batch import pack, sort_by_length
from hmnet.packing.batch_shape import fit_shape
from hmnet.packing.forward import compute_logits
from hmnet.packing.resident_split import IGNORED, ResidentSplit
from hmnet.study.answers import gather_answers
from hmnet.study.hierarchy import HierarchySpec
from hmnet.study.settings import Distillation, TrainingSettings
from hmnet.training.batch_shapes import plan_shapes
from hmnet.training.checkpoint import Checkpoint
from hmnet.training.course import Course
from hmnet.training.distributed import ProcessGroup
from hmnet.training.evaluation import evaluate, predict, predict_tasks
from hmnet.training.loop import Trainer, train
from hmnet.training.losses import compute_loss
from hmnet.training.steps import plan_steps
from hmnet.training.targets import AS_THEY_ARE
from hmnet.training.teaching import Teaching

DATA = {"names": make_tagged("names"), "tone": make_data("tone", 3, seed=1)}
SETTINGS = TrainingSettings(epochs=2, batch_size=8, learning_rate=1e-3, warmup_frac=0.2)
CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=["bert", "roberta", "distilbert", "deberta-v2"])
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return an encoder: three that are packed, and one that is padded."""
    return make_encoder(tmp_path_factory.mktemp("encoder"), request.param, depth=3)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return make_encoder(tmp_path_factory.mktemp("bert"), "bert", depth=3)


def build(encoder: Any, spec: str = "2,0,1", data: Any = DATA) -> HMNet:
    tasks = [each.task for each in data.values()]
    return HMNet(encoder, tasks, HierarchySpec.parse(spec), [list(data)], seed=0)


def test_words_have_the_same_outputs_in_a_batch_as_alone(encoder: Any) -> None:
    model, split = build(encoder).eval(), DATA["names"].train
    together = predict(model, "names", split, "fp32", CPU)
    for row in (0, 5, 11):
        alone = predict(model, "names", split.select(np.array([row])), "fp32", CPU)
        own = together[split.find_words(np.array([row]))]
        np.testing.assert_allclose(alone, own, atol=2e-5)


def test_a_packed_batch_gives_what_a_padded_one_gives(bert: Any) -> None:
    path, batch = build(bert).eval().path("names"), pack(DATA["names"].train, range(9))
    with torch.no_grad():
        found = [compute_logits(path, batch, is_packable=packs) for packs in (True, False)]
    torch.testing.assert_close(*found, atol=2e-5, rtol=0)
    assert len(found[0]) == len(batch.labels) == len(batch.answers)


def test_words_that_a_model_does_not_see_have_no_outputs_and_count_as_outside(bert: Any) -> None:
    data = DATA["names"]
    frame = evaluate(build(bert).eval(), data)
    found = gather_answers(data.task, frame)
    split = data.splits["validation"]
    unseen = split.places < 0
    assert unseen.sum() == 5
    assert (found.predictions[unseen] == 0).all()
    logits = np.concatenate(frame["logits"].to_list()).reshape(-1, len(TAGS))
    assert np.isnan(logits[unseen]).all()
    assert np.isfinite(logits[~unseen]).all()
    assert len(found.labels) == len(split.places)


@pytest.mark.parametrize("spec", ["3,0,0", "1,1,1"])
def test_tasks_of_both_kinds_share_a_pass_over_the_same_texts(bert: Any, spec: str) -> None:
    model, split = build(bert, spec).eval(), DATA["names"].train
    both, passes = predict_tasks(model, ["names", "tone"], split, "fp32", CPU)
    for task in both:
        np.testing.assert_allclose(both[task], predict(model, task, split, "fp32", CPU), atol=1e-6)
    assert passes.computed == {"3,0,0": 4, "1,1,1": 4}[spec]  # the last layer once for each head


def test_one_training_learns_both_kinds(bert: Any) -> None:
    model = build(bert)
    before = train(build(bert), DATA, dataclasses.replace(SETTINGS, epochs=1), seed=0).final_loss
    after = train(model, DATA, dataclasses.replace(SETTINGS, epochs=12), seed=0).final_loss
    assert all(after[task] < before[task] for task in DATA)


def test_a_stopped_training_goes_on_as_if_it_had_not_stopped(bert: Any, tmp_path: Path) -> None:
    whole, stopped = [], []
    train(build(bert), DATA, SETTINGS, 0, log=whole.append)
    place = Checkpoint(tmp_path, every_s=0.0)

    def stop(line: Any) -> None:
        stopped.append(line)
        if len(stopped) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(build(bert), DATA, SETTINGS, 0, checkpoint=place, log=stop)
    train(build(bert), DATA, SETTINGS, 0, checkpoint=place, log=stopped.append)
    losses = {line["step"]: line["loss"] for line in stopped}
    assert [losses[line["step"]] for line in whole] == [line["loss"] for line in whole]


def test_a_batch_in_parts_gives_the_gradients_of_the_whole_one(bert: Any) -> None:
    """A mean over the words of the batch, however they lie in its parts."""
    sums = []
    for parts in (1, 2, 4):
        trainer = Trainer(build(bert), DATA, SETTINGS, 0, CPU)
        trainer.micro_batches = parts
        step = next(i for i, each in enumerate(trainer.steps) if each.task == "names")
        sums.append([float(value) for value in trainer._update_whole(step)])
        trainer.finish()
    assert sums[1] == pytest.approx(sums[0], rel=1e-6)
    assert sums[2] == pytest.approx(sums[0], rel=1e-6)


def test_the_loss_is_the_mean_over_words_and_leaves_filler_out() -> None:
    # -log(3/4) of the word that is seen; the filler's label is -100. Without words: 0.
    outputs = torch.tensor([[0.0, float(np.log(3))], [9.0, 0.0]])
    found = compute_loss(outputs, torch.tensor([1, -100]), "tags")
    assert float(found) == pytest.approx(-np.log(0.75))
    assert float(compute_loss(outputs, torch.tensor([-100, -100]), "tags")) == 0.0


@pytest.mark.parametrize("more", [0, 2])
@pytest.mark.parametrize("index", [[0], [3, 1, 2], [5, 5], list(range(22))[::-1]])
def test_a_batch_on_the_device_is_the_one_that_is_packed_on_the_host(
    bert: Any, index: list[int], more: int
) -> None:
    split = DATA["names"].train
    wanted = pack(split, index)
    ordered, lengths = sort_by_length(split, index)
    fitting = fit_shape(lengths, split.count_answers(ordered))
    shape = dataclasses.replace(fitting, words=fitting.words + 16 * more)
    found = ResidentSplit(split, CPU).pack(torch.from_numpy(ordered), shape)
    size = len(wanted.labels)
    assert found.labels[:size].tolist() == wanted.labels.tolist()
    assert found.labels[size:].tolist() == [IGNORED] * (shape.words - size)
    assert found.answers[:size].tolist() == wanted.answers.tolist()
    with torch.no_grad():
        outputs = [build(bert)("names", batch) for batch in (found, wanted)]
    torch.testing.assert_close(outputs[0][:size], outputs[1], atol=1e-5, rtol=1e-4)
    losses = [
        float(compute_loss(each, batch.labels, "tags"))
        for each, batch in zip(outputs, (found, wanted), strict=True)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_nothing_of_a_batch_on_a_device_is_read_back() -> None:
    split = DATA["names"].train
    shape = fit_shape(split.lengths[:4], 40)
    meta = torch.device("meta")
    batch = ResidentSplit(split, meta).pack(torch.arange(4, device=meta), shape)
    assert batch.places is not None
    outputs = torch.empty(shape.tokens, len(TAGS), device=meta)[batch.places]
    assert compute_loss(outputs, batch.labels, "tags").shape == ()


def test_every_batch_of_words_fits_its_shape() -> None:
    split = DATA["names"].train
    steps = plan_steps({"names": len(split)}, 3, 4, seed=0)
    for step, shape in zip(steps, plan_shapes(steps, {"names": split}), strict=True):
        assert shape.words >= split.count_answers(step.index)


def test_processes_share_a_batch_by_its_words(bert: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ProcessGroup, "add_up", lambda self, parameters, sums: None)
    whole = Trainer(build(bert), DATA, SETTINGS, 0, CPU)
    step = next(i for i, each in enumerate(whole.steps) if each.task == "names")
    expected = whole._update_whole(step)
    parts = [
        Trainer(build(bert), DATA, SETTINGS, 0, CPU, Course(group=ProcessGroup(rank, 3)))
        for rank in range(3)
    ]
    found = sum(part._update_whole(step) for part in parts)
    for each in (whole, *parts):
        each.finish()
    assert [float(x) for x in found] == pytest.approx([float(x) for x in expected], rel=1e-6)


def test_words_of_a_teacher_are_those_of_the_batch(bert: Any) -> None:
    """A model that is its own teacher is at no distance, filler or not."""
    model, data = build(bert).eval(), DATA["names"]
    taught = Teaching(
        {"names": predict(model, "names", data.train, "fp32", CPU)}, Distillation(), CPU
    )
    ordered, lengths = sort_by_length(data.train, [4, 1, 9])
    shape = fit_shape(lengths, data.train.count_answers(ordered) + 20)
    on_device = ResidentSplit(data.train, CPU).pack(torch.from_numpy(ordered), shape)
    for batch in (pack(data.train, [4, 1, 9]), on_device):
        outputs = model("names", batch).detach()
        distance = taught.measure(data.task, outputs, batch, AS_THEY_ARE)
        assert float(distance) == pytest.approx(0.0, abs=1e-6)
        other = taught.measure(data.task, outputs * 2, batch, AS_THEY_ARE)
        assert float(other) > 1e-3


def test_the_cost_of_a_run_of_words_can_be_timed(bert: Any) -> None:
    split = DATA["names"].splits["validation"]
    few = _sample(split, 5)
    assert len(few) == 5
    assert few.word_offsets is not None
    assert len(few.labels) == few.word_offsets[-1]
    found = predict(build(bert).eval(), "names", few, "fp32", CPU)
    whole = predict(build(bert).eval(), "names", split, "fp32", CPU)
    picks = np.searchsorted(split.rows, few.rows)
    np.testing.assert_allclose(found, whole[split.find_words(picks)], atol=2e-5)
    assert _time_steps(build(bert), DATA["names"], SETTINGS, 0, CPU) > 0
