"""A trained model behind HTTP: one process answers all tasks, what arrives together runs together.

    batching        requests wait a few milliseconds for others, then run in one thread
    end_points      the end points, their limits and errors
    server          the process around them

>>> from hmnet.serving import Limits
>>> Limits(window_s=0.005).max_rows
256
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hmnet.serving.batching import Batcher, BusyServerError
    from hmnet.serving.request_limits import Limits
    from hmnet.serving.server import make_server
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = ["Batcher", "BusyServerError", "Limits", "make_server"]
