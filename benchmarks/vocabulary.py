"""Vocabularies of all tasks against tokenising every row with the fast tokenizer."""

from __future__ import annotations

import time
from typing import Any

from tokenizers import Tokenizer

from benchmarks.entries import Entry
from benchmarks.rows import STAND_INS, Material
from benchmarks.timing import time_pair
from hmnet.encoders.locate import load_tokenizer
from hmnet.planted import make_planted_tasks
from hmnet.study.study import Study
from hmnet.study.tasks import PAPER_TASKS
from relevance.vocabulary.cooccurrence import extract_vocabulary
from relevance.vocabulary.study_vocabulary import load_training_texts

CHUNK = 20_000


def measure_vocabulary(material: Material, repeats: int, scale: float) -> list[Entry]:
    """Extract the vocabulary of every task; both sides must find the same pieces."""
    tasks = dict(PAPER_TASKS) if material.is_real else make_planted_tasks()
    names = (
        list(tasks) if scale >= 1 else [n for n in tasks if n in ("cb", "rte", *STAND_INS.values())]
    )
    study = Study(
        tasks={name: tasks[name] for name in names},
        model=str(material.encoder),
        data_folder=material.data,
    )
    texts = load_training_texts(study)
    tokenizer = load_tokenizer(str(material.encoder))
    found: dict[str, Any] = {}

    def ours() -> float:
        began = time.perf_counter()
        found["ours"] = {name: extract_vocabulary(rows, tokenizer) for name, rows in texts.items()}
        return time.perf_counter() - began

    def other() -> float:
        began = time.perf_counter()
        found["other"] = {
            name: _tokenise_every_row(column, tokenizer) for name, column in texts.items()
        }
        return time.perf_counter() - began

    pair = time_pair(ours, other, repeats)
    for name in texts:
        if set(found["ours"][name]) != found["other"][name]:
            raise RuntimeError(f"the two sides found different vocabularies for {name}")
    rows = sum(len(column) for column in texts.values())
    return [
        Entry(
            "vocab",
            pair.ours,
            pair.other,
            pair.ratio,
            "s",
            f"WordPiece vocabularies of {len(texts)} tasks, {rows:,} texts, against encode_batch "
            f"of every text ({CHUNK:,} at a time, its own threads); the sets are equal; medians of "
            f"{repeats} in turns (spread {pair.spread:.2f}); {material.words}",
        )
    ]


def _tokenise_every_row(column: Any, tokenizer: Any) -> set[int]:
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.no_truncation()
    backend.no_padding()
    pieces: set[int] = set()
    texts = column.to_pylist()
    for begin in range(0, len(texts), CHUNK):
        for encoding in backend.encode_batch_fast(
            texts[begin : begin + CHUNK], add_special_tokens=False
        ):
            pieces.update(encoding.ids)
    return pieces - set(tokenizer.all_special_ids)  # [UNK] is no word of a task
