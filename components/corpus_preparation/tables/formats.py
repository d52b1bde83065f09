"""Reads a file of rows into columns: CSV, TSV, JSON (each also gzipped), Parquet and workbooks of spreadsheets.

pandas reads these too, but drops what does not fit, guesses the types of columns and quotes cells in its errors. Here
cells are not changed, and a broken file is refused with the number of the broken line. Bytes that are not UTF-8 become
lone surrogates (``surrogateescape``), so that only the rows that have some are dropped.
"""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path

from content_arena.components.corpus_preparation.tables.columns import Columns
from content_arena.components.corpus_preparation.tables.dialects import read_delimited
from content_arena.components.corpus_preparation.tables.encodings import decode
from content_arena.components.corpus_preparation.tables.parameters import named
from content_arena.components.corpus_preparation.tables.parquet import read_parquet
from content_arena.components.corpus_preparation.tables.reading_options import ReadingOptions
from content_arena.components.corpus_preparation.tables.spreadsheets import read_spreadsheet
from content_arena.components.shared.errors import InputError

_DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".txt": "\t"}
_JSON_LINES = (".jsonl", ".json", ".ndjson")
_PARQUET = (".parquet", ".pq")
_SPREADSHEETS = (".xlsx", ".xlsm", ".xls", ".ods")
_DATABASES = (".db", ".sqlite", ".sqlite3")
_GZIP = b"\x1f\x8b"
ACCEPTED = "CSV, TSV or JSONL (each also .gz), XLSX or Parquet"


def read_columns(path: Path, lang: str, options: ReadingOptions | None = None) -> Columns:
    """Reads a file in the format that its suffix names.

    Args:
        path: The file.
        lang: ISO 639 code of its texts; a file that is not UTF-8 is decoded by this language's usual encoding, if the
            result is plausible.
        options: How to read it; found from the file if None.

    Raises:
        InputError: The file is missing, unreadable, empty, binary, in another encoding, truncated, of unknown format,
            a row of it is broken, or it can be read in two ways. The message never quotes a cell.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    kind = suffixes[-2] if len(suffixes) > 1 and suffixes[-1] == ".gz" else (suffixes or [""])[-1]
    check_is_file(path)
    if kind in _DATABASES:
        raise InputError(
            f"{path} is an SQLite database: give sqlite:///{path} as {named('data')}, and say what to read with "
            f"{named('query')} 'select ...'"
        )
    if kind not in (*_DELIMITERS, *_JSON_LINES, *_PARQUET, *_SPREADSHEETS):
        raise InputError(f"{path} has the suffix {kind or '(none)'}; rename or convert it: {ACCEPTED} is read")
    columns = _read(path, kind, lang, options or ReadingOptions())
    if not columns.n_rows:
        raise InputError(f"{path} has no rows, only the names of columns")
    return columns


def check_is_file(path: Path, wanted: str | None = None) -> None:
    """Refuses a path that is no regular file.

    Args:
        path: The path.
        wanted: What is to be given instead of a path that does not exist; what names a corpus if None.

    Raises:
        InputError: The path does not exist, is no regular file, or cannot be reached.
    """
    try:
        exists, is_file = path.exists(), path.is_file()
    except OSError as error:
        raise _unreadable(path, error) from error
    if not exists:
        wanted = wanted or f"{named('data')} takes the path of a file, hf://owner/name, or 'embedded'"
        raise InputError(f"no file {path}; {wanted}")
    if not is_file:
        raise InputError(f"{path} is {'a folder' if path.is_dir() else 'no regular file'}; name one file: {ACCEPTED}")


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(f"{path} cannot be read: {error.strerror or type(error).__name__}")


def _read(path: Path, kind: str, lang: str, options: ReadingOptions) -> Columns:
    if kind in _PARQUET:
        return read_parquet(_read_bytes(path), path)
    if kind in _SPREADSHEETS:
        return read_spreadsheet(_read_bytes(path), path)
    # The bytes are given up here: of a large file there is memory for one copy, not for two.
    text, notes = decode(_read_bytes(path), path, lang, options.encoding)
    if kind in _JSON_LINES:
        return Columns.of(_read_json(text, path), notes)
    columns = read_delimited(text, _DELIMITERS[kind], path, options.quoting)
    return Columns(columns.names, columns.n_rows, columns.load, (*notes, *columns.notes))


def _read_bytes(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
        # A web server that sends `Content-Encoding: gzip` has had its .gz file unpacked on the way.
        if path.suffix.lower() == ".gz" and raw.startswith(_GZIP):
            raw = gzip.decompress(raw)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path} is no whole gzip file (damaged or cut off); fetch or compress it again") from error
    except OSError as error:
        raise _unreadable(path, error) from error
    if not raw or raw.isspace():
        raise InputError(f"{path} is empty; give a file with at least a text and a label column")
    return raw


def _read_json(text: str, path: Path) -> dict[str, list[object]]:
    # A NUL is no JSON. Escaped it is, and its row is dropped later.
    text = text.replace("\0", "\\u0000")
    rows = _array(text, path) if text.lstrip().startswith("[") else _lines(text, path)
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _lines(text: str, path: Path) -> list[dict[str, object]]:
    rows = []
    # Not splitlines(): a JSON string may contain other line separators, such as U+2028.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
            raise InputError(
                f"line {number} of {path} is no JSON ({reason}); write one object a line, or an array of objects"
            ) from error
        if not isinstance(row, dict):
            raise InputError(f"line {number} of {path} is a JSON {type(row).__name__}; write one object a line")
        rows.append(row)
    if len(rows) == 1 and len(rows[0]) > 1 and all(isinstance(value, dict) for value in rows[0].values()):
        raise InputError(
            f"{path} is one JSON object that holds {len(rows[0]):,} others; write these one a line (for example: "
            "jq -c '.[]'), each with its text and label"
        )
    return rows


def _array(text: str, path: Path) -> list[dict[str, object]]:
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = f"{error.msg}, line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "nested too deep"
        raise InputError(f"{path} begins as a JSON array and is none ({reason}); write one object a line") from error
    wrong = next((number for number, row in enumerate(rows, start=1) if not isinstance(row, dict)), None)
    if wrong is not None:
        raise InputError(f"element {wrong} of the JSON array {path} is no object; write objects with text and label")
    return list(rows)
