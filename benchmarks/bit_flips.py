"""Bit flips: every kind of file of an output folder, altered by a bit or edited, must be found.

    python -m benchmarks.bit_flips

An output folder with every stage is made on planted tasks; then, kind by kind, a file has single
bits flipped and one valid edit made (a number that is another number, in a file that is well
formed). Each alteration is found by `relevance verify` (or said by it), or the file reads as it
did, or it decides nothing, for the reason that stands beside it. What is none of these "reads
otherwise", and is a fault.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import typer
from safetensors.numpy import load_file, save_file

import hmnet.cli
import relevance.cli
from benchmarks.kills import TASKS, write_small_study
from hmnet.errors import RelevanceError
from hmnet.folder.integrity import describe_doubts, verify
from hmnet.folder.outputs import Output, open_output
from hmnet.runs.result import FAILURE_SCHEMA, RunFailure
from hmnet.storage.documents import write_document
from relevance.pairwise.extra_seeds import add_refinement

IRRELEVANT = {
    "progress.json": "says how far a sweep is; no number comes from it",
    "output.json": "the version that wrote the folder, for one message; the layout is checked",
    "runs/*/failure.json": "why a run failed last, for people; the next command tries it again",
}
PAIR = ",".join(TASKS[:2])
COMMANDS = (
    (relevance.cli.app, "vocab"),
    (relevance.cli.app, "tasks"),
    (relevance.cli.app, "pairwise --workers 1"),
    (relevance.cli.app, "cluster --k 2 --method exact"),
    (hmnet.cli.app, "train --threads 1"),
    (hmnet.cli.app, "compare --no-skillnet --draws 20 --workers 1"),
    (hmnet.cli.app, "sweep --shared 1 --workers 1"),
    (relevance.cli.app, f"attention --pair {PAIR} --workers 1"),
    (relevance.cli.app, "attention --all-pairs --workers 1"),
    (relevance.cli.app, "report"),
)


def make_folder(folder: Path, seed: int = 0) -> Output:
    """Run every command on planted tasks, in this process; keep one run with a model of all."""
    study = write_small_study(folder, seed, 64, 1)
    output = open_output(folder / "out")
    add_refinement(output, [])
    for app, words in COMMANDS:
        more = () if words.split()[0] in ("cluster", "report") else ("--study", str(study))
        app([*words.split(), *more, "--out", str(output.folder)], standalone_mode=False)
    keep_little(output)
    return output


def keep_little(output: Output) -> None:
    """Leave one run and one task's rows, so that each look at the folder takes little."""
    runs = sorted(output.runs.folder.glob("*/model/model.safetensors"))
    for path in output.runs.folder.iterdir():
        if path != runs[0].parent.parent:
            shutil.rmtree(path)
    failure = RunFailure("The loss is not finite.")
    write_document(runs[0].parent.parent / "failure.json", FAILURE_SCHEMA, failure)
    for path in sorted(output.data.glob("*/"))[1:]:
        shutil.rmtree(path)


def list_kinds(output: Output) -> dict[str, Path]:
    """Return kind of file to one of that kind; names of runs, tasks and splits make no kind."""
    kinds: dict[str, Path] = {}
    for path in sorted(output.folder.rglob("*")):
        name = path.relative_to(output.folder).as_posix()
        name = re.sub(r"^(runs|data)/[^/]+/", r"\1/*/", name)
        name = re.sub(
            r"(predictions|attention|attention/all)/[^/]+\.parquet", r"\1/*.parquet", name
        )
        name = re.sub(r"/(train|validation)\.", "/*.", name)
        if path.is_file() and not path.name.startswith(".") and path.stat().st_size:
            kinds.setdefault(name, path)
    return kinds


def look(output: Output) -> tuple[str, ...]:
    """Return what is said of a folder: its problems, and its doubts."""
    try:
        problems = tuple(problem.text for problem in verify(output))
        return problems or tuple(describe_doubts(output))
    except RelevanceError as error:
        return error.problems


def flip(content: bytes, rng: random.Random) -> bytes:
    """Return the content with one bit of it flipped."""
    altered = bytearray(content)
    altered[rng.randrange(len(altered))] ^= 1 << rng.randrange(8)
    return bytes(altered)


