"""Reads a file of rows into columns: CSV, TSV, JSON lines (each also gzipped) and Parquet.

pandas reads these too, but drops what does not fit, guesses the types of columns and quotes cells in its errors. Here
cells are not changed, and a broken file is refused with the number of the broken line. Bytes that are not UTF-8 become
lone surrogates (``surrogateescape``), so that only the rows that have some are dropped.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import re
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from content_arena.components.corpus_preparation.labels import shown
from content_arena.components.corpus_preparation.parameters import named
from content_arena.components.shared.errors import InputError

if TYPE_CHECKING:
    from pyarrow import ChunkedArray

Columns = dict[str, list[object]]

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_JSON_LINES = (".jsonl", ".json", ".ndjson")
_PARQUET = (".parquet", ".pq")
ACCEPTED = "CSV, TSV or JSONL (each also .gz) or Parquet"
_BOMS = {  # UTF-32 first: its mark begins with that of UTF-16.
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
#: The usual encoding of a language before UTF-8; WINDOWS-1252 for all others.
_USUAL_ENCODINGS = {"ko": "CP949"}
_UNDECODABLE = re.compile("[\ud800-\udfff]")


def is_undecodable(value: object) -> bool:
    """Whether a cell has bytes that were not UTF-8, or a lone surrogate, which UTF-8 cannot encode."""
    return isinstance(value, str) and not value.isascii() and _UNDECODABLE.search(value) is not None


def read_columns(path: Path, lang: str) -> Columns:
    """Reads a file in the format that its suffix names.

    Args:
        path: The file.
        lang: ISO 639 code of its texts; the error for a file that is not UTF-8 suggests this language's encoding.

    Returns:
        The cells of each column, in the order of rows; None for a cell that is missing in a JSON line.

    Raises:
        InputError: The file is missing, unreadable, empty, binary, in another encoding, truncated, of unknown format,
            or a row of it is broken. The message never quotes a cell.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    kind = suffixes[-2] if len(suffixes) > 1 and suffixes[-1] == ".gz" else (suffixes or [""])[-1]
    raw = _read_bytes(path)
    if kind not in (*_DELIMITERS, *_JSON_LINES, *_PARQUET):
        raise InputError(f"{path} has the suffix {kind or '(none)'}; rename or convert it: {ACCEPTED} is read")
    if not raw.strip():
        raise InputError(f"{path} is empty; give a file with at least a text and a label column")
    if kind in _PARQUET:
        columns = _read_parquet(raw, path)
    elif kind in _JSON_LINES:
        columns = _read_json_lines(_decode(raw, path, lang), path)
    else:
        columns = _read_csv(_decode(raw, path, lang), _DELIMITERS[kind], path)
    if not any(columns.values()):
        raise InputError(f"{path} has no rows, only the names of columns")
    return columns


def check_is_file(path: Path) -> None:
    """Refuses a path that is no regular file.

    Raises:
        InputError: The path does not exist, or is no regular file.
    """
    if not path.exists():
        raise InputError(f"no file {path}; {named('data')} takes the path of a file, hf://owner/name, or 'embedded'")
    if not path.is_file():
        raise InputError(f"{path} is {'a folder' if path.is_dir() else 'no regular file'}; name one file: {ACCEPTED}")


def _read_bytes(path: Path) -> bytes:
    try:
        check_is_file(path)
        if path.suffix.lower() != ".gz":
            return path.read_bytes()
        with gzip.open(path) as file:
            return file.read()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path} is no whole gzip file (damaged or cut off); fetch or compress it again") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or type(error).__name__}") from error


def _decode(raw: bytes, path: Path, lang: str) -> str:
    for bom, encoding in _BOMS.items():
        if raw.startswith(bom):
            try:
                return raw.decode(encoding)
            except UnicodeDecodeError as error:
                raise InputError(
                    f"{path} begins as {encoding.upper()} but does not go on so; save it as UTF-8"
                ) from error
    if b"\0" in raw:
        raise InputError(f"{path} is a binary file (it holds NUL bytes), whatever its suffix; give {ACCEPTED}")
    text = raw.decode("utf-8-sig", "surrogateescape")
    lines = [line for line in text.split("\n") if line.strip()]
    if 2 * sum(map(is_undecodable, lines)) > len(lines):
        encoding = _USUAL_ENCODINGS.get(lang, "WINDOWS-1252")
        raise InputError(f"{path} is mostly not UTF-8; save it as UTF-8 (for example: iconv -f {encoding} -t UTF-8)")
    return text


def _read_json_lines(text: str, path: Path) -> Columns:
    if text.lstrip().startswith("["):
        raise InputError(f"{path} is one JSON array; write one object a line (for example: jq -c '.[]')")
    rows = []
    # Not splitlines(): a JSON string may contain other line separators, such as U+2028.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
            raise InputError(f"line {number} of {path} is no JSON ({reason}); write one object a line") from error
        if not isinstance(row, dict):
            raise InputError(f"line {number} of {path} is a JSON {type(row).__name__}; write one object a line")
        rows.append(row)
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


@contextmanager
def _any_field_size() -> Iterator[None]:
    """Removes the csv module's limit of 128 KiB for a field, and restores it at the end: it is one for the process."""
    limit = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _read_csv(text: str, delimiter: str, path: Path) -> Columns:
    first_line = text.lstrip().split("\n", 1)[0]
    if delimiter not in first_line:
        # Spreadsheets write semicolons into CSV where the comma is the decimal separator.
        delimiter = next((other for other in ";\t," if other in first_line), delimiter)
    with _any_field_size():
        try:
            return _parse_csv(text, delimiter, csv.QUOTE_MINIMAL, path)
        except InputError:
            if delimiter != "\t":
                raise
            # Many TSV files are written without quoting: a quote is then an ordinary character.
            return _parse_csv(text, delimiter, csv.QUOTE_NONE, path)


def _parse_csv(text: str, delimiter: str, quoting: Literal[0, 3], path: Path) -> Columns:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting, strict=True)
    rows: list[list[str]] = []
    try:
        for row in reader:
            if not row:
                continue
            if rows and len(row) != len(rows[0]):
                raise InputError(
                    f"line {reader.line_num} of {path} has {len(row)} fields where the first line has {len(rows[0])}; "
                    "put texts in double quotes, and double the quotes inside them"
                )
            rows.append(row)
    except csv.Error as error:
        raise InputError(
            f"line {reader.line_num} of {path} breaks the rules of CSV ({error}); put texts in double quotes, and "
            "double the quotes inside them"
        ) from error
    names = [name.strip() for name in rows[0]]
    twice = [name for name in names if name and names.count(name) > 1]
    if twice:
        raise InputError(
            f"{path} has two columns {shown(twice[0])}; rename one, and mind that the first line has the names"
        )
    return {name: [row[index] for row in rows[1:]] for index, name in enumerate(names)}


def _read_parquet(raw: bytes, path: Path) -> Columns:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(io.BytesIO(raw)).read()
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} is no whole Parquet file (damaged, cut off or of another format)") from error
    return {str(name): _cells(column) for name, column in zip(table.column_names, table.columns, strict=True)}


def _cells(column: ChunkedArray) -> list[object]:
    """The cells of a column. Arrow does not check its strings: some may have bytes that are not UTF-8."""
    import pyarrow as pa

    try:
        cells = column.to_pylist()
    except UnicodeDecodeError:
        cells = column.cast(pa.large_binary()).to_pylist()
    return [cell.decode("utf-8", "surrogateescape") if isinstance(cell, bytes) else cell for cell in cells]
