"""Tags of words as numbers that say by themselves where entities begin, and of which type.

A task's tags are BIO (`O`, `B-PER`, `I-PER`: also called IOB2), or plain (`NOUN`, `VERB`). Metrics
see 0 for `O`, 2k - 1 for the `B-` and 2k for the `I-` of the k-th type; a plain tag is that of a
`B-`, so each word stands for itself. An entity begins at a `B-`, and at an `I-` after another type
or `O`, as conlleval and seqeval take it.

Legend: W words, sentence by sentence; R runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int64]

OUTSIDE = "O"
NO_ANSWER = -1
"""The code of a word that a model has no answer for, where no tag says that there is nothing."""


def is_bio(tags: Iterable[str]) -> bool:
    """Tell whether tags are `O`, and otherwise `B-` or `I-` with a type.

    >>> is_bio(["O", "B-PER", "I-PER"]), is_bio(["NOUN", "VERB"])
    (True, False)
    """
    others = [tag for tag in tags if tag != OUTSIDE]
    return bool(others) and all(tag[:2] in ("B-", "I-") and len(tag) > 2 for tag in others)


def find_tag_problems(tags: Sequence[str]) -> Iterator[str]:
    """Yield a sentence for what is wrong with the tags that a task lists."""
    if any(tag[1:2] == "-" and tag[0] in "LUES" for tag in tags) and "O" in tags:
        yield (
            "Parameter `labels` should list the tags `O`, `B-...` and `I-...`; files with other "
            f"schemes (BILOU, BIOES) are read as these. Found `{list(tags)}`."
        )
        return
    begun = {tag[2:] for tag in tags if tag[:2] == "B-"}
    if is_bio(tags) and (
        alone := [tag for tag in tags if tag[:2] == "I-" and tag[2:] not in begun]
    ):
        missing = ", ".join(f"`B-{tag[2:]}`" for tag in alone)
        yield f"Parameter `labels` should list {missing} beside {', '.join(alone)}. Found no such."
    if is_bio(tags) and OUTSIDE not in tags:
        yield f"Parameter `labels` should list `{OUTSIDE}`, for words of no entity. Found no such."


def list_types(tags: Sequence[str]) -> list[str]:
    """Return the types of entities, or plain tags, in the order of their first tag."""
    if not is_bio(tags):
        return list(tags)
    return list(dict.fromkeys(tag[2:] for tag in tags if tag != OUTSIDE))


def find_outside(tags: Sequence[str]) -> int:
    """Return the code of the answer for a word that a model does not see: `O`, or none."""
    return tags.index(OUTSIDE) if is_bio(tags) and OUTSIDE in tags else NO_ANSWER


def number_tags(tags: Sequence[str]) -> Codes:
    """Return what metrics see for each tag by its code, and last for `NO_ANSWER`.

    >>> number_tags(["O", "B-PER", "I-PER", "B-LOC"]).tolist()
    [0, 1, 2, 3, -1]
    """
    types = list_types(tags)
    if not is_bio(tags):
        return np.array([*(2 * k + 1 for k in range(len(tags))), NO_ANSWER])
    found = [
        0 if tag == OUTSIDE else 2 * types.index(tag[2:]) + 1 + (tag[0] == "I") for tag in tags
    ]
    return np.array([*found, NO_ANSWER])


def mark_entities(tags: Codes, sentences: Codes) -> tuple[Codes, Codes]:
    """Find the entities of words.

    Args:
        tags: as `number_tags` gives them, [..., W].
        sentences: the sentence of each word; those of one sentence stand together, [W].

    Returns:
        The type of the entity that begins at each word, from 1, and 0 where none begins, [..., W];
        and the number of its last word, [..., W], of no meaning where none begins.
    """
    kinds = (np.maximum(tags, 0) + 1) // 2
    is_new = np.concatenate([[True], sentences[1:] != sentences[:-1]])
    before = np.concatenate([np.zeros_like(kinds[..., :1]), kinds[..., :-1]], axis=-1)
    begins = (kinds > 0) & ((tags % 2 == 1) | (before != kinds) | is_new)
    goes_on = np.zeros_like(begins)
    goes_on[..., :-1] = ((kinds > 0) & ~begins)[..., 1:]
    size = tags.shape[-1]
    ends = np.where(goes_on, size, np.arange(size))
    last = np.minimum.accumulate(ends[..., ::-1], axis=-1)[..., ::-1]
    return np.where(begins, kinds, 0), last


def match_entities(labels: Codes, predictions: Codes, sentences: Codes) -> tuple[Codes, ...]:
    """Return the type, from 1, at the first word of each entity: true, predicted, and right ones.

    An entity is right where its first word, its last word and its type are.

    Args:
        labels: [W].
        predictions: [..., W].

    Returns:
        Shapes [W], [..., W] and [..., W]; 0 where no such entity begins.
    """
    true, true_last = mark_entities(labels, sentences)
    found, last = mark_entities(predictions, sentences)
    right = np.where((found == true) & (last == true_last), found, 0)
    return true, found, right


def iterate_entities(tags: Codes) -> Iterator[tuple[int, int, int]]:
    """Yield type, from 0, first and last word of each entity of one sentence, [W]."""
    if not len(tags):
        return
    kinds, last = mark_entities(tags, np.zeros(len(tags), dtype=np.int64))
    for first in np.flatnonzero(kinds).tolist():
        yield int(kinds[first]) - 1, first, int(last[first])
