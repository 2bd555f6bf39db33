"""Entity F1: worked out by hand, and that of seqeval on random tags."""

from __future__ import annotations

import numpy as np
import pytest
from seqeval.metrics import f1_score

from hmnet.study.metrics import METRICS
from hmnet.study.tag_codes import (
    NO_ANSWER,
    find_outside,
    is_bio,
    iterate_entities,
    list_types,
    match_entities,
    number_tags,
)

TAGS = ("O", "B-a", "I-a", "B-b", "I-b")
NUMBERS = {tag: int(number) for tag, number in zip(TAGS, number_tags(TAGS), strict=False)}


def score_texts(labels: list[str], predictions: list[str]) -> float:
    """Return entity F1 of sentences of tags with blanks between."""
    rows = [[NUMBERS[tag] for tag in text.split()] for text in (*labels, *predictions)]
    flat = [np.concatenate(rows[: len(labels)]), np.concatenate(rows[len(labels) :])]
    sentences = np.repeat(np.arange(len(labels)), [len(text.split()) for text in labels])
    return METRICS["entity_f1"].compute(*flat, sentences)


@pytest.mark.parametrize(
    ("labels", "predictions", "expected"),
    [
        # 3 true: a(0-1), b(3), a(0); 3 found: a(0-1), b(2-3), a(0). Right: 2. 2 * 2 / (3 + 3)
        (["B-a I-a O B-b", "B-a"], ["B-a I-a B-b I-b", "B-a"], 2 / 3),
        # the type counts: 0 of 1 and 1
        (["B-a I-a"], ["B-b I-b"], 0.0),
        # an `I-` after `O` or another type begins an entity: found a(0), b(1-2), true the same
        (["B-a B-b I-b"], ["I-a I-b I-b"], 1.0),
        # two `B-` side by side are two: true 2, found 1 of two words, right 0
        (["B-a B-a"], ["B-a I-a"], 0.0),
        # an entity ends with its sentence: true a(0-1) and a(0); found a(0-1) and a(0)
        (["B-a I-a", "I-a"], ["B-a I-a", "I-a"], 1.0),
        # 2 true, 1 found, 1 right: 2 * 1 / (2 + 1)
        (["B-a O B-b"], ["B-a O O"], 2 / 3),
        # nothing there, nothing found
        (["O O"], ["O O"], 0.0),
    ],
)
def test_values_by_hand(labels: list[str], predictions: list[str], expected: float) -> None:
    assert score_texts(labels, predictions) == pytest.approx(expected)


def test_random_tags_score_what_seqeval_gives_them() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        counts = rng.integers(1, 9, 12)
        texts = [[" ".join(rng.choice(TAGS, n)) for n in counts] for _ in range(2)]
        split = [[text.split() for text in side] for side in texts]
        assert score_texts(*texts) == pytest.approx(f1_score(*split, zero_division=0))


def test_entities_are_the_same_for_one_run_as_for_many() -> None:
    rng = np.random.default_rng(1)
    labels, sentences = rng.integers(0, 5, 60), np.sort(rng.integers(0, 9, 60))
    runs = rng.integers(0, 5, (4, 60))
    _, found, right = match_entities(labels, runs, sentences)
    for number, run in enumerate(runs):
        _, alone, own = match_entities(labels, run, sentences)
        assert found[number].tolist() == alone.tolist()
        assert right[number].tolist() == own.tolist()


def test_a_word_without_an_answer_is_in_no_entity_and_never_right() -> None:
    codes = number_tags(TAGS)[np.array([1, NO_ANSWER, 2])]
    assert list(iterate_entities(codes)) == [(0, 0, 0), (0, 2, 2)]
    plain = number_tags(("NOUN", "VERB"))
    sentences = np.zeros(2, dtype=np.int64)
    found = METRICS["token_accuracy"].compute(plain[[0, 1]], plain[[0, NO_ANSWER]], sentences)
    assert found == pytest.approx(1 / 2)


def test_types_are_those_of_entities_or_the_plain_tags() -> None:
    assert list_types(TAGS) == ["a", "b"]
    assert list_types(("NOUN", "VERB")) == ["NOUN", "VERB"]
    assert (find_outside(TAGS), find_outside(("NOUN", "VERB"))) == (0, NO_ANSWER)
    assert not is_bio(["O"])
