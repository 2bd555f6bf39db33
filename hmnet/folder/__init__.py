"""The output folder: where everything lies, whether it is whole, and how far a study is.

>>> from pathlib import Path
>>> from hmnet.folder import describe_status, open_output
>>> output = open_output(Path("relevance-out"))
>>> output.groups
PosixPath('relevance-out/groups.json')
>>> list(describe_status(output))[-1]
'next: relevance cluster'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hmnet.folder.freshness import Sources, deriving, find_stale
    from hmnet.folder.integrity import Problem, discard_damaged, verify
    from hmnet.folder.outputs import DEFAULT_FOLDER, Output, find_output_folder, open_output
    from hmnet.folder.status import StageFile, describe_status
    from hmnet.folder.task_format import TASKS
    from hmnet.folder.task_table import write_tasks
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "DEFAULT_FOLDER",
    "TASKS",
    "Output",
    "Problem",
    "Sources",
    "StageFile",
    "deriving",
    "describe_status",
    "discard_damaged",
    "find_output_folder",
    "find_stale",
    "open_output",
    "verify",
    "write_tasks",
]
