"""transformers' notes, silenced where they are expected."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from transformers import logging as transformers_logging


@contextmanager
def quiet() -> Iterator[None]:
    """Silence transformers' notes about new heads while a model is loaded."""
    level = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        transformers_logging.enable_progress_bar()
