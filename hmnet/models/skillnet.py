"""The SkillNet-style baseline: every layer has a feed-forward block per skill.

After Tang et al. (2022), as the paper describes it (section 4.2). A task activates the blocks of
its skills (`hmnet.study.skills`) and their outputs are averaged; attention, norms and embeddings
are shared by all tasks, and what follows the last layer is the task's, as in HMNet.

Every block starts as the pretrained one, so that every path starts as the stock model. Each block
has its own dropout: different masks let the blocks of skills that the same tasks activate grow
apart.

    bert-base                      overall 109.5 M + 12 layers x 6 further blocks x 4.72 M = 449.5 M
    two skills active              109.5 M + 12 x 4.72 M = 166.2 M; three: 222.8 M
    each further task              its own pooler and output layer, 0.59 M
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hmnet.encoders.feed_forward import FeedForward, find_feed_forward, list_feed_forward
from hmnet.encoders.load import Encoder
from hmnet.models.paths import Memo, PathModel, copy_shared, set_head
from hmnet.packing.dropout import Dropout
from hmnet.study.skills import SKILLS, find_skills
from hmnet.study.tasks import Task

Blocks = nn.ModuleDict
"""Skill to its feed-forward block, a pair of linear maps, for one layer."""


class SkillNet(PathModel):
    """One path per task through the feed-forward blocks of its skills.

    Args:
        encoder: the pretrained encoder that initialises everything.
        tasks: the tasks; their category decides their skills.
        seed: seed of the heads, which are those of `HMNet`.

    Raises:
        InputError: if the layers' feed-forward blocks are not found.
    """

    def __init__(self, encoder: Encoder, tasks: Sequence[Task], seed: int) -> None:
        block = find_feed_forward(encoder)
        shared = copy_shared(encoder, 0)
        shared |= {id(p): copy.deepcopy(p) for p in encoder.layers.parameters()}
        skills = nn.ModuleList(_make_blocks(encoder, layer) for layer in encoder.layers)
        paths = {
            task.name: _make_path(encoder, task, seed, dict(shared), block, skills)
            for task in tasks
        }
        super().__init__(paths, all(encoder.for_task(task).is_packable for task in tasks))
        self.skills = skills  # all of them, whether or not a task activates them


def _make_blocks(encoder: Encoder, layer: nn.Module) -> Blocks:
    """Copy a layer's feed-forward block for each skill."""
    pair = list_feed_forward(encoder, layer)
    return nn.ModuleDict({skill: nn.ModuleList(copy.deepcopy(pair)) for skill in SKILLS})


def _make_path(
    encoder: Encoder,
    task: Task,
    seed: int,
    shared: Memo,
    block: FeedForward,
    skills: nn.ModuleList,
) -> nn.Module:
    layers = nn.ModuleList(copy.deepcopy(list(encoder.layers), shared))
    for layer, blocks in zip(layers, skills, strict=True):
        _activate(layer, block, [blocks[skill] for skill in find_skills(task)])  # type: ignore[index]
    shared[id(encoder.layers)] = layers
    own = encoder.for_task(task)
    path = copy.deepcopy(own.model, shared)
    set_head(path, task, own.missing, seed)
    return path


def _activate(layer: nn.Module, block: FeedForward, pairs: Sequence[nn.ModuleList]) -> None:
    """Put the blocks of the active skills into a layer, in place of its own."""
    p = float(layer.get_submodule(block.dropout).p)  # type: ignore[arg-type]
    _replace(layer, block.up, _SideBySide([up for up, _ in pairs]))
    _replace(layer, block.down, _Average([down for _, down in pairs], p))
    _replace(layer, block.dropout, nn.Identity())


def _replace(layer: nn.Module, name: str, module: nn.Module) -> None:
    owner, _, attribute = name.rpartition(".")
    setattr(layer.get_submodule(owner), attribute, module)


class _SideBySide(nn.Module):
    """The wide activations of K blocks, one after the other: [..., D] to [..., K W]."""

    def __init__(self, active: Sequence[nn.Module]) -> None:
        super().__init__()
        self.active = nn.ModuleList(active)

    def forward(self, hidden: Tensor) -> Tensor:
        return torch.cat([up(hidden) for up in self.active], dim=-1)


class _Average(nn.Module):
    """The mean of K blocks' outputs, each with dropout: [..., K W] to [..., D]."""

    def __init__(self, active: Sequence[nn.Module], dropout: float) -> None:
        super().__init__()
        self.active = nn.ModuleList(active)
        self.dropout = Dropout(dropout)

    def forward(self, wide: Tensor) -> Tensor:
        parts = wide.chunk(len(self.active), dim=-1)
        outputs = [self.dropout(down(part)) for down, part in zip(self.active, parts, strict=True)]
        return torch.stack(outputs).mean(0)
