"""Lets a tracking database be moved and copied together with the files that it describes.

MLflow writes the absolute address of every artifact into its database. In a folder that was moved these lead nowhere,
and in a copy they lead into the original. The arena keeps its artifacts in the folder ``artifacts`` beside the
database, so the addresses can be brought in line with where the database lies.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from content_arena.components.shared.errors import InputError

#: Name of the folder beside the database.
ARTIFACTS = "artifacts"
#: Where MLflow keeps addresses of artifacts: table and column.
_COLUMNS = (
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
_LOCATION = "SELECT artifact_location FROM experiments WHERE name = ?"
_LOCK_SECONDS = 30.0


def artifacts_of(database: Path) -> str:
    """The address of the folder with the artifacts of a database."""
    return (database.resolve().parent / ARTIFACTS).as_uri()


def follow(database: Path, experiment: str) -> int:
    """Brings the addresses of artifacts in line with where a database lies, if its folder was moved or copied.

    An address is left as it is if its files are only where it says. It is changed by a later call, once the files are
    here too: a copy may be used before it is complete. It is one transaction: a process that is killed changes nothing,
    and of several processes one does it.

    Args:
        database: An SQLite database of MLflow.
        experiment: The experiment whose artifacts were made beside the database.

    Returns:
        How many addresses were changed; 0 if the folder is where it was.

    Raises:
        InputError: The file cannot be opened, or is no database.
    """
    try:
        with contextlib.closing(sqlite3.connect(database, timeout=_LOCK_SECONDS, isolation_level=None)) as connection:
            is_moved = _move_to_follow(connection, database, experiment) is not None
            if not is_moved and not _late(connection, database, experiment):
                return 0
            with _transaction(connection):
                # Another process may have done it since.
                move = _move_to_follow(connection, database, experiment)
                n_changed = _rewrite(connection, move, experiment) if move else 0
                late = _late(connection, database, experiment)
                return n_changed + sum(_replace(connection, old, new) for old, new in late.items())
    except sqlite3.Error as error:
        if "readonly" in str(error):
            # Whoever may not write here only reads, and most of what is read is no artifact.
            return 0
        raise InputError(f"the database {database} cannot be used: {error}") from error


@dataclass(frozen=True)
class _Move:
    """Where artifacts were, and where they are.

    Attributes:
        old: Address of the folder.
        new: The same.
    """

    old: str
    new: str

    def covers(self, address: str) -> bool:
        """Whether an address lies in the old folder."""
        return address.startswith(f"{self.old}/")

    def moved(self, address: str) -> str:
        """The address in the new folder of what was in the old one."""
        return self.new + address[len(self.old) :]

    def is_only_there(self, address: str) -> bool:
        """Whether files are in the old folder and not in the new one."""
        return _folder(address).exists() and not _folder(self.moved(address)).exists()


def _move_to_follow(connection: sqlite3.Connection, database: Path, experiment: str) -> _Move | None:
    """The move since the last time; None if there was none."""
    location = _location(connection, experiment)
    move = _Move(old=location, new=artifacts_of(database)) if location else None
    if move is None or not move.old.startswith("file:") or move.old == move.new or _is_same(move):
        return None
    addresses = list(_addresses(connection, move))
    is_here = any(_folder(move.moved(address)).exists() for address in addresses)
    # Artifacts that are all elsewhere were put there on purpose.
    return move if is_here or not any(map(move.is_only_there, addresses)) else None


def _location(connection: sqlite3.Connection, experiment: str) -> str | None:
    """The address that an experiment keeps its artifacts at; None if it has none, or there is no such experiment."""
    try:
        row = connection.execute(_LOCATION, (experiment,)).fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return None
        raise
    return str(row[0]).rstrip("/") if row and row[0] else None


def _late(connection: sqlite3.Connection, database: Path, experiment: str) -> dict[str, str]:
    """Addresses that an earlier call left as they were, and whose files have come here since: old to new.

    MLflow names the folders of runs and of models by random ids. One of the same name here is therefore the same one.
    """
    here = artifacts_of(database)
    if _location(connection, experiment) != here:
        return {}
    found = {}
    for address in _all_addresses(connection):
        root = address.rpartition(f"/{ARTIFACTS}/")[0]
        move = _Move(old=f"{root}/{ARTIFACTS}", new=here)
        if not address.startswith("file:") or not root or move.old == here:
            continue
        if _folder(move.moved(address)).exists() and not _is_same(_Move(address, move.moved(address))):
            found[address] = move.moved(address)
    return found


def _is_same(move: _Move) -> bool:
    """Whether both addresses are one folder, one of them through a link or a mount."""
    try:
        return os.path.samefile(_folder(move.old), _folder(move.new))
    except OSError:
        return False


def _addresses(connection: sqlite3.Connection, move: _Move) -> Iterator[str]:
    return filter(move.covers, _all_addresses(connection))


def _all_addresses(connection: sqlite3.Connection) -> Iterator[str]:
    for table, column in _COLUMNS:
        for (address,) in connection.execute(f"SELECT {column} FROM {table}"):  # noqa: S608 - names of ours
            if address:
                yield address


def _rewrite(connection: sqlite3.Connection, move: _Move, experiment: str) -> int:
    connection.execute("UPDATE experiments SET artifact_location = ? WHERE name = ?", (move.new, experiment))
    return 1 + sum(
        _replace(connection, address, move.moved(address))
        for address in dict.fromkeys(_addresses(connection, move))
        if not move.is_only_there(address)
    )


def _replace(connection: sqlite3.Connection, old: str, new: str) -> int:
    """Changes an address wherever it is kept; returns how often it was."""
    return sum(
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (new, old)).rowcount  # noqa: S608
        for table, column in _COLUMNS
    )


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _folder(address: str) -> Path:
    return Path(unquote(urlsplit(address).path))
