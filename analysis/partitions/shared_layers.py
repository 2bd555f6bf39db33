"""Where groups of tasks part: layer by layer, how far their tasks' gradients agree.

The agreement of two tasks in a layer is the cosine of their mean gradients. Few batches make a
noisy mean whose length is mostly noise, so lengths are taken from pairs of different batches: dot
products between batches are right on average, those of a batch with itself are not.

Groups share the lower layers in which tasks of different groups agree at least half as well as
tasks of one group. Its doubt comes from random halves of the batches: a mean over half of them
varies around that of all as that of all does around the truth.

>>> import numpy as np
>>> agreement = np.ones((3, 4, 4))                  # three layers, four tasks
>>> labels = np.array([0, 0, 1, 1])
>>> agreement[2] = labels[:, None] == labels[None]  # the last one: in groups alone
>>> find_shared(agreement, labels)
2

Legend: L layers, T tasks, P batches, K numbers of a gradient, B halves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.arrays import Floats, Labels
from analysis.levels import take_interval

PART_BELOW = 0.5
"""Groups part where the agreement across them is below that share of the agreement within."""
HALVES = 200


@dataclass(frozen=True, eq=False)
class LayerAgreement:
    """How far tasks agree in each layer.

    Attributes:
        values: [L, T, T]; NaN where a task's gradients are all noise, 1 on the diagonal.
        halves: the same by random halves of the batches, [B, L, T, T].
    """

    values: Floats
    halves: Floats


@dataclass(frozen=True)
class Parting:
    """Lower layers that groups share.

    Attributes:
        shared: how many.
        low, high: their 95 % interval.
    """

    shared: int
    low: int
    high: int


def measure_agreement(
    sketches: npt.NDArray[np.float32], halves: int = HALVES, seed: int = 0
) -> LayerAgreement:
    """Return the agreement of tasks.

    Args:
        sketches: gradients of P batches, at least four, of each task, [L, T, P, K].
    """
    _, _, batches, _ = sketches.shape
    products = np.stack([_multiply(layer) for layer in sketches.astype(np.float64)])
    rng = np.random.default_rng(seed)
    chosen = [rng.permutation(batches)[: batches // 2] for _ in range(halves)]
    return LayerAgreement(
        _correct(products), np.stack([_correct(products[:, :, c][..., c]) for c in chosen])
    )


def _multiply(layer: Floats) -> Floats:
    """Return the dot products of a layer's gradients, [T, P, T, P]."""
    found: Floats = np.tensordot(layer, layer, axes=(2, 2))
    return found


def _correct(products: Floats) -> Floats:
    """Return cosines of mean gradients, [L, T, T], from dot products [L, T, P, T, P]."""
    batches = products.shape[2]
    apart = ~np.eye(batches, dtype=bool)
    means = products.mean(axis=(2, 4))
    tasks = np.arange(products.shape[1])
    own = products[:, tasks, :, tasks][:, :, apart].mean(axis=-1).T  # [L, T]
    lengths = np.sqrt(np.where(own > 0, own, np.nan))
    cosines = np.clip(means / (lengths[:, :, None] * lengths[:, None, :]), -1.0, 1.0)
    cosines[:, tasks, tasks] = 1.0
    return cosines


def summarise_agreement(values: Floats, labels: Labels) -> tuple[Floats, Floats]:
    """Return the mean agreement within and across groups, [..., L] each.

    NaN where there is no such pair.

    Args:
        values: [..., L, T, T].
        labels: a group for each task, [T].
    """
    same = labels[:, None] == labels[None, :]
    off = ~np.eye(len(labels), dtype=bool)
    return _average(values[..., same & off]), _average(values[..., ~same])


def _average(pairs: Floats) -> Floats:
    """Return means over the last axis without NaN; NaN where there is nothing else."""
    known = np.isfinite(pairs)
    total = np.where(known, pairs, 0.0).sum(axis=-1)
    counts = known.sum(axis=-1)
    return np.where(counts > 0, total / np.maximum(counts, 1), np.nan)


def find_shared(values: Floats, labels: Labels) -> int:
    """Return how many lower layers groups share, at most all but one, from [L, T, T].

    Tasks that agree within no group, or groups of one task each, part where they disagree.
    """
    within, across = summarise_agreement(values, labels)
    least = PART_BELOW * np.nan_to_num(np.maximum(within, 0.0))
    parts = ~(across >= least)  # also where nothing is known
    parts[-1] = True
    return int(np.argmax(parts))


def find_parting(agreement: LayerAgreement, labels: Labels) -> Parting:
    """Return how many lower layers groups share, with its interval."""
    drawn = np.array([find_shared(values, labels) for values in agreement.halves], np.float64)
    low, high = take_interval(drawn)
    shared = find_shared(agreement.values, labels)
    return Parting(shared, min(shared, round(float(low))), max(shared, round(float(high))))
