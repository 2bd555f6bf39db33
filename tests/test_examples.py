"""Every example runs: those in docstrings, and every Python block of the README and the docs."""

from __future__ import annotations

import builtins
import doctest
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from places import ROOT
from tiny_study import write_study

from hmnet.commands.export import export_task
from hmnet.folder.outputs import open_output
from hmnet.jobs.prepared import prepare_study
from hmnet.runs.job import Machine
from hmnet.study.study import load_study
from hmnet.training.execution import execute
from relevance.matrices.matrix import RelevanceMatrix

PACKAGES = ("hmnet", "analysis", "relevance", "reports")
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def list_modules() -> Iterator[str]:
    """Yield every module with an example in it."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if ">>> " in path.read_text(encoding="utf-8"):
                dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts)
                yield dotted.removesuffix(".__init__")


def list_blocks() -> Iterator[tuple[str, str]]:
    """Yield file name and code of every Python block of the texts."""
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md"))):
        text = path.read_text(encoding="utf-8")
        for block in re.findall(r"```(?:python|py)\n(.*?)```", text, flags=re.DOTALL):
            yield path.name, block


def count_examples(source: str) -> int:
    return len(re.findall(r"^\s*>>> ", source, flags=re.MULTILINE))


@pytest.mark.parametrize("name", tuple(list_modules()))
def test_the_examples_of_a_docstring_give_what_they_say(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module(name)
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    said: list[str] = []
    for number, test in enumerate(doctest.DocTestFinder(exclude_empty=True).find(module)):
        folder = tmp_path / str(number)
        folder.mkdir()
        monkeypatch.chdir(folder)
        runner.run(test, out=said.append)
    assert not runner.failures, "".join(said)
    assert runner.tries == count_examples(source), "an example stands where none is looked for"
    assert "doctest: +SKIP" not in source


class MadeCluster:
    """Stands in for a cluster of `dask_jobqueue`, which is not installed."""

    scheduler_address = "tcp://127.0.0.1:8786"

    def __init__(self, **options: object) -> None:
        assert options["queue"]

    def adapt(self, minimum: int, maximum: int) -> None:
        assert minimum <= maximum


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study, a measured matrix and an exported model, named as in the texts."""
    folder = tmp_path_factory.mktemp("workplace")
    study = load_study(write_study(folder))
    output = open_output(folder / "relevance-out")
    prepared = prepare_study(study, output.data)
    job = prepared.single("match", 0, keep_model=True)
    execute(job, output.runs, Machine())
    export_task(output, job.spec.run_id, "match", folder / "rte-model")
    (folder / "tasks").mkdir()
    for task in ("tone", "match"):
        parts = [folder / "data" / task / f"{split}.parquet" for split in ("train", "validation")]
        rows = pd.concat([pd.read_parquet(part) for part in parts])
        rows.to_csv(folder / "tasks" / f"{task}.csv", index=False)
    RelevanceMatrix.from_array(np.eye(3), tuple(study.tasks), "pairwise").write(output.pairwise)
    return folder


@pytest.mark.parametrize(
    "block", [block for _, block in list_blocks()], ids=[name for name, _ in list_blocks()]
)
def test_every_python_block_of_the_texts_runs(
    block: str, workplace: Path, monkeypatch: pytest.MonkeyPatch, in_this_process: None
) -> None:
    monkeypatch.chdir(workplace)
    jobqueue = SimpleNamespace(SLURMCluster=MadeCluster)
    monkeypatch.setitem(sys.modules, "dask_jobqueue", jobqueue)  # type: ignore[arg-type]
    monkeypatch.setattr(builtins, "input", lambda prompt: "")
    exec(compile(block, "block", "exec"), ModuleType("block").__dict__)  # noqa: S102 (our own text)


def test_there_are_examples_to_run() -> None:
    assert {"hmnet", "hmnet.study", "hmnet.training"} <= set(list_modules())
    assert {name for name, _ in list_blocks()} >= {"README.md", "cluster.md", "python.md"}
