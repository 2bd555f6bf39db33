"""From a run's spec to its model, whichever the system."""

from __future__ import annotations

from hmnet.encoders.load import Encoder
from hmnet.models.paths import HMNet, PathModel
from hmnet.models.skillnet import SkillNet
from hmnet.runs.spec import RunSpec


def build_paths(encoder: Encoder, spec: RunSpec) -> PathModel:
    """Build the model that a spec describes from its encoder, before any training."""
    if spec.system == "skillnet":
        return SkillNet(encoder, spec.tasks, spec.seed)
    return HMNet(
        encoder, spec.tasks, spec.hierarchy, spec.groups, spec.seed, duplicate=spec.duplicate
    )
