"""Reads a Parquet file, and of it only the columns that are asked for."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from content_arena.components.corpus_preparation.tables.columns import Columns, check_names
from content_arena.components.corpus_preparation.tables.labels import shown
from content_arena.components.shared.errors import InputError

if TYPE_CHECKING:
    from pyarrow import ChunkedArray


def read_parquet(raw: bytes, path: Path) -> Columns:
    """Reads a Parquet file.

    Args:
        raw: Its bytes.
        path: Of the file, for messages.

    Raises:
        InputError: It is no whole Parquet file, or two columns have the same name. A column that cannot be read is
            refused when it is asked for.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(raw))
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} is no whole Parquet file (damaged, cut off or of another format)") from error
    names = tuple(str(name) for name in file.schema_arrow.names)
    try:
        check_names(names)
    except InputError as error:
        raise InputError(f"{path} has {error}") from error

    def load(name: str) -> list[object]:
        try:
            # A column of structs is read whole: "a.b" would name a part of it.
            return _cells(file.read(columns=[name]).column(name))
        except (pa.ArrowException, OSError, ValueError, OverflowError, KeyError) as error:
            raise InputError(
                f"column {shown(name)} of {path} cannot be read ({type(error).__name__}); leave it out, name another "
                "column, or write the file anew"
            ) from error

    return Columns(names, file.metadata.num_rows, load)


def _cells(column: ChunkedArray) -> list[object]:
    """The cells of a column. Arrow does not check its strings: some may have bytes that are not UTF-8."""
    import pyarrow as pa

    try:
        cells = column.to_pylist()
    except UnicodeDecodeError:
        cells = column.cast(pa.large_binary()).to_pylist()
    return [cell.decode("utf-8", "surrogateescape") if isinstance(cell, bytes) else cell for cell in cells]
