"""What a kind of task is trained on: its loss, and its distance to a teacher.

Legend: U answers of a batch, one a row, or one a word where words have labels; C outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from hmnet.packing.resident_split import IGNORED
from hmnet.study.task_kinds import TASK_KINDS

Distance = Callable[[Tensor, Tensor], Tensor]
"""From outputs and a teacher's outputs, float [U, C] each, to a mean over answers."""
Loss = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""From outputs, float [U, C], labels of as many answers and weights of labels, to a mean."""


def compute_loss(
    outputs: Tensor, labels: Tensor, kind: str, weights: Tensor | None = None
) -> Tensor:
    """Return the loss of a batch, the mean over its answers.

    Args:
        outputs: shape [U, C]; C is 1 for a value.
        labels: int64 codes or float32 values, shape [U], or int8 flags, [U, C].
        kind: of the task.
        weights: of labels, float32 [C]: each answer's loss counts by its label, and is divided by
            the number of answers all the same, so that parts of a batch add up.
    """
    return LOSSES[kind](outputs, labels, weights)


def measure_distance(outputs: Tensor, taught: Tensor, kind: str) -> Tensor:
    """Return the distance of outputs to those of a teacher, [U, C], the mean over answers.

    KL(teacher || student) of two sets of logits, or the squared error of values.
    """
    return DISTANCES[TASK_KINDS[kind].answer](outputs, taught)


def _cross_entropy(outputs: Tensor, codes: Tensor, weights: Tensor | None) -> Tensor:
    if weights is None:
        return nn.functional.cross_entropy(outputs, codes)
    total = nn.functional.cross_entropy(outputs, codes, weights, reduction="sum")
    return total / len(codes)


def _squared_error(outputs: Tensor, values: Tensor, weights: Tensor | None) -> Tensor:
    return nn.functional.mse_loss(outputs[:, 0], values)


def _cross_entropy_of_words(outputs: Tensor, codes: Tensor, weights: Tensor | None) -> Tensor:
    """Return the mean over the words; 0 where a batch has none that the model sees."""
    total = nn.functional.cross_entropy(
        outputs, codes, weights, ignore_index=IGNORED, reduction="sum"
    )
    return total / (codes != IGNORED).sum().clamp_min(1)


def _binary_cross_entropy(outputs: Tensor, flags: Tensor, weights: Tensor | None) -> Tensor:
    """Return the mean over rows and labels; weights are those of rows that have a label."""
    targets = flags.to(outputs.dtype)
    return nn.functional.binary_cross_entropy_with_logits(outputs, targets, pos_weight=weights)


def _divergence_of_sets(outputs: Tensor, taught: Tensor) -> Tensor:
    """Return the mean over rows and labels of KL between what two sigmoids say of a label."""
    log = nn.functional.logsigmoid
    share = taught.sigmoid()
    has, lacks = log(taught) - log(outputs), log(-taught) - log(-outputs)
    return (share * has + (1 - share) * lacks).mean()


def _divergence(outputs: Tensor, taught: Tensor) -> Tensor:
    student, teacher = (nn.functional.log_softmax(each, dim=1) for each in (outputs, taught))
    return nn.functional.kl_div(student, teacher, reduction="batchmean", log_target=True)


LOSSES: Mapping[str, Loss] = {
    "classification": _cross_entropy,
    "regression": _squared_error,
    "tags": _cross_entropy_of_words,
    "multilabel": _binary_cross_entropy,
}
"""Kind of task to its loss."""
DISTANCES: Mapping[str, Distance] = {
    "class": _divergence,
    "value": nn.functional.mse_loss,
    "set": _divergence_of_sets,
}
"""What is predicted (`TaskKind.answer`) to the distance to a teacher."""
