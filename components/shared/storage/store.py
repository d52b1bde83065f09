"""Keeps bundles in object storage (S3), where KServe's storage initialiser finds them.

    s3://models/content-filter/7/...       one folder for each registry version, unchanged once complete
    s3://models/content-filter/champion    a pointer: the text "7", for Deployments that ask for the champion

The endpoint and the keys come from the environment (S3_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
AWS_SESSION_TOKEN, AWS_DEFAULT_REGION), as every S3 client reads them. Without keys it is a role of the platform: see
s3_credentials.py. ``python -m content_arena.components.shared.storage.store --help`` is for init containers and jobs.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from content_arena.components.shared.errors import ArenaError, BundleError, InputError, exit_code_of
from content_arena.components.shared.library_errors import during
from content_arena.components.shared.scoring import bundle as bundles

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from minio import Minio

_POINTER_BYTES = 64
#: S3 error codes of a server that is starting or overloaded.
_RETRIED_CODES = ("ServiceUnavailable", "SlowDown", "InternalError", "XMinioServerNotInitialized")

#: S3 error codes of an address that holds nothing.
_ABSENT_CODES = ("NoSuchKey", "NoSuchBucket")


class StoreError(ArenaError):
    """Object storage does not answer, refuses, or does not hold what was asked for."""


class Store:
    """One S3 server."""

    def __init__(self, client: Minio) -> None:
        """Wraps a client; :meth:`from_environment` makes one."""
        self._client = client

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Store:
        """Connects to the server that the environment names.

        Raises:
            InputError: S3_ENDPOINT_URL or a key is missing, or is no URL.
        """
        return cls(client(os.environ if environment is None else environment))

    def make_buckets(self, names: Sequence[str], patience: float = 120.0) -> None:
        """Makes the missing buckets, and waits for a server that is starting.

        Args:
            names: Of the buckets.
            patience: Seconds to wait for the server.

        Raises:
            StoreError: The server did not answer in time, or refused.
        """
        deadline = time.monotonic() + patience
        for name in names:
            while True:
                try:
                    if not self._client.bucket_exists(name):
                        self._client.make_bucket(name)
                    break
                except failures() as error:
                    if not _is_retried(error) or time.monotonic() > deadline:
                        raise explained(error, f"bucket {name}") from error
                    time.sleep(1)

    def publish(self, bundle: bundles.Bundle, uri: str) -> None:
        """Uploads a bundle, bundle.json last: a folder that has one is complete.

        Args:
            bundle: What to upload.
            uri: ``s3://bucket/prefix`` of its folder.

        Raises:
            StoreError: The server does not answer or refuses.
        """
        bucket, prefix = _parse(uri)
        files = [*sorted(bundle.spec.files), bundles.MANIFEST]
        for name in files:
            try:
                self._client.fput_object(bucket, f"{prefix}/{name}", str(bundle.path / name))
            except failures() as error:
                raise explained(error, f"s3://{bucket}/{prefix}/{name}") from error

    def point(self, uri: str, target: str) -> None:
        """Makes ``uri`` a pointer to its sibling ``target``, in one request: it is never half-written.

        Raises:
            StoreError: The server does not answer or refuses.
        """
        self.put_bytes(uri, target.encode(), "text/plain")

    def put_bytes(self, uri: str, data: bytes, content_type: str = "application/octet-stream") -> None:
        """Stores one object.

        Args:
            uri: ``s3://bucket/key``.
            data: Its content.
            content_type: What it is.

        Raises:
            StoreError: The server does not answer or refuses.
        """
        bucket, key = _parse(uri)
        try:
            self._client.put_object(bucket, key, io.BytesIO(data), len(data), content_type=content_type)
        except failures() as error:
            raise explained(error, uri) from error

    def resolve(self, uri: str) -> str:
        """The folder that a pointer names; any other address unchanged.

        Raises:
            StoreError: The server does not answer or refuses.
        """
        from minio.error import S3Error

        bucket, key = _parse(uri)
        try:
            response = self._client.get_object(bucket, key)
        except S3Error as error:
            if error.code in _ABSENT_CODES:
                return uri.rstrip("/")
            raise explained(error, uri) from error
        except failures() as error:
            raise explained(error, uri) from error
        with response:
            target = response.read(_POINTER_BYTES).decode("ascii", "replace").strip()
        return f"s3://{bucket}/{key.rpartition('/')[0]}/{target}"

    def download(self, uri: str, destination: Path) -> bundles.Bundle:
        """Downloads a bundle, or the one that a pointer names, and checks every file.

        Args:
            uri: ``s3://bucket/prefix`` of its folder, or of a pointer.
            destination: Folder to put its files in; must be empty or absent.

        Raises:
            StoreError: Nothing there, or the server does not answer or refuses.
            BundleError: What is there is incomplete, or the destination is not empty.
        """
        folder = self.resolve(uri)
        bucket, prefix = _parse(folder)
        if destination.exists() and any(destination.iterdir()):
            raise BundleError(f"{destination} is not empty")
        destination.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=destination) as unchecked:
            n_files = 0
            try:
                for item in self._client.list_objects(bucket, prefix=f"{prefix}/", recursive=True):
                    name = item.object_name.removeprefix(f"{prefix}/")
                    path = (Path(unchecked) / name).resolve()
                    if not path.is_relative_to(Path(unchecked).resolve()):
                        raise StoreError(f"{folder} holds an object whose name leads out of its folder: {name}")
                    self._client.fget_object(bucket, item.object_name, str(path))
                    n_files += 1
            except failures() as error:
                raise explained(error, folder) from error
            if not n_files:
                raise StoreError(f"there is no bundle at {folder}: `arena status` shows what was published")
            spec = bundles.load(unchecked).spec
            for path in list(Path(unchecked).iterdir()):
                path.rename(destination / path.name)
        return bundles.Bundle(destination, spec)

    def fetch_file(self, uri: str, destination: Path) -> None:
        """Downloads one object.

        Args:
            uri: ``s3://bucket/key``.
            destination: File to write.

        Raises:
            StoreError: Nothing there, or the server does not answer or refuses.
        """
        bucket, key = _parse(uri)
        try:
            self._client.fget_object(bucket, key, str(destination))
        except failures() as error:
            raise explained(error, uri) from error

    def put_file(self, uri: str, file: Path) -> None:
        """Uploads one object; S3 shows the old one or the new one, never a part.

        Args:
            uri: ``s3://bucket/key``.
            file: What to upload.

        Raises:
            StoreError: The server does not answer or refuses.
        """
        bucket, key = _parse(uri)
        try:
            self._client.fput_object(bucket, key, str(file))
        except failures() as error:
            raise explained(error, uri) from error

    def files(self, uri: str) -> list[str]:
        """The addresses of all objects in a folder.

        Args:
            uri: ``s3://bucket/folder``.

        Raises:
            StoreError: The server does not answer or refuses.
        """
        bucket, prefix = _parse(uri)
        try:
            found = self._client.list_objects(bucket, prefix=f"{prefix}/", recursive=True)
            return [f"s3://{bucket}/{item.object_name}" for item in found if not item.is_dir]
        except failures() as error:
            raise explained(error, uri) from error


def client(environment: Mapping[str, str], roles: bool = True) -> Minio:
    """A client of the server that an environment names.

    Args:
        environment: With the server's address, and keys for it.
        roles: Whether a role of the platform will do instead of keys.

    Raises:
        InputError: S3_ENDPOINT_URL or a key is missing, or is no URL.
    """
    import minio

    from content_arena.components.shared.storage.s3_credentials import KEYS, credentials

    if not environment.get("S3_ENDPOINT_URL"):
        missing = ["S3_ENDPOINT_URL", *(name for name in KEYS if not environment.get(name))]
        raise InputError(f"object storage needs {', '.join(missing)} in the environment")
    url = urlsplit(environment["S3_ENDPOINT_URL"])
    if url.scheme not in ("http", "https") or not url.netloc or url.path.strip("/"):
        raise InputError(f"S3_ENDPOINT_URL is {environment['S3_ENDPOINT_URL']!r}, it has to look like http://s3:9000")
    return minio.Minio(
        endpoint=url.netloc,
        credentials=credentials(environment, roles),
        secure=url.scheme == "https",
        region=environment.get("AWS_DEFAULT_REGION") or "us-east-1",
    )


def _parse(uri: str) -> tuple[str, str]:
    """Bucket and key of an address."""
    url = urlsplit(uri)
    key = url.path.strip("/")
    if url.scheme != "s3" or not url.netloc or not key:
        raise InputError(f"{uri!r} is no address in object storage: give s3://bucket/folder")
    return url.netloc, key


def check_address(uri: str) -> None:
    """Refuses what is no address of a folder or an object.

    Raises:
        InputError: With what it has to look like.
    """
    _parse(uri)


def failures() -> tuple[type[Exception], ...]:
    """The errors that the client raises.

    The server does not answer, or answers with something else than S3. The server refuses. A file cannot be read or
    written. The client itself refuses the name of a bucket or an object.
    """
    from minio.error import InvalidResponseError, S3Error, ServerError
    from urllib3.exceptions import HTTPError

    return HTTPError, InvalidResponseError, ServerError, S3Error, OSError, ValueError


def _is_retried(error: Exception) -> bool:
    """Whether the same request may succeed in a moment."""
    from minio.error import InvalidResponseError, S3Error, ServerError
    from urllib3.exceptions import HTTPError

    if isinstance(error, S3Error):
        return error.code in _RETRIED_CODES
    if isinstance(error, ServerError):
        return error.status_code >= 500
    return isinstance(error, HTTPError | InvalidResponseError)


def explained(error: Exception, what: str) -> StoreError:
    """The error for people: whether the server refused, or does not answer."""
    from minio.error import S3Error
    from urllib3.exceptions import SSLError

    if isinstance(getattr(error, "reason", error), SSLError):
        return StoreError(
            f"object storage could not be used for {what}: its certificate is not trusted ({_of_tls(error)}). "
            "SSL_CERT_FILE has to name a file with the CA of the server; without TLS, S3_ENDPOINT_URL begins with http://"
        )
    if isinstance(error, S3Error):
        return StoreError(f"object storage refused {what}: {error.code}, {error.message}")
    if isinstance(error, OSError | ValueError):
        return StoreError(f"object storage could not be used for {what}: {error}")
    return StoreError(f"object storage does not answer for {what}: {error}")


def _of_tls(error: Exception) -> str:
    """What OpenSSL said."""
    return str(getattr(error, "reason", error)).partition("] ")[2].partition(" (_ssl")[0] or type(error).__name__


def main(arguments: Sequence[str] | None = None) -> int:
    """The module's command line; returns the exit code: 0, or 2 after an error, which is one line on stderr."""
    parser = argparse.ArgumentParser(prog="content_arena.components.shared.storage.store", description="Bundles in S3.")
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("make-buckets", help="make missing buckets; waits for the server")
    make.add_argument("names", nargs="+", metavar="NAME")
    fetch = commands.add_parser("download", help="download a bundle, or the one a pointer names, and check it")
    fetch.add_argument("uri", help="s3://bucket/folder")
    fetch.add_argument("destination", type=Path, help="an empty folder")
    options = parser.parse_args(arguments)

    def run() -> None:
        with during(options.command):
            _do(Store.from_environment(), options)

    return exit_code_of(run)


def _do(store: Store, options: argparse.Namespace) -> None:
    if options.command == "make-buckets":
        store.make_buckets(options.names)
        print(f"buckets: {', '.join(options.names)}")
        return
    bundle = store.download(options.uri, options.destination)
    print(f"{options.uri}: bundle {bundle.spec.digest[:12]} is in {options.destination}")


if __name__ == "__main__":
    sys.exit(main())
