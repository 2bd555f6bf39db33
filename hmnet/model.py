"""The hierarchical encoder: path(task) = shared + cluster[group] + own[task] (section 3.3).

Each task has a stock sequence classifier, a *path*, always of the encoder's full depth at the
original positions. Layers that tasks share are the same objects in their paths, so any path is an
ordinary model that `save_pretrained` exports, and methods differ only in what is shared:

    single-task   {0,0,L}, one task         multi-task (MT-DNN)   {L,0,0}
    pair          {L,0,0}, two tasks        HMNet                 {8,2,2} of 12

The embeddings belong to all tasks; everything after the last layer (final norm, pooler, head)
belongs to the task.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hmnet.encoder import Encoder
from hmnet.forward import compute_logits
from hmnet.hierarchy import HierarchySpec
from hmnet.packing import Batch
from hmnet.seeding import derive_seed
from hmnet.tasks import Task

_PREFIX = "task-"  # keeps names such as `train` from clashing with the module's attributes


class HMNet(nn.Module):
    """One encoder path per task, sharing layers by a hierarchy and groups.

    Args:
        encoder: the pretrained encoder that initialises every layer.
        tasks: the tasks; their order never matters.
        hierarchy: {x, y, z} with x + y + z the encoder's depth.
        groups: a partition of the tasks' names.
        seed: seed of the heads; a task's head depends on nothing else.
    """

    def __init__(
        self,
        encoder: Encoder,
        tasks: Sequence[Task],
        hierarchy: HierarchySpec,
        groups: Sequence[Sequence[str]],
        seed: int,
    ) -> None:
        super().__init__()
        hierarchy.check_depth(encoder.depth)
        self.is_packable = encoder.is_packable
        shared = _copy_shared(encoder, hierarchy.shared)
        by_name = {task.name: task for task in tasks}
        paths = {}
        for group in sorted(sorted(names) for names in groups):
            cluster = _copy_cluster(encoder, hierarchy.shared, hierarchy.cluster)
            for name in group:
                path = copy.deepcopy(encoder.model, {**shared, **cluster})
                _set_head(path, by_name[name], encoder.missing, seed)
                paths[_PREFIX + name] = path
        self.paths = nn.ModuleDict({key: paths[key] for key in sorted(paths)})

    def path(self, task: str) -> nn.Module:
        """Return the stock model that `task` activates."""
        return self.paths[_PREFIX + task]

    def forward(self, task: str, batch: Batch) -> Tensor:
        """Return the task's outputs, shape [B, C], rows as in `batch.labels`."""
        return compute_logits(self.path(task), batch, is_packable=self.is_packable)

    def count_parameters(self) -> dict[str, int]:
        """Return `overall` parameters, and those `activated` by one task (the largest path)."""
        activated = [sum(p.numel() for p in path.parameters()) for path in self.paths.values()]
        return {
            "overall": sum(p.numel() for p in self.parameters()),
            "activated": max(activated),
        }


def _copy_shared(encoder: Encoder, count: int) -> dict[int, nn.Module]:
    """Copy what all tasks share, as a memo for `deepcopy`: embeddings and bottom layers."""
    shared = [*_find_embeddings(encoder), *encoder.layers[:count]]
    return {id(module): copy.deepcopy(module) for module in shared}


def _copy_cluster(encoder: Encoder, first: int, count: int) -> dict[int, nn.Module]:
    """Copy a group's layers, as a memo for `deepcopy`."""
    return {id(layer): copy.deepcopy(layer) for layer in encoder.layers[first : first + count]}


def _find_embeddings(encoder: Encoder) -> Iterator[nn.Module]:
    """Yield the outermost embedding modules (ELECTRA: also their projection)."""
    inside = {id(module) for module in encoder.layers.modules()}
    pending = [encoder.model.get_submodule(str(encoder.model.base_model_prefix))]
    while pending:
        for name, child in pending.pop().named_children():
            if id(child) in inside:
                continue
            if "embeddings" in name or isinstance(child, nn.Embedding):
                yield child
            else:
                pending.append(child)


def _set_head(path: nn.Module, task: Task, missing: frozenset[str], seed: int) -> None:
    """Give a path the task's output layer, and new parameters that only (seed, task) decide."""
    config: Any = path.config
    name = _last_linear(path)
    old: Any = path.get_submodule(name)
    new = nn.Linear(old.in_features, task.num_outputs, bias=old.bias is not None)
    owner, _, attribute = name.rpartition(".")
    setattr(path.get_submodule(owner), attribute, new)
    fresh = missing | {f"{name}.weight", f"{name}.bias"}
    _initialise(path, fresh, float(getattr(config, "initializer_range", 0.02)), seed, task.name)
    _describe_labels(path, task)


def _last_linear(path: nn.Module) -> str:
    """Return the name of the last linear layer outside of the encoder: the output layer."""
    prefix = f"{path.base_model_prefix}."
    names = [str(name) for name, module in path.named_modules() if isinstance(module, nn.Linear)]
    return next(name for name in reversed(names) if not name.startswith(prefix))


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
    config: Any = path.config
    labels = [str(label) for label in task.labels] or ["score"]
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: code for code, label in enumerate(labels)}
    is_regression = task.kind == "regression"
    config.problem_type = "regression" if is_regression else "single_label_classification"
    path.num_labels = task.num_outputs  # type: ignore[assignment]
