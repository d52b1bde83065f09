"""Copies buckets from one S3 server to another, and compares every object by its SHA-256.

    python -m content_arena.components.shared.storage.object_copy mlflow models

The environment names the target as every S3 client reads it (S3_ENDPOINT_URL, AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY), and the source by the same names with SOURCE_ before them. A role of the platform may take the
place of the target's keys, not of the source's. The source is only read. A copy that was cut short goes on when it is
run again: what is there already, byte for byte, is not sent again.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from content_arena.components.shared.errors import InputError, exit_code_of
from content_arena.components.shared.library_errors import during
from content_arena.components.shared.storage.store import Store, StoreError, client, explained, failures

if TYPE_CHECKING:
    from minio import Minio

_PREFIX = "SOURCE_"
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Copied:
    """What became of a bucket.

    Attributes:
        bucket: Its name.
        sent: Objects that were sent.
        present: Objects that were there already, and equal.
        size: Bytes of all of them.
    """

    bucket: str
    sent: int
    present: int
    size: int

    def __str__(self) -> str:
        n_objects = self.sent + self.present
        whole = f"{self.bucket}: {n_objects} objects, {self.size} bytes, equal by SHA-256"
        return f"{whole}; {self.sent} sent, {self.present} were there"


def copied(source: Minio, target: Minio, bucket: str) -> Copied:
    """Copies one bucket, which is made if it is missing. Objects that only the target has stay as they are.

    Args:
        source: Where to read.
        target: Where to write.
        bucket: Its name, on both.

    Raises:
        StoreError: A server does not answer or refuses, or an object differs after it was sent.
    """
    sent = present = size = 0
    Store(target).make_buckets([bucket])
    for key in _keys(source, bucket):
        what = f"s3://{bucket}/{key}"
        with tempfile.TemporaryFile() as file:
            digest, length = _read(source, bucket, key, file, what)
            size += length
            if _digest(target, bucket, key, what) == digest:
                present += 1
                continue
            file.seek(0)
            try:
                target.put_object(bucket, key, file, length)
            except failures() as error:
                raise explained(error, what) from error
            if _digest(target, bucket, key, what) != digest:
                raise StoreError(f"{what} differs from its source after it was sent: run the copy again")
            sent += 1
    return Copied(bucket, sent, present, size)


def _keys(server: Minio, bucket: str) -> Iterator[str]:
    try:
        for item in server.list_objects(bucket, recursive=True):
            if item.object_name and not item.is_dir:
                yield item.object_name
    except failures() as error:
        raise explained(error, f"bucket {bucket} of the source") from error


def _read(server: Minio, bucket: str, key: str, file: IO[bytes], what: str) -> tuple[str, int]:
    """Writes an object into a file; returns its SHA-256 and its length."""
    digest, length = hashlib.sha256(), 0
    try:
        with server.get_object(bucket, key) as response:
            while chunk := response.read(_CHUNK_BYTES):
                digest.update(chunk)
                length += file.write(chunk)
    except failures() as error:
        raise explained(error, what) from error
    return digest.hexdigest(), length


def _digest(server: Minio, bucket: str, key: str, what: str) -> str | None:
    """SHA-256 of an object as the server returns it; None if it has none of that name."""
    from minio.error import S3Error

    try:
        server.stat_object(bucket, key)
    except S3Error as error:
        if error.code == "NoSuchKey":
            return None
        raise explained(error, what) from error
    except failures() as error:
        raise explained(error, what) from error
    with open(os.devnull, "wb") as nowhere:
        return _read(server, bucket, key, nowhere, what)[0]


def _source(environment: Mapping[str, str]) -> Minio:
    """A client of the server to read from.

    Raises:
        InputError: A variable of the source is missing, or its address is no URL.
    """
    given = {name.removeprefix(_PREFIX): value for name, value in environment.items() if name.startswith(_PREFIX)}
    try:
        return client(given, roles=False)
    except InputError as error:
        raise InputError(f"the source ({_PREFIX} before each name): {error}") from error


def main(arguments: Sequence[str] | None = None, environment: Mapping[str, str] | None = None) -> int:
    """The module's command line; returns the exit code: 0, or 2 after an error, which is one line on stderr."""
    parser = argparse.ArgumentParser(
        prog="content_arena.components.shared.storage.object_copy", description="Copies buckets between S3 servers."
    )
    parser.add_argument("buckets", nargs="+", metavar="BUCKET")
    options = parser.parse_args(arguments)
    given = os.environ if environment is None else environment

    def run() -> None:
        with during("copying buckets"):
            source, target = _source(given), client(given)
            for bucket in options.buckets:
                print(copied(source, target, bucket), flush=True)

    return exit_code_of(run)


if __name__ == "__main__":
    sys.exit(main())
