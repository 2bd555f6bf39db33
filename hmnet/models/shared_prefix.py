"""Several tasks on the same texts: layers that their paths share are computed once.

Paths share layers as objects, and a layer that two paths share has the same input in both, since
everything below it is shared too. So it is enough that a shared module remembers its last input
and output: asked again with the same input, it answers without computing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from torch import Tensor

from hmnet.encoders.layers import find_layers
from hmnet.models.paths import PathModel, find_embeddings

Forward: TypeAlias = Callable[..., object]


@dataclass
class LayerPasses:
    """Layers that were run.

    Attributes:
        asked: what separate models would have run.
        computed: what was run.
    """

    asked: int = 0
    computed: int = 0


@contextmanager
def share_prefix(model: PathModel, tasks: Sequence[str]) -> Iterator[LayerPasses]:
    """Let the paths of `tasks` share what they compute, while the context lasts.

    Only for inference: dropout would be the same for all tasks.
    """
    paths = [model.path(task) for task in tasks]
    passes = LayerPasses()
    layers = [layer for path in paths for layer in find_layers(path)]
    embeddings = [part for path in paths for part in find_embeddings(path, find_layers(path))]
    owners = Counter(id(module) for module in (*embeddings, *layers))
    unique = {id(module): module for module in (*embeddings, *layers)}
    is_layer = {id(layer) for layer in layers}
    for key, module in unique.items():
        counted = passes if key in is_layer else LayerPasses()
        module.forward = _remember(module.forward, counted, keep=owners[key] > 1)
    try:
        yield passes
    finally:
        for module in unique.values():
            del module.forward


def _remember(forward: Forward, passes: LayerPasses, keep: bool) -> Forward:
    """Return `forward` with a memory of its last input and output."""
    given: Tensor | None = None
    output: object = None

    def run(*args: object, **kwargs: object) -> object:
        nonlocal given, output
        passes.asked += 1
        tensors = (each for each in (*args, *kwargs.values()) if isinstance(each, Tensor))
        asked = next(tensors, None)
        if asked is not None and _is_same(asked, given):
            return output
        passes.computed += 1
        computed = forward(*args, **kwargs)
        if keep and asked is not None:  # RoFormer's positions are asked for by their shape
            given, output = asked, computed
        return computed

    return run


def _is_same(one: Tensor, other: Tensor | None) -> bool:
    """Tell whether two inputs are one tensor, or the same token ids."""
    if one is other or other is None:
        return other is not None
    return not one.is_floating_point() and one.shape == other.shape and bool((one == other).all())
