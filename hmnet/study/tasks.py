"""What a task is, and the paper's 13 tasks as declarative entries.

A task names its text columns in order, its label column, its labels in the order of their
codes, its metrics, and where its rows come from. To add a task to the package, add one entry.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from hmnet.errors import raise_problems, suggest
from hmnet.storage.documents import to_plain
from hmnet.study.metrics import METRICS, list_averaged
from hmnet.study.settings import STRICT
from hmnet.study.tag_codes import find_tag_problems, is_bio
from hmnet.study.task_kinds import TASK_KINDS, KindName, TaskKind

T = TypeVar("T")

NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+-]{0,63}")
"""Task names become file names: letters, digits, `_`, `+`, `-`; at most 64 of them."""


@dataclass(frozen=True, config=STRICT)
class Source:
    """Where a task's rows come from: a repository on the hub, or local files.

    Attributes:
        repository: hub id, or a local folder laid out like a hub repository.
        config: the repository's configuration (for `nyu-mll/glue`: `rte`).
        revision: the commit that the rows are pinned to.
        folder: a folder with `train` and dev files (parquet, csv or jsonl) in place of a hub.
        data_dir: the folder in the repository that holds the splits' files, where no configuration
            of it says so, as in the hub's own conversions to parquet.
    """

    repository: str | None = None
    config: str | None = None
    revision: str | None = None
    folder: str | None = None
    data_dir: str | None = None

    def __post_init__(self) -> None:
        if self.repository is not None and self.folder is not None:
            raise ValueError(
                "Parameter `source` should name a repository or a folder, not both. "
                f"Found `{self.repository}` and `{self.folder}`."
            )


@dataclass(frozen=True, config=STRICT)
class Task:
    """One supervised task on sentences, pairs of them, or their words.

    Attributes:
        name: unique name; also the name of files and folders.
        text: text columns in the order in which they enter the encoder (one to three).
        label: the label column.
        kind: what is predicted (`hmnet.study.task_kinds`): `classification` (softmax,
            cross-entropy), `regression` (one output, squared error), `tags` (a class per word), or
            `multilabel` (any number of the labels; a sigmoid and binary cross-entropy for each).
        labels: class labels in the order of their codes; empty for regression.
        metric: the primary metric, the f of equations 3 and 4.
        metrics: the other metrics that are reported.
        category: the purpose given by hand (paper, section 4.1); the manual design's group.
        source: where the rows come from.
        splits: our split names to the source's. Every split but `train` is a dev split; a task's
            score is the mean of the primary metric over its dev splits (MNLI: two).
        question: columns that together identify the question an answer belongs to (MultiRC);
            `a.b` reaches into a struct column.
        scheme: of `tags`, how the files write entities: `bio` (also IOB1), `bilou` (also BIOES), or
            `io`, types without prefixes; `auto` tells it from the tags. They are all read as BIO.
    """

    name: str
    text: Annotated[tuple[str, ...], Field(min_length=1, max_length=3)]
    label: str = "label"
    kind: KindName = "classification"
    labels: tuple[str | int, ...] = ()
    metric: str = "accuracy"
    metrics: tuple[str, ...] = ()
    category: str = "other"
    source: Source = Source()
    splits: Mapping[str, str] = Field(
        default_factory=lambda: {"train": "train", "validation": "validation"}
    )
    question: tuple[str, ...] = ()
    scheme: Literal["auto", "bio", "bilou", "io"] = "auto"

    def __post_init__(self) -> None:
        where = f"Task `{self.name}`:"
        found = [*self._name_problems(), *self._label_problems(), *self._metric_problems()]
        if found:
            raise ValueError("\n".join(f"{where} {problem}" for problem in found))

    def _name_problems(self) -> Iterable[str]:
        allowed = (
            "start with a letter or a digit and hold only letters, digits, `_`, `+` and `-`, "
            "at most 64"
        )
        if not NAME_PATTERN.fullmatch(self.name):
            yield f"Parameter `name` should {allowed}. Found `{self.name}`."
        for split in self.splits:
            if not NAME_PATTERN.fullmatch(split):
                yield f"Parameter `splits` should have names that {allowed}. Found `{split}`."
        if "train" not in self.splits or len(self.splits) < 2:
            found = dict(self.splits)
            yield f"Parameter `splits` should name `train` and a dev split. Found `{found}`."

    def _label_problems(self) -> Iterable[str]:
        found = list(self.labels)
        if found and not self.facts.has_labels:
            yield f"Parameter `labels` should be empty for {self.facts.noun}. Found `{found}`."
        if self.facts.has_labels and len(found) < 2:
            yield f"Parameter `labels` should list at least two labels. Found `{found}`."
        if len(set(found)) < len(found):
            yield f"Parameter `labels` should not repeat a label. Found `{found}`."
        if self.facts.reads_words:
            yield from find_tag_problems([str(label) for label in found])
        if self.facts.reads_words and len(self.text) > 1:
            yield (
                f"Parameter `text` should name one column for {self.facts.noun}. "
                f"Found `{list(self.text)}`."
            )

    def _metric_problems(self) -> Iterable[str]:
        for name in self.all_metrics:
            metric = METRICS.get(name)
            if metric is None:
                known = suggest(name, METRICS)
                yield f"Parameter `metric` should be a known metric. Found `{name}`.{known}"
            elif metric.kind != self.kind:
                yield f"Parameter `metric` should fit {self.facts.noun}. Found `{name}`."
            elif metric.needs_bio and not is_bio([str(label) for label in self.labels]):
                yield (
                    f"Metric `{name}` should be used with the tags `O`, `B-...` and `I-...`. Found "
                    f"`{list(self.labels)}`; `token_accuracy` takes any."
                )
            elif metric.needs_question and not self.question:
                yield f"Parameter `question` should be given for the metric `{name}`."
            elif metric.binary and len(self.labels) != 2:
                found = len(self.labels)
                yield (
                    f"Metric `{name}` should be used with two labels. Found {found}; `f1_macro` "
                    "and `accuracy` take any number."
                )

    @property
    def all_metrics(self) -> tuple[str, ...]:
        """The primary metric, then the others."""
        return (self.metric, *(m for m in self.metrics if m != self.metric))

    @property
    def dev_splits(self) -> tuple[str, ...]:
        """Names of the dev splits."""
        return tuple(split for split in self.splits if split != "train")

    @property
    def num_outputs(self) -> int:
        """Width of the task's head: one for a value, else the number of labels."""
        return self.facts.count_outputs(len(self.labels))

    @property
    def label_columns(self) -> tuple[str, ...]:
        """The columns that may hold the labels: of sets, also one of 0 and 1 for each label."""
        flags = self.labels if self.facts.answer == "set" else ()
        return (self.label, *(str(label) for label in flags))

    @property
    def facts(self) -> TaskKind:
        """What there is to know of the task's kind."""
        return TASK_KINDS[self.kind]


