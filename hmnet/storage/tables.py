"""Tables as parquet files, with their schema's name and provenance in the footer.

The libraries of tables are imported where one is read or written: a command that reads documents
alone answers at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hmnet.errors import InputError, first_line
from hmnet.storage import limits
from hmnet.storage.digests import canonical_json
from hmnet.storage.files import write_bytes
from hmnet.storage.manifest import check_recorded
from hmnet.storage.regular_files import check_regular

if TYPE_CHECKING:
    import pandas as pd

FOOTER_KEY = b"relevance"


def write_table(
    path: Path, frame: pd.DataFrame, schema: str, provenance: Mapping[str, object]
) -> None:
    """Write `frame` as parquet with schema name and provenance in the footer, atomically."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame, preserve_index=False)
    footer = canonical_json({"schema": schema, "provenance": provenance}).encode()
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), FOOTER_KEY: footer})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    write_bytes(path, sink.getvalue().to_pybytes())


def read_table(path: Path, schema: str) -> tuple[pd.DataFrame, dict[str, object]]:
    """Read a parquet table of the named schema; return it with its provenance.

    Raises:
        InputError: if the file is missing, is no parquet, or has another schema.
    """
    frame, metadata = read_parquet(path)
    try:
        footer = json.loads(metadata[FOOTER_KEY])
        found, provenance = footer["schema"], dict(footer["provenance"])
    except (KeyError, ValueError, TypeError):
        found, provenance = None, {}
    if found != schema:
        raise InputError(f"{path}: the table's schema should be `{schema}`. Found `{found}`.")
    return frame, provenance


def read_parquet(path: Path) -> tuple[pd.DataFrame, Mapping[bytes, bytes]]:
    """Read a parquet file, its pages' checksums verified; return it with its metadata.

    Raises:
        InputError: if the file is missing, is no parquet, is damaged or altered, or claims more
            than the limits (`hmnet.storage.limits`).
    """
    import pyarrow.parquet as pq

    try:
        check_regular(path)
        check_recorded(path)
        # `pq.read_table` would take `a=1/` in a path for a column
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            limits.check_footer(file.metadata)
            table = file.read()
        return table.to_pandas(), table.schema.metadata or {}
    except FileNotFoundError:
        raise InputError(f"{path}: the file does not exist.") from None
    except InputError:
        raise
    except limits.LimitError as error:
        raise InputError(f"{path}: {error}") from None
    except Exception as error:  # noqa: BLE001 (a damaged footer raises nearly anything)
        raise InputError(
            f"{path}: the file should be parquet. Found: {first_line(error)}"
        ) from None
