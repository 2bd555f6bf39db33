"""Say which error paths the tests ran: `raise` statements, and `except` blocks.

    make coverage          # runs the suite, then this

Reads what coverage recorded in `.coverage`; exits with 1 where nothing was recorded.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from coverage import Coverage

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("hmnet", "relevance", "analysis", "reports")


def list_error_lines(source: str) -> Iterator[int]:
    """Yield the line of every `raise`, and the first line of every `except` block."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Raise):
            yield node.lineno
        elif isinstance(node, ast.ExceptHandler):
            yield node.body[0].lineno


def find_missed(recorded: Coverage, path: Path) -> tuple[int, list[int]]:
    """Return how many error lines a file has, and those that no test ran."""
    lines = sorted(set(list_error_lines(path.read_text(encoding="utf-8"))))
    missing = set(recorded.analysis2(str(path))[3])
    return len(lines), [line for line in lines if line in missing]


def main() -> None:
    """Print the share of error paths that ran, and the ones that did not."""
    recorded = Coverage()
    recorded.load()
    if not recorded.get_data().measured_files():
        sys.exit("nothing was recorded: run `make coverage`")
    total = missed = 0
    for path in sorted(p for package in PACKAGES for p in (ROOT / package).rglob("*.py")):
        count, missing = find_missed(recorded, path)
        total, missed = total + count, missed + len(missing)
        text = path.read_text(encoding="utf-8").splitlines()
        for line in missing:
            print(f"{path.relative_to(ROOT)}:{line}: {text[line - 1].strip()}")
    print(f"{total - missed} of {total} error paths ran ({(total - missed) / total:.1%})")


if __name__ == "__main__":
    main()
