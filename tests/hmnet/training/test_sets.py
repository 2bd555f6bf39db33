"""Tasks with any number of labels a row, beside tasks of one label, in the one engine."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made import make_data, make_encoder, make_sets

from hmnet.errors import InputError
from hmnet.models.paths import HMNet
from hmnet.packing.batch import pack
from hmnet.packing.forward import compute_logits
from hmnet.runs.spec import RunSpec
from hmnet.study.answers import gather_answers
from hmnet.study.hierarchy import HierarchySpec
from hmnet.study.settings import Distillation, ModelRef, TrainingSettings
from hmnet.study.study_file import read_study_file
from hmnet.training.checkpoint import Checkpoint
from hmnet.training.class_weights import measure_class_weights
from hmnet.training.course import Course
from hmnet.training.evaluation import evaluate, predict
from hmnet.training.execution import score_splits
from hmnet.training.loop import Trainer, train
from hmnet.training.losses import compute_loss, measure_distance

DATA = {"mood": make_sets("mood"), "tone": make_data("tone", 3, seed=1)}
SETTINGS = TrainingSettings(epochs=2, batch_size=8, learning_rate=1e-3, warmup_frac=0.2)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return make_encoder(tmp_path_factory.mktemp("bert"), "bert", depth=3)


def build(encoder: Any, spec: str = "2,0,1", data: Any = DATA) -> HMNet:
    tasks = [each.task for each in data.values()]
    return HMNet(encoder, tasks, HierarchySpec.parse(spec), [list(data)], seed=0)


def test_the_loss_is_binary_cross_entropy_over_rows_and_labels() -> None:
    # Outputs 0: ln 2 each. Output ln 3 for a label that is there: -ln(3/4). Mean of the four.
    outputs = torch.tensor([[0.0, 0.0], [float(np.log(3)), 0.0]])
    flags = torch.tensor([[1, 0], [1, 0]], dtype=torch.int8)
    expected = (3 * np.log(2) - np.log(0.75)) / 4
    assert float(compute_loss(outputs, flags, "multilabel")) == pytest.approx(expected)
    # the first label's rows that have it count three times: (3 ln 2 + ln 2 - 3 ln .75 + ln 2) / 4
    weighted = compute_loss(outputs, flags, "multilabel", torch.tensor([3.0, 1.0]))
    assert float(weighted) == pytest.approx((5 * np.log(2) - 3 * np.log(0.75)) / 4)


def test_the_distance_to_a_teacher_is_0_where_both_say_the_same() -> None:
    one, other = torch.randn(4, 3), torch.randn(4, 3)
    assert float(measure_distance(one, one, "multilabel")) == pytest.approx(0, abs=1e-6)
    assert float(measure_distance(one, other, "multilabel")) > 0


def test_a_packed_batch_gives_what_a_padded_one_gives(bert: Any) -> None:
    path, batch = build(bert).eval().path("mood"), pack(DATA["mood"].train, range(9))
    with torch.no_grad():
        found = [compute_logits(path, batch, is_packable=packs) for packs in (True, False)]
    torch.testing.assert_close(*found, atol=2e-5, rtol=0)
    assert found[0].shape == batch.labels.shape == (9, 4)


@pytest.mark.parametrize("spec", ["3,0,0", "1,1,1", "0,0,3"])
def test_one_engine_trains_every_way_of_sharing(bert: Any, spec: str) -> None:
    settings = dataclasses.replace(SETTINGS, class_weights="balanced", averaging=0.3)
    log = train(build(bert, spec), DATA, settings, seed=0)
    assert all(np.isfinite(loss) for loss in log.final_loss.values())


def test_one_training_learns_both_kinds(bert: Any) -> None:
    before = train(build(bert), DATA, dataclasses.replace(SETTINGS, epochs=1), seed=0).final_loss
    after = train(build(bert), DATA, dataclasses.replace(SETTINGS, epochs=12), seed=0).final_loss
    assert all(after[task] < before[task] for task in DATA)


def test_resuming_equals_an_uninterrupted_run(bert: Any, tmp_path: Path) -> None:
    whole, resumed = build(bert), build(bert)
    log = train(whole, DATA, SETTINGS, 0)

    def stop(line: Any) -> None:
        if line["step"] == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(build(bert), DATA, SETTINGS, 0, checkpoint=Checkpoint(tmp_path, 0.0), log=stop)
    again = train(resumed, DATA, SETTINGS, 0, checkpoint=Checkpoint(tmp_path, 0.0))
    assert again.final_loss == log.final_loss
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_parts_of_a_batch_add_up(bert: Any) -> None:
    sums = []
    for parts in (1, 4):
        trainer = Trainer(build(bert), DATA, SETTINGS, 0, CPU)
        trainer.micro_batches = parts
        step = next(i for i, each in enumerate(trainer.steps) if each.task == "mood")
        sums.append([float(value) for value in trainer._update_whole(step)])
        trainer.finish()
    assert sums[1] == pytest.approx(sums[0], rel=1e-6)


def test_predictions_are_the_labels_whose_output_is_above_0(bert: Any) -> None:
    data = DATA["mood"]
    frame = evaluate(build(bert).eval(), data)
    answers = gather_answers(data.task, frame)
    logits = np.stack(frame["logits"].tolist())
    assert answers.predictions.tolist() == (logits > 0).astype(int).tolist()
    assert answers.labels.tolist() == data.splits["validation"].labels.tolist()
    assert answers.odds is not None
    assert answers.odds.shape == answers.labels.shape
    (scores,) = score_splits(data.task, frame).values()
    assert set(scores) == set(data.task.all_metrics)


def test_a_fixed_threshold_goes_into_the_output_layer(bert: Any) -> None:
    plain, strict = build(bert), build(bert)
    train(plain, DATA, SETTINGS, 0)
    train(strict, DATA, dataclasses.replace(SETTINGS, threshold=0.8), 0)
    split = DATA["mood"].splits["validation"]
    before, after = (predict(model, "mood", split, "fp32", CPU) for model in (plain, strict))
    np.testing.assert_allclose(before - after, np.log(0.8 / 0.2), rtol=1e-4)
    tone = DATA["tone"].splits["validation"]
    one, other = (predict(model, "tone", tone, "fp32", CPU) for model in (plain, strict))
    np.testing.assert_array_equal(one, other)


def test_a_chosen_threshold_is_the_best_on_held_out_rows(bert: Any) -> None:
    held = make_sets("mood", seed=3).train
    data = {
        "mood": dataclasses.replace(
            DATA["mood"], splits={**DATA["mood"].splits, "train-held-out": held}
        )
    }
    scores = {}
    for threshold in (0.5, 0.3, 0.7, "held-out"):
        model = build(bert, "2,0,1", data)
        train(model, data, dataclasses.replace(SETTINGS, threshold=threshold), 0)
        found = (predict(model, "mood", held, "fp32", CPU) > 0).astype(int)
        hits, named = (found * held.labels).sum(), found.sum() + held.labels.sum()
        scores[threshold] = 2 * hits / named
    assert scores["held-out"] >= max(scores.values()) - 1e-9


def test_a_threshold_to_be_chosen_needs_held_out_rows(bert: Any) -> None:
    chosen = dataclasses.replace(SETTINGS, threshold="held-out")
    with pytest.raises(InputError, match="no held-out rows of `mood`"):
        train(build(bert), DATA, chosen, 0)
    with pytest.raises(InputError, match="`threshold` is `held-out`"):
        read_study_file(None, {"training.threshold": "held-out"})


def test_balanced_weights_make_up_for_rows_without_a_label() -> None:
    settings = dataclasses.replace(SETTINGS, class_weights="balanced")
    weights = measure_class_weights(DATA, settings, CPU)["mood"]
    has = DATA["mood"].train.labels.mean(axis=0)
    np.testing.assert_allclose(weights.numpy() * has, 1 - has, rtol=1e-5)


def test_a_teacher_of_sets_is_learned_from(bert: Any) -> None:
    taught = dataclasses.replace(SETTINGS, epochs=30, distillation=Distillation(start=0.0, end=0.0))
    rows = DATA["mood"].train.labels
    outputs = {
        "mood": np.where(rows == 1, 2.0, -2.0).astype(np.float32),
        "tone": np.zeros((len(DATA["tone"].train), 3), np.float32),
    }
    model = build(bert)
    train(model, DATA, taught, 0, course=Course([], teachers=outputs))
    found = predict(model, "mood", DATA["mood"].train, "fp32", CPU)
    assert np.corrcoef(found.ravel(), rows.ravel())[0, 1] > 0.5


def test_a_threshold_decides_runs_with_sets_alone() -> None:
    found = {}
    for name in DATA:
        spec = RunSpec(
            tasks=(DATA[name].task,),
            data={name: "d"},
            model=ModelRef("m", None, "f"),
            hierarchy=HierarchySpec(0, 0, 3),
            groups=((name,),),
            training=SETTINGS,
            seed=0,
        )
        other = dataclasses.replace(spec, training=dataclasses.replace(SETTINGS, threshold=0.3))
        found[name] = spec.run_id == other.run_id
    assert found == {"mood": False, "tone": True}
