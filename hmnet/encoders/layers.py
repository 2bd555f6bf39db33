"""The list of layers of an encoder, found in any architecture."""

from __future__ import annotations

from torch import nn

from hmnet.errors import InputError


def find_layers(model: nn.Module) -> nn.ModuleList:
    """Return the one list of Transformer layers of the configured depth.

    Raises:
        InputError: if there is no such list (ALBERT reuses one layer) or more than one.
    """
    depth = int(model.config.num_hidden_layers)  # type: ignore[union-attr, arg-type]
    found = [m for m in model.modules() if isinstance(m, nn.ModuleList) and len(m) == depth]
    inside = {id(m) for outer in found for m in outer.modules() if m is not outer}
    lists = [m for m in found if id(m) not in inside]  # a layer may hold lists of its own
    if len(lists) != 1:
        kind = model.config.model_type  # type: ignore[union-attr]
        raise InputError(
            f"Parameter `model` should be an encoder whose {depth} layers form one list. "
            f"Found {len(lists)} such lists in architecture `{kind}`, which cannot be split "
            "into shared, cluster and task layers."
        )
    return lists[0]


def name_in_layers(key: str, model: nn.Module, layers: nn.ModuleList) -> bool:
    """Tell whether the parameter named `key` belongs to the Transformer layers."""
    prefix = next(name for name, module in model.named_modules() if module is layers)
    return key.startswith(prefix + ".")
