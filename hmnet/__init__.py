"""One encoder for many tasks: a study, its runs, and the models that they leave.

A study is prepared (encoder identified, rows tokenised), its runs are planned as `RunSpec`s, and
jobs execute them into an output folder, where they are found again. On two of the planted tasks:

>>> from pathlib import Path
>>> from hmnet import DataSettings, HierarchySpec, Machine, Study, TrainingSettings
>>> from hmnet import execute, open_output, prepare_study, write_planted
>>> planted = write_planted(Path("planted"), seed=0, train_rows=32, dev_rows=20)
>>> names = ["sentiment-coast", "inference-coast"]
>>> study = Study(
...     tasks={name: planted.tasks[name] for name in names},
...     model=str(planted.encoder),
...     data_folder=planted.data,
...     training=TrainingSettings(epochs=1, batch_size=16),
...     rows=DataSettings(max_length=64),
... )
>>> output = open_output(Path("relevance-out"))
>>> prepared = prepare_study(study, output.data)
>>> job = prepared.make_job(names, HierarchySpec(1, 1, 1), [[name] for name in names], seed=0)
>>> result = execute(job, output.runs, Machine())
>>> result.steps, sorted(result.primary)
(4, ['inference-coast', 'sentiment-coast'])
>>> output.runs.predictions(job.spec, "sentiment-coast").shape
(20, 6)

A name is imported when it is asked for: torch comes with the first that needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hmnet.data.task_data import TaskData
    from hmnet.errors import InputError, RelevanceError
    from hmnet.folder.outputs import Output, open_output
    from hmnet.jobs.prepared import PreparedStudy, prepare_study
    from hmnet.jobs.schedule import run_jobs
    from hmnet.jobs.workers import Workers
    from hmnet.models.paths import HMNet, PathModel
    from hmnet.models.saved import load_model
    from hmnet.planted.suite import write_planted
    from hmnet.runs.job import Job, Machine
    from hmnet.runs.result import RunResult
    from hmnet.runs.spec import RunSpec
    from hmnet.runs.store import RunStore
    from hmnet.study.hierarchy import Groups, HierarchySpec
    from hmnet.study.settings import DataSettings, TrainingSettings
    from hmnet.study.study import Study, load_study
    from hmnet.study.tasks import PAPER_TASKS, Source, Task
    from hmnet.training.evaluation import evaluate, predict
    from hmnet.training.execution import execute
    from hmnet.training.loop import train
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "PAPER_TASKS",
    "DataSettings",
    "Groups",
    "HMNet",
    "HierarchySpec",
    "InputError",
    "Job",
    "Machine",
    "Output",
    "PathModel",
    "PreparedStudy",
    "RelevanceError",
    "RunResult",
    "RunSpec",
    "RunStore",
    "Source",
    "Study",
    "Task",
    "TaskData",
    "TrainingSettings",
    "Workers",
    "evaluate",
    "execute",
    "load_model",
    "load_study",
    "open_output",
    "predict",
    "prepare_study",
    "run_jobs",
    "train",
    "write_planted",
]
