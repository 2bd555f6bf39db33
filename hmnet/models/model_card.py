"""The README of an exported model: what it is, and code that predicts as `hmnet predict` does.

It names no path of the machine that it was made on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hmnet.data.raw import RawSplit
from hmnet.data.tokens import Template, learn_template, tokenise
from hmnet.runs.result import RunResult
from hmnet.runs.spec import RunSpec
from hmnet.study.task_kinds import Answer
from hmnet.study.tasks import Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_PROBE = ("The first one, here.", "A second", "and the third: it's the last")
_PIPELINE = """```python
from transformers import pipeline

classify = pipeline("text-classification", ".", top_k=None)  # "." is this folder
{comment}classify({call}, truncation=True, max_length={most})
```"""
_WORDS = """```python
from transformers import pipeline

find = pipeline("token-classification", ".", aggregation_strategy="first")  # "." is this folder
find({name})
```

A word's tag is that of its first token: `first` reads it there. Where each word is one token,
`simple` gives the same. Words that are split already are given as one text, with a blank between
two, as they were in training."""
_FUNCTION = """```python
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(".")  # "." is this folder
model = AutoModelForSequenceClassification.from_pretrained(".").eval()
SPECIAL = {specials}  # before the first text, between two, after the last


def predict({names}):
    texts = [tokenizer(t, add_special_tokens=False)["input_ids"] for t in ({names})]
    while sum(map(len, texts)) > {budget}:
        max(texts, key=len).pop({side})
    ids = [*SPECIAL[0]]
    for text, special in zip(texts, SPECIAL[1:]):
        ids += [*text, *special]
    inputs = {{"input_ids": torch.tensor([ids])}}
{segments}    with torch.no_grad():
        return model(**inputs).logits[0]{outputs}
```"""
_ENDS: Mapping[Answer, str] = {"value": ".item()", "class": ".softmax(-1)", "set": ".sigmoid()"}
"""From logits to what a function returns."""
_SEGMENTS = """    first = {specials} + sum(map(len, texts[:{texts}]))
    inputs["token_type_ids"] = torch.tensor([[0] * first + [1] * (len(ids) - first)])
"""


@dataclass(frozen=True)
class ModelCard:
    """What a model card is written from.

    Attributes:
        spec: the run's spec.
        task: the task that was exported.
        result: the run's result.
        tokenizer: the tokenizer that is saved beside the model.
        has_segments: whether the model takes segment ids.
        max_length: most tokens of an example.
    """

    spec: RunSpec
    task: Task
    result: RunResult
    tokenizer: PreTrainedTokenizerBase
    has_segments: bool
    max_length: int

    def write(self) -> str:
        """Return the card in Markdown."""
        pipeline = "token" if self.task.facts.reads_words else "text"
        head = ["---", "library_name: transformers", f"pipeline_tag: {pipeline}-classification"]
        if (base := self._find_base()) is not None:
            head.append(f"base_model: {json.dumps(base)}")
        return "\n".join([*head, "---", *self._describe(), *self._explain(), *self._list_scores()])

    def _find_base(self) -> str | None:
        """Return the encoder's id on the hub, or None for a local folder."""
        name = self.spec.model.name
        is_local = os.path.isabs(name) or name.startswith((".", "~"))  # noqa: PTH117 (hub ids)
        return None if is_local else name

    def _describe(self) -> list[str]:
        spec, task = self.spec, self.task
        group = next(group for group in spec.groups if task.name in group)
        inputs = ", ".join(f"`{column}`" for column in task.text)
        base = self._find_base()
        encoder = f"`{base}`" if base else f"`{Path(spec.model.name).name}` (a local folder)"
        return [
            f"# {task.name}",
            "",
            f"The path of task `{task.name}` in a hierarchical multi-task encoder "
            f"({{{spec.varied.of(task.name)}}}: shared, cluster and task layers), trained on "
            f"{len(spec.tasks)} tasks. Its group: {', '.join(group)}.{self._tell_stages()}",
            "",
            f"- Inputs, in this order: {inputs}.",
            f"- Labels: {', '.join(str(label) for label in task.labels) or 'one value'}.",
            *self._tell_sets(),
            f"- At most {self.max_length} tokens, special ones included; longer inputs lose those "
            "at the end of the longest text first.",
            f"- Encoder: {encoder}; run `{spec.run_id}`; seed {spec.seed}.",
            "",
        ]

    def _tell_sets(self) -> list[str]:
        is_set = self.task.facts.answer == "set"
        return ["- A text has each label whose score is above 0.5, or none."] if is_set else []

    def _tell_stages(self) -> str:
        shown = ", ".join(f"{{{stage.hierarchy}}}" for stage in self.spec.stages)
        return f" Its layers were shared as {shown} in turn." if shown else ""

    def _explain(self) -> list[str]:
        """Return code that predicts as `hmnet predict` does, with transformers alone."""
        names = [_to_name(column, i) for i, column in enumerate(self.task.text)]
        if self.task.facts.reads_words:
            return ["## Predict", "", _WORDS.format(name=names[0]), ""]
        if len(names) < 3:
            text = f'{{"text": {names[0]}}}' if len(names) == 1 else _pair(names[0], names[1])
            call = _PIPELINE.format(comment="", call=text, most=self.max_length)
            return ["## Predict", "", call, ""]
        said = ["## Predict", "", self._write_function(names), ""]
        if (between := self._find_separator()) is not None:
            joined = f"{names[1]} + {json.dumps(between)} + {names[2]}"
            call = _PIPELINE.format(
                comment="# a pipeline takes two texts\n",
                call=_pair(names[0], joined),
                most=self.max_length,
            )
            said += [f"Up to {self.max_length} tokens, this gives the same:", "", call, ""]
        return said

    def _write_function(self, names: list[str]) -> str:
        template = learn_template(self.tokenizer, len(names))
        segments = _SEGMENTS.format(specials=template.first_specials, texts=template.first_segments)
        return _FUNCTION.format(
            specials=[piece.tolist() for piece in template.specials],
            names=", ".join(names),
            budget=self.max_length - _count_special(template),
            side="0" if self.tokenizer.truncation_side == "left" else "",
            segments=segments if self.has_segments else "",
            outputs=_ENDS[self.task.facts.answer],
        )

    def _find_separator(self) -> str | None:
        """Return what joins the second and third text into one that gives the same tokens."""
        zeros = np.zeros(1, dtype=np.int64)
        rows = RawSplit(tuple([text] for text in _PROBE), zeros, zeros, zeros)
        wanted = tokenise(rows, self.tokenizer, 10**6).tokens.tolist()
        between = learn_template(self.tokenizer, 3).specials[1].tolist()
        special = "".join(self.tokenizer.convert_ids_to_tokens(between))
        first, second, third = _PROBE
        for joint in (f" {special} ", special):
            if self.tokenizer(first, f"{second}{joint}{third}")["input_ids"] == wanted:
                return joint
        return None

    def _list_scores(self) -> list[str]:
        rows = [
            f"| {split} | {metric} | {value:.4f} |"
            for split, values in self.result.scores[self.task.name].items()
            for metric, value in values.items()
        ]
        return ["| dev split | metric | value |", "| --- | --- | --- |", *rows, ""]


def _pair(first: str, second: str) -> str:
    return f'{{"text": {first}, "text_pair": {second}}}'


def _to_name(column: str, number: int) -> str:
    """Return a column's name as one of a Python variable."""
    return column if column.isidentifier() and column not in ("torch", "model") else f"text{number}"


def _count_special(template: Template) -> int:
    return sum(len(piece) for piece in template.specials)
