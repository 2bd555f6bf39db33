"""Where the project, its tests and real task data lie."""

from __future__ import annotations

import os
from pathlib import Path

SUPPORT = Path(__file__).resolve().parent
TESTS = SUPPORT.parent
ROOT = TESTS.parent
DATA = Path(os.environ.get("RELEVANCE_DATA") or ROOT.parent / "shared" / "data")
