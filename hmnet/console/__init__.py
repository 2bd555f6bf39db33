"""Options and endings that both command lines share.

>>> from hmnet.console import parse_integers, split_names
>>> split_names("rte, mrpc"), parse_integers("0,1", "gpus")
(['rte', 'mrpc'], [0, 1])
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hmnet.console.application import make_app, make_part
    from hmnet.console.options import (
        DryRunOption,
        GpusOption,
        LogOption,
        OutOption,
        RowOptions,
        SeedsOption,
        SingleSeedsOption,
        StudyFileOption,
        StudyOptions,
        WorkerOptions,
        WorkersOption,
        parse_integers,
        parse_seeds,
        split_names,
        unfold,
    )
    from hmnet.console.speaking import Aside, Shown, page, speak, to_json, wrote
    from hmnet.console.terminal import run_app, say_aside
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "Aside",
    "DryRunOption",
    "GpusOption",
    "LogOption",
    "OutOption",
    "RowOptions",
    "SeedsOption",
    "Shown",
    "SingleSeedsOption",
    "StudyFileOption",
    "StudyOptions",
    "WorkerOptions",
    "WorkersOption",
    "make_app",
    "make_part",
    "page",
    "parse_integers",
    "parse_seeds",
    "run_app",
    "say_aside",
    "speak",
    "split_names",
    "to_json",
    "unfold",
    "wrote",
]
