"""Paths that share layers; models built, saved, counted and exported.

>>> from pathlib import Path
>>> from hmnet.encoders import find_layers, load_encoder
>>> from hmnet.models import HMNet
>>> from hmnet.planted import make_planted_tasks, write_encoder
>>> from hmnet.study import HierarchySpec
>>> encoder = load_encoder(str(write_encoder(Path("encoder"), seed=0)))
>>> tasks = list(make_planted_tasks().values())[:3]
>>> one, two, three = (task.name for task in tasks)
>>> model = HMNet(encoder, tasks, HierarchySpec(1, 1, 1), [[one, two], [three]], seed=0)
>>> layers = {name: find_layers(model.path(name)) for name in (one, two, three)}
>>> [a is b for a, b in zip(layers[one], layers[two])]  # shared, their group's, each one's own
[True, True, False]
>>> [a is b for a, b in zip(layers[one], layers[three])]
[True, False, False]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hmnet.models.build import build_paths
    from hmnet.models.parameter_counts import PAPER_COUNTS, count_parameters, count_with_config
    from hmnet.models.paths import HMNet, PathModel, find_output
    from hmnet.models.saved import export_path, load_model, read_saved_model, write_model
    from hmnet.models.shared_prefix import LayerPasses, share_prefix
    from hmnet.models.skillnet import SkillNet
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "PAPER_COUNTS",
    "HMNet",
    "LayerPasses",
    "PathModel",
    "SkillNet",
    "build_paths",
    "count_parameters",
    "count_with_config",
    "export_path",
    "find_output",
    "load_model",
    "read_saved_model",
    "share_prefix",
    "write_model",
]
