"""What is known of a measure of relevance before it is taken, and the function that takes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from hmnet.errors import raise_problems
from hmnet.study.task_kinds import TASK_KINDS, KindName

if TYPE_CHECKING:
    from relevance.matrices.matrix import RelevanceMatrix
    from relevance.measures.measure_inputs import MeasureInputs

COST = "cost_frac"
"""What a matrix' provenance says of its cost, as a share of the sweep."""
Needs: TypeAlias = Literal["study", "data", "single runs", "multi-task run", "pair runs"]
"""What must be there: the study file alone, the tasks' rows, each task's own runs, one run of all
tasks, every pair's."""
Direction: TypeAlias = Literal["directed", "symmetric"]
Comparability: TypeAlias = Literal["within a target", "across targets"]
ANY_KIND: tuple[KindName, ...] = get_args(KindName)
ONE_LABEL_KINDS = tuple(
    name for name in ANY_KIND if TASK_KINDS[name].per == "row" and TASK_KINDS[name].answer != "set"
)
"""Kinds with one label a row."""


@dataclass(frozen=True)
class Measure:
    """A measure of relevance: `take` gives its matrix of a study.

    Attributes:
        name: after `relevance measure` and `--matrix`; its file is `<out>/<name>.parquet`.
        title: what it is, in a few words.
        values: what a cell is ("share of ..."), for scales and captions; a function where that
            depends on the matrix.
        needs: what must be there.
        direction: `symmetric` where source and target may be exchanged.
        comparability: whether cells of different targets (columns) can be compared.
        cost: what taking it costs, in words.
        source: where it is described.
        compute: from a study to its matrix [T, T], rows sources, columns targets. Imports what
            is heavy inside, so that naming measures costs nothing. None where `command` alone
            makes it.
        kinds: kinds of task that it is defined for.
        command: what makes its file; `relevance measure <name>` if empty.
        label: the `measure` of its matrix; `name` if empty.
        is_standard: whether every study is expected to have it: it is asked for where it is
            missing, a default of `--matrix`, and grouped by `hmnet compare`.
        holds_gains: whether cells are gains around 0, and not likenesses where 1 is most.
        holds_truth: whether others are judged by it.
    """

    name: str
    title: str
    values: str | Callable[[RelevanceMatrix], str]
    needs: Needs
    direction: Direction
    comparability: Comparability
    cost: str
    source: str
    compute: Callable[[MeasureInputs], RelevanceMatrix] | None
    kinds: tuple[KindName, ...] = ANY_KIND
    command: str = ""
    label: str = ""
    is_standard: bool = False
    holds_gains: bool = False
    holds_truth: bool = False

    @property
    def made_by(self) -> str:
        """The command that makes its file."""
        return self.command or f"relevance measure {self.name}"

    @property
    def measure(self) -> str:
        """The `measure` of its matrix."""
        return self.label or self.name

    def describe_values(self, matrix: RelevanceMatrix) -> str:
        """Return what a cell of one of its matrices is."""
        return self.values if isinstance(self.values, str) else self.values(matrix)

    def take(self, inputs: MeasureInputs) -> RelevanceMatrix:
        """Measure a study.

        Raises:
            InputError: if another command makes the measure, or it is not defined for a task.
        """
        raise_problems([*self.list_refusals(), *self._find_misfits(inputs)])
        assert self.compute is not None  # noqa: S101 (for mypy; looked at above)
        matrix = self.compute(inputs)
        held = "gains" if self.holds_gains else "likeness"
        return replace(matrix, provenance={**matrix.provenance, "holds": held})

    def list_refusals(self) -> list[str]:
        """Return why it cannot be taken of any study, if so."""
        if self.compute is not None:
            return []
        return [
            f"Parameter `names` should be measures that need no runs of pairs. Found "
            f"`{self.name}`. Run `{self.made_by}`."
        ]

    def _find_misfits(self, inputs: MeasureInputs) -> list[str]:
        return [
            f"Measure `{self.name}` should be taken of {' or '.join(self.kinds)} tasks. Found "
            f"`{task.name}`, a {task.kind}. Name the others with --tasks."
            for task in inputs.study.tasks.values()
            if task.kind not in self.kinds
        ]
