"""Keeps what is piped into a command as a file, because a stage is a process of its own."""

from __future__ import annotations

import gzip
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from content_arena.components.shared.errors import InputError
from content_arena.pipelines.execution.home import PIPED_PREFIX

#: What ``--data`` is given for standard input.
NAME = "-"
#: What files begin with, and their suffixes.
_MAGIC = {b"PAR1": ".parquet", b"PK\x03\x04": ".xlsx"}
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


@contextmanager
def as_file(data: str, home: Path) -> Iterator[str]:
    """What to read in place of ``data``: standard input as a file that is removed at the end, if ``data`` is "-".

    A process that is killed leaves the file, with the texts in it; ``arena home clean`` removes it.

    Args:
        data: As it was given.
        home: Folder that stages can read, also those that run in containers.

    Raises:
        InputError: Nothing is piped in.
    """
    if data != NAME:
        yield data
        return
    raw = _read()
    with tempfile.TemporaryDirectory(prefix=PIPED_PREFIX, dir=home) as folder:
        path = Path(folder) / f"stdin{suffix_of(raw)}"
        path.write_bytes(raw)
        yield str(path)


def _read() -> bytes:
    if sys.stdin is None or sys.stdin.isatty():
        raise InputError("--data - reads standard input, and nothing is piped in; pipe a file in, or give its path")
    raw = sys.stdin.buffer.read()
    if raw.startswith(_GZIP):
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError) as error:
            raise InputError("standard input is no whole gzip file (damaged or cut off)") from error
    if not raw.strip():
        raise InputError("standard input is empty; pipe in a file with at least a text and a label column")
    return raw


def suffix_of(raw: bytes) -> str:
    """The suffix of a file with this content: a table of text if it is nothing else."""
    found = next((suffix for magic, suffix in _MAGIC.items() if raw.startswith(magic)), None)
    if found is not None:
        return found
    start = raw.removeprefix(_BOM).lstrip()
    if start.startswith((b"{", b"[")):
        return ".jsonl"
    return ".tsv" if b"\t" in start.split(b"\n", 1)[0] else ".csv"
