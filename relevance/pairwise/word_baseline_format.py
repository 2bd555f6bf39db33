"""The table of what words alone score (`relevance.pairwise.word_baseline` writes it)."""

from __future__ import annotations

from hmnet.storage.table_format import TableFormat

WORD_BASELINE = TableFormat("word-baseline/1", {"task": str, "rows": str, "score": float})
"""A row per task: the fingerprint of its rows, and the dev score of TF-IDF with a linear model."""
