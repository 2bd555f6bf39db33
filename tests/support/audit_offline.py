"""Known weaknesses of the pinned versions, without a network: `make audit` without PyPI.

    python tests/support/audit_offline.py constraints.txt

safety-db is the one database of advisories that installs as a package, and its last release is of
2021: an answer says of which day it is, and that nothing is known of later advisories.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

DATABASE = "safety-db"


def read_pins(path: Path) -> dict[str, str]:
    """Return distribution to pinned version."""
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    found = [Requirement(line) for line in lines if line]
    return {
        canonicalize_name(each.name): next(iter(each.specifier)).version.partition("+")[0]
        for each in found
        if each.specifier
    }


def find_weaknesses(pins: Mapping[str, str], known: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each advisory that a pinned version is among.

    Args:
        known: distribution to its advisories, each with `specs`, `advisory` and perhaps a `cve`.
    """
    for name, entries in known.items():
        version = pins.get(canonicalize_name(name))
        for entry in entries if version is not None and isinstance(entries, list) else ():
            if any(_holds(spec, str(version)) for spec in entry.get("specs", ())):
                yield f"{name} {version}: {entry.get('cve') or ''} {entry['advisory'][:200]}"


def find_database() -> Path:
    """Return the database's file; the package itself cannot be imported, it looks for it here."""
    files = importlib.metadata.files(DATABASE) or ()
    return Path(str(next(f for f in files if f.name == "insecure_full.json").locate()))


def _holds(spec: str, version: str) -> bool:
    try:
        return SpecifierSet(spec).contains(version, prereleases=True)
    except InvalidSpecifier:
        return False


def main() -> int:
    """Print what is known; 1 where there is a weakness."""
    pins = read_pins(Path(sys.argv[1]))
    known = json.loads(find_database().read_text(encoding="utf-8"))
    found = list(find_weaknesses(pins, known))
    found.append(
        f"{len(pins)} pinned versions, compared with {DATABASE} "
        f"{importlib.metadata.version(DATABASE)}: {len(found)} known weaknesses. It is the newest "
        "database of advisories that installs as a package; of later advisories, only PyPI knows."
    )
    sys.stdout.write("\n".join(found) + "\n")
    return 1 if found[1:] else 0


if __name__ == "__main__":
    sys.exit(main())
