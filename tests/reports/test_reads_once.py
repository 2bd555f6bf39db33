"""A report reads each file of its folder once, and puts its numbers into tables once."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from report_fixture import make_study, write_everything

import hmnet.runs.result
import reports.inputs.report_inputs
from relevance.matrices import gain_table
from reports.html import write_report
from reports.inputs import score_table

_opened: Counter[str] = Counter()
"""Every file that this process opens while `_watched` is set."""
_watched: list[str] = []


def _count(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and _watched and str(arguments[0]).startswith(_watched[0]):
        _opened[str(arguments[0])] += 1


sys.addaudithook(_count)


@dataclass(frozen=True)
class Done:
    """What was done while one report was written: how often, by file or by function."""

    folder: Path
    opened: Counter[str] = field(default_factory=Counter)
    called: Counter[str] = field(default_factory=Counter)

    def count(self, function: Callable[..., object]) -> Callable[..., object]:
        """Return the function, counted."""

        def run(*arguments: object) -> object:
            self.called[function.__name__] += 1
            return function(*arguments)

        return run


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """What the report of a finished study takes."""
    made = make_study(tmp_path_factory.mktemp("once") / "study")
    write_everything(made)
    done = Done(made.out)
    with pytest.MonkeyPatch.context() as patch:
        _watch(done, patch)
        write_report(made.out)
    done.opened.update(_opened)
    return done


def _watch(done: Done, patch: pytest.MonkeyPatch) -> None:
    """Count what is read from the folder, tabulated and digested from now on."""
    read = pq.ParquetFile.__init__

    def open_parquet(self: pq.ParquetFile, source: object, **options: object) -> None:
        _opened[str(source)] += 1  # Arrow opens files by itself
        read(self, source, **options)

    patch.setattr(pq.ParquetFile, "__init__", open_parquet)
    for function in (gain_table.tabulate_gains, score_table.arrange_scores):
        counted = done.count(function)
        for name, module in list(sys.modules.items()):
            if name.startswith("reports.") and hasattr(module, function.__name__):
                patch.setattr(module, function.__name__, counted)
    assert reports.inputs.report_inputs.tabulate_gains is not gain_table.tabulate_gains
    patch.setattr(hmnet.runs.result, "digest_file", done.count(hmnet.runs.result.digest_file))
    _opened.clear()
    patch.setattr(sys.modules[__name__], "_watched", [str(done.folder)])


def test_no_file_is_read_twice(done: Done) -> None:
    names = {f"{done.folder}/{name}.parquet" for name in ("pairwise", "compare")}
    assert names <= set(done.opened)
    assert len(done.opened) > 500
    assert [name for name, count in done.opened.items() if count > 1] == []


def test_gains_and_scores_are_tabulated_once(done: Done) -> None:
    called = {name: done.called[name] for name in ("tabulate_gains", "arrange_scores")}
    assert called == {"tabulate_gains": 1, "arrange_scores": 1}


def test_no_file_is_digested_for_a_report(done: Done) -> None:
    """`relevance verify` does that; a result's own digest is that of its fields."""
    assert done.called["digest_file"] == 0
