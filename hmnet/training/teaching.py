"""Distillation: a model learns from what the tasks' own runs predict on their training rows.

The loss is lam * (loss of the labels) + (1 - lam) * (distance to the teacher), with lam going
linearly from its first to its last value over the steps (Clark et al. 2019, "BAM!", section 2.3).
The distance is KL(teacher || student) of classes, and the squared error to the teacher's value, in
the unit that is trained on, of regressions.

Legend: N answers of a split, U of a batch (rows, or words where these have labels), C classes (1
for a regression).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from hmnet.data.task_data import TaskData
from hmnet.errors import InputError
from hmnet.models.saved import load_model
from hmnet.packing.batch import Batch
from hmnet.packing.resident_split import IGNORED
from hmnet.runs.result import read_result
from hmnet.runs.spec import read_spec
from hmnet.storage.digests import digest
from hmnet.storage.files import write_bytes
from hmnet.study.settings import Distillation
from hmnet.study.tasks import Task
from hmnet.training.evaluation import Logits, predict
from hmnet.training.losses import measure_distance
from hmnet.training.targets import TargetScale


class Teaching:
    """The teachers' outputs on a device, and how much the labels count at this step.

    Args:
        outputs: task to what its teacher predicts, in the target's unit, float32 [N, C].
        weights: lam at the first and the last step; None where nobody teaches.
    """

    def __init__(
        self, outputs: Mapping[str, Logits], weights: Distillation | None, device: torch.device
    ) -> None:
        taught = outputs if weights else {}
        self._outputs = {task: torch.tensor(each, device=device) for task, each in taught.items()}
        self._weights = weights
        self._weight = torch.ones((), device=device)  # a recorded step reads it

    def begin_step(self, position: int, total: int) -> None:
        """Set lam for the step at `position` among `total`."""
        if self._weights:
            self._weight.fill_(find_weight(self._weights, position, total))

    def teaches(self, task: str) -> bool:
        """Tell whether a task has a teacher."""
        return task in self._outputs

    def measure(self, task: Task, outputs: Tensor, batch: Batch, scale: TargetScale) -> Tensor:
        """Return the distance of a batch's outputs to those of a task's teacher, a mean.

        Args:
            outputs: float32 [U, C]; one column for a regression.
            scale: by which the targets of a regression are standardised.
        """
        taught = scale.standardise(self._outputs[task.name][batch.answers])
        if batch.words is None:
            return measure_distance(outputs, taught, task.kind)
        is_filler = (batch.labels == IGNORED)[:, None]
        taught = torch.where(is_filler, outputs.detach(), taught)  # at no distance
        share = len(is_filler) / (~is_filler).sum().clamp_min(1)
        return measure_distance(outputs, taught, task.kind) * share

    def blend(self, own: Tensor, distance: Tensor) -> Tensor:
        """Return the loss to lower, of that of the labels and the distance to the teacher."""
        return self._weight * own + (1 - self._weight) * distance


def find_weight(weights: Distillation, position: int, total: int) -> float:
    """Return lam at a step: linear from the first step to the last one."""
    return weights.start + (weights.end - weights.start) * position / max(total - 1, 1)


def load_lesson(folder: Path, data: TaskData, device: torch.device) -> Logits:
    """Return what a finished run predicts on a task's training rows, float32 [N, C].

    Computed once, and kept beside the run with what it was computed from.

    Args:
        folder: of the run, which kept its model.

    Raises:
        InputError: if it is not done, kept no model, or was trained on other rows.
    """
    task, spec = data.task.name, read_spec(folder / "spec.json")
    if spec.data.get(task) != data.fingerprint:
        raise InputError(
            f"Parameter `distillation` should have teachers that were trained on the same rows. "
            f"Found run `{folder.name}`, with other rows of `{task}`."
        )
    model = read_result(folder / "result.json").files.get("model/model.safetensors", "")
    path, origin = folder / "lessons" / f"{task}.safetensors", f"{model} {data.fingerprint}"
    if (kept := _read_lesson(path, origin)) is not None:
        return kept
    trained = load_model(folder / "model", spec)
    outputs = predict(trained, task, data.train, spec.training.precision, device)
    facts = {"origin": origin, "digest": digest(outputs.tobytes())}
    tensors = {"outputs": torch.from_numpy(outputs)}
    write_bytes(path, save(tensors, {"facts": json.dumps(facts, sort_keys=True)}))
    return outputs


def _read_lesson(path: Path, origin: str) -> Logits | None:
    """Return what is kept, or None where it is missing, damaged, or of another model or rows."""
    try:
        with safe_open(path, framework="np") as file:
            facts = json.loads(file.metadata()["facts"])
            outputs: Logits = file.get_tensor("outputs")
    except (FileNotFoundError, SafetensorError, KeyError, TypeError, ValueError):
        return None
    is_whole = facts == {"origin": origin, "digest": digest(outputs.tobytes())}
    return outputs if is_whole else None
