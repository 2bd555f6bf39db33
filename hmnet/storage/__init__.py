"""Files that are written whole and read checked.

Documents are JSON with a schema, tables are parquet with their schema and provenance in the
footer; a reader never sees half of either, and says what is wrong with a file that is not as it
should be.

>>> from pathlib import Path
>>> import pandas as pd
>>> from hmnet.storage import read_table, write_table
>>> write_table(Path("ages.parquet"), pd.DataFrame({"age": [3, 5]}), "ages/1", {"asked": "rex"})
>>> table, provenance = read_table(Path("ages.parquet"), "ages/1")
>>> list(table["age"]), provenance
([3, 5], {'asked': 'rex'})
>>> read_table(Path("ages.parquet"), "ages/2")
Traceback (most recent call last):
hmnet.errors.InputError: ages.parquet: the table's schema should be `ages/2`. Found `ages/1`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hmnet.storage.digests import canonical_json, digest, digest_file
    from hmnet.storage.documents import (
        MAX_DOCUMENT_BYTES,
        describe_problem,
        parse,
        parse_document,
        read_document,
        read_json,
        to_plain,
        write_document,
    )
    from hmnet.storage.files import append_line, write_bytes
    from hmnet.storage.manifest import check_recorded, made_from, read_manifest
    from hmnet.storage.table_format import TableFormat
    from hmnet.storage.tables import read_parquet, read_table, write_table
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "MAX_DOCUMENT_BYTES",
    "TableFormat",
    "append_line",
    "canonical_json",
    "check_recorded",
    "describe_problem",
    "digest",
    "digest_file",
    "made_from",
    "parse",
    "parse_document",
    "read_document",
    "read_json",
    "read_manifest",
    "read_parquet",
    "read_table",
    "to_plain",
    "write_bytes",
    "write_document",
    "write_table",
]
