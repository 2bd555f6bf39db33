"""What decides a run, what it leaves behind, and where (no torch).

>>> from pathlib import Path
>>> from hmnet.runs import RunSpec, RunStore
>>> from hmnet.study import PAPER_TASKS, HierarchySpec, ModelRef, TrainingSettings
>>> spec = RunSpec(
...     tasks=(PAPER_TASKS["rte"],),
...     data={"rte": "the fingerprint of its tokenised rows"},
...     model=ModelRef("encoder", None, "the fingerprint of its weights"),
...     hierarchy=HierarchySpec(0, 0, 12),
...     groups=(("rte",),),
...     training=TrainingSettings(),
...     seed=0,
... )
>>> store = RunStore(Path("runs"))
>>> store.path(spec) == Path("runs") / spec.run_id, spec.run_id.startswith("rte-s0-")
(True, True)
>>> store.is_done(spec)
False
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hmnet.runs.job import Job, Machine
    from hmnet.runs.loggers import Logger, check_loggers, open_logger
    from hmnet.runs.result import FAILURE_SCHEMA, RunFailure, RunResult, check_files, read_result
    from hmnet.runs.spec import ENGINE_VERSION, SPEC_SCHEMA, RunSpec
    from hmnet.runs.store import PREDICTIONS_SCHEMA, RUNNING_MARK, BusyError, RunStore
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "ENGINE_VERSION",
    "FAILURE_SCHEMA",
    "PREDICTIONS_SCHEMA",
    "RUNNING_MARK",
    "SPEC_SCHEMA",
    "BusyError",
    "Job",
    "Logger",
    "Machine",
    "RunFailure",
    "RunResult",
    "RunSpec",
    "RunStore",
    "check_files",
    "check_loggers",
    "open_logger",
    "read_result",
]
