"""A report reads each file of its folder once, and puts its numbers into tables once."""

from __future__ import annotations

import sys
from collections import Counter
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


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished study, whose files are counted from now on."""
    made = make_study(tmp_path / "study")
    write_everything(made)
    read = pq.ParquetFile.__init__

    def open_parquet(self: pq.ParquetFile, source: object, **options: object) -> None:
        _opened[str(source)] += 1  # Arrow opens files by itself
        read(self, source, **options)

    monkeypatch.setattr(pq.ParquetFile, "__init__", open_parquet)
    _opened.clear()
    monkeypatch.setattr(sys.modules[__name__], "_watched", [str(made.out)])
    return made.out


def test_no_file_is_read_twice(study: Path) -> None:
    write_report(study)
    assert {f"{study}/pairwise.parquet", f"{study}/compare.parquet"} <= set(_opened)
    assert len(_opened) > 500
    assert [name for name, count in _opened.items() if count > 1] == []


def test_gains_and_scores_are_tabulated_once(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: Counter[str] = Counter()
    for function in (gain_table.tabulate_gains, score_table.arrange_scores):

        def count(argument: object, function: object = function) -> object:
            called[function.__name__] += 1  # type: ignore[attr-defined]
            return function(argument)  # type: ignore[operator]

        for name, module in list(sys.modules.items()):
            if name.startswith("reports.") and hasattr(module, function.__name__):
                monkeypatch.setattr(module, function.__name__, count)
    assert reports.inputs.report_inputs.tabulate_gains is not gain_table.tabulate_gains
    write_report(study)
    assert called == {"tabulate_gains": 1, "arrange_scores": 1}


def test_no_file_is_digested_for_a_report(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`relevance verify` does that; a result's own digest is that of its fields."""
    monkeypatch.setattr(hmnet.runs.result, "digest_file", pytest.fail)
    write_report(study)
