"""Exact parameter counts of a run's model from the shapes alone: nothing is loaded or trained."""

from __future__ import annotations

import torch
from transformers import AutoModelForSequenceClassification, PreTrainedConfig

from hmnet.encoders.config import load_config
from hmnet.encoders.layers import find_layers
from hmnet.encoders.load import Encoder
from hmnet.encoders.parts import find_folder
from hmnet.encoders.quiet import quiet
from hmnet.models.build import build_kept
from hmnet.runs.spec import RunSpec

PAPER_COUNTS = {
    "single-task": "110M",
    "multi-task": "110M",
    "skillnet": "450M, 223M activated",
    "hmnet": "231M with 3 groups, 240M with 4",
}
"""What the paper prints for bert-base and its 13 tasks (Table 1).

Its counts for HMNet do not follow from whole layers, 307M with 3 groups: they fit copies of the
feed-forward blocks alone on 12 task paths, 231.7M and 241.1M. Ours add each task's pooler."""


def count_parameters(spec: RunSpec) -> dict[str, int]:
    """Return `overall` and `activated` parameters of the model that a spec describes."""
    folder = find_folder(spec.model.name, spec.model.revision)
    return count_with_config(load_config(folder), spec)


def count_with_config(config: PreTrainedConfig, spec: RunSpec) -> dict[str, int]:
    """Return the counts for an encoder of the configured shapes."""
    with torch.device("meta"):
        return build_kept(make_blank_encoder(config), spec).count_parameters()


def make_blank_encoder(config: PreTrainedConfig) -> Encoder:
    """Return an encoder of the configured shapes whose parameters hold no values."""
    with torch.device("meta"), quiet():
        model = AutoModelForSequenceClassification.from_config(config, trust_remote_code=False)
    return Encoder(model, find_layers(model), frozenset(), is_packable=False, config=config)
