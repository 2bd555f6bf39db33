"""Train, read, predict and export one model: what the subcommands of `hmnet` call.

>>> from pathlib import Path
>>> from hmnet.commands import read_run
>>> from hmnet.folder import open_output
>>> read_run(open_output(Path("relevance-out")), "rte-s0")
Traceback (most recent call last):
hmnet.errors.InputError: Parameter `run` should name one run in relevance-out/runs, ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hmnet.commands.export import export_task
    from hmnet.commands.extend import Extension, extend_run
    from hmnet.commands.kept_runs import KeptRun, choose_runs, list_runs, remove_runs
    from hmnet.commands.predict import ALL, RowPredictions, predict_file, to_lines
    from hmnet.commands.stored_run import describe_run, find_task, read_run
    from hmnet.commands.train import Design, train_hierarchy
    from hmnet.commands.trained_model import TrainedModel, load_trained
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "ALL",
    "Design",
    "Extension",
    "KeptRun",
    "RowPredictions",
    "TrainedModel",
    "choose_runs",
    "describe_run",
    "export_task",
    "extend_run",
    "find_task",
    "list_runs",
    "load_trained",
    "predict_file",
    "read_run",
    "remove_runs",
    "to_lines",
    "train_hierarchy",
]
