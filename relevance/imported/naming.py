"""What a table of runs names: targets, partners and seeds, checked as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pandas as pd

from hmnet.errors import suggest

_SHOWN = 5


def check_names(table: pd.DataFrame, what: str) -> Iterator[str]:
    """Yield every problem with the names of a table of runs.

    Args:
        table: with the columns target and partner, "" for a target alone.
        what: what its rows hold, in the plural: scores, predictions.
    """
    targets = list_values(table["target"])
    if "" in targets:
        yield "each row should name its target. Found an empty name."
    if len(targets) < 2:
        yield f"the table should hold at least two targets. Found {len(targets)}."
    if (table["partner"] == "").all():
        yield f"the table should hold {what} with a partner. Found single ones alone."
    yield from _check_singles(table, targets, what)
    yield from _check_partners(table, targets, what)


def _check_singles(table: pd.DataFrame, targets: list[str], what: str) -> Iterator[str]:
    alone = set(table.loc[table["partner"] == "", "target"])
    for target in targets:
        if target and target not in alone:
            yield f"target `{target}` should have {what} alone (an empty partner). Found none."


def _check_partners(table: pd.DataFrame, targets: list[str], what: str) -> Iterator[str]:
    for partner in list_values(table.loc[table["partner"] != "", "partner"]):
        if partner not in targets:
            of = list_values(table.loc[table["partner"] == partner, "target"])
            yield (
                f"partner `{partner}` (of {name_some(of)}) should be a target with {what} of its "
                f"own.{suggest(partner, targets)}"
            )
    for target in list_values(table.loc[table["partner"] == table["target"], "target"]):
        if target:
            yield f"target `{target}` should have other partners than itself."


def list_values(column: pd.Series) -> list[str]:
    """Return the different texts of a column, in their order."""
    return [str(value) for value in column.unique()]


def name_arm(target: str, partner: str) -> str:
    """Return how a message names the runs of a target with a partner, or alone."""
    return f"`{target}` with `{partner}`" if partner else f"`{target}` alone"


def name_some(names: Iterable[str]) -> str:
    """Return some names, and how many more there are."""
    known = list(names)
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    return ", ".join(known[:_SHOWN]) + more
