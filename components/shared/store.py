"""Bundles in object storage (S3), where KServe's storage initialiser finds them.

    s3://models/content-filter/7/...       one folder a registry version, never changed once it is complete
    s3://models/content-filter/champion    a pointer: the text "7", so that a plain Deployment can ask for the champion

The endpoint and the keys come from the environment (S3_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
AWS_DEFAULT_REGION), as every S3 client reads them. ``python -m content_arena.components.shared.store --help`` is for
init containers and jobs.
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

from content_arena.components.shared import bundle as bundles
from content_arena.components.shared.errors import ArenaError, InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from minio import Minio

_POINTER_BYTES = 64


class StoreError(ArenaError):
    """Object storage does not answer, refuses, or does not hold what was asked for."""


class Store:
    """One S3 server."""

    def __init__(self, client: Minio) -> None:
        """Wraps a client; :meth:`from_environment` makes one."""
        self._client = client

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Store:
        """The server and the keys that the environment names.

        Raises:
            InputError: S3_ENDPOINT_URL or a key is missing, or the URL is none.
        """
        import minio

        given = os.environ if environment is None else environment
        missing = [
            name for name in ("S3_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY") if not given.get(name)
        ]
        if missing:
            raise InputError(f"object storage needs {', '.join(missing)} in the environment")
        url = urlsplit(given["S3_ENDPOINT_URL"])
        if url.scheme not in ("http", "https") or not url.netloc or url.path.strip("/"):
            raise InputError(
                f"S3_ENDPOINT_URL is {given['S3_ENDPOINT_URL']!r}, wanted something like http://minio:9000"
            )
        return cls(
            minio.Minio(
                endpoint=url.netloc,
                access_key=given["AWS_ACCESS_KEY_ID"],
                secret_key=given["AWS_SECRET_ACCESS_KEY"],
                secure=url.scheme == "https",
                region=given.get("AWS_DEFAULT_REGION") or "us-east-1",
            )
        )

    def make_buckets(self, names: Sequence[str], patience: float = 120.0) -> None:
        """Makes the buckets that are not there yet, and waits for a server that is just starting.

        Args:
            names: Of the buckets.
            patience: Seconds to wait for the server.

        Raises:
            StoreError: It did not answer in time, or refused.
        """
        deadline = time.monotonic() + patience
        for name in names:
            while True:
                try:
                    if not self._client.bucket_exists(name):
                        self._client.make_bucket(name)
                    break
                except Exception as error:
                    if not _may_pass(error) or time.monotonic() > deadline:
                        raise _explained(error, f"bucket {name}") from error
                    time.sleep(1)

    def publish(self, bundle: bundles.Bundle, uri: str) -> None:
        """Uploads a bundle; bundle.json goes last, so a folder that has one is complete.

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
            except Exception as error:
                raise _explained(error, f"s3://{bucket}/{prefix}/{name}") from error

    def point(self, uri: str, target: str) -> None:
        """Makes ``uri`` a pointer to its sibling ``target``; one request, so it is never half-written.

        Raises:
            StoreError: The server does not answer or refuses.
        """
        bucket, key = _parse(uri)
        data = target.encode()
        try:
            self._client.put_object(bucket, key, io.BytesIO(data), len(data), content_type="text/plain")
        except Exception as error:
            raise _explained(error, uri) from error

    def resolve(self, uri: str) -> str:
        """The folder that a pointer names; any other address as it is.

        Raises:
            StoreError: The server does not answer or refuses.
        """
        from minio.error import S3Error

        bucket, key = _parse(uri)
        try:
            response = self._client.get_object(bucket, key)
        except S3Error as error:
            if error.code in ("NoSuchKey", "NoSuchBucket"):
                return uri.rstrip("/")
            raise _explained(error, uri) from error
        except Exception as error:
            raise _explained(error, uri) from error
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
            BundleError: What is there is not whole, or the destination is in use.
        """
        folder = self.resolve(uri)
        bucket, prefix = _parse(folder)
        if destination.exists() and any(destination.iterdir()):
            raise bundles.BundleError(f"{destination} is not empty")
        destination.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=destination) as room:
            n_files = 0
            try:
                for item in self._client.list_objects(bucket, prefix=f"{prefix}/", recursive=True):
                    name = item.object_name.removeprefix(f"{prefix}/")
                    path = (Path(room) / name).resolve()
                    if not path.is_relative_to(Path(room).resolve()):
                        raise StoreError(f"{folder} holds an object that leaves its folder: {name}")
                    self._client.fget_object(bucket, item.object_name, str(path))
                    n_files += 1
            except ArenaError:
                raise
            except Exception as error:
                raise _explained(error, folder) from error
            if not n_files:
                raise StoreError(f"there is no bundle at {folder}: `arena status` shows what was published")
            spec = bundles.load(room).spec
            for path in list(Path(room).iterdir()):
                path.rename(destination / path.name)
        return bundles.Bundle(destination, spec)


def _parse(uri: str) -> tuple[str, str]:
    """Bucket and key of an address."""
    url = urlsplit(uri)
    key = url.path.strip("/")
    if url.scheme != "s3" or not url.netloc or not key:
        raise InputError(f"{uri!r} is no address in object storage, wanted s3://bucket/folder")
    return url.netloc, key


def _may_pass(error: Exception) -> bool:
    """Whether waiting may help: the server is not there yet, or says so itself."""
    from minio.error import S3Error, ServerError

    if isinstance(error, S3Error):
        return error.code in ("ServiceUnavailable", "SlowDown", "InternalError", "XMinioServerNotInitialized")
    return not isinstance(error, ServerError) or error.status_code >= 500


def _explained(error: Exception, what: str) -> StoreError:
    from minio.error import S3Error

    if isinstance(error, S3Error):
        return StoreError(f"object storage refused {what}: {error.code}, {error.message}")
    return StoreError(f"object storage does not answer for {what}: {error}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The module's command line; returns the exit code, 2 with one line on stderr for what can not be done."""
    parser = argparse.ArgumentParser(prog="content_arena.components.shared.store", description="Bundles in S3.")
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("make-buckets", help="make buckets that are not there yet; waits for the server")
    make.add_argument("names", nargs="+", metavar="NAME")
    fetch = commands.add_parser("download", help="download a bundle, or the one a pointer names, and check it")
    fetch.add_argument("uri", help="s3://bucket/folder")
    fetch.add_argument("destination", type=Path, help="an empty folder")
    options = parser.parse_args(arguments)
    try:
        store = Store.from_environment()
        if options.command == "make-buckets":
            store.make_buckets(options.names)
            print(f"buckets: {', '.join(options.names)}")
        else:
            bundle = store.download(options.uri, options.destination)
            print(f"{options.uri}: bundle {bundle.spec.digest[:12]} is in {options.destination}")
    except ArenaError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
