"""Every random choice is a function of (seed, what it is for), never of what ran before.

So a task gets the same head, the same batches and the same dropout masks in a single, a pair and
a hierarchical run with the same seed (paired comparisons), and a resumed run needs no stored
random state.
"""

from __future__ import annotations

import hashlib

from hmnet.errors import InputError

SEED_LIMIT = 2**63
"""Seeds stand in tables as 64-bit integers."""


def derive_seed(*parts: int | str) -> int:
    """Return a 63-bit seed from the parts, such as (seed, "head", task name)."""
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def check_seed(seed: int, parameter: str = "seed") -> None:
    """Raise an `InputError` unless a seed fits into a table's column."""
    if not 0 <= seed < SEED_LIMIT:
        raise InputError(
            f"Parameter `{parameter}` should be from 0 to {SEED_LIMIT - 1:,}. Found `{seed}`."
        )
