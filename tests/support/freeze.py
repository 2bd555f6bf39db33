"""Write an output folder with every kind of artefact, to be kept as a sample of their formats.

    python tests/support/freeze.py tests/frozen/1

Run it when a schema gets a new version, into a folder of the next number; the older samples stay,
and `test_frozen.py` says whether they are still read.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from tiny_study import write_study

from hmnet.cli import app as hmnet_app
from hmnet.folder.outputs import Output
from hmnet.runs.result import RunFailure
from relevance.cli import app as relevance_app

COMMANDS = (
    (relevance_app, "tasks"),
    (relevance_app, "pairwise", "--seeds", "2", "--refine", "--budget", "2"),
    (relevance_app, "target", "tone"),
    (relevance_app, "cluster", "--k", "2"),
    (relevance_app, "attention", "--pair", "tone,grade"),
    (hmnet_app, "compare", "--seeds", "2", "--k", "2", "--no-skillnet"),
    (hmnet_app, "sweep", "--shared", "0,3"),
    (hmnet_app, "sweep", "--hierarchies", "1,1,1", "--k", "2"),
    (hmnet_app, "train"),
)


def write_sample(folder: Path) -> None:
    """Run every command on a tiny study with `folder` as the output folder."""
    scratch = Path(tempfile.gettempdir()) / "study"
    shutil.rmtree(scratch, ignore_errors=True)
    study = write_study(scratch)
    few = "max_train = 24\nmax_dev = 12\nmax_length"
    study.write_text(study.read_text().replace("max_length", few).replace("= 12\nb", "= 6\nb"))
    relevance_app(["vocab", "--study", str(study), "--out", str(folder)], standalone_mode=False)
    for app, *words in COMMANDS:
        app([*words, "--out", str(folder)], standalone_mode=False)
    prune(folder)
    store = Output(folder).runs
    store.fail(
        store.find("grade-s0")[1], RunFailure("The loss became nan.", "a traceback", {"a": 1})
    )


def prune(folder: Path) -> None:
    """Keep one run of each kind and the rows of one task, without weights and locks."""
    for name, kept in (
        ("runs", ("grade-s0-", "grade-tone-s0-", "3tasks-s0-")),
        ("data", ("grade",)),
    ):
        for path in (folder / name).iterdir():
            first = next((k for k in kept if path.name.startswith(k)), None)
            same = sorted(folder.glob(f"{name}/{first}*"))
            if first is None or path != same[0]:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in (*folder.glob("runs/*/model/encoder"), *folder.glob("runs/*/model/*.safetensors")):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in folder.rglob("*.lock"):
        path.unlink()


if __name__ == "__main__":
    write_sample(Path(sys.argv[1]).resolve())
