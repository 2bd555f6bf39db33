"""The hierarchical encoder: path(task) = shared + cluster[group] + own[task] (section 3.3).

Each task has a stock classifier of sequences, or of tokens, a *path*, always of the encoder's full
depth at the original positions. Layers that tasks share are the same objects in their paths, so any
path is an ordinary model that `save_pretrained` exports, and methods differ only in what is shared:

    single-task   {0,0,L}, one task         multi-task (MT-DNN)   {L,0,0}
    pair          {L,0,0}, two tasks        HMNet                 {8,2,2} of 12

The embeddings belong to all tasks; everything after the last layer (final norm, pooler, head)
belongs to the task.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig

from hmnet.encoders.feed_forward import list_feed_forward
from hmnet.encoders.load import Encoder
from hmnet.lazy import call_above
from hmnet.packing.batch import Batch
from hmnet.packing.forward import compute_logits, reads_words
from hmnet.seeding import derive_seed
from hmnet.study.hierarchy import Hierarchy, HierarchySpec
from hmnet.study.tasks import Task

_PREFIX = "task-"  # keeps names such as `train` from clashing with the module's attributes


class PathModel(nn.Module):
    """One path, a stock classifier, per task; paths share modules and parameters.

    Args:
        paths: task name to its path.
        is_packable: whether packed batches give what one-by-one passes give.
    """

    def __init__(self, paths: Mapping[str, nn.Module], is_packable: bool) -> None:
        super().__init__()
        self.is_packable = is_packable
        self.paths = nn.ModuleDict({_PREFIX + name: paths[name] for name in sorted(paths)})

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks' names, in alphabetical order."""
        return tuple(name.removeprefix(_PREFIX) for name in self.paths)

    def path(self, task: str) -> nn.Module:
        """Return the stock model that `task` activates."""
        return self.paths[_PREFIX + task]

    def forward(self, task: str, batch: Batch) -> Tensor:
        """Return the task's outputs, shape [U, C], rows as in `batch.labels`."""
        return compute_logits(self.path(task), batch, is_packable=self.is_packable)

    def reads_words(self, task: str) -> bool:
        """Tell whether a task's outputs are those of words, not of sequences."""
        return reads_words(self.path(task))

    def count_parameters(self) -> dict[str, int]:
        """Return `overall` parameters, and those `activated` by one task (the largest path)."""
        activated = [sum(p.numel() for p in path.parameters()) for path in self.paths.values()]
        return {
            "overall": sum(p.numel() for p in self.parameters()),
            "activated": max(activated),
        }


class HMNet(PathModel):
    """One encoder path per task, sharing layers by a hierarchy and groups.

    Args:
        encoder: the pretrained encoder that initialises every layer.
        tasks: the tasks; their order never matters.
        hierarchy: {x, y, z} with x + y + z the encoder's depth, of all tasks or of each.
        groups: a partition of the tasks' names.
        seed: seed of the heads; a task's head depends on nothing else.
        duplicate: what groups and tasks own copies of in their layers: the whole `layer`, or its
            feed-forward block alone (`ffn`); attention and norms are then shared by all tasks.

    Raises:
        InputError: if the hierarchy has another depth, or the feed-forward blocks are not found.
    """

    from_pretrained = call_above("hmnet.commands.trained_model", "load_trained")

    def __init__(
        self,
        encoder: Encoder,
        tasks: Sequence[Task],
        hierarchy: Hierarchy,
        groups: Sequence[Sequence[str]],
        seed: int,
        duplicate: Literal["layer", "ffn"] = "layer",
    ) -> None:
        hierarchy.check_depth(encoder.depth)
        by_name = {task.name: task for task in tasks}
        counts = [hierarchy.of(name).shared for name in by_name]
        around = _copy_around_feed_forward(encoder, min(counts)) if duplicate == "ffn" else {}
        common = {**copy_shared(encoder, 0), **around}
        shared = [_copy_layer(layer, around) for layer in encoder.layers[: max(counts)]]
        paths = {}
        for group in groups:
            cluster = _copy_cluster(encoder, [hierarchy.of(name) for name in group], duplicate)
            for name in group:
                depth = hierarchy.of(name)
                ends = (depth.shared, depth.shared + depth.cluster)
                copies = _join(common, *shared[: ends[0]], *cluster[slice(*ends)])
                own = encoder.for_task(by_name[name])
                path = copy.deepcopy(own.model, copies)
                set_head(path, by_name[name], own.missing, seed)
                paths[name] = path
        super().__init__(paths, all(encoder.for_task(task).is_packable for task in tasks))


