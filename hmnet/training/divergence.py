"""Ends of a training that are told to the user."""

from __future__ import annotations

from hmnet.errors import RelevanceError


class DivergedError(RelevanceError):
    """The training loss became NaN or infinite."""
