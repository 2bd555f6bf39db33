"""What decides the numbers of a run, besides its tasks: encoder, data limits, training settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from hmnet.seeding import SEED_LIMIT

ClassWeights: TypeAlias = Literal["balanced"] | tuple[Annotated[float, Field(gt=0)], ...]
"""How much the classes of a task count: all alike, or a number per label, in their order."""
STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
"""Configuration of every validated dataclass: unknown fields and NaN are refused."""

Seed = Annotated[int, Field(ge=0, lt=SEED_LIMIT)]
Count = Annotated[int, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]


@dataclass(frozen=True, config=STRICT)
class DataSettings:
    """How rows become tokens.

    Attributes:
        max_length: most tokens of an example, special tokens included (paper, section 4.3: 512).
        max_train: most training rows of a task; a seeded random sample, never the first rows.
        max_dev: the same for each dev split.
        sample_seed: seed of these samples.
        holdout: training rows of a task that are held out, a fifth of them at most, for choices
            that dev rows must have no part in (`training.stopping`); None for none.
        holdout_use: what held-out rows are for. `choosing`: stopping points and numbers of epochs.
            `judging`: a further dev split of every task. `both`: half of them for each; no row
            serves both.
    """

    max_length: Annotated[int, Field(ge=8)] = 512
    max_train: Count | None = None
    max_dev: Count | None = None
    sample_seed: Annotated[int, Field(ge=-SEED_LIMIT, lt=SEED_LIMIT)] = 0
    holdout: Count | None = None
    holdout_use: Literal["choosing", "judging", "both"] = "choosing"

    def __post_init__(self) -> None:
        if self.holdout is None and self.holdout_use != "choosing":
            raise ValueError(
                "Parameter `holdout_use` should be left out unless `holdout` is given. Found "
                f"`{self.holdout_use}`."
            )

    @property
    def has_choosing_rows(self) -> bool:
        """Whether rows are held out for choices."""
        return self.holdout is not None and self.holdout_use != "judging"


@dataclass(frozen=True, config=STRICT)
class Distillation:
    """Learning from what single-task runs predict, beside the labels (`hmnet.training.teaching`).

    Attributes:
        teacher: `single`, each task's own run with the same rows, settings and seed.
        start, end: weight of the labels' loss at the first and at the last step, from 0 to 1; that
            of the distance to the teacher is the rest.
    """

    teacher: Literal["single"] = "single"
    start: Annotated[float, Field(ge=0, le=1)] = 0.0
    end: Annotated[float, Field(ge=0, le=1)] = 1.0


@dataclass(frozen=True, config=STRICT)
class TrainingSettings:
    """The optimisation of a run (paper, section 4.3); the same for every method.

    Attributes:
        epochs: passes over the merged batches of all tasks (E_m in Algorithm 1).
        batch_size: examples of one task in a mini-batch.
        learning_rate: peak learning rate of AdamW, decayed linearly to zero.
        warmup_frac: share of all steps in which the learning rate rises linearly from zero.
        weight_decay: decoupled weight decay of matrices (biases and norms are left out).
        clip_norm: largest Euclidean norm of the active path's gradient; longer ones are scaled.
        dropout: dropout probability everywhere in the encoder; None keeps the encoder's own.
        precision: `fp32`, or `bf16` for bfloat16 autocast with fp32 weights. A study may say
            `auto`, the faster of the two on the machine that first trains for it
            (`hmnet.jobs.machine_precision`); a run never does.
        sampling: how many batches of each task an epoch has. `proportional` (the paper): all of
            them. `temperature`: as many in all, task shares in proportion to sizes to the power
            of 1 / `temperature`. `capped`: those of at most `cap` examples a task.
        temperature: 1 is proportional; towards infinity all tasks get the same share.
        cap: most examples of a task in an epoch; later epochs go on with its other examples.
        loss_weights: task to the factor of its loss; 1 where there is none.
        class_weights: of tasks with labels: `balanced`, so that rare classes count as much as
            others; or task to that, or to a number per label (`hmnet.training.class_weights`).
        targets: of a regression. `standardised`: trained on as deviations from the mean of the
            training rows, predicted in their unit. `raw` (the paper): trained on as they are, so
            that a task's weight among others follows from its unit.
        averaging: share of the steps, at the end, over whose snapshots the weights are averaged; 0
            for the last weights alone.
        averaging_steps: steps between two snapshots; None for one at the end of each epoch.
        stopping: `end`, the last weights; or `task`, for each task the path of its best epoch by
            its held-out rows (`rows.holdout`): then paths share nothing in the model that is kept.
        shared_rows: of tasks on the same texts (`hmnet.training.step_rows`). `apart`: a step is of
            one task (Algorithm 1). `together`: of all that have labels for a batch's rows; what
            they share of the encoder runs once, and their losses are summed.
        threshold: probability from which on a row has a label of a multi-label task; or `held-out`,
            the best one on held-out training rows (`hmnet.training.thresholds`).
        distillation: how much is learned from the tasks' single runs; None for labels alone.

    A step is of one task, as in Algorithm 1, or of several on the same rows. Batches of rows of
    several tasks are no option: dropout seeds, checkpoints and the halving of batches go by a
    step's one source of rows.
    """

    epochs: Count = 3
    batch_size: Count = 32
    learning_rate: Annotated[float, Field(gt=0)] = 2e-5
    warmup_frac: Fraction = 0.0
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    dropout: Fraction | None = None
    precision: Literal["fp32", "bf16", "auto"] = "fp32"
    sampling: Literal["proportional", "temperature", "capped"] = "proportional"
    temperature: Annotated[float, Field(ge=1)] | None = None
    cap: Count | None = None
    loss_weights: Mapping[str, Positive] = Field(default_factory=dict)
    class_weights: Literal["balanced"] | Mapping[str, ClassWeights] = Field(default_factory=dict)
    targets: Literal["standardised", "raw"] = "standardised"
    averaging: Fraction = 0.0
    averaging_steps: Count | None = None
    stopping: Literal["end", "task"] = "end"
    shared_rows: Literal["apart", "together"] = "apart"
    threshold: Annotated[float, Field(gt=0, lt=1)] | Literal["held-out"] = 0.5
    distillation: Distillation | None = None

    def __post_init__(self) -> None:
        if problems := [*self._sampling_problems(), *self._averaging_problems()]:
            raise ValueError("\n".join(problems))

    def _sampling_problems(self) -> Iterator[str]:
        values = {"temperature": ("temperature", self.temperature), "capped": ("cap", self.cap)}
        for sampling, (name, value) in values.items():
            if sampling == self.sampling and value is None:
                yield f"Parameter `{name}` should be given with sampling `{sampling}`. Found none."
            if sampling != self.sampling and value is not None:
                yield (
                    f"Parameter `{name}` should be left out unless sampling is `{sampling}`. "
                    f"Found `{value}`."
                )

    def _averaging_problems(self) -> Iterator[str]:
        if self.averaging_steps is not None and not self.averaging:
            yield (
                "Parameter `averaging_steps` should be left out unless `averaging` is above 0. "
                f"Found `{self.averaging_steps}`."
            )


@dataclass(frozen=True, config=STRICT)
class ModelRef:
    """A pretrained encoder.

    Attributes:
        name: hub id or local folder.
        revision: the commit on the hub; None for a folder.
        fingerprint: hash of its configuration and weights.
    """

    name: str
    revision: str | None
    fingerprint: str
