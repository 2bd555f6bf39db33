"""What files hold is declared where they are written, once; the report only reads it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from hmnet.storage.table_format import TableFormat

SCHEMA = re.compile(r'"[a-z-]+/\d+"')


def test_no_schema_is_declared_anew_in_the_report(root: Path) -> None:
    found = {
        f"{file.relative_to(root)}: {match}"
        for file in (root / "reports").rglob("*.py")
        for match in SCHEMA.findall(file.read_text(encoding="utf-8"))
    }
    assert found == set()


def test_every_schema_is_declared_once(root: Path) -> None:
    found = [
        match
        for package in ("hmnet", "analysis", "relevance")
        for file in (root / package).rglob("*.py")
        for line in file.read_text(encoding="utf-8").splitlines()
        if not line.lstrip().startswith(("schema: Literal", "schema =")) and ">>>" not in line
        for match in re.findall(r'(?:SCHEMA = |^    )("[a-z-]+/\d+"),?$', line)
    ]
    assert len(found) > 15
    assert sorted(found) == sorted(set(found))


def test_a_report_is_written_without_torch() -> None:
    """Formats lie beside the writers, which train, in modules of their own."""
    code = "import sys, reports.html; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_format_knows_its_columns_of_numbers() -> None:
    kind = TableFormat("made/1", {"task": str, "seed": float, "score": float})
    assert kind.numbers == ["seed", "score"]
