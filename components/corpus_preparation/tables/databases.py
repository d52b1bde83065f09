"""Reads the rows of a query from a database, by SQLAlchemy.

The address and the query are recorded with a run, so no password belongs into them: it is read from the environment, or
the driver has a file of its own (``~/.pgpass``, ``~/.my.cnf``). What a driver says is shown without it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import unquote

from content_arena.components.corpus_preparation.tables.columns import Columns, check_names
from content_arena.components.corpus_preparation.tables.parameters import named
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.library_errors import is_of_a_library, reason

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import URL

USER, PASSWORD = "CONTENT_ARENA_DATA_USER", "CONTENT_ARENA_DATA_PASSWORD"
#: Databases that SQLAlchemy knows by itself. Others are known once their package is installed.
_KNOWN = ("sqlite", "postgresql", "mysql", "mariadb", "oracle", "mssql")
#: Packages of drivers whose modules have another name.
_PACKAGES = {
    "MySQLdb": "mysqlclient (or write mysql+pymysql:// and install pymysql)",
    "psycopg2": "psycopg2-binary",
    "psycopg": "'psycopg[binary]'",
}
#: Sent first, so that no query of the connection can change anything. PostgreSQL has an option of SQLAlchemy for it.
_READ_ONLY = {
    "sqlite": "PRAGMA query_only = ON",
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
    "oracle": "SET TRANSACTION READ ONLY",
}
#: Drivers that take the seconds to wait for a server under this name; others wait as long as they do by themselves.
_WITH_TIMEOUT = ("psycopg2", "psycopg", "mysqldb", "pymysql", "mariadbconnector")
_PATIENCE = 10
_CHUNK = 10_000
_COMMENT = re.compile(r"\s+|--[^\n]*(?:\n|\Z)|/\*.*?\*/|\(", re.DOTALL)
_READS = re.compile(r"(?:select|with|values|table)\b", re.IGNORECASE)
#: What gives access in the parameters of an address, also inside of one (odbc_connect=...;PWD=...).
_SECRET = re.compile(r"(?:pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|api_?key)\s*=", re.IGNORECASE)
#: What gives access in a query: password=... in a connection string, an address with a password. A column of this name
#: is compared with something in quotes, or with spaces around the sign.
_SECRET_IN_QUERY = re.compile(r"(?:password|passwd|pwd)=[^\s'\"]|://[^\s/'\"]*:[^\s'\"]*@", re.IGNORECASE)


def is_database(data: str) -> bool:
    """Whether data is the address of a database that SQLAlchemy knows by itself."""
    return "://" in data and _backend(data) in _KNOWN


def check(data: str, query: str | None, parameter: str = "data") -> None:
    """Refuses an address or a query that cannot be read, or that may hold a password. The message repeats neither.

    Args:
        data: What is to be read.
        query: How; None if it is no database.
        parameter: That has the address.

    Raises:
        InputError: With what to do instead.
    """
    if query is None:
        if is_database(data):
            raise InputError(
                f"{named(parameter)} is the address of a database: "
                + (
                    f"say what to read from it with {named('query')} 'select ...'"
                    if parameter == "data"
                    else "only --data can be one; write the rows of a query into a file"
                )
            )
        return
    if "://" not in data:
        raise InputError(
            f"{named('query')} needs the address of a database as {named('data')}, such as sqlite:///comments.db or "
            "postgresql://host/database"
        )
    if _holds_password(data):
        raise InputError(
            f"{named('data')}, the address of a {_backend(data)} database, holds a password, which would be recorded "
            f"with the run; leave it out and put it into {PASSWORD} of the environment, or into the driver's own file "
            "(~/.pgpass, ~/.my.cnf)"
        )
    if _SECRET_IN_QUERY.search(query):
        raise InputError(f"{named('query')} may hold a password, which would be recorded with the run; leave it out")
    start = query
    while (passed := _COMMENT.match(start)) is not None:
        start = start[passed.end() :]
    if not _READS.match(start):
        raise InputError(f"{named('query')} is no query that reads; give one that begins with select or with")


def read_database(data: str, query: str, tell: Callable[[str], None] | None = None) -> tuple[Columns, str]:
    """Reads what a query finds, some thousand rows at a time and without the right to change anything.

    Args:
        data: SQLAlchemy's address of a database, without a password.
        query: Reads the rows; its columns are those of the data.
        tell: Called with a line about how far it is.

    Returns:
        The columns, and the name of the data: the address without the user.

    Raises:
        InputError: The address or the query cannot be used, the driver is not installed, or the database refuses.
    """
    check(data, query)
    url = _url(data)
    with _explained(url):
        engine = _engine(url)
        try:
            with engine.connect() as connection:
                columns = _read(connection, query, url, tell)
                connection.rollback()
        finally:
            engine.dispose()
    return columns, _name(url)


def file_of(data: str) -> Path | None:
    """The file of an SQLite database; None for any other."""
    from content_arena.components.shared.mlflow_tracking import database

    return database.path_of(data) if _backend(data) == "sqlite" else None


def absolute(data: str) -> str:
    """The address as a process in another folder finds it: that of an SQLite file with its whole path."""
    from content_arena.components.shared.mlflow_tracking import database

    path = file_of(data)
    return data if path is None else database.uri_of(path.expanduser().absolute())


def _backend(data: str) -> str:
    return data.partition("://")[0].partition("+")[0].lower()


def _holds_password(data: str) -> bool:
    rest = data.partition("://")[2]
    # A password may hold a slash or a question mark that should have been written as %2F or %3F.
    user, at, _ = rest.rpartition("@")
    return bool(at and ":" in user) or bool(_SECRET.search(unquote(rest.partition("?")[2])))


def _url(data: str) -> URL:
    """The address with the credentials of the environment."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(data)
    except (ArgumentError, ValueError):
        raise InputError(
            f"{named('data')} is no address of a database; write it as dialect+driver://host:port/database"
        ) from None
    if url.get_backend_name() == "sqlite":
        path = file_of(data)
        if path is not None and not path.is_file():
            raise InputError(f"no database file {path}; four slashes begin a whole path: sqlite:////folder/file.db")
        return url
    if url.drivername == "postgresql" and find_spec("psycopg") is None and find_spec("psycopg2") is not None:
        # SQLAlchemy takes the one, and most have the other.
        url = url.set(drivername="postgresql+psycopg2")
    return url.set(username=url.username or os.environ.get(USER), password=os.environ.get(PASSWORD))


