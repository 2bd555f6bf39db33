"""Pretrained encoders found, loaded without foreign code, and watched.

>>> from pathlib import Path
>>> from hmnet.encoders import identify, load_encoder, load_tokenizer, read_depth
>>> from hmnet.planted import write_encoder
>>> folder = str(write_encoder(Path("encoder"), seed=0))
>>> encoder = load_encoder(folder)
>>> encoder.depth == read_depth(folder), encoder.is_packable
(True, True)
>>> len(identify(folder).fingerprint)  # hexadecimal digits
32
>>> load_tokenizer(folder).tokenize("The harbour is calm.")[-1]
'.'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hmnet.encoders.config import load_config
    from hmnet.encoders.feed_forward import FeedForward, find_feed_forward, list_feed_forward
    from hmnet.encoders.layers import find_layers
    from hmnet.encoders.load import Encoder, load_encoder, prepare_encoder
    from hmnet.encoders.locate import (
        find_folder,
        identify,
        load_tokenizer,
        read_depth,
        read_max_positions,
        read_vocab_size,
    )
    from hmnet.encoders.tokenizer_fit import find_doubts, find_misfits
    from hmnet.encoders.watching import Heads, list_spans, observe, watch
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "Encoder",
    "FeedForward",
    "Heads",
    "find_doubts",
    "find_feed_forward",
    "find_folder",
    "find_layers",
    "find_misfits",
    "identify",
    "list_feed_forward",
    "list_spans",
    "load_config",
    "load_encoder",
    "load_tokenizer",
    "observe",
    "prepare_encoder",
    "read_depth",
    "read_max_positions",
    "read_vocab_size",
    "watch",
]
