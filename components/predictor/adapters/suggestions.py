"""Keeps the scores that clients suggest in a file of bounded size, for a later training."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path

from content_arena.components.predictor.limits import KIB, MIB
from content_arena.components.shared.errors import InputError

MAX_FILE_BYTES = 64 * MIB
#: A comment of 20,480 bytes may be six times as long when it is escaped.
MAX_LINE_BYTES = 128 * KIB


class SuggestionsFullError(Exception):
    """The file has no room for what was suggested."""


class SuggestionFile:
    """A file of JSON lines that only its owner may read, since it holds users' texts."""

    def __init__(self, path: Path, most: int = MAX_FILE_BYTES) -> None:
        """Makes the file, or goes on with one that is there.

        Args:
            path: Its path.
            most: Bytes that it may have.

        Raises:
            InputError: It cannot be written.
        """
        self._path = path
        self._most = most
        self._lock = threading.Lock()
        try:
            os.close(self._open())
        except OSError as error:
            raise InputError(f"suggestions cannot be written to {path}: {error.strerror}") from error

    def append(self, record: Mapping[str, object]) -> None:
        """Appends a line in one write, so that no line is torn by another process.

        Raises:
            SuggestionsFullError: The file or the line would be too large, or the disk is full.
        """
        line = (json.dumps(record) + "\n").encode()
        with self._lock:
            try:
                self._write(line)
            except OSError as error:
                raise SuggestionsFullError(error.strerror) from error

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def _write(self, line: bytes) -> None:
        # Opened for each line: a file that was moved away to be read is made anew.
        file = self._open()
        try:
            before = os.fstat(file).st_size
            if len(line) > MAX_LINE_BYTES or before + len(line) > self._most:
                raise SuggestionsFullError
            if os.write(file, line) != len(line):
                os.ftruncate(file, before)
                raise SuggestionsFullError
        finally:
            os.close(file)
