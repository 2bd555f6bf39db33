"""What a server takes of one client, and in all."""

from __future__ import annotations

from pydantic import Field
from pydantic.dataclasses import dataclass

from hmnet.study.settings import STRICT


@dataclass(frozen=True, config=STRICT)
class Limits:
    """How much a server takes.

    Attributes:
        window_s: how long the first of several requests waits for others, in seconds.
        max_rows: rows of a request.
        max_waiting_rows: rows of all requests that wait; more are refused with 503.
        batch_rows: rows that run together.
        max_text_chars: characters of a text; what is beyond the model's tokens is cut off anyway.
        max_body_bytes: bytes of a request's body.
        answer_within_s: an accepted request that takes longer is answered with 503, in seconds.
    """

    window_s: float = Field(default=0.005, ge=0, le=1)
    max_rows: int = Field(default=256, gt=0)
    max_waiting_rows: int = Field(default=4096, gt=0)
    batch_rows: int = Field(default=64, gt=0)
    max_text_chars: int = Field(default=100_000, gt=0)
    max_body_bytes: int = Field(default=4_000_000, gt=0)
    answer_within_s: float = Field(default=60.0, gt=0)
