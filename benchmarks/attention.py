"""Attention similarity of two models against keeping all maps of `output_attentions=True`."""

from __future__ import annotations

import dataclasses
import gc
import subprocess
import sys
import time
from dataclasses import dataclass

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification

from analysis.attention_similarity import compare_attention
from benchmarks.entries import Entry
from benchmarks.rows import Material, find_material
from benchmarks.timing import peak_mib, time_pair
from hmnet.data.tokens import SplitData
from hmnet.encoders.quiet import quiet
from hmnet.study.settings import DataSettings

BATCH = 16


@dataclass(frozen=True)
class Way:
    """How the other side pads.

    Attributes:
        length: tokens of every sequence; None for those of the longest of its batch.
        most_rows: rows whose maps memory can hold; the time of all follows from theirs.
    """

    name: str
    words: str
    length: int | None = None
    is_sorted: bool = False
    most_rows: int = 500


FULL_ROWS = 32
FULL = Way(
    "attention",
    f"padded to the encoder's 512 tokens ({FULL_ROWS} rows, and as long for each other one: the "
    "maps of all would be 75 GB)",
    length=512,
    most_rows=FULL_ROWS,
)
WAYS = (
    FULL,
    Way("attention_limit", "padded to the limit of 128 tokens", length=128),
    Way("attention_longest", "padded to the longest of each"),
    Way("attention_sorted", "sorted by length and padded to the longest of each", is_sorted=True),
)


@dataclass(frozen=True)
class Models:
    """Two models of one shape, and rows for them."""

    one: torch.nn.Module
    other: torch.nn.Module
    split: SplitData


def make_models(material: Material, rows: int) -> Models:
    """Return two models, the second with every weight a little moved, and training rows of MRPC."""
    split = material.load("mrpc", DataSettings(128, rows, 64)).train
    return Models(_load(material, 0.0), _load(material, 0.05), split)


def _load(material: Material, noise: float) -> torch.nn.Module:
    torch.manual_seed(0)
    with quiet():
        model = AutoModelForSequenceClassification.from_pretrained(
            material.encoder, attn_implementation="eager"
        )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += noise * parameter.std() * torch.randn_like(parameter)
    return model.eval()  # type: ignore[no-any-return]


def measure_attention(material: Material, repeats: int, scale: float) -> list[Entry]:
    """Compare two models over 500 rows; all sides must find the same similarities."""
    rows = max(round(500 * scale), 16)
    ours = make_models(material, rows)  # watched: it changes a model's attention function
    entries = [
        _measure_pair(material, ours, make_models(material, min(rows, way.most_rows)), way, repeats)
        for way in WAYS
    ]
    memory = [_measure_memory("ours", rows), _measure_memory("ours", 4 * rows)]
    kept = min(rows, FULL_ROWS)
    words = (
        f"extra memory {memory[0]:.0f} MiB, and {memory[1]:.0f} for four times the rows; the other "
        f"side's {_measure_memory(FULL.name, kept):,.0f} for {kept}"
    )
    first = entries[0]
    return [dataclasses.replace(first, what=f"{first.what}; {words}"), *entries[1:]]


def _measure_pair(
    material: Material, mine: Models, theirs: Models, way: Way, repeats: int
) -> Entry:
    found: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]] = {}

    def ours() -> float:
        began = time.perf_counter()
        compare_attention(mine.one, mine.other, [mine.split])
        return time.perf_counter() - began

    def other() -> float:
        began = time.perf_counter()
        found["other"] = compare_kept_maps(theirs, way)
        return (time.perf_counter() - began) * len(mine.split) / len(theirs.split)

    pair = time_pair(ours, other, repeats)
    expected = compare_attention(mine.one, mine.other, [theirs.split])
    worst = float(np.abs(expected - found["other"]).max())
    if worst > 1e-4:
        raise RuntimeError(f"the two sides differ by {worst}")
    return Entry(
        way.name,
        pair.ours,
        pair.other,
        pair.ratio,
        "s",
        f"similarity of every head of two models over {len(mine.split)} rows of MRPC, fp32, "
        f"{torch.get_num_threads()} threads, against output_attentions=True over batches of "
        f"{BATCH} {way.words}, all maps kept; largest difference {worst:.0e}; medians of "
        f"{repeats} in turns (spread {pair.spread:.2f}); {material.words}",
    )


def compare_kept_maps(
    models: Models, way: Way
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return the similarities, [N, H], from all maps of both models."""
    split = models.split
    order = np.argsort(split.lengths, kind="stable") if way.is_sorted else np.arange(len(split))
    batches = [order[i : i + BATCH] for i in range(0, len(order), BATCH)]
    kept = [
        [_read_maps(model, split, b, way.length) for b in batches]
        for model in (models.one, models.other)
    ]
    total: float | np.ndarray[tuple[int, ...], np.dtype[np.float64]] = 0.0
    for first, second in zip(*kept, strict=True):
        flat = [maps.flatten(3) for maps in (first, second)]
        cosine = torch.nn.functional.cosine_similarity(*flat, dim=3)
        total = total + cosine.double().sum(1).numpy()
    return np.asarray(total) / len(split)


@torch.inference_mode()
def _read_maps(
    model: torch.nn.Module,
    split: SplitData,
    index: np.ndarray[tuple[int], np.dtype[np.int64]],
    length: int | None,
) -> torch.Tensor:
    """Return all maps of a padded batch, [N, B, H, L, L]; what is padding is 0."""
    length = length or int(split.lengths[index].max())
    tokens = torch.zeros(len(index), length, dtype=torch.int64)
    segments, mask = torch.zeros_like(tokens), torch.zeros_like(tokens)
    for row, example in enumerate(index):
        begin, end = split.offsets[example], split.offsets[example + 1]
        tokens[row, : end - begin] = torch.from_numpy(split.tokens[begin:end].astype(np.int64))
        segments[row, split.first[example] : end - begin] = 1
        mask[row, : end - begin] = 1
    maps = model(
        input_ids=tokens, token_type_ids=segments, attention_mask=mask, output_attentions=True
    ).attentions
    return torch.stack(maps) * mask[None, :, None, :, None]


def _measure_memory(side: str, rows: int) -> float:
    """Return the MiB by which the comparison raises a fresh process' peak."""
    command = [sys.executable, "-m", "benchmarks.attention", side, str(rows)]
    return float(
        subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]
    )


def _print_memory(side: str, rows: int) -> None:
    models = make_models(find_material(), rows)
    gc.collect()
    before = peak_mib()
    if side == "ours":
        compare_attention(models.one, models.other, [models.split])
    else:
        compare_kept_maps(models, next(way for way in WAYS if way.name == side))
    print(peak_mib() - before)


if __name__ == "__main__":
    _print_memory(sys.argv[1], int(sys.argv[2]))