def _name(url: URL) -> str:
    from sqlalchemy.engine import URL

    bare = URL.create(url.get_backend_name(), host=url.host, port=url.port, database=url.database)
    return bare.render_as_string(hide_password=False)


def _engine(url: URL) -> Engine:
    import sqlalchemy

    dialect = url.get_dialect()
    waits = {"connect_timeout": _PATIENCE} if dialect.driver in _WITH_TIMEOUT else {}
    given = {name: value for name, value in waits.items() if name not in url.query}
    return sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool, hide_parameters=True, connect_args=given)


def _read(connection: Connection, query: str, url: URL, tell: Callable[[str], None] | None) -> Columns:
    backend = url.get_backend_name()
    if backend == "postgresql":
        connection = connection.execution_options(postgresql_readonly=True)
    elif backend in _READ_ONLY:
        connection.exec_driver_sql(_READ_ONLY[backend])
    driver = connection.connection.dbapi_connection
    if backend == "sqlite" and driver is not None:
        # Bytes that are not UTF-8 lose their row later, as in a file; the driver would stop, and quote the text.
        driver.text_factory = _decoded
    # Without parameters a % in the query is a character.
    result = connection.execution_options(no_parameters=True, yield_per=_CHUNK).exec_driver_sql(query)
    if not result.returns_rows:
        raise InputError(f"{named('query')} gives no rows; give one that reads columns of texts and labels")
    names = [str(name) for name in result.keys()]  # noqa: SIM118 - no dictionary
    try:
        check_names(names)
    except InputError as error:
        raise InputError(f"the result of {named('query')} has {error}") from error
    cells: list[list[object]] = [[] for _ in names]
    for rows in result.partitions():
        for column, values in zip(cells, zip(*rows, strict=True), strict=True):
            column.extend(map(_plain, values))
        if tell is not None and len(cells[0]) >= _CHUNK:
            tell(f"{len(cells[0]):,} rows of {_name(url)} so far")
    if not cells[0]:
        raise InputError(f"{named('query')} finds no rows in {_name(url)}")
    return Columns.of(dict(zip(names, cells, strict=True)))


def _plain(value: object) -> object:
    """A value of a database as the other formats have it."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return _decoded(bytes(value)) if isinstance(value, bytes | bytearray | memoryview) else value


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


@contextmanager
def _explained(url: URL) -> Iterator[None]:
    """Turns what SQLAlchemy and the drivers raise into one line without the password."""
    from sqlalchemy.exc import NoSuchModuleError

    kind = url.get_backend_name()
    try:
        yield
    except InputError:
        raise
    except NoSuchModuleError:
        raise InputError(
            f"SQLAlchemy knows no database {url.drivername}://; write one of {', '.join(_KNOWN)}, or install the "
            "package of its dialect"
        ) from None
    except ImportError as error:
        raise InputError(
            f"{kind}:// needs a driver that is not installed: pip install {_package(error.name)}"
        ) from None
    except Exception as error:
        # SQLAlchemy wraps most of what drivers raise, but not all.
        if not is_of_a_library(error) and not isinstance(error, ValueError):
            raise
        _refuse(url, error)


def _refuse(url: URL, error: Exception) -> NoReturn:
    said = reason(error)
    for secret in filter(None, (os.environ.get(PASSWORD), url.password)):
        said = said.replace(str(secret), "***")
    # Without the driver's own error behind it, which may quote the address.
    raise InputError(f"the database {_name(url)} says: {said}; check the address, the rights and the query") from None


def _package(module: str | None) -> str:
    return _PACKAGES.get(module or "", module or "the driver of the address")
