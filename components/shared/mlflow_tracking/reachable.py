"""Whether a tracking server is there at all, and trusted.

MLflow asks a server that does not answer again and again, for minutes and without a word, as it should in the middle of
a training. A command that has just been typed asks once before.
"""

from __future__ import annotations

import os
import socket
from urllib.parse import urlsplit

from content_arena.components.shared.errors import InputError
from content_arena.components.shared.library_errors import reason, without_credentials
from content_arena.components.shared.tracking_login import CA, untrusted

#: Seconds to wait for a connection.
PATIENCE = 5.0
#: Ports of the schemes of tracking addresses; a database's may have a driver behind a plus sign.
_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}
_DATABASES = frozenset({"postgresql", "mysql", "mssql"})


def require(uri: str, seconds: float = PATIENCE) -> None:
    """Refuses the address of a server that nothing listens at or that is not trusted; one that names no host is taken.

    Raises:
        InputError: No connection within the time, or a certificate of an unknown CA.
    """
    host, port = _through(uri)
    if host is None or port is None:
        return
    try:
        socket.create_connection((host, port), timeout=seconds).close()
    except OSError as error:
        raise InputError(
            f"MLflow at {without_credentials(uri)} does not answer: {reason(error)}; "
            "start it, or set MLFLOW_TRACKING_URI to another address (unset it for this folder's own database)"
        ) from error
    if uri.startswith("https://"):
        _require_trust(uri, seconds)


def _require_trust(uri: str, seconds: float) -> None:
    import requests

    # As MLflow's client decides it.
    is_unchecked = os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1")
    try:
        requests.get(f"{uri.rstrip('/')}/health", timeout=seconds, verify=os.environ.get(CA) or not is_unchecked)
    except requests.exceptions.SSLError as error:
        if (said := untrusted(error)) is not None:
            raise InputError(f"MLflow at {without_credentials(uri)} is not used: {said}") from error
    except (OSError, ValueError):
        # It is there: whoever asks it next tells what is wrong with it.
        pass


def _through(uri: str) -> tuple[str | None, int | None]:
    """Host and port that a connection would go to: the server's, or its proxy's; None where there is none."""
    host, port = _place(uri)
    if host and uri.startswith(("http://", "https://")):
        from requests.utils import get_environ_proxies, select_proxy

        proxy = select_proxy(uri, get_environ_proxies(uri))
        return _place(proxy) if proxy else (host, port)
    return host, port


def _place(uri: str) -> tuple[str | None, int | None]:
    """Host and port as the library that connects reads them: only SQLAlchemy allows a slash in a password.

    Raises:
        InputError: It cannot be read.
    """
    scheme = uri.partition("://")[0].partition("+")[0]
    try:
        if scheme in _DATABASES:
            host, port = _place_of_database(uri)
        else:
            parts = urlsplit(uri)
            host, port = parts.hostname, parts.port
    except ValueError:
        # The library's words may quote a part of the password.
        raise InputError(
            f"{without_credentials(uri)} is no address of an MLflow server: wanted such as http://HOST:PORT; "
            "in a user name or password write %2F for a slash, %3A for a colon, %40 for an @"
        ) from None
    return host, port or _PORTS.get(scheme)


def _place_of_database(uri: str) -> tuple[str | None, int | None]:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(uri)
    except ArgumentError as error:
        raise ValueError(uri) from error
    if url.host and "@" in url.host:
        raise ValueError("SQLAlchemy ends the password at its first @")
    return url.host, url.port
