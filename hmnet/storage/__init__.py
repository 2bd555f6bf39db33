"""Files that are written whole and read checked.

Documents are JSON with a schema, tables are parquet with their schema and provenance in the
footer; a reader never sees half of either.
"""
