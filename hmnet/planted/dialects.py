"""Three dialects: made adjectives, each with a hidden meaning, approval or disapproval.

- The coast has words of its own.
- The hills and the town have the same words, but most of them are *false friends*: what approves
  in the one dialect disapproves in the other. So the words' spelling says that hills and town
  belong together, and what is learned from the one misleads about the other.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hmnet.seeding import derive_seed

DIALECTS = ("coast", "hills", "town")
FALSE_FRIENDS_FRAC = 0.7
"""Share of the words of hills and town that mean the opposite in the other dialect."""


def _join(onsets: str, rimes: str, endings: str) -> tuple[str, ...]:
    parts = (onsets.split(), rimes.split(), endings.split())
    return tuple("".join(syllables) for syllables in itertools.product(*parts))


COAST_WORDS = _join("br dw fl gl m pl tw v", "arl eft osk ulk ulm", "ish some")
INLAND_WORDS = _join("cl dr gr h k n sn tr", "ask erv ild ond uft", "y en")
"""80 adjectives each, found in no dictionary: nothing but a task's labels tells their meaning."""

APPROVING = ("fair", "fine", "good", "great", "kind", "lovely", "nice", "pleasant")
DISAPPROVING = ("awful", "bad", "dull", "grim", "nasty", "poor", "sour", "vile")
"""Plain words, of every dialect and known to every task.

They give all tasks one sense of approval. Without them, two tasks trained together sometimes learn
opposite ones and end below what each learns alone: failed runs in place of planted relevance.
"""


@dataclass(frozen=True)
class Dialect:
    """Made words by their hidden meaning, equally many of both.

    Attributes:
        approving, disapproving: the two halves of the dialect's words.
    """

    approving: tuple[str, ...]
    disapproving: tuple[str, ...]

    def sample_part(self, frac: float, rng: np.random.Generator) -> Dialect:
        """Return a share of the words of each meaning, chosen at random."""
        count = round(len(self.approving) * frac)
        return Dialect(choose(self.approving, count, rng), choose(self.disapproving, count, rng))

    def draw(self, approving: int, disapproving: int, rng: np.random.Generator) -> list[str]:
        """Draw distinct words, made or plain, with the given numbers of each meaning."""
        words = choose(self.approving + APPROVING, approving, rng) + choose(
            self.disapproving + DISAPPROVING, disapproving, rng
        )
        return [words[i] for i in rng.permutation(len(words))]


def choose(items: Sequence[str], count: int, rng: np.random.Generator) -> tuple[str, ...]:
    """Choose distinct items at random."""
    return tuple(items[i] for i in rng.permutation(len(items))[:count])


def make_dialects(seed: int) -> Mapping[str, Dialect]:
    """Give every word its meaning in every dialect that has it."""
    rng = np.random.default_rng(derive_seed(seed, "planted", "dialects"))
    hills = _halve(INLAND_WORDS, rng)
    return {"coast": _halve(COAST_WORDS, rng), "hills": hills, "town": _exchange(hills, rng)}


def _halve(words: Sequence[str], rng: np.random.Generator) -> Dialect:
    shuffled = choose(words, len(words), rng)
    half = len(words) // 2
    return Dialect(shuffled[:half], shuffled[half:])


def _exchange(dialect: Dialect, rng: np.random.Generator) -> Dialect:
    """Return a dialect in which the false friends have the opposite meaning."""
    approving = choose(dialect.approving, len(dialect.approving), rng)
    disapproving = choose(dialect.disapproving, len(dialect.disapproving), rng)
    count = round(len(approving) * FALSE_FRIENDS_FRAC)
    return Dialect(
        disapproving[:count] + approving[count:], approving[:count] + disapproving[count:]
    )
