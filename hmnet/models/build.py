"""From a run's spec to its model, whichever the system."""

from __future__ import annotations

from hmnet.encoders.load import Encoder, load_encoder
from hmnet.models.parting import separate
from hmnet.models.paths import HMNet, PathModel
from hmnet.models.skillnet import SkillNet
from hmnet.runs.spec import RunSpec
from hmnet.study.hierarchy import Hierarchy


def build_paths(encoder: Encoder, spec: RunSpec, hierarchy: Hierarchy | None = None) -> PathModel:
    """Build the model that a spec describes from its encoder, before any training.

    Args:
        hierarchy: {x, y, z} of one of its stages; None for what tasks share in the end.
    """
    if spec.system == "skillnet":
        return SkillNet(encoder, spec.tasks, spec.seed)
    layers = hierarchy or spec.varied
    return HMNet(encoder, spec.tasks, layers, spec.groups, spec.seed, duplicate=spec.duplicate)


def build_kept(encoder: Encoder, spec: RunSpec) -> PathModel:
    """Build the model that a run keeps: with a stopping point per task, its paths share nothing."""
    model = build_paths(encoder, spec)
    return separate(model) if spec.training.stopping == "task" else model


def load_encoder_of(spec: RunSpec) -> Encoder:
    """Load a run's pretrained encoder; cached for the process.

    Raises:
        InputError: if the files that are there are not those that the run is identified by.
    """
    model = spec.model
    return load_encoder(model.name, model.revision, spec.training.dropout, model.fingerprint)
