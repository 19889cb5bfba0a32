"""What an index was made with: its dimension and its model, kept beside the records.

Invariant: vectors of different dimensions or models never meet in one index. An empty one may be made anew.
"""

import sqlite3
from pathlib import Path

from baton_local.stand_in.folder import DataFolderError


def keep_shape(connection: sqlite3.Connection, folder: Path, dimension: int, model_name: str) -> None:
    """Note the shape of an empty index; compare it with that of one that has records.

    Raises:
        DataFolderError: the stored records are of another shape.
    """
    (has_records,) = connection.execute("SELECT EXISTS(SELECT 1 FROM records)").fetchone()
    stored = dict(connection.execute("SELECT key, value FROM meta WHERE key IN ('dimension', 'model')"))
    if has_records and stored["dimension"] != str(dimension):
        raise DataFolderError(
            f"{folder} holds vectors of dimension {stored['dimension']}, not {dimension}; "
            f"start with --dimension {stored['dimension']} or choose another --data"
        )
    # An index without a model may be served with one and the other way round: its texts are then just not embedded.
    if has_records and stored["model"] and model_name and stored["model"] != model_name:
        raise DataFolderError(
            f"{folder} holds vectors of the embedder {stored['model']}, not of {model_name}; "
            "start with that one or choose another --data"
        )
    values = [("dimension", str(dimension)), ("model", model_name or (stored.get("model", "") if has_records else ""))]
    connection.executemany("INSERT OR REPLACE INTO meta VALUES(?, ?)", values)
