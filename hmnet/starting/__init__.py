"""First steps: files of rows looked at, dev rows drawn where there are none, a study written.

>>> from pathlib import Path
>>> import pandas as pd
>>> from hmnet.starting import find_files, guess_tasks
>>> rows = {"message": [f"the printer number {i} is broken" for i in range(40)]}
>>> pd.DataFrame({**rows, "team": ["it", "office"] * 20}).to_csv("tickets.csv", index=False)
>>> (guess,) = guess_tasks(find_files(Path())[0])
>>> guess.name, guess.text, guess.label, guess.labels, guess.metric
('tickets', ('message',), 'team', ('it', 'office'), 'accuracy')
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hmnet.starting.dev_split import SplitOptions, draw_dev
    from hmnet.starting.file_columns import Column, look_at
    from hmnet.starting.file_groups import FileGroup, find_files
    from hmnet.starting.folder_study import (
        BegunStudy,
        StartOptions,
        begin_study,
        study_of_folder,
    )
    from hmnet.starting.guesses import TaskGuess, guess_tasks
    from hmnet.starting.study_text import render_study
    from hmnet.starting.written_rows import TaskRows, arrange_rows
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "BegunStudy",
    "Column",
    "FileGroup",
    "SplitOptions",
    "StartOptions",
    "TaskGuess",
    "TaskRows",
    "arrange_rows",
    "begin_study",
    "draw_dev",
    "find_files",
    "guess_tasks",
    "look_at",
    "render_study",
    "study_of_folder",
]
