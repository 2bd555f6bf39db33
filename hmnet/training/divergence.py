"""The error of a training that diverged."""

from __future__ import annotations

from hmnet.errors import RelevanceError


class DivergedError(RelevanceError):
    """The training loss became NaN or infinite."""
