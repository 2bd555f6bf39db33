"""Made encoders and tokenised tasks for tests: tiny, seeded, written by this project."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from hmnet.data.task_data import TaskData
from hmnet.data.tokens import SplitData
from hmnet.encoders.load import Encoder, load_encoder
from hmnet.encoders.quiet import quiet
from hmnet.study.tasks import Task

VOCABULARY = 120
_SMALL = {
    "vocab_size": VOCABULARY,
    "hidden_size": 16,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
}
_CONFIGS: Mapping[str, Any] = {
    "bert": transformers.BertConfig,
    "roberta": transformers.RobertaConfig,
    "electra": transformers.ElectraConfig,
    "albert": transformers.AlbertConfig,
    "deberta-v2": transformers.DebertaV2Config,
    "mpnet": transformers.MPNetConfig,
}


def make_config(kind: str, depth: int) -> Any:
    """Return a tiny configuration of an architecture."""
    if kind == "distilbert":
        return transformers.DistilBertConfig(
            vocab_size=VOCABULARY, dim=16, n_layers=depth, n_heads=2, hidden_dim=32
        )
    if kind == "modernbert":
        return transformers.ModernBertConfig(
            **{**_SMALL, "max_position_embeddings": 256},
            num_hidden_layers=depth,
            pad_token_id=0,
            cls_token_id=1,
            bos_token_id=1,
            sep_token_id=2,
            eos_token_id=2,
            local_attention=16,
            global_attn_every_n_layers=2,
            classifier_pooling="cls",
        )
    extra = {"embedding_size": 8} if kind in ("electra", "albert") else {}
    return _CONFIGS[kind](**_SMALL, **extra, num_hidden_layers=depth)


def write_encoder(folder: Path, kind: str = "bert", depth: int = 3) -> Path:
    """Write a model folder with random weights, large enough to tell inputs apart."""
    torch.manual_seed(0)
    config = make_config(kind, depth)
    config.initializer_range = 0.2
    with quiet():
        model = transformers.AutoModel.from_config(config)
        model.save_pretrained(folder)
    return folder


def make_encoder(folder: Path, kind: str = "bert", depth: int = 3, dropout: float = 0.0) -> Encoder:
    """Return a loaded encoder without dropout, or with the stated one."""
    return load_encoder(str(write_encoder(folder, kind, depth)), dropout=dropout)


def make_task(name: str, classes: int = 2) -> Task:
    """Return a classification task, or a regression for `classes` = 1."""
    if classes == 1:
        return Task(name=name, text=("text",), kind="regression", metric="correlation")
    return Task(name=name, text=("text",), labels=tuple(f"label{i}" for i in range(classes)))


def make_split(seed: int, size: int, classes: int) -> SplitData:
    """Return random sequences of 4 to 20 tokens."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(4, 21, size)
    tokens = rng.integers(5, VOCABULARY, int(lengths.sum())).astype(np.int32)
    values = rng.random(size).astype(np.float32)
    return SplitData(
        tokens=tokens,
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        first=(lengths // 2).astype(np.int32),
        labels=values if classes == 1 else (values * classes).astype(np.int64),
        rows=np.arange(size),
        questions=np.full(size, -1),
    )


TAGS = ("O", "B-a", "I-a", "B-b", "I-b")


def make_tagged(name: str, size: int = 22, seed: int = 0) -> TaskData:
    """Return a tokenised task whose words have tags; some words have two pieces, some none."""
    task = Task(name=name, text=("words",), kind="tags", labels=TAGS, metric="entity_f1")
    splits = {
        split: make_tagged_split(seed * 10 + i + len(name) * 100, size)
        for i, split in enumerate(task.splits)
    }
    return TaskData(task, splits, fingerprint=f"{name}-{seed}")


def make_tagged_split(seed: int, size: int) -> SplitData:
    """Return random sequences of 4 to 20 tokens with 1 to 9 words, the last of some unseen."""
    rng = np.random.default_rng(seed)
    plain = make_split(seed, size, 2)
    counts = (plain.lengths - 2) // 2
    places = [1 + 2 * np.arange(count) for count in counts]
    for row in places[:: size // 4]:
        row[-1] = -1
    total = int(counts.sum())
    return dataclasses.replace(
        plain,
        labels=rng.integers(0, len(TAGS), total),
        word_offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        places=np.concatenate(places).astype(np.int32),
    )


def make_data(name: str, classes: int = 2, size: int = 22, seed: int = 0) -> TaskData:
    """Return a tokenised task with `size` training and dev examples."""
    task = make_task(name, classes)
    splits = {
        split: make_split(seed * 10 + i + len(name) * 100, size, classes)
        for i, split in enumerate(task.splits)
    }
    return TaskData(task, splits, fingerprint=f"{name}-{seed}")


def make_sets(name: str, size: int = 22, seed: int = 0) -> TaskData:
    """Return a tokenised task with any of four labels a row, one in three on average."""
    task = Task(
        name=name,
        text=("text",),
        kind="multilabel",
        labels=("a", "b", "c", "d"),
        metric="label_f1_micro",
        metrics=("label_f1_macro", "sample_f1", "label_ranking"),
    )
    rng = np.random.default_rng(seed)
    splits = {
        split: dataclasses.replace(
            make_split(seed * 10 + i + len(name) * 100, size, 2),
            labels=(rng.random((size, 4)) < 0.35).astype(np.int8),
        )
        for i, split in enumerate(task.splits)
    }
    return TaskData(task, splits, fingerprint=f"{name}-{seed}")
