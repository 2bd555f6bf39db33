"""Tasks whose words have labels, beside tasks of whole sequences, in the one engine."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made import TAGS, make_data, make_encoder, make_tagged

from hmnet.data.tokens import SplitData
from hmnet.models.paths import HMNet
from hmnet.packing.batch import pack
from hmnet.packing.forward import compute_logits
from hmnet.study.answers import gather_answers
from hmnet.study.hierarchy import HierarchySpec
from hmnet.study.settings import TrainingSettings
from hmnet.training.checkpoint import Checkpoint
from hmnet.training.evaluation import evaluate, predict, predict_tasks
from hmnet.training.loop import Trainer, train
from hmnet.training.losses import compute_loss

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


def take_one(split: SplitData, row: int) -> SplitData:
    """Return the split of one of its examples."""
    chosen = np.array([row])
    words = split.find_words(chosen)
    begin, end = split.offsets[row], split.offsets[row + 1]
    return dataclasses.replace(
        split,
        tokens=split.tokens[begin:end],
        offsets=np.array([0, end - begin]),
        first=split.first[chosen],
        labels=split.labels[words],
        rows=split.rows[chosen],
        questions=split.questions[chosen],
        word_offsets=np.array([0, len(words)]),
        places=split.places[words],
    )


def test_words_have_the_same_outputs_in_a_batch_as_alone(encoder: Any) -> None:
    model, split = build(encoder).eval(), DATA["names"].train
    together = predict(model, "names", split, "fp32", CPU)
    for row in (0, 5, 11):
        alone = predict(model, "names", take_one(split, row), "fp32", CPU)
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
