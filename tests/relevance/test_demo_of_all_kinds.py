"""Tasks of tags, of sets of labels and of whole texts are measured, trained and shown together."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

import hmnet.planted.suite
import relevance.demo
from hmnet.errors import InputError
from hmnet.folder.outputs import Output
from hmnet.planted import PLANTED_TRAINING, write_planted
from relevance.demo import check_kinds, run_demo
from relevance.matrices.matrix import RelevanceMatrix
from reports.html import write_report

FEW = ("sentiment-coast", "sentiment-hills")
TAGS = ("opinions-coast", "verdicts-town")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Output:
    """The demo of four tasks with less training."""
    short = dataclasses.replace(PLANTED_TRAINING, epochs=6, learning_rate=3e-3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hmnet.planted.suite, "TASK_NAMES", FEW)
        patch.setattr(hmnet.planted.suite, "OTHER_TASK_NAMES", TAGS)
        patch.setattr(relevance.demo, "write_planted", partial(write_planted, dev_rows=80))
        patch.setattr(relevance.demo, "PLANTED_TRAINING", short)
        folder = tmp_path_factory.mktemp("demo") / "out"
        list(run_demo(folder, seed=0, workers=2, all_kinds=True))
    return Output(folder)


@pytest.mark.system
def test_the_chain_measures_tasks_of_both_kinds_in_one_matrix(demo: Output) -> None:
    gains = RelevanceMatrix.read(demo.pairwise)
    assert set(gains.tasks) == {*FEW, *TAGS}
    frame = gains.to_frame()
    assert frame.notna().to_numpy().all()
    assert set(gains.table["n_dev"].dropna()) == {80}
    scores = pd.read_parquet(demo.compare)
    assert set(scores["task"]) >= {*FEW, *TAGS}
    assert RelevanceMatrix.read(demo.vocab).tasks == (*FEW, *TAGS)


@pytest.mark.system
def test_the_report_of_both_kinds_names_their_metrics(demo: Output) -> None:
    page = Path(write_report(demo.folder)).read_text()
    assert "entity_f1" in page
    assert "label_f1_macro" in page
    assert "opinions-coast" in page


def test_kinds_that_there_are_not_are_refused() -> None:
    assert check_kinds("all")
    assert not check_kinds("plain")
    with pytest.raises(InputError, match=r"should be plain or all\. Found `tags`"):
        check_kinds("tags")


def test_the_plain_suite_is_what_it_was(tmp_path: Path) -> None:
    plain = write_planted(tmp_path / "a", 0, train_rows=8, dev_rows=8)
    everything = write_planted(tmp_path / "b", 0, train_rows=8, dev_rows=8, all_kinds=True)
    assert len(plain.tasks) == 13
    assert set(everything.tasks) - set(plain.tasks) == set(hmnet.planted.suite.OTHER_TASK_NAMES)
    for path in sorted((tmp_path / "a").rglob("*")):
        if path.is_file():
            other = tmp_path / "b" / path.relative_to(tmp_path / "a")
            assert path.read_bytes() == other.read_bytes()
    for name in hmnet.planted.suite.OTHER_TASK_NAMES:
        frame = pd.read_parquet(everything.data / name / "train.parquet")
        if everything.tasks[name].kind == "multilabel":
            held = {label for row in frame["label"] for label in row}
            assert held == set(everything.tasks[name].labels)
            continue
        assert (frame["words"].map(len) == frame["label"].map(len)).all()
        tags = {tag for row in frame["label"] for tag in row}
        assert tags <= set(everything.tasks[name].labels)
        assert {"B-approval", "B-disapproval"} <= tags