def to_plain_task(task: Task) -> dict[str, Any]:
    """Return a task as JSON's types; what came later stands in it where a study gives it."""
    plain: dict[str, Any] = to_plain(task)
    if task.scheme == "auto":
        del plain["scheme"]
    if task.source.data_dir is None:
        del plain["source"]["data_dir"]
    return plain


def find_metric(kind: str, labels: Sequence[object]) -> str | None:
    """Return the primary metric of a task that names none; None for a kind that there is not."""
    if kind not in TASK_KINDS:
        return None
    if TASK_KINDS[kind].reads_words and not is_bio([str(label) for label in labels]):
        return "token_accuracy"
    return TASK_KINDS[kind].metric


def average_primary(scores: Mapping[str, float], tasks: Iterable[Task]) -> float:
    """Return the mean of tasks' scores (f in equation 3); see `hmnet.study.metrics.list_averaged`.

    Args:
        scores: task to its score; further ones do not count.
        tasks: those that have one.
    """
    counted = list_averaged({task.name: task.metric for task in tasks})
    return sum(scores[name] for name in counted) / len(counted)


INFERENCE = "natural language inference"
SENTIMENT = "sentiment classification"
SIMILARITY = "similarity and paraphrase"
ANSWERING = "question answering"
ACCEPTABILITY = "linguistic acceptability"
ENTITIES = "named entities"


def _glue(config: str) -> Source:
    return Source("nyu-mll/glue", config, "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c")


def _super_glue(config: str) -> Source:
    return Source("aps/super_glue", config, "3de24cf8022e94f4ee4b9d55a6f539891524d646")


_SNLI = Source("stanfordnlp/snli", "plain_text", "cdb5c3d5eed6ead6e5a341c8e56e669bb666725b")
_IMDB = Source("stanfordnlp/imdb", "plain_text", "e6281661ce1c48d982bc483cf8a173c1bbeb5d31")

