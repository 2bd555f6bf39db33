"""What a study's tasks are, seen before anything runs: `relevance check`.

All that is wrong with a study comes in one error: its encoder, its settings, and every row that
cannot be read, whichever of these fails first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from analysis.gains.power import POWER, expect_seed_sd, find_detectable_gain
from analysis.scores.baselines import measure_majority
from analysis.scores.predictions import Arm, Predictions
from hmnet.data.raw import load_split
from hmnet.data.summary import name_label, summarise
from hmnet.data.task_data import TaskData, load_text_hashes
from hmnet.encoders.locate import load_tokenizer
from hmnet.errors import InputError, RelevanceError, shorten
from hmnet.jobs.prepared import PreparedStudy, prepare_study
from hmnet.study.answers import arrange_answers
from hmnet.study.metrics import is_error, orient
from hmnet.study.own_steps import FEW_STEPS, advise_epochs, count_own_steps
from hmnet.study.study import Study
from hmnet.study.tasks import Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

MOST_PIECES = 40
"""Pieces of an example that are shown."""
_MOST_LABELS = 8

Hashes = npt.NDArray[np.uint64]


def prepare_checked(study: Study, folder: Path) -> PreparedStudy:
    """Prepare a study; all of its problems come at once, those of rows beside the encoder's.

    Raises:
        InputError: with every problem.
    """
    try:
        return prepare_study(study, folder)
    except RelevanceError as error:
        problems = [*error.problems, *_find_row_problems(study)]
        raise InputError(*dict.fromkeys(problems)) from None


def _find_row_problems(study: Study) -> Iterator[str]:
    for task in study.tasks.values():
        for split in task.splits:
            try:
                load_split(task, split, study.data_folder)
            except RelevanceError as error:
                yield from error.problems


@dataclass(frozen=True)
class CheckedTask:
    """What is to be known of a task before its runs.

    Attributes:
        task: its definition.
        rows: split to its rows.
        labels: split to label to its rows, or words; empty for a regression.
        constant: dev score of the best constant answer.
        tokens: split to median, 95 % quantile, and share of rows that are cut.
        repeated: training rows that repeat an earlier one.
        leaked: task to how many of the dev rows are its training rows, where any are.
        detectable: the smallest gain in score that is found with power `POWER`.
        steps: of the task's own run.
        advised_epochs: what gives it enough of them; None where it has these.
        example: the first training row as the encoder sees it.
        words: split to its words with a label, and those a model does not see; where there are.
    """

    task: Task
    rows: Mapping[str, int]
    labels: Mapping[str, Mapping[str, int]]
    constant: float
    tokens: Mapping[str, tuple[float, float, float]]
    repeated: int
    leaked: Mapping[str, int]
    detectable: float
    steps: int
    advised_epochs: int | None
    example: str
    words: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def check_tasks(prepared: PreparedStudy) -> list[CheckedTask]:
    """Return what is to be known of each task of a study."""
    tokenizer = load_tokenizer(prepared.model.name, prepared.model.revision)
    hashes = {name: _read_hashes(data) for name, data in prepared.data.items()}
    return [_check(prepared, name, hashes, tokenizer) for name in prepared.data]


def _read_hashes(data: TaskData) -> dict[str, Hashes]:
    if data.folder is None:
        return {}
    return {split: np.asarray(load_text_hashes(data.folder, split)) for split in data.splits}


def _check(
    prepared: PreparedStudy,
    name: str,
    hashes: Mapping[str, Mapping[str, Hashes]],
    tokenizer: PreTrainedTokenizerFast,
) -> CheckedTask:
    data, study = prepared.data[name], prepared.study
    facts = {split: summarise(part, data.task) for split, part in data.splits.items()}
    n_dev = data.n_judged
    seeds = len(study.seeds)
    own = hashes[name]["train"]
    dev = np.concatenate([hashes[name][split] for split in data.task.dev_splits])
    leaked = {other: int(np.isin(dev, found["train"]).sum()) for other, found in hashes.items()}
    steps = count_own_steps(len(data.train), study.training)
    epochs = advise_epochs(len(data.train), study.training)
    return CheckedTask(
        task=data.task,
        rows={split: fact.rows for split, fact in facts.items()},
        labels={split: fact.label_counts for split, fact in facts.items()},
        constant=score_constant(data),
        tokens={
            split: (fact.median_tokens, fact.p95_tokens, fact.truncated / fact.rows)
            for split, fact in facts.items()
        },
        repeated=len(own) - len(np.unique(own)),
        leaked={other: count for other, count in leaked.items() if count},
        detectable=find_detectable_gain(expect_seed_sd(n_dev, len(data.train)), seeds, seeds),
        steps=steps,
        advised_epochs=epochs if steps < FEW_STEPS else None,
        example=show_example(data, tokenizer),
        words={s: (fact.words, fact.unscored_words) for s, fact in facts.items() if fact.words},
    )


def score_constant(data: TaskData) -> float:
    """Return the dev score of the best constant answer."""
    parts = {split: data.splits[split] for split in data.task.dev_splits}
    found = [
        arrange_answers(data.task, part.labels, part.labels, part.questions, part.word_offsets)
        for part in parts.values()
    ]
    sizes = [len(each.labels) for each in found]
    labels = np.concatenate([each.labels for each in found])
    return measure_majority(
        Predictions(
            task=data.task.name,
            metric=data.task.metric,
            labels=labels,
            splits=np.repeat(np.array(list(parts), object), sizes),
            questions=np.concatenate([each.questions for each in found]),
            single=Arm((0,), labels[None]),
            joint={},
        )
    )


def show_example(data: TaskData, tokenizer: PreTrainedTokenizerFast) -> str:
    """Return the first training row as the encoder sees it: pieces, segments apart, label."""
    train = data.train
    ids = train.tokens[: train.offsets[1]].tolist()
    first = int(train.first[0])
    pieces = [str(piece) for piece in tokenizer.convert_ids_to_tokens(ids)]
    shown = [*pieces[:first], *(["|"] if first < len(pieces) else []), *pieces[first:]]
    cut = " ..." if len(shown) > MOST_PIECES else ""
    last = 1 if train.word_offsets is None else int(train.word_offsets[1])
    named = [name_label(data.task, label) for label in train.labels[:last].tolist()]
    rest = " ..." if len(named) > MOST_PIECES else ""
    return f"{' '.join(shown[:MOST_PIECES])}{cut} -> {' '.join(named[:MOST_PIECES])}{rest}"


def describe_check(check: CheckedTask) -> Iterator[str]:
    """Yield what is to be known of a task, in lines for the terminal."""
    rows = ", ".join(f"{split} {count:,}" for split, count in check.rows.items())
    yield f"{check.task.name}: {check.task.kind}, {check.task.metric}; rows: {rows}"
    for split, counts in check.labels.items():
        if counts:
            yield f"  labels of {split}: {show_counts(counts)}"
    yield f"  a constant answer scores {orient(check.task.metric, check.constant):.3f}"
    for split, (median, p95, cut) in check.tokens.items():
        yield f"  tokens of {split}: median {median:.0f}, 95 % below {p95:.0f}, {cut:.1%} cut"
    for split, (count, unseen) in check.words.items():
        yield f"  words of {split}: {count:,}, {unseen:,} of them beyond the most tokens"
    yield f"  repeated training rows: {check.repeated:,}; dev rows trained on: {_show_leaks(check)}"
    if not is_error(check.task.metric):  # whose noise no published runs tell
        yield (
            f"  smallest gain found with {POWER:.0%} power: about {100 * check.detectable:.1f} "
            "points (expected noise of seeds)"
        )
    epochs = check.advised_epochs
    advice = "" if epochs is None else f": few; `--set training.epochs={epochs}`"
    yield f"  steps alone: {check.steps:,}{advice}"
    yield f"  example: {check.example}"


def show_counts(counts: Mapping[str, int]) -> str:
    """Return how many rows have each label, the most frequent ones first."""
    total = max(sum(counts.values()), 1)
    shown = sorted(counts.items(), key=lambda item: -item[1])
    parts = [f"{shorten(name)} {n:,} ({n / total:.0%})" for name, n in shown[:_MOST_LABELS]]
    more = f" and {len(shown) - _MOST_LABELS} more" if len(shown) > _MOST_LABELS else ""
    return ", ".join(parts) + more


def _show_leaks(check: CheckedTask) -> str:
    names = {
        "its own" if name == check.task.name else f"of {name}": count
        for name, count in check.leaked.items()
    }
    return ", ".join(f"{count:,} {name}" for name, count in names.items()) or "none"
