"""A tiny study on disk for tests of the command line: made words, three tasks, a small encoder."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from made import make_config
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import AutoModel, PreTrainedTokenizerFast

import hmnet.jobs.schedule
import hmnet.jobs.workers
from hmnet.jobs.worker_process import Execute, Outcome, run_job
from hmnet.jobs.workers import Workers
from hmnet.runs.job import Job
from hmnet.runs.store import RunStore

WORDS = [f"{a}{b}" for a in ("ba", "ko", "mi", "tu") for b in ("la", "ne", "ro", "si", "vu")]
SPECIAL = ("[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]")
STUDY = """
schema = "study/1"
tasks = ["tone", "match", "grade"]
model = "encoder"
data = "data"
[training]
epochs = 2
batch_size = 8
learning_rate = 6e-3
precision = "fp32"
[rows]
max_length = 32
[task.tone]
text = ["text"]
labels = ["low", "high"]
category = "tone"
[task.match]
text = ["left", "right"]
labels = [0, 1]
category = "pairs"
metrics = ["f1"]
[task.grade]
text = ["left", "right"]
kind = "regression"
metrics = ["pearson"]
category = "pairs"
"""


def write_study(folder: Path) -> Path:
    """Write data, encoder and study file; return the study file."""
    write_encoder(folder / "encoder")
    rng = np.random.default_rng(0)
    for split, size in (("train", 48), ("validation", 24)):
        for task, frame in _make_rows(rng, size).items():
            path = folder / "data" / task / f"{split}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            frame.to_parquet(path)
    (folder / "study.toml").write_text(STUDY)
    return folder / "study.toml"


def _make_rows(rng: np.random.Generator, size: int) -> dict[str, pd.DataFrame]:
    left, right = ([" ".join(rng.choice(WORDS, 6)) for _ in range(size)] for _ in range(2))
    high = ["ba" in text for text in left]
    pairs = {"left": left, "right": right}
    return {
        "tone": pd.DataFrame({"text": left, "label": np.where(high, "high", "low")}),
        "match": pd.DataFrame({**pairs, "label": rng.integers(0, 2, size)}),
        "grade": pd.DataFrame({**pairs, "label": [text.count("ba") / 2 for text in left]}),
    }


def write_lines(path: Path, rows: Iterable[Mapping[str, object]]) -> Path:
    """Write a JSON document a row, in a folder that need not be there; return the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_encoder(folder: Path) -> None:
    """Write a small BERT with random weights and a WordPiece tokenizer over the made words."""
    vocabulary = {token: i for i, token in enumerate((*SPECIAL, *WORDS))}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 1), ("[SEP]", 2)],
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        unk_token="[UNK]",
        mask_token="[MASK]",
        model_max_length=64,
    )
    tokenizer.save_pretrained(folder)
    config = make_config("bert", 3)
    config.pad_token_id = 0
    torch.manual_seed(0)
    AutoModel.from_config(config).save_pretrained(folder)


def write_groups(path: Path, groups: dict[str, list[str]]) -> Path:
    """Write a groups.json by hand, as a user would."""
    path.write_text(json.dumps({"schema": "groups/1", "groups": groups}))
    return path


def list_pairwise(study: Path, out: Path, *more: object) -> list[str]:
    """Return the words of `relevance` that sweep two of the study's tasks: 3 runs."""
    words = ("pairwise", "--study", study, "--tasks", "tone,match", "--out", out, *more)
    return [str(word) for word in words]


@contextmanager
def runs_in_this_process() -> Iterator[None]:
    """Let sweeps do their runs here, without the seconds that it takes to start workers.

    For tests of what comes of the runs; workers have tests of their own.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hmnet.jobs.schedule, "_run_parallel", _run_here)
        patch.setattr(hmnet.jobs.workers, "count_cores", lambda: 1)
        yield


def _run_here(
    jobs: list[Job], store: RunStore, workers: Workers, waits: bool, execute: Execute | None
) -> Iterator[Outcome]:
    with tempfile.TemporaryDirectory() as slots:
        for job in jobs:
            yield run_job(job, store.folder, workers, Path(slots), waits, execute)