PAPER_TASKS: Mapping[str, Task] = {
    task.name: task
    for task in (
        Task(
            name="mnli",
            text=("premise", "hypothesis"),
            labels=("entailment", "neutral", "contradiction"),
            category=INFERENCE,
            source=_glue("mnli"),
            splits={
                "train": "train",
                "validation": "validation_matched",
                "validation_mismatched": "validation_mismatched",
            },
        ),
        Task(
            name="qnli",
            text=("question", "sentence"),
            labels=("entailment", "not_entailment"),
            category=INFERENCE,
            source=_glue("qnli"),
        ),
        Task(
            name="rte",
            text=("sentence1", "sentence2"),
            labels=("entailment", "not_entailment"),
            category=INFERENCE,
            source=_glue("rte"),
        ),
        Task(
            name="wnli",
            text=("sentence1", "sentence2"),
            labels=("not_entailment", "entailment"),
            category=INFERENCE,
            source=_glue("wnli"),
        ),
        Task(
            name="cb",
            text=("premise", "hypothesis"),
            labels=("entailment", "contradiction", "neutral"),
            metrics=("f1_macro",),
            category=INFERENCE,
            source=_super_glue("cb"),
        ),
        Task(
            name="snli",
            text=("premise", "hypothesis"),
            labels=("entailment", "neutral", "contradiction"),
            category=INFERENCE,
            source=_SNLI,
        ),
        Task(
            name="imdb",
            text=("text",),
            labels=("negative", "positive"),
            category=SENTIMENT,
            source=_IMDB,
            splits={"train": "train", "validation": "test"},
        ),
        Task(
            name="sst2",
            text=("sentence",),
            labels=("negative", "positive"),
            category=SENTIMENT,
            source=_glue("sst2"),
        ),
        Task(
            name="qqp",
            text=("question1", "question2"),
            labels=("not_duplicate", "duplicate"),
            metrics=("f1",),
            category=SIMILARITY,
            source=_glue("qqp"),
        ),
        Task(
            name="stsb",
            text=("sentence1", "sentence2"),
            kind="regression",
            metric="correlation",
            metrics=("pearson", "spearman"),
            category=SIMILARITY,
            source=_glue("stsb"),
        ),
        Task(
            name="mrpc",
            text=("sentence1", "sentence2"),
            labels=("not_equivalent", "equivalent"),
            metrics=("f1",),
            category=SIMILARITY,
            source=_glue("mrpc"),
        ),
        Task(
            name="boolq",
            text=("question", "passage"),
            labels=("False", "True"),
            category=ANSWERING,
            source=_super_glue("boolq"),
        ),
        Task(
            name="multirc",
            text=("question", "paragraph", "answer"),
            labels=("False", "True"),
            metric="f1_answers",
            metrics=("exact_match",),
            category=ANSWERING,
            source=_super_glue("multirc"),
            question=("idx.paragraph", "idx.question"),
        ),
    )
}
"""The 13 tasks of the paper, in the order of its tables (section 4.1, Table 4)."""

FURTHER_TASKS: Mapping[str, Task] = {
    task.name: task
    for task in (
        Task(
            name="cola",
            text=("sentence",),
            labels=("unacceptable", "acceptable"),
            metric="matthews",
            metrics=("accuracy",),
            category=ACCEPTABILITY,
            source=_glue("cola"),
        ),
        Task(
            name="wikiann",
            text=("tokens",),
            label="ner_tags",
            kind="tags",
            labels=("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"),
            metric="entity_f1",
            metrics=("token_accuracy",),
            category=ENTITIES,
            source=Source(
                "unimelb-nlp/wikiann",
                revision="f89f2fe2694613baf6bb62e7393290846127adbf",  # of the hub's parquet files
                data_dir="en",
            ),
        ),
    )
}
"""Tasks that a study may name beside the paper's; none takes part unless it is named."""

KNOWN_TASKS: Mapping[str, Task] = {**PAPER_TASKS, **FURTHER_TASKS}
"""Every task of the package."""


def find_tasks(names: Iterable[str], known: Mapping[str, T]) -> tuple[T, ...]:
    """Return the named tasks, or what stands for them, in the order asked for.

    Raises:
        InputError: for every unknown or repeated name, with the closest known names.
    """
    names = list(names)
    problems = [
        f"Parameter `tasks` should name known tasks. Found `{name}`.{suggest(name, known)}"
        for name in names
        if name not in known
    ]
    repeated = sorted({name for name in names if names.count(name) > 1})
    problems += [f"Parameter `tasks` should name a task once. Found `{n}` twice." for n in repeated]
    raise_problems(problems)
    return tuple(known[name] for name in names)
