"""The diagonal of a trained model's Fisher information: which of its units a task's labels move.

The mean over rows of the squared gradient of log p(y | x), with y the row's label; for a
regression, of half of the squared error. It is averaged over the weights that lead into each unit
of the encoder's layers (Achille et al. 2019, "Task2Vec"), so that a model of 100 million parameters
becomes a vector of some hundred thousand numbers. Embeddings and heads play no part.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from hmnet.data.tokens import SplitData
from hmnet.encoders.layers import find_layers
from hmnet.models.paths import PathModel
from hmnet.packing.batch import pack
from hmnet.study.tasks import Task
from hmnet.training.losses import compute_loss
from hmnet.training.targets import AS_THEY_ARE, TargetScale


def find_information(
    model: PathModel, task: Task, split: SplitData, scale: TargetScale = AS_THEY_ARE
) -> npt.NDArray[np.float64]:
    """Return the information of every row of a split, without dropout, a number for each unit.

    Args:
        task: with one label a row.
        scale: that a regression's values are standardised by.
    """
    path = model.path(task.name).eval()
    weights = [p for p in find_layers(path).parameters() if p.requires_grad]
    total = [torch.zeros(len(p), dtype=torch.float64) for p in weights]
    for row in range(len(split)):
        batch = pack(split, [row])
        outputs = scale.standardise(model(task.name, batch).float())
        loss = compute_loss(outputs, scale.standardise(batch.labels), task.kind)
        # of weights that play no part, such as biases of the last layer's keys, 0
        grads = torch.autograd.grad(loss, weights, materialize_grads=True)
        for sums, grad in zip(total, grads, strict=True):
            squares = grad.double().square()
            sums += squares.flatten(1).mean(1) if grad.dim() > 1 else squares
    return (torch.cat(total) / len(split)).numpy()
