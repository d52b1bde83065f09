"""Keeps the scores that clients suggest, for a later training: in a file, or in a folder of object storage.

Several servers cannot share a file. In object storage each suggestion is an object of its own.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from content_arena.components.predictor.limits import KIB, MIB
from content_arena.components.shared.errors import ArenaError, InputError

if TYPE_CHECKING:
    from content_arena.components.shared.storage.store import Store

logger = logging.getLogger("kserve.content_arena")

#: Of a file, and of what one server puts into object storage from its start to its end.
MAX_BYTES = 64 * MIB
#: A comment of 20,480 bytes may be six times as long when it is escaped.
MAX_LINE_BYTES = 128 * KIB


#: Suggestions that are sent to object storage at once: a server that hangs holds up this many threads.
_MOST_AT_ONCE = 2
_SCHEME = "s3://"


class SuggestionsFullError(Exception):
    """There is no room for what was suggested."""


class SuggestionsUnavailableError(Exception):
    """What was suggested could not be stored; the log says why."""


class Suggestions(Protocol):
    """Where suggestions are kept."""

    def append(self, record: Mapping[str, object]) -> None:
        """Keeps one; waits until it is stored.

        Raises:
            SuggestionsFullError: There is no room for it.
            SuggestionsUnavailableError: It could not be stored.
        """
        ...


def suggestions_at(address: str) -> Suggestions:
    """What keeps suggestions at an address.

    Args:
        address: Path of a file, or ``s3://bucket/folder``.

    Raises:
        InputError: The file cannot be written, the address is another one, or the environment names no object storage.
    """
    if not address.startswith(_SCHEME):
        if "://" in address:
            raise InputError(f"suggestions cannot be kept at {address}: name a file, or s3://bucket/folder")
        return SuggestionFile(Path(address))
    try:
        from content_arena.components.shared.storage.store import Store, check_address

        check_address(address)
        return SuggestionObjects(Store.from_environment(), address)
    except ModuleNotFoundError as error:
        raise InputError(
            f"object storage needs the package {error.name}, which is not installed: "
            "pip install 'content-arena[predictor]', or name a file"
        ) from None


class SuggestionFile:
    """A file of JSON lines that only its owner may read, since it holds users' texts."""

    def __init__(self, path: Path, most: int = MAX_BYTES) -> None:
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
            file = self._open()
            try:
                if _is_torn(file):
                    os.write(file, b"\n")
            finally:
                os.close(file)
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
        return os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)

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


def _is_torn(file: int) -> bool:
    """Whether a file's last line has no end: a server that was killed may have written a part of it."""
    size = os.fstat(file).st_size
    return size > 0 and os.pread(file, 1, size - 1) != b"\n"


class SuggestionObjects:
    """A folder of object storage with an object for each suggestion: a line of JSON."""

    def __init__(self, store: Store, address: str, most: int = MAX_BYTES) -> None:
        """Sends nothing yet.

        Args:
            store: The server.
            address: ``s3://bucket/folder``.
            most: Bytes that this process may store.
        """
        self._store = store
        self._address = address.rstrip("/")
        self._left = most
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(_MOST_AT_ONCE)

    def append(self, record: Mapping[str, object]) -> None:
        """Stores an object, in one request.

        Raises:
            SuggestionsFullError: The line would be too large, this process has stored what it may, or others wait.
            SuggestionsUnavailableError: The server does not answer or refuses.
        """
        line = (json.dumps(record) + "\n").encode()
        if not self._turns.acquire(blocking=False):
            raise SuggestionsFullError
        try:
            self._take(len(line))
            name = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex}.jsonl"
            self._store.put_bytes(f"{self._address}/{name}", line, "application/jsonl")
        except ArenaError as error:
            self._take(-len(line))
            logger.error("a suggestion was not stored: %s", error)
            raise SuggestionsUnavailableError from error
        finally:
            self._turns.release()

    def _take(self, n_bytes: int) -> None:
        with self._lock:
            if n_bytes > min(MAX_LINE_BYTES, self._left):
                raise SuggestionsFullError
            self._left -= n_bytes
