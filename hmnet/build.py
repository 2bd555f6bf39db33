"""From a run's spec to its model, whichever the system."""

from __future__ import annotations

from hmnet.encoder import Encoder
from hmnet.model import HMNet, PathModel
from hmnet.runs import RunSpec
from hmnet.skillnet import SkillNet


def build_paths(encoder: Encoder, spec: RunSpec) -> PathModel:
    """Build the model that a spec describes from its encoder, before any training."""
    if spec.system == "skillnet":
        return SkillNet(encoder, spec.tasks, spec.seed)
    return HMNet(
        encoder, spec.tasks, spec.hierarchy, spec.groups, spec.seed, duplicate=spec.duplicate
    )
