"""The paper's own numbers: relevance Tables 2 and 3 (appendix A), and its groups.

load_reference("paper:table2")               # a RelevanceMatrix of fractions
load_published_groups("table3_model_based")       # Groups
"""

from __future__ import annotations

import json
from importlib.resources import files

import pandas as pd

from hmnet.errors import InputError, suggest
from hmnet.study.hierarchy import Groups, name_groups
from relevance.matrices.matrix import RelevanceMatrix

REFERENCES = {
    "paper:table2": ("vocabulary", "equation 2: share of the target's vocabulary"),
    "paper:table3": ("pairwise", "equation 4: relative gain of the target"),
}
"""Reference name to its measure and what its values are; sources are rows, targets columns."""

PUBLISHED = ("table2_data_property", "manual_design", "table3_model_based")
"""The groupings of the paper's appendix A."""

_NAMES = {"SST-2": "sst2", "STS-B": "stsb"}


def load_reference(name: str) -> RelevanceMatrix:
    """Return a printed table of the paper as a matrix of fractions, without uncertainty.

    Args:
        name: `paper:table2`, vocabulary co-occurrence, or `paper:table3`, relative gains (0.05
            means +5 %), with the names of `hmnet.study.tasks.PAPER_TASKS`.

    Raises:
        InputError: for an unknown name, with the closest known ones.
    """
    if name not in REFERENCES:
        raise InputError(
            f"Parameter `name` should be a reference table. Found `{name}`."
            f"{suggest(name, REFERENCES)}"
        )
    measure, meaning = REFERENCES[name]
    table = name.removeprefix("paper:")
    with (_TABLES / f"{table}.csv").open(encoding="utf-8") as file:
        percent = pd.read_csv(file, index_col=0)
    tasks = [_to_task_name(label) for label in percent.index]
    provenance = {"reference": name, "values": meaning, "printed": "percent, two decimals"}
    return RelevanceMatrix.from_array(percent.to_numpy() / 100, tasks, measure, provenance)


def load_published_groups(name: str) -> Groups:
    """Return groups that the paper gives in its appendix A.

    Args:
        name: one of `PUBLISHED`.

    Raises:
        InputError: for an unknown name, with the closest known ones.
    """
    known = json.loads((_TABLES / "groups.json").read_text(encoding="utf-8"))
    if name not in known:
        raise InputError(
            f"Parameter `name` should be published groups. Found `{name}`.{suggest(name, known)}"
        )
    partition = [[_to_task_name(label) for label in group] for group in known[name]]
    return Groups(name_groups(partition), {"method": "published", "reference": f"paper:{name}"})


_TABLES = files("relevance.matrices") / "tables"


def _to_task_name(label: str) -> str:
    return _NAMES.get(label, label.lower())
