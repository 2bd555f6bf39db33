"""The other side: Hugging Face's Trainer in its strongest stock setting.

bfloat16 autocast, batches of similar length (`group_by_length`, with the lengths at hand), padding
to the longest of a batch, fused AdamW, no checkpoints, no logging and no evaluation on the way.
Workers of the data loader cost more than they bring where rows are tokenised already (measured:
0 is fastest here), so there are none.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)

from hmnet.data.tokens import SplitData
from hmnet.encoders.quiet import quiet
from hmnet.study.settings import TrainingSettings
from hmnet.study.tasks import Task


class StockRows(torch.utils.data.Dataset[dict[str, Any]]):
    """Tokenised rows as the Trainer takes them."""

    def __init__(self, split: SplitData) -> None:
        self.split = split
        self.order = np.arange(len(split))

    def sort(self) -> StockRows:
        """Order the rows by length, the longest first, as suits an evaluation."""
        self.order = np.argsort(-self.split.lengths, kind="stable")
        return self

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row = int(self.order[index])
        begin, end = self.split.offsets[row], self.split.offsets[row + 1]
        segments = np.ones(end - begin, dtype=np.int64)
        segments[: self.split.first[row]] = 0
        return {
            "input_ids": self.split.tokens[begin:end].astype(np.int64).tolist(),
            "token_type_ids": segments.tolist(),
            "labels": self.split.labels[row].item(),
            "length": int(end - begin),
        }


class _Collator(DataCollatorWithPadding):
    """Pads; the lengths are for the sampler alone."""

    def __call__(self, features: list[dict[str, Any]]) -> dict[str, Any]:
        kept = [{k: v for k, v in row.items() if k != "length"} for row in features]
        return dict(super().__call__(kept))


def make_trainer(
    encoder: Path,
    task: Task,
    split: SplitData,
    settings: TrainingSettings,
    folder: Path,
    *,
    use_cpu: bool = True,
    loaders: int = 0,
) -> Trainer:
    """Return a Trainer for one epoch over the rows of a split.

    Args:
        loaders: worker processes of the data loader.
    """
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=64,
        learning_rate=settings.learning_rate,
        bf16=settings.precision == "bf16",
        bf16_full_eval=False,
        use_cpu=use_cpu,
        optim="adamw_torch_fused",
        train_sampling_strategy="group_by_length",
        length_column_name="length",
        remove_unused_columns=False,
        dataloader_num_workers=loaders,
        dataloader_pin_memory=not use_cpu,
        logging_strategy="no",
        save_strategy="no",
        eval_strategy="no",
        report_to=[],
        disable_tqdm=True,
        seed=0,
    )
    with quiet():
        model = AutoModelForSequenceClassification.from_pretrained(
            encoder, num_labels=max(len(task.labels), 1)
        )
        collator = _Collator(AutoTokenizer.from_pretrained(encoder))
    rows = StockRows(split)
    return Trainer(
        model=model, args=arguments, data_collator=collator, train_dataset=rows, eval_dataset=rows
    )


def train_stock(trainer: Trainer) -> float:
    """Train; return the seconds."""
    began = time.perf_counter()
    trainer.train()
    return time.perf_counter() - began


def predict_stock(trainer: Trainer, split: SplitData) -> float:
    """Predict the rows of a split, sorted by length; return the seconds."""
    began = time.perf_counter()
    trainer.predict(StockRows(split).sort())  # type: ignore[arg-type]
    return time.perf_counter() - began