Memo = dict[int, object]
"""What `deepcopy` uses in place of a copy of its own: an original's id to its copy."""


def copy_shared(encoder: Encoder, count: int) -> Memo:
    """Copy what all tasks share: embeddings and `count` bottom layers."""
    embeddings = find_embeddings(encoder.model, encoder.layers)
    return _copy_each([*embeddings, *encoder.layers[:count]])


def _join(*parts: Memo) -> Memo:
    return {key: value for part in parts for key, value in part.items()}


def _copy_layer(layer: nn.Module, around: Memo) -> Memo:
    """Copy a layer that all tasks share, with what tasks that part in it share of it."""
    return {id(layer): copy.deepcopy(layer, dict(around))}


def _copy_cluster(
    encoder: Encoder, hierarchies: Sequence[HierarchySpec], duplicate: str
) -> list[Memo]:
    """Copy what a group shares of each layer: all of it, or its feed-forward block.

    A layer that none of the group's tasks shares with the others alone is left as it is.
    """
    first = min(own.shared for own in hierarchies)
    last = max(own.shared + own.cluster for own in hierarchies)
    copies: list[Memo] = [{} for _ in encoder.layers]
    for i in range(first, last):
        layer = encoder.layers[i]
        parts = [layer] if duplicate == "layer" else list_feed_forward(encoder, layer)
        copies[i] = _copy_each(parts)
    return copies


def _copy_around_feed_forward(encoder: Encoder, first: int) -> Memo:
    """Copy the parameters of the layers from `first` on that are not in feed-forward blocks."""
    copies: Memo = {}
    for layer in encoder.layers[first:]:
        own = {id(p) for linear in list_feed_forward(encoder, layer) for p in linear.parameters()}
        copies |= _copy_each(p for p in layer.parameters() if id(p) not in own)
    return copies


def _copy_each(originals: Iterable[nn.Module | nn.Parameter]) -> Memo:
    return {id(original): copy.deepcopy(original) for original in originals}


def find_embeddings(path: nn.Module, layers: nn.ModuleList) -> Iterator[nn.Module]:
    """Yield the outermost embedding modules of a classifier (ELECTRA: also their projection)."""
    inside = {id(module) for module in layers.modules()}
    pending = [path.get_submodule(str(path.base_model_prefix))]
    while pending:
        for name, child in pending.pop().named_children():
            if id(child) in inside:
                continue
            if "embeddings" in name or isinstance(child, nn.Embedding):
                yield child
            else:
                pending.append(child)


def set_head(path: nn.Module, task: Task, missing: frozenset[str], seed: int) -> None:
    """Give a path the task's output layer, and new parameters that only (seed, task) decide."""
    name, old = _find_last_linear(path)
    new = nn.Linear(old.in_features, task.num_outputs, bias=old.bias is not None)
    owner, _, attribute = name.rpartition(".")
    setattr(path.get_submodule(owner), attribute, new)
    fresh = missing | {f"{name}.weight", f"{name}.bias"}
    scale = float(getattr(path.config, "initializer_range", 0.02))
    _initialise(path, fresh, scale, seed, task.name)
    _describe_labels(path, task)


def find_output(path: nn.Module) -> nn.Linear:
    """Return the output layer of a path."""
    return _find_last_linear(path)[1]


def _find_last_linear(path: nn.Module) -> tuple[str, nn.Linear]:
    """Return name and module of the last linear layer outside of the encoder: the output layer."""
    prefix = f"{path.base_model_prefix}."
    found = [(name, part) for name, part in path.named_modules() if isinstance(part, nn.Linear)]
    return next((name, part) for name, part in reversed(found) if not name.startswith(prefix))


def _initialise(path: nn.Module, names: frozenset[str], scale: float, seed: int, task: str) -> None:
    """Draw the named parameters as BERT does: normal matrices, zero biases, unit norms."""
    generator = torch.Generator().manual_seed(derive_seed(seed, "head", task))
    with torch.no_grad():
        for name, parameter in sorted(path.named_parameters()):
            if name not in names:
                continue
            if parameter.dim() > 1:
                parameter.normal_(0.0, scale, generator=generator)
            else:
                parameter.fill_(0.0 if name.endswith("bias") else 1.0)


def _describe_labels(path: nn.Module, task: Task) -> None:
    """Write the task's labels into the path's configuration, where an export keeps them."""
    config: PreTrainedConfig = path.config  # type: ignore[assignment]
    labels = [str(label) for label in task.labels] or ["score"]
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: code for code, label in enumerate(labels)}
    config.problem_type = task.facts.problem_type
    path.num_labels = task.num_outputs  # type: ignore[assignment]
