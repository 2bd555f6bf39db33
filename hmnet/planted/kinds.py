"""Nine kinds of task, all of which come down to one thing: do a text's words approve?

Every label is a threshold on the number of approving words, so that a small encoder can learn it
from a few hundred rows once it knows the words. Labels that approve have the higher codes.
`Task.kind`, classification or regression, is another thing (`hmnet.study.task_kinds`).

| kind | modelled on | texts | label |
| --- | --- | --- | --- |
| entailment | RTE | report, plain claim of joy | most words approve |
| inference | SNLI | report, plain claim of joy | none, some or all words approve |
| sentiment | SST-2 | report | most words approve |
| paraphrase | MRPC | plain praise, report | most words approve |
| closeness | STS-B | plain praise, report | number of words that approve |
| yesno | BoolQ | question, report | most words approve |
| answers | MultiRC | question, plain passage, answer | most words of the answer approve |
| opinions | named entities | report, its words apart | which words approve, and which do not |
| verdicts | emotions | report | whether any word approves, any does not, all are of one mind |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hmnet.planted.dialects import APPROVING, Dialect
from hmnet.planted.sentences import (
    ANSWER,
    CLAIM,
    PRAISE,
    REPORTS,
    VISIT,
    WHAT,
    WORDS_PER_REPORT,
    YES_NO,
    Scene,
)
from hmnet.study.task_kinds import KindName
from hmnet.study.tasks import ANSWERING, INFERENCE, SENTIMENT, SIMILARITY

OPINIONS = "opinion mining"
Row = dict[str, str | int | float | list[str]]

ANSWERS_PER_QUESTION = 4


@dataclass(frozen=True)
class Kind:
    """What tasks of a kind have in common.

    Attributes:
        category: the purpose given by hand (`hmnet.study.tasks`).
        text: names of the text columns.
        labels: class labels by code; empty for a regression.
        approving: number of approving words to choose from, by label code; for a regression, each
            number is a label of its own.
        write: makes a row's text columns from scene, words, dialect and generator.
        metrics: the metrics, the primary one first.
        question: the column that identifies a question.
        kind: the value of `Task.kind`; of `tags`, a row's label is a list of tags, and of
            `multilabel` one of the labels that hold.
        holds: numbers of approving words for which each label of a set holds.
    """

    category: str
    text: tuple[str, ...]
    labels: tuple[str, ...]
    approving: tuple[tuple[int, ...], ...]
    write: Callable[[Scene, Sequence[str], np.random.Generator], Row]
    metrics: tuple[str, ...] = ("accuracy",)
    question: tuple[str, ...] = ()
    kind: KindName = "classification"
    holds: tuple[tuple[int, ...], ...] = ()


def _report(scene: Scene, words: Sequence[str], rng: np.random.Generator) -> str:
    return scene.fill_one_of(REPORTS, words, rng)


def _write_inference(scene: Scene, words: Sequence[str], rng: np.random.Generator) -> Row:
    return {"premise": _report(scene, words, rng), "hypothesis": scene.fill(CLAIM)}


def _write_sentiment(scene: Scene, words: Sequence[str], rng: np.random.Generator) -> Row:
    return {"text": _report(scene, words, rng)}


def _write_similarity(scene: Scene, words: Sequence[str], rng: np.random.Generator) -> Row:
    return {"sentence1": scene.fill(PRAISE), "sentence2": _report(scene, words, rng)}


def _write_yesno(scene: Scene, words: Sequence[str], rng: np.random.Generator) -> Row:
    return {"question": scene.fill(YES_NO), "passage": _report(scene, words, rng)}


def _write_answer(scene: Scene, words: Sequence[str], rng: np.random.Generator) -> Row:
    return {"question": scene.fill(WHAT), "answer": scene.fill(ANSWER, words)}


def _write_opinions(scene: Scene, words: Sequence[str], rng: np.random.Generator) -> Row:
    return {"words": re.findall(r"\w+|[^\w\s]", _report(scene, words, rng))}


_MOST = ((0, 1), (2, 3))
_NONE_SOME_ALL = ((0,), (1, 2), (3,))
_EACH = ((0,), (1,), (2,), (3,))

KINDS: Mapping[str, Kind] = {
    "entailment": Kind(
        INFERENCE,
        ("premise", "hypothesis"),
        ("not_entailment", "entailment"),
        _MOST,
        _write_inference,
    ),
    "inference": Kind(
        INFERENCE,
        ("premise", "hypothesis"),
        ("contradiction", "neutral", "entailment"),
        _NONE_SOME_ALL,
        _write_inference,
        ("accuracy", "f1_macro"),
    ),
    "sentiment": Kind(SENTIMENT, ("text",), ("negative", "positive"), _MOST, _write_sentiment),
    "paraphrase": Kind(
        SIMILARITY,
        ("sentence1", "sentence2"),
        ("not_equivalent", "equivalent"),
        _MOST,
        _write_similarity,
        ("accuracy", "f1"),
    ),
    "closeness": Kind(
        SIMILARITY,
        ("sentence1", "sentence2"),
        (),
        _EACH,
        _write_similarity,
        ("correlation", "pearson", "spearman"),
        kind="regression",
    ),
    "yesno": Kind(ANSWERING, ("question", "passage"), ("no", "yes"), _MOST, _write_yesno),
    "answers": Kind(
        ANSWERING,
        ("question", "passage", "answer"),
        ("False", "True"),
        _MOST,
        _write_answer,
        ("f1_answers", "exact_match"),
        ("question_id",),
    ),
    "opinions": Kind(
        OPINIONS,
        ("words",),
        ("O", "B-approval", "I-approval", "B-disapproval", "I-disapproval"),
        _EACH,
        _write_opinions,
        ("entity_f1", "token_accuracy"),
        kind="tags",
    ),
    "verdicts": Kind(
        OPINIONS,
        ("text",),
        ("approves", "disapproves", "agrees"),
        _EACH,
        _write_sentiment,
        ("label_f1_macro", "label_f1_micro", "sample_f1", "label_ranking"),
        kind="multilabel",
        holds=((1, 2, 3), (0, 1, 2), (0, 3)),
    ),
}
"""Kind of task by name; a task's name is its kind and its dialect."""


