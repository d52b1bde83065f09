"""Addresses of SQLite databases, as SQLAlchemy writes and reads them.

A path is no URL: of a folder called ``what?`` a URL that was put together by hand keeps the part before the question
mark, and of one called ``20%20done`` another name.
"""

from __future__ import annotations

from pathlib import Path

_SQLITE = "sqlite"


def uri_of(path: Path) -> str:
    """The address of a database file, whatever characters its path holds."""
    from sqlalchemy.engine import URL

    return URL.create(_SQLITE, database=str(path)).render_as_string(hide_password=False)


def path_of(uri: str) -> Path | None:
    """The file of an SQLite database, options of the address left out; None if the address names anything else."""
    if not uri.startswith(_SQLITE):
        return None
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(uri)
    except ArgumentError:
        return None
    if url.get_backend_name() != _SQLITE or url.database in (None, "", ":memory:") or "uri" in url.query:
        return None
    return Path(str(url.database))
