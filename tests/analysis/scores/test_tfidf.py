"""Words alone: what they say is found, what they do not say is not, and features are as defined."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from analysis.scores.tfidf import FEATURES, count_segments, score_tfidf
from hmnet.data.task_data import TaskData
from hmnet.data.tokens import SplitData
from hmnet.study.tasks import Task

RNG = np.random.default_rng(0)


def make_split(segments: list[list[list[int]]], labels: list[float]) -> SplitData:
    """Return a split of examples, each a list of one or two segments of pieces."""
    texts = [[piece for segment in each for piece in segment] for each in segments]
    return SplitData(
        tokens=np.array([piece for text in texts for piece in text], np.int32),
        offsets=np.cumsum([0, *map(len, texts)]).astype(np.int64),
        first=np.array([len(each[0]) for each in segments], np.int32),
        labels=np.asarray(labels),
        rows=np.arange(len(texts)),
        questions=np.full(len(texts), -1),
    )


def make_data(task: Task, train: SplitData, dev: SplitData) -> TaskData:
    made = SimpleNamespace(task=task, train=train, splits={"train": train, "validation": dev})
    return cast(TaskData, made)


WORD = Task("word", ("text",), labels=(0, 1))


def draw_words(size: int) -> SplitData:
    """Return texts of 8 pieces of 100, labelled by whether piece 7 is among them."""
    texts = RNG.integers(10, 110, (size, 8))
    labels = RNG.integers(0, 2, size)
    texts[labels == 1, 3] = 7
    return make_split([[row.tolist()] for row in texts], labels.tolist())


def draw_pairs(size: int) -> SplitData:
    """Return pairs that share all their pieces, or none: no piece by itself says which."""
    labels = RNG.integers(0, 2, size)
    pairs = []
    for label in labels:
        one, other = RNG.permutation(200)[:12].reshape(2, 6).tolist()
        pairs.append([one, one[::-1] if label else other])
    return make_split(pairs, labels.tolist())


def test_a_word_that_decides_is_found() -> None:
    assert score_tfidf(make_data(WORD, draw_words(300), draw_words(100))) > 0.95


def test_labels_without_words_are_not_learned() -> None:
    dev = draw_words(400)
    shuffled = make_split(
        [[row] for row in np.split(dev.tokens, 400)], RNG.integers(0, 2, 400).tolist()
    )
    assert score_tfidf(make_data(WORD, shuffled, dev)) < 0.65


def test_what_two_segments_share_is_seen() -> None:
    task = Task("pair", ("left", "right"), labels=(0, 1))
    assert score_tfidf(make_data(task, draw_pairs(300), draw_pairs(100))) > 0.95


def test_a_regression_is_learned_and_one_class_is_named() -> None:
    task = Task("grade", ("text",), kind="regression", metric="pearson")
    texts = [RNG.integers(0, 5, 12).tolist() for _ in range(300)]
    split = make_split([[text] for text in texts], [float(text.count(3)) for text in texts])
    assert score_tfidf(make_data(task, split, split)) > 0.9
    train, dev = draw_words(20), draw_words(20)
    only = make_split([[row] for row in np.split(train.tokens, 20)], [1] * 20)
    assert score_tfidf(make_data(WORD, only, dev)) == pytest.approx(float(np.mean(dev.labels == 1)))


def test_one_set_of_labels_is_named_whole() -> None:
    task = Task("sets", ("text",), kind="multilabel", labels=("a", "b"), metric="label_f1_micro")
    rows = [[row.tolist()] for row in RNG.integers(0, 50, (12, 6))]
    split = make_split(rows, [[1, 0]] * 12)  # type: ignore[list-item]
    assert score_tfidf(make_data(task, split, split)) == 1.0


def test_features_are_pieces_and_neighbours_of_one_segment() -> None:
    first, second = count_segments(make_split([[[1, 2, 1], [5]], [[2], [2, 2]]], [0, 1]))
    assert first.shape == second.shape == (2, FEATURES)
    assert sorted(first[0].data.tolist()) == [1, 1, 1, 2]  # 2, (1,2), (2,1) once; 1 twice
    assert first[0, 1] == 2
    assert sorted(second[0].data.tolist()) == [1]  # no pair across segments
    assert sorted(first[1].data.tolist()) == [1]
    assert sorted(second[1].data.tolist()) == [1, 2]  # (2,2) once, 2 twice
