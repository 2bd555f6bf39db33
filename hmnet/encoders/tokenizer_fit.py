"""Whether a tokenizer and an encoder belong together, asked before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hmnet.data.task_data import TaskData
from hmnet.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model", "*.bpe", "*.codes")
_MOST_UNKNOWN = 0.5
_MANY_UNKNOWN = 0.1
_FULL = 0.8


def check_tokenizer_files(name: str, folder: Path) -> None:
    """Refuse a folder without a tokenizer: transformers would make up an empty one.

    Raises:
        InputError: if no file of the folder holds a vocabulary.
    """
    if any(path for pattern in _TOKENIZER_FILES for path in folder.glob(pattern)):
        return
    raise InputError(
        f"Parameter `tokenizer` should be a folder with a tokenizer (`tokenizer.json`, `vocab.txt` "
        f"or a sentencepiece `.model`). Found `{name}`, which has none. Save the one that the "
        "encoder was trained with beside it: "
        '`AutoTokenizer.from_pretrained("<the original id>").save_pretrained("<this folder>")`.'
    )


def check_vocabulary(tokenizer: PreTrainedTokenizerBase, name: str) -> None:
    """Refuse a tokenizer that knows nothing but special tokens.

    Raises:
        InputError: if no entry of its vocabulary is a piece of text.
    """
    special = set(tokenizer.all_special_tokens) | set(tokenizer.get_added_vocab())
    if set(tokenizer.get_vocab()) - special:
        return
    raise InputError(
        f"Parameter `tokenizer` should have a vocabulary. Found `{name}`, whose {len(tokenizer)} "
        "entries are special tokens alone: every word would be unknown. Save the encoder's own "
        "tokenizer into that folder."
    )


def check_sizes(tokenizer: PreTrainedTokenizerBase, vocab_size: int | None, name: str) -> None:
    """Refuse a tokenizer with more entries of its own than the encoder has embeddings.

    Raises:
        InputError: if an entry, added ones aside, has no embedding.
    """
    added = set(tokenizer.get_added_vocab().values())
    own = max((i for i in tokenizer.get_vocab().values() if i not in added), default=0)
    if vocab_size is None or own < vocab_size:
        return
    raise InputError(
        f"Parameter `tokenizer` should have ids below the {vocab_size:,} embeddings of the "
        f"encoder. Found the id {own:,} in `{name}`: the two do not belong together. Save the "
        "encoder's own tokenizer into that folder."
    )


def find_misfits(
    data: Mapping[str, TaskData],
    tokenizer: PreTrainedTokenizerBase,
    vocab_size: int | None,
    name: str,
) -> Iterator[str]:
    """Yield a sentence for each task whose training texts the encoder cannot read.

    Args:
        name: how a message names the tokenizer.
    """
    for task, each in data.items():
        highest = max(int(part.tokens.max(initial=0)) for part in each.splits.values())
        if vocab_size is not None and highest >= vocab_size:
            yield (
                f"Task `{task}`: Parameter `tokenizer` should give ids below the {vocab_size:,} "
                f"embeddings of the encoder. Found {highest:,} of `{name}`. Save the encoder's "
                "own tokenizer into that folder."
            )
        share = measure_unknown(each, tokenizer)
        if share > _MOST_UNKNOWN:
            yield (
                f"Task `{task}`: Parameter `tokenizer` should know the pieces of the texts. Found "
                f"{share:.0%} of those of the training split unknown to `{name}`: choose an "
                "encoder for the texts' language and script with --model."
            )


def find_doubts(
    data: Mapping[str, TaskData], tokenizer: PreTrainedTokenizerBase, vocab_size: int | None
) -> Iterator[str]:
    """Yield a sentence for what is allowed, but rarely meant."""
    if vocab_size is not None and len(tokenizer) < _FULL * vocab_size:
        yield (
            f"the tokenizer has {len(tokenizer):,} entries and the encoder {vocab_size:,} "
            "embeddings: do the two belong together?"
        )
    for task, each in data.items():
        share = measure_unknown(each, tokenizer)
        if share > _MANY_UNKNOWN:
            yield (
                f"task `{task}`: {share:.0%} of the pieces of its training split are unknown to "
                "the tokenizer"
            )


def measure_unknown(data: TaskData, tokenizer: PreTrainedTokenizerBase) -> float:
    """Return which share of a training split's pieces, special tokens aside, is unknown."""
    unknown = tokenizer.unk_token_id
    if unknown is None:
        return 0.0
    special = np.array([i for i in tokenizer.all_special_ids if i != unknown], dtype=np.int64)
    tokens = data.train.tokens
    count = int(np.isin(tokens, special, invert=True).sum())
    return int((tokens == unknown).sum()) / max(count, 1)
