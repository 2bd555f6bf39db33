"""How often each token stands in the training texts of several tasks.

As for the vocabulary (`relevance.vocabulary.cooccurrence`): all text columns, no special tokens, no
truncation. Each different text is tokenised once and counted as often as it occurs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from tokenizers import Tokenizer

from hmnet.errors import raise_problems
from relevance.vocabulary.cooccurrence import (
    copy_without_limits,
    decode_texts,
    describe_tokenizer,
)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

Counts: TypeAlias = npt.NDArray[np.int64]
_BATCH_TEXTS = 1000


@dataclass(frozen=True, eq=False)
class TokenCounts:
    """Tokens of T tasks. Legend: V different tokens that any task has.

    Attributes:
        tasks: their names, T of them.
        counts: shape [T, V].
        tokenizer: its identity (`describe_tokenizer`).
    """

    tasks: tuple[str, ...]
    counts: Counts
    tokenizer: Mapping[str, object]

    @property
    def totals(self) -> Counts:
        """Tokens of each task, shape [T]."""
        return self.counts.sum(axis=1)

    def describe(self) -> dict[str, Any]:
        """Return what a matrix made from them was computed from, for its provenance."""
        sizes = dict(zip(self.tasks, self.totals.tolist(), strict=True))
        return {"tokens": sizes, "tokenizer": dict(self.tokenizer)}


def count_pieces(
    texts: Mapping[str, pa.ChunkedArray], tokenizer: PreTrainedTokenizerFast
) -> TokenCounts:
    """Count the tokens of each task's texts.

    Raises:
        InputError: for every task without any token.
    """
    backend = copy_without_limits(tokenizer.backend_tokenizer)
    added = backend.get_added_tokens_decoder().items()
    special = {*tokenizer.all_special_ids, *(i for i, token in added if token.special)}
    size = 1 + max(backend.get_vocab(with_added_tokens=True).values())
    counts = np.stack([_count(rows, name, backend, size) for name, rows in texts.items()])
    counts[:, sorted(i for i in special if i < size)] = 0
    raise_problems(
        f"Parameter `texts` should hold at least one token of task `{task}`. Found none."
        for task, found in zip(texts, counts, strict=True)
        if not found.any()
    )
    used = counts[:, counts.any(axis=0)]
    return TokenCounts(tuple(texts), used, describe_tokenizer(tokenizer))


def _count(rows: pa.ChunkedArray, name: str, backend: Tokenizer, size: int) -> Counts:
    """Return the count of each id, shape [size]."""
    different = pc.value_counts(decode_texts(rows, name).drop_null())
    texts, repeats = different.field("values").to_pylist(), different.field("counts").to_numpy()
    counts = np.zeros(size)
    for start in range(0, len(texts), _BATCH_TEXTS):
        part = slice(start, start + _BATCH_TEXTS)
        found = [e.ids for e in backend.encode_batch_fast(texts[part], add_special_tokens=False)]
        weights = np.repeat(repeats[part], [len(ids) for ids in found])
        counts += np.bincount(np.concatenate(found).astype(np.int64), weights, minlength=size)
    return counts.astype(np.int64)
