"""Fetches a file of data from a web server or from object storage.

An address is recorded with a run, so credentials do not belong into it: those of a web server are read from ``.netrc``
and those of object storage from the environment, and an address that holds some is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from urllib.parse import parse_qsl, unquote, urlsplit

from content_arena.components.corpus_preparation.tables.parameters import named
from content_arena.components.shared.errors import InputError

SCHEMES = ("https://", "http://", "s3://")
#: Seconds to wait for a connection, and between two pieces of an answer.
_PATIENCE = (10, 60)
_PIECE = 1 << 20
#: Names of parameters of an address that give access to whoever has it, as signed addresses have.
_SECRET = re.compile(r"sig|signature|token|key|secret|password|passwd|pwd|auth|credential", re.IGNORECASE)


def check_address(address: str) -> None:
    """Refuses an address that holds credentials. The message does not repeat them.

    Raises:
        InputError: It has a user name, a password or a parameter that looks like a key.
    """
    url = urlsplit(address)
    bare = f"{url.scheme}://{url.hostname or ''}{url.path}"
    if url.username is not None or url.password is not None:
        raise InputError(
            f"{named('data')} {bare} holds a user name or password, which would be recorded with the run; put them "
            "into ~/.netrc, or fetch the file and give its path"
        )
    secret = next((name for name, _ in parse_qsl(url.query, keep_blank_values=True) if _SECRET.search(name)), None)
    if secret is not None:
        raise InputError(
            f"{named('data')} {bare} holds the parameter {secret[:40]!r}, which may be a key and would be recorded "
            "with the run; fetch the file and give its path"
        )


@contextmanager
def fetched(address: str) -> Iterator[Path]:
    """A file at an address, in a folder that is removed at the end.

    Args:
        address: ``https://...``, ``http://...`` or ``s3://bucket/key``. Its last part is the file's name.

    Raises:
        InputError: The address holds credentials or no name, is not reached, or holds nothing.
        StoreError: Object storage does not answer, or refuses.
    """
    check_address(address)
    name = PurePosixPath(unquote(urlsplit(address).path)).name
    if not name:
        raise InputError(f"{address} names no file; give the address of one")
    with TemporaryDirectory(prefix="arena-data-") as folder:
        path = Path(folder) / name
        if address.startswith("s3://"):
            _from_object_storage(address, path)
        else:
            _from_web_server(address, path)
        yield path


def answers(address: str) -> bool:
    """Whether a web server answers, whatever it answers."""
    import requests

    try:
        requests.head(address, timeout=_PATIENCE)
    except requests.RequestException:
        return False
    return True


def _from_object_storage(address: str, path: Path) -> None:
    from content_arena.components.shared.storage.store import Store

    Store.from_environment().fetch_file(address, path)


def _from_web_server(address: str, path: Path) -> None:
    import requests

    try:
        with requests.get(address, stream=True, timeout=_PATIENCE) as answer:
            if not answer.ok:
                raise InputError(f"{address} answers {answer.status_code} {answer.reason}; check it in a browser")
            with path.open("wb") as file:
                for piece in answer.iter_content(_PIECE):
                    file.write(piece)
    except (requests.RequestException, OSError) as error:
        raise InputError(
            f"{address} cannot be fetched ({type(error).__name__}); check that this machine reaches it, or fetch the "
            "file and give its path"
        ) from error
