"""Many runs: cached, scheduled, watched and estimated.

A study is prepared once; its jobs run on this machine's processes or on a Dask cluster, and those
that are done are found again.

>>> from pathlib import Path
>>> from hmnet.jobs import Workers, prepare_study
>>> from hmnet.planted import PLANTED_DATA, write_planted
>>> from hmnet.study import Study
>>> planted = write_planted(Path("planted"), seed=0, train_rows=32, dev_rows=20)
>>> tasks = {name: planted.tasks[name] for name in ("sentiment-coast", "inference-coast")}
>>> study = Study(tasks, str(planted.encoder), data_folder=planted.data, rows=PLANTED_DATA)
>>> prepared = prepare_study(study, Path("data"))
>>> jobs = [prepared.shared(tasks, seed=0), prepared.single("sentiment-coast", seed=0)]
>>> [str(job.spec.hierarchy) for job in jobs]
['3,0,0', '0,0,3']
>>> Workers.choose(workers=2).devices
('cpu', 'cpu')
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hmnet.jobs.cost import estimate_work
    from hmnet.jobs.estimate import estimate_sweep, list_jobs
    from hmnet.jobs.machine_precision import find_bf16, settle_precision
    from hmnet.jobs.prepared import PreparedStudy, describe_study, prepare_study
    from hmnet.jobs.progress_file import SILENT_S, ProgressRecord, list_records
    from hmnet.jobs.progress_line import SweepProgress, describe_micro_batches, format_seconds
    from hmnet.jobs.schedule import SweepSummary, Watcher, raise_failures, run_jobs
    from hmnet.jobs.worker_process import Outcome
    from hmnet.jobs.workers import Workers, count_cores
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "SILENT_S",
    "Outcome",
    "PreparedStudy",
    "ProgressRecord",
    "SweepProgress",
    "SweepSummary",
    "Watcher",
    "Workers",
    "count_cores",
    "describe_micro_batches",
    "describe_study",
    "estimate_sweep",
    "estimate_work",
    "find_bf16",
    "format_seconds",
    "list_jobs",
    "list_records",
    "prepare_study",
    "raise_failures",
    "run_jobs",
    "settle_precision",
]
