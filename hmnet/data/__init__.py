"""From files or the hub to tokenised, memory-mapped splits.

Every source ends as an arrow table whose columns are checked; its rows are sampled, tokenised and
kept in a folder that is found again by what decides its content.

>>> from pathlib import Path
>>> from hmnet.data import prepare
>>> from hmnet.encoders import load_tokenizer
>>> from hmnet.planted import write_planted
>>> from hmnet.study import DataSettings
>>> planted = write_planted(Path("planted"), seed=0, train_rows=32, dev_rows=20)
>>> task, tokenizer = planted.tasks["yesno-coast"], load_tokenizer(str(planted.encoder))
>>> data = prepare(task, tokenizer, DataSettings(max_train=8), Path("data"), planted.data)
>>> {name: len(split) for name, split in data.splits.items()}
{'train': 8, 'validation': 20}
>>> len(data.train.tokens) == int(data.train.lengths.sum())
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hmnet.data.notes import NOTES_FILE, read_notes, write_notes
    from hmnet.data.oddities import find_oddities
    from hmnet.data.raw import list_shadowed, load_text_columns, load_texts, read_input
    from hmnet.data.task_data import TaskData, check_arrays, describe, load, prepare, verify_folder
    from hmnet.data.tokens import Ints, SplitData, tokenise
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "NOTES_FILE",
    "Ints",
    "SplitData",
    "TaskData",
    "check_arrays",
    "describe",
    "find_oddities",
    "list_shadowed",
    "load",
    "load_text_columns",
    "load_texts",
    "prepare",
    "read_input",
    "read_notes",
    "tokenise",
    "verify_folder",
    "write_notes",
]
