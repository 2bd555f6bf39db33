"""`python -m benchmarks [PART ...]`: measure, print a table, write the results."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, TypeAlias

import torch
import typer

from benchmarks.agreement import measure_agreement
from benchmarks.attention import measure_attention
from benchmarks.coverage import measure_intervals
from benchmarks.decisions import RUNS, measure_decisions
from benchmarks.entries import RESULTS, Entry, format_entries, write_entries
from benchmarks.gpu import (
    LONG,
    MIXED,
    SHORT,
    SHORT_128,
    measure_gpu_course,
    measure_gpu_jobs,
    measure_gpu_memory,
    measure_gpu_peak,
    measure_gpu_step,
    measure_gpu_sweep,
)
from benchmarks.precision import measure_precision
from benchmarks.rows import Material, find_material
from benchmarks.sharing import measure_sharing
from benchmarks.sweep import (
    measure_growth,
    measure_long_sweep,
    measure_memory,
    measure_sweep,
    measure_two_loops,
)
from benchmarks.training import measure_evaluation, measure_long, measure_short
from benchmarks.vocabulary import measure_vocabulary

Part: TypeAlias = Callable[[Material, int, float], list[Entry]]


def _measure_serving(material: Material, repeats: int, share: float) -> list[Entry]:
    from benchmarks.serving import measure_serving  # which needs the extra `serve`

    return measure_serving(material, repeats, share)


PARTS: Mapping[str, Part] = {
    "train_short": measure_short,
    "train_long": measure_long,
    "evaluate": measure_evaluation,
    "vocab": measure_vocabulary,
    "attention": measure_attention,
    "agreement": measure_agreement,
    "decisions": measure_decisions,
    "coverage": measure_intervals,
    "sharing": measure_sharing,
    "memory": measure_memory,
    "sweep": measure_sweep,
    "sweep_long": measure_long_sweep,
    "sweep_loops": measure_two_loops,
    "growth": measure_growth,
    "precision": measure_precision,
    "serve": _measure_serving,
    "gpu_peak": measure_gpu_peak,
    "gpu_step": measure_gpu_step,
    **{
        each.name: partial(measure_gpu_course, course=each)
        for each in (SHORT, SHORT_128, LONG, MIXED)
    },
    "gpu_jobs": measure_gpu_jobs,
    "gpu_sweep": measure_gpu_sweep,
    "gpu_memory": measure_gpu_memory,
}
ON_GPU = tuple(part for part in PARTS if part.startswith("gpu"))
"""Parts that say something on a GPU alone, `gpu` for short; elsewhere left out unless asked for."""
QUICK = 0.02


def run(
    parts: Annotated[list[str] | None, typer.Argument(help="Parts. [default: all]")] = None,
    repeats: Annotated[int, typer.Option(help="Turns of each side.", min=1)] = 3,
    quick: Annotated[bool, typer.Option("--quick", help="Tiny sizes: does it run at all?")] = False,
    out: Annotated[Path, typer.Option(help="Where the list of results is kept.")] = RESULTS,
    runs: Annotated[
        Path | None, typer.Option(help="Output folder, for decisions and agreement.")
    ] = None,
) -> None:
    """Measure speed and memory side by side with the strongest stock setting."""
    warnings.filterwarnings("ignore")  # the other side's
    parts = [each for part in parts or () for each in (ON_GPU if part == "gpu" else (part,))]
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise typer.BadParameter(f"parts should be among {', '.join(PARTS)}. Found {unknown}.")
    if runs is not None:
        os.environ[RUNS] = str(runs)
    material = find_material()
    entries: list[Entry] = []
    usual = [part for part in PARTS if part not in ON_GPU or torch.cuda.is_available()]
    for part in parts or usual:
        typer.echo(f"measuring {part}", err=True)
        found = PARTS[part](material, repeats, QUICK if quick else 1.0)
        write_entries(found, out)
        entries += found
    typer.echo(format_entries(entries))


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    app.command()(run)
    app()
