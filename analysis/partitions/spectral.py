"""The coordinates in which spectral clustering runs k-means."""

from __future__ import annotations

import numpy as np

from analysis.arrays import Floats


def embed_spectrum(values: Floats, k: int) -> Floats:
    """Return unit rows of the k leading eigenvectors of the normalised affinity, shape [T, k].

    The affinity of two tasks is the mean of both directions, less the matrix's lowest one: gains
    may be negative, affinities may not.
    """
    affinity = (values + values.T) / 2
    off_diagonal = ~np.eye(len(values), dtype=bool)
    affinity -= affinity[off_diagonal].min(initial=np.inf) if off_diagonal.any() else 0.0
    np.fill_diagonal(affinity, 0.0)
    degree = affinity.sum(axis=1)
    scale = np.divide(1.0, np.sqrt(degree), out=np.zeros_like(degree), where=degree > 0)
    vectors = np.linalg.eigh(scale[:, None] * affinity * scale)[1][:, -k:]
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    embedded: Floats = np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
    return embedded
