"""Attention similarity of two models against keeping all maps of `output_attentions=True`."""

from __future__ import annotations

import gc
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification

from analysis.attention import compare_attention
from benchmarks.entries import Entry
from benchmarks.rows import Material, find_material
from benchmarks.timing import time_pair
from hmnet.encoder import quiet
from hmnet.settings import DataSettings
from hmnet.tokens import SplitData

BATCH = 32
MEBIBYTE = 2**20


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
    """Compare two models over 500 rows; both sides must find the same similarities."""
    rows = max(round(500 * scale), 16)
    models = make_models(material, rows)
    found: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]] = {}
    ours_models = make_models(material, rows)  # watching changes a model's attention function

    def ours() -> float:
        began = time.perf_counter()
        found["ours"] = compare_attention(ours_models.one, ours_models.other, [models.split])
        return time.perf_counter() - began

    def other() -> float:
        began = time.perf_counter()
        found["other"] = compare_kept_maps(models)
        return time.perf_counter() - began

    pair = time_pair(ours, other, repeats)
    worst = float(np.abs(found["ours"] - found["other"]).max())
    if worst > 1e-4:
        raise RuntimeError(f"the two sides differ by {worst}")
    memory = [
        _measure_memory(side, count)
        for side, count in (("ours", rows), ("ours", 4 * rows), ("other", rows))
    ]
    return [
        Entry(
            "attention",
            pair.ours,
            pair.other,
            pair.ratio,
            "s",
            f"similarity of every head of two models over {len(models.split)} rows of MRPC, fp32, "
            f"{torch.get_num_threads()} threads, against output_attentions=True over batches of "
            f"{BATCH} padded and sorted by length, all maps kept; largest difference {worst:.0e}; "
            f"extra memory {memory[0]:.0f} MiB ({memory[1]:.0f} for four times the rows) against "
            f"{memory[2]:.0f}; medians of {repeats} in turns (spread {pair.spread:.2f}); "
            f"{material.words}",
        )
    ]


def compare_kept_maps(models: Models) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return the similarities, [N, H], from all maps of both models."""
    order = np.argsort(models.split.lengths, kind="stable")
    batches = [order[i : i + BATCH] for i in range(0, len(order), BATCH)]
    kept = [
        [_read_maps(model, models.split, b) for b in batches]
        for model in (models.one, models.other)
    ]
    total: float | np.ndarray[tuple[int, ...], np.dtype[np.float64]] = 0.0
    for first, second in zip(*kept, strict=True):
        flat = [maps.flatten(3) for maps in (first, second)]
        cosine = torch.nn.functional.cosine_similarity(*flat, dim=3)
        total = total + cosine.double().sum(1).numpy()
    return np.asarray(total) / len(models.split)


@torch.inference_mode()
def _read_maps(
    model: torch.nn.Module, split: SplitData, index: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> torch.Tensor:
    """Return all maps of a padded batch, [N, B, H, L, L]; what is padding is 0."""
    length = int(split.lengths[index].max())
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


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MEBIBYTE


def _print_memory(side: str, rows: int) -> None:
    models = make_models(find_material(), rows)
    run: Callable[[], object] = (
        (lambda: compare_attention(models.one, models.other, [models.split]))
        if side == "ours"
        else (lambda: compare_kept_maps(models))
    )
    gc.collect()
    before = _peak()
    run()
    print(_peak() - before)


if __name__ == "__main__":
    _print_memory(sys.argv[1], int(sys.argv[2]))
