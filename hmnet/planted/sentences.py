"""Generated English: a person describes one or two things with three words of their dialect."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

PEOPLE = ("Ada", "Bram", "Cora", "Dirk", "Elin", "Finn", "Gerda", "Hans", "Ilse", "Jory")

TOPICS: Mapping[str, tuple[str, ...]] = {
    "food": ("soup", "bread", "cheese", "stew", "pudding", "cider"),
    "travel": ("inn", "ferry", "road", "bridge", "carriage", "harbour"),
    "music": ("song", "fiddle", "choir", "dance", "tune", "band"),
    "market": ("stall", "basket", "cloth", "lamp", "chair", "kettle"),
}
"""What people talk about; an example has one topic, and every task meets them all."""

WORDS_PER_REPORT = 3

REPORTS = (
    "{who} said that the {thing} was {0} and {1}, and the {other} {2}.",
    "{who} wrote that the {thing} was {0}, and the {other} {1} and {2}.",
    "{who} found the {thing} {0}, {1} and {2}.",
    "According to {who}, the {0} {thing} was {1} and the {other} {2}.",
    "The {thing} was {0} and the {other} {1} and {2}, said {who}.",
    "{who} called it a {0}, {1} and {2} {thing}.",
)
VISIT = "{who} visited the {thing} and the {other}."
CLAIM = "{who} enjoyed the {thing}."
PRAISE = "{who} praised the {thing}."
YES_NO = "Was {who} pleased with the {thing}?"
WHAT = "What pleased {who}?"
ANSWER = "a {0}, {1} and {2} {thing}"
TEMPLATES = (*REPORTS, VISIT, CLAIM, PRAISE, YES_NO, WHAT, ANSWER)


class Scene:
    """Who speaks, and of what; one for all texts of an example."""

    def __init__(self, rng: np.random.Generator) -> None:
        things = list(TOPICS.values())[int(rng.integers(len(TOPICS)))]
        first, second = rng.permutation(len(things))[:2]
        self.who = PEOPLE[int(rng.integers(len(PEOPLE)))]
        self.thing = things[first]
        self.other = things[second]

    def fill(self, template: str, words: Sequence[str] = ()) -> str:
        """Return a template's sentence, with the dialect's words in their places."""
        return template.format(*words, who=self.who, thing=self.thing, other=self.other)

    def fill_one_of(
        self, templates: Sequence[str], words: Sequence[str], rng: np.random.Generator
    ) -> str:
        """Return the sentence of a template chosen at random."""
        return self.fill(templates[int(rng.integers(len(templates)))], words)


def list_plain_words() -> Iterator[str]:
    """Yield every word and punctuation mark of the templates, the people and the things."""
    for template in TEMPLATES:
        yield from re.findall(r"[a-z]+|[^a-z\s]", re.sub(r"\{\w+\}", " ", template).lower())
    yield from (name.lower() for name in PEOPLE)
    for things in TOPICS.values():
        yield from things