def make_rows(kind: Kind, dialect: Dialect, count: int, rng: np.random.Generator) -> list[Row]:
    """Return `count` rows with texts and `label`; each label occurs equally often, to one row."""
    codes = rng.permutation(np.arange(count) % len(kind.approving))
    if kind.question:
        return _make_answers(kind, dialect, codes, rng)
    return [_make_row(kind, dialect, Scene(rng), int(code), rng) for code in codes]


def _make_row(
    kind: Kind, dialect: Dialect, scene: Scene, code: int, rng: np.random.Generator
) -> Row:
    counts = kind.approving[code]
    approving = counts[rng.integers(len(counts))]
    words = dialect.draw(approving, WORDS_PER_REPORT - approving, rng)
    row = kind.write(scene, words, rng)
    if isinstance(found := row[kind.text[0]], list):
        return {**row, "label": _tag(found, words, dialect, scene)}
    if kind.holds:
        held = zip(kind.labels, kind.holds, strict=True)
        return {**row, "label": [name for name, numbers in held if approving in numbers]}
    label = kind.labels[code] if kind.labels else float(approving)
    return {**row, "label": label}


def _tag(found: Sequence[str], words: Sequence[str], dialect: Dialect, scene: Scene) -> list[str]:
    """Return the tag of each word of a report: a dialect's word, and the thing that follows it."""
    approving = {*dialect.approving, *APPROVING}
    tags: list[str] = []
    for word in found:
        if word in words:
            tags.append("B-approval" if word in approving else "B-disapproval")
        else:
            follows = bool(tags) and tags[-1][0] == "B" and word == scene.thing
            tags.append(f"I-{tags[-1][2:]}" if follows else "O")
    return tags


def _make_answers(
    kind: Kind, dialect: Dialect, codes: npt.NDArray[np.int64], rng: np.random.Generator
) -> list[Row]:
    """Return rows of questions with several answers each, which alone tell what approves."""
    rows: list[Row] = []
    for first in range(0, len(codes), ANSWERS_PER_QUESTION):
        scene = Scene(rng)
        shared: Row = {"passage": scene.fill(VISIT), "question_id": first // ANSWERS_PER_QUESTION}
        rows += [
            {**shared, **_make_row(kind, dialect, scene, int(code), rng)}
            for code in codes[first : first + ANSWERS_PER_QUESTION]
        ]
    return rows