def edit(path: Path) -> None:
    """Make one edit after which a file is well formed, and says something else."""
    if path.suffix == ".parquet":
        _edit_table(path)
    elif path.suffix == ".npy":
        array = np.load(path)
        np.save(path, array + 1 if array.dtype != bool else ~array)
    elif path.suffix == ".safetensors":
        tensors = load_file(path)
        save_file({**tensors, min(tensors): tensors[min(tensors)] + 1}, path)
    else:
        _edit_text(path)


def _edit_table(path: Path) -> None:
    table = pq.read_table(path)
    frame = table.to_pandas()
    if frame.empty:
        frame = pd.concat([frame, pd.DataFrame([dict.fromkeys(frame)])])
    number = next((n for n in reversed(frame.columns) if frame[n].dtype.kind in "fi"), None)
    name = frame.columns[-1] if number is None else number
    frame[name] = (
        frame[name].to_numpy()[::-1] if number is None else frame[name].fillna(0.5) * 2 + 1
    )
    metadata = table.schema.metadata
    pq.write_table(type(table).from_pandas(frame).replace_schema_metadata(metadata), path)


def _edit_text(path: Path) -> None:
    """Change the last digit of a text (of a value, where there is one), else its last letter."""
    text = path.read_text()
    places = [m.start() for m in re.finditer(r"(?<=[ :.\d])\d(?=[,\s}\d])", text)] or [
        m.start() for m in re.finditer(r"\w", text)
    ]
    at = places[-1]
    other = str((int(text[at]) + 1) % 10) if text[at].isdigit() else "x"
    path.write_text(text[:at] + other + text[at + 1 :])
    if path.suffix == ".json":
        json.loads(path.read_text())


def judge(output: Output, kind: str, path: Path, before: object) -> str:
    """Return what became of an alteration: found, the same, irrelevant or otherwise."""
    if look(output) != before:
        return "found"
    return "irrelevant" if kind in IRRELEVANT else "otherwise"


def reads_the_same(path: Path, content: bytes, whole: bytes) -> bool:
    """Tell whether an alteration that is not found changes no value: padding, an equal number."""
    if path.suffix != ".npy":
        return content == whole
    try:
        found = np.load(path)
    except Exception:  # noqa: BLE001 (a damaged header raises nearly anything)
        return False
    path.write_bytes(whole)
    return bool(np.array_equal(np.load(path), found)) and np.load(path).dtype == found.dtype


def alter(output: Output, kind: str, path: Path, flips: int) -> Iterator[tuple[str, str]]:
    """Yield what became of each flip, and of the valid edit: `flip` or `edit`, and the outcome."""
    whole, before = path.read_bytes(), look(output)
    rng = random.Random(kind)
    for number in range(flips + 1):
        if number < flips:
            path.write_bytes(flip(whole, rng))
        else:
            edit(path)
        content = path.read_bytes()
        found = judge(output, kind, path, before)
        if found == "otherwise" and reads_the_same(path, content, whole):
            found = "the same"
        yield ("flip" if number < flips else "edit"), found
        path.write_bytes(whole)


def run(
    flips: Annotated[int, typer.Option(help="Flipped bits a kind of file.", min=1)] = 40,
    only: Annotated[str, typer.Option(help="Kinds whose name fits this expression.")] = "",
) -> None:
    """Alter every kind of file; print what became of it, and fail if anything reads otherwise."""
    with tempfile.TemporaryDirectory(prefix="relevance-flips-") as name:
        output = make_folder(Path(name))
        kinds = {k: path for k, path in list_kinds(output).items() if re.search(only, k)}
        bad = [kind for kind, path in kinds.items() if _tell(output, kind, path, flips)]
    typer.echo(f"{len(kinds)} kinds, {(flips + 1) * len(kinds)} alterations; otherwise: {bad}")
    if bad:
        raise typer.Exit(1)


def _tell(output: Output, kind: str, path: Path, flips: int) -> bool:
    """Print a kind's line; tell whether anything of it reads otherwise."""
    counts = Counter(alter(output, kind, path, flips))
    shown = ", ".join(f"{what} {n}x {found}" for (what, found), n in sorted(counts.items()))
    reason = IRRELEVANT.get(kind, "")
    typer.echo(f"{kind}: {shown}{' (' + reason + ')' if reason else ''}")
    return any(found == "otherwise" for _, found in counts)


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    app.command()(run)
    app()
