"""Backs the arena's state up into a bucket of another S3 server, and brings it back.

    python -m content_arena.components.shared.storage.backup save DUMP BUCKET... --keep-days N
    python -m content_arena.components.shared.storage.backup list
    python -m content_arena.components.shared.storage.backup restore NAME DUMP

`save` keeps the dump of a database, and buckets. `restore` writes both again; NAME may be latest.

The environment names the server that is backed up as every S3 client reads it, and the one that keeps the backups by
the same names with BACKUP_ before them. In the bucket BACKUP_BUCKET lie

    contents/SHA256       each different object once, however many backups have it
    backups/NAME.json     what a backup consists of; NAME is its time. It is written last: without it there is no backup
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from content_arena.components.shared.errors import InputError, exit_code_of
from content_arena.components.shared.library_errors import during
from content_arena.components.shared.storage.store import Store, StoreError, client, explained, failures

if TYPE_CHECKING:
    from minio import Minio

_PREFIX = "BACKUP_"
_KEPT_BY = f"the server of the backups ({_PREFIX} before each name)"
_TIME = "%Y%m%dT%H%M%SZ"
_CHUNK_BYTES = 1 << 20
LATEST = "latest"


@dataclass(frozen=True)
class Saved:
    """One object of a backup.

    Attributes:
        sha256: Of its content.
        size: In bytes.
        etag: As its server gave it: an object with the same one is not read again.
    """

    sha256: str
    size: int
    etag: str = ""


@dataclass(frozen=True)
class Backup:
    """What a backup consists of.

    Attributes:
        name: The time it was begun.
        dump: The database's.
        buckets: Objects by key, by bucket.
    """

    name: str
    dump: Saved
    buckets: dict[str, dict[str, Saved]]

    def __str__(self) -> str:
        objects = [saved for bucket in self.buckets.values() for saved in bucket.values()]
        return f"{self.name}: database {self.dump.size} bytes, {len(objects)} objects of {', '.join(self.buckets)}"

    @property
    def contents(self) -> set[str]:
        """SHA-256 of everything in it."""
        return {self.dump.sha256, *(saved.sha256 for bucket in self.buckets.values() for saved in bucket.values())}


class Backups:
    """The bucket that keeps them."""

    def __init__(self, server: Minio, bucket: str) -> None:
        """Asks nothing yet."""
        self._server = server
        self._bucket = bucket

    def names(self) -> list[str]:
        """Names of all complete backups, the oldest first."""
        with _told(f"bucket {self._bucket} of the backups"):
            found = self._server.list_objects(self._bucket, prefix="backups/", recursive=True)
            return sorted(str(item.object_name).removeprefix("backups/").removesuffix(".json") for item in found)

    def read(self, name: str) -> Backup:
        """One of them.

        Raises:
            InputError: There is none of that name, or none at all.
        """
        names = self.names()
        if name == LATEST and names:
            name = names[-1]
        if name not in names:
            raise InputError(f"there is no backup {name} in bucket {self._bucket}: it has {', '.join(names) or 'none'}")
        with _told(f"backup {name}"), self._server.get_object(self._bucket, f"backups/{name}.json") as answer:
            found = json.loads(answer.read())
        buckets = {
            bucket: {key: Saved(**saved) for key, saved in keys.items()} for bucket, keys in found["buckets"].items()
        }
        return Backup(found["name"], Saved(**found["dump"]), buckets)

    def save(self, source: Minio, dump: Path, buckets: Sequence[str], now: datetime) -> Backup:
        """Makes one.

        Args:
            source: The server that is backed up.
            dump: The database's, made before: an artifact without a run is harmless, a run without its artifact is not.
            buckets: Of the source.
            now: The time.

        Raises:
            StoreError: A server does not answer or refuses.
        """
        Store(self._server).make_buckets([self._bucket])
        names = self.names()
        before = self.read(names[-1]).buckets if names else {}
        present = self._contents()
        with dump.open("rb") as file:
            kept = self._keep(file, present)
        saved = {bucket: self._save_bucket(source, bucket, before.get(bucket, {}), present) for bucket in buckets}
        made = Backup(now.strftime(_TIME), kept, saved)
        text = json.dumps(asdict(made), sort_keys=True).encode()
        with _told(f"backup {made.name}"):
            self._server.put_object(self._bucket, f"backups/{made.name}.json", io.BytesIO(text), len(text))
        return made

    def forget(self, before: datetime) -> list[str]:
        """Removes the backups of before a time, and contents that no other has; the newest stays, however old it is."""
        names = self.names()
        old = [name for name in names[:-1] if name < before.strftime(_TIME)]
        needed = {content for name in names if name not in old for content in self.read(name).contents}
        with _told("old backups"):
            for name in old:
                self._server.remove_object(self._bucket, f"backups/{name}.json")
            for content in self._contents() - needed:
                self._server.remove_object(self._bucket, f"contents/{content}")
        return old

    def restore(self, backup: Backup, target: Minio, dump: Path) -> None:
        """Writes the dump into a file, and the buckets, which are made. Objects that only the target has stay.

        Raises:
            StoreError: A server does not answer or refuses, or the backup is damaged.
        """
        with dump.open("wb") as file:
            self._fetch(backup.dump, file)
        Store(target).make_buckets(list(backup.buckets))
        for bucket, objects in backup.buckets.items():
            for key, saved in objects.items():
                with tempfile.TemporaryFile() as content:
                    self._fetch(saved, content)
                    content.seek(0)
                    with _told(f"s3://{bucket}/{key}"):
                        target.put_object(bucket, key, content, saved.size)

    def _save_bucket(
        self, source: Minio, bucket: str, before: Mapping[str, Saved], present: set[str]
    ) -> dict[str, Saved]:
        saved: dict[str, Saved] = {}
        with _told(f"bucket {bucket}"):
            listed = [item for item in source.list_objects(bucket, recursive=True) if not item.is_dir]
        for item in listed:
            key, etag = str(item.object_name), item.etag or ""
            known = before.get(key)
            if known and etag and (known.etag, known.size) == (etag, item.size) and known.sha256 in present:
                saved[key] = known
                continue
            with tempfile.TemporaryFile() as file:
                with _told(f"s3://{bucket}/{key}"), source.get_object(bucket, key) as answer:
                    while chunk := answer.read(_CHUNK_BYTES):
                        file.write(chunk)
                kept = self._keep(file, present)
            saved[key] = Saved(kept.sha256, kept.size, etag)
        return saved

    def _contents(self) -> set[str]:
        with _told(f"bucket {self._bucket} of the backups"):
            found = self._server.list_objects(self._bucket, prefix="contents/", recursive=True)
            return {str(item.object_name).removeprefix("contents/") for item in found}

    def _keep(self, file: BinaryIO, present: set[str]) -> Saved:
        """Keeps the content of a file, unless it is there."""
        digest = hashlib.sha256()
        file.seek(0)
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
        saved = Saved(digest.hexdigest(), file.tell())
        if saved.sha256 not in present:
            file.seek(0)
            with _told(f"s3://{self._bucket}/contents/{saved.sha256}"):
                self._server.put_object(self._bucket, f"contents/{saved.sha256}", file, saved.size)
            present.add(saved.sha256)
        return saved

    def _fetch(self, saved: Saved, file: BinaryIO) -> None:
        digest = hashlib.sha256()
        address = f"s3://{self._bucket}/contents/{saved.sha256}"
        with _told(address), self._server.get_object(self._bucket, f"contents/{saved.sha256}") as answer:
            while chunk := answer.read(_CHUNK_BYTES):
                digest.update(chunk)
                file.write(chunk)
        if digest.hexdigest() != saved.sha256:
            raise StoreError(f"{address} is damaged: its content has another SHA-256; restore another backup")


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except failures() as error:
        raise explained(error, what) from error


def _backups(environment: Mapping[str, str]) -> Backups:
    """The bucket that an environment names.

    Raises:
        InputError: A variable of it is missing, or its address is no URL.
    """
    given = {name.removeprefix(_PREFIX): value for name, value in environment.items() if name.startswith(_PREFIX)}
    if not given.get("BUCKET"):
        raise InputError(f"{_PREFIX}BUCKET is missing in the environment: the bucket for backups")
    try:
        return Backups(client(given, roles=False), given["BUCKET"])
    except InputError as error:
        raise InputError(f"{_KEPT_BY}: {error}") from error


def main(arguments: Sequence[str] | None = None, environment: Mapping[str, str] | None = None) -> int:
    """The module's command line; returns the exit code: 0, or 2 after an error, which is one line on stderr."""
    parser = argparse.ArgumentParser(
        prog="python -m content_arena.components.shared.storage.backup", description="Backups in S3."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    save = commands.add_parser("save", help="back up a dump of the database, and buckets")
    save.add_argument("dump", type=Path)
    save.add_argument("buckets", nargs="+", metavar="BUCKET")
    save.add_argument("--keep-days", type=int, required=True, help="remove backups that are older")
    restore = commands.add_parser("restore", help="write the buckets of a backup, and its dump into a file")
    restore.add_argument("name", help=f"as list prints it, or {LATEST}")
    restore.add_argument("dump", type=Path)
    commands.add_parser("list", help="print the backups")
    options = parser.parse_args(arguments)
    given = os.environ if environment is None else environment

    def run() -> None:
        with during(f"{options.command} of backups"):
            _do(_backups(given), given, options)

    return exit_code_of(run)


def _do(backups: Backups, environment: Mapping[str, str], options: argparse.Namespace) -> None:
    if options.command == "list":
        for name in backups.names():
            print(backups.read(name))
    elif options.command == "restore":
        backup = backups.read(options.name)
        backups.restore(backup, client(environment), options.dump)
        print(f"restored {backup}")
    else:
        if options.keep_days < 1:
            raise InputError(f"--keep-days is {options.keep_days}, it has to be 1 or more")
        now = datetime.now(UTC)
        print(f"saved {backups.save(client(environment), options.dump, options.buckets, now)}", flush=True)
        if removed := backups.forget(now - timedelta(days=options.keep_days)):
            print(f"removed {', '.join(removed)}")


if __name__ == "__main__":
    sys.exit(main())
