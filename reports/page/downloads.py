"""Data that a page carries with it: tables as CSV in links that need no network."""

from __future__ import annotations

import base64

import pandas as pd

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def link_csv(frame: pd.DataFrame) -> str:
    """Return a `data:` address that holds a table as CSV, with every digit of its numbers."""
    content = write_csv(frame).encode("utf-8", errors="replace")
    return "data:text/csv;charset=utf-8;base64," + base64.b64encode(content).decode()


def write_csv(frame: pd.DataFrame) -> str:
    """Return a table as CSV; text that a spreadsheet would run as a formula is led by `'`."""
    text = [c for c in frame.columns if not pd.api.types.is_numeric_dtype(frame[c])]
    safe = frame.assign(**{name: frame[name].map(_defuse) for name in text})
    return str(safe.to_csv(index=False, lineterminator="\n"))


def _defuse(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return "'" + value
    return value
