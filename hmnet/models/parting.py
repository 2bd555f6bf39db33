"""What one model takes over from another whose tasks share at least as much.

Parameters are matched by their place in a task's path. Where tasks that shared a layer part, each
of them finds the layer that it had; so the finer model predicts what the coarser one did.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

import torch
from torch import nn

from hmnet.encoders.layers import find_layers
from hmnet.errors import InputError
from hmnet.models.paths import PathModel, find_output

Pairs = Mapping[nn.Parameter, nn.Parameter]
"""Each parameter of a model to the one of another model that it takes over."""


def match_parameters(
    finer: PathModel, coarser: PathModel, tasks: Iterable[str] | None = None
) -> Pairs:
    """Return each parameter of `finer` with the one at the same place in `coarser`.

    Args:
        tasks: whose paths are matched; None for those of `finer`.

    Raises:
        InputError: if `coarser` lacks a task, or tasks share in `finer` what they do not share in
            `coarser`.
    """
    pairs: dict[nn.Parameter, nn.Parameter] = {}
    for task in finer.tasks if tasks is None else tasks:
        if task not in coarser.tasks:
            raise InputError(
                f"Parameter `start_from` should name a run of at least the same tasks. Found "
                f"`{', '.join(coarser.tasks)}`, without `{task}`."
            )
        there = dict(coarser.path(task).named_parameters())
        for name, parameter in finer.path(task).named_parameters():
            if pairs.setdefault(parameter, there[name]) is not there[name]:
                raise InputError(
                    "Parameter `start_from` should name a run whose tasks share at least what "
                    f"they are to share now. Found `{name}` of task `{task}` with values of its "
                    "own."
                )
    return pairs


def match_encoder(model: PathModel, trained: PathModel) -> Pairs:
    """Return each parameter of `model` but of its output layers, with that of one trained path.

    Raises:
        InputError: if `trained` has more than one task.
    """
    if len(trained.tasks) > 1:
        raise InputError(
            "Parameter `start_from` should name a run of at least the same tasks, or of one other. "
            f"Found `{', '.join(trained.tasks)}`."
        )
    there = dict(trained.path(trained.tasks[0]).named_parameters())
    outputs = {p for task in model.tasks for p in find_output(model.path(task)).parameters()}
    return {
        parameter: there[name]
        for task in model.tasks
        for name, parameter in model.path(task).named_parameters()
        if parameter not in outputs
    }


def take_values(pairs: Pairs) -> None:
    """Copy values, in place."""
    with torch.no_grad():
        for parameter, source in pairs.items():
            parameter.copy_(source)


def separate(model: PathModel) -> PathModel:
    """Give each task a copy of all that its path holds, in place; return the model."""
    model.paths = nn.ModuleDict({name: copy.deepcopy(path) for name, path in model.paths.items()})
    return model


def find_lower(model: PathModel) -> set[nn.Parameter]:
    """Return what more tasks share than the finest layers of one of its paths.

    With one task there is nothing of that kind, however many layers are called shared.
    """
    owners = Counter(p for path in model.paths.values() for p in path.parameters())
    lower: set[nn.Parameter] = set()
    for path in model.paths.values():
        finest = min(owners[p] for p in _list_parameters(find_layers(path)))
        lower |= {p for p in path.parameters() if owners[p] > finest}
    return lower


def find_held_by_others(model: PathModel, tasks: Collection[str]) -> set[nn.Parameter]:
    """Return what the paths of all but some tasks hold; nothing where none is named."""
    others = [task for task in model.tasks if tasks and task not in tasks]
    return {parameter for task in others for parameter in model.path(task).parameters()}


def _list_parameters(layers: Iterable[nn.Module]) -> list[nn.Parameter]:
    return [parameter for layer in layers for parameter in layer.parameters()]
