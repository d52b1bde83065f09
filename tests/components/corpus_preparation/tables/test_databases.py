"""Databases: read by a query, never changed, and no password is repeated."""

import contextlib
import sqlite3
import sys
from decimal import Decimal

import pytest
import sqlalchemy
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.corpus_preparation.guard import read_guard
from content_arena.components.corpus_preparation.prepare import prepare
from content_arena.components.corpus_preparation.tables import databases
from content_arena.components.shared.errors import InputError
from tests.components.corpus_preparation.tables.written_tables import read, refusal

SECRET = "hunter2"
ALL = "select body as text, verdict as label from comments"


@pytest.fixture
def url(tmp_path):
    """A database of three comments, one of which is not UTF-8."""
    path = tmp_path / "com ments.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table comments (id integer, body text, verdict, score numeric)")
        rows = [(1, "50% off: 12:30", 1, 0.5), (2, "둘", 0, 1), (3, None, 0, 2)]
        connection.executemany("insert into comments values (?, ?, ?, ?)", rows)
        connection.execute("insert into comments values (4, cast(x'61e9' as text), 1, 2)")
    connection.close()
    return f"sqlite:///{path}"


def test_reads_the_columns_of_a_query(url):
    found = read(url, query=ALL)
    assert found.table["text"].tolist() == ["50% off: 12:30", "둘", ""]
    assert found.table["label"].tolist() == ["toxic", "benign", "benign"]
    assert (found.n_read, found.dropped["undecodable"]) == (4, 1)
    assert found.source == url


def test_a_query_is_taken_as_it_stands(url):
    query = f"-- the latest\n/* two */ {ALL} where body like '50%' and body like '%:30'"
    assert read(url, query=query).table["text"].tolist() == ["50% off: 12:30"]


def test_rows_come_in_chunks_and_their_number_is_told(url, monkeypatch):
    monkeypatch.setattr(databases, "_CHUNK", 3)
    told = []
    columns, _ = databases.read_database(url, ALL, told.append)
    assert columns["label"] == [1, 0, 0, 1]
    assert [line.split(" of ")[0] for line in told] == ["3 rows", "4 rows"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("select body from nowhere", "no such table: nowhere"),
        ("select body as text, body as text from comments", "two columns 'text'"),
        ("select body as text, verdict as label from comments where id > 9", "finds no rows"),
        ("select body as text from where", "syntax error"),
        ("delete from comments", "is no query that reads"),
        ("with old as (select 1) delete from comments", "attempt to write a readonly database"),
    ],
)
def test_a_query_that_cannot_be_read_is_one_line_and_changes_nothing(url, query, message):
    assert message in refusal(url, query=query)
    assert read(url, query=ALL).n_read == 4


def test_a_missing_file_is_named_and_not_made(tmp_path):
    assert "no database file" in refusal(f"sqlite:///{tmp_path}/none.db", query=ALL)
    assert not (tmp_path / "none.db").exists()
    (tmp_path / "some.db").touch()
    assert "give sqlite:///" in refusal(tmp_path / "some.db")


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("mysql+no_such://host/data", "SQLAlchemy knows no database mysql+no_such://"),
        ("nosuch://host/data", "SQLAlchemy knows no database nosuch://"),
        ("postgresql://host:port/data", "is no address of a database"),
        ("comments.db", "needs the address of a database"),
        ("-", "needs the address of a database"),
    ],
)
def test_an_address_that_cannot_be_used_is_one_line(address, message):
    assert message in refusal(address, query=ALL)


@pytest.mark.parametrize(
    ("address", "module", "package"),
    [
        ("postgresql+psycopg2://host/data", "psycopg2", "psycopg2-binary"),
        ("postgresql+psycopg://host/data", "psycopg", "'psycopg[binary]'"),
        ("mysql://host/data", "MySQLdb", "mysqlclient"),
        ("mssql://host/data", "pyodbc", "pyodbc"),
    ],
)
def test_a_missing_driver_is_one_line_that_says_what_to_install(monkeypatch, address, module, package):
    monkeypatch.setitem(sys.modules, module, None)
    assert f"needs a driver that is not installed: pip install {package}" in refusal(address, query=ALL)


def test_a_database_without_a_query_says_what_is_missing():
    assert "--query" in refusal("postgresql+psycopg2://host/data")
    with pytest.raises(InputError, match="write the rows of a query into a file"):
        read_guard("postgresql://host/data", "en")


@pytest.mark.parametrize(
    ("address", "query"),
    [
        (f"postgresql://me:{SECRET}@host/data", ALL),
        (f"postgresql://me:{SECRET}@host/data", None),
        (f"postgresql://me:a/{SECRET}@host/data", ALL),
        (f"postgresql://me:a?{SECRET}@host/data", ALL),
        (f"postgresql://host/data?password={SECRET}", ALL),
        (f"mssql+pyodbc:///?odbc_connect=DRIVER%3Dx%3BPWD%3D{SECRET}", ALL),
        ("postgresql://host/data", f"select * from dblink('host=a password={SECRET}', 'select 1')"),
        ("postgresql://host/data", f"select * from dblink('postgresql://me:{SECRET}@host', 'select 1')"),
    ],
)
def test_a_password_is_refused_and_not_repeated(tmp_path, capfd, address, query):
    with pytest.raises(SystemExit) as caught:
        prepare(address, "en", tmp_path / "corpus.parquet", given={"query": query or ""})
    assert caught.value.code == 2
    assert not (tmp_path / "corpus.parquet").exists()
    captured = capfd.readouterr()
    assert "[prepare_corpus] error: " in captured.out
    assert SECRET not in captured.out + captured.err


@pytest.mark.parametrize("data", [f"https://me:{SECRET}@example.com/a.csv", f"https://example.com/a?token={SECRET}"])
def test_a_guard_set_with_a_password_is_refused_and_not_repeated(data):
    with pytest.raises(InputError) as caught:
        read_guard(data, "en")
    assert SECRET not in str(caught.value)


def test_the_password_of_the_environment_is_used_and_what_a_driver_says_of_it_is_hidden(monkeypatch):
    monkeypatch.setenv(databases.USER, "reader")
    monkeypatch.setenv(databases.PASSWORD, SECRET)
    asked = []

    def refuse(url, **given):
        asked.append((url.username, url.password, given["hide_parameters"]))
        cause = Exception(f'server closed: "host=db user=reader password={SECRET}" is no use')
        raise sqlalchemy.exc.OperationalError("select 1", {}, cause)

    monkeypatch.setattr(sqlalchemy, "create_engine", refuse)
    message = refusal("postgresql://db/data", query=ALL)
    assert asked == [("reader", SECRET, True)]
    assert "server closed" in message
    assert SECRET not in message
    assert "the database postgresql://db/data says" in message


def test_a_server_that_is_not_there_is_one_line():
    pytest.importorskip("psycopg2")
    message = refusal("postgresql://reader@127.0.0.1:9/data", query=ALL)
    assert "Connection refused" in message


def test_values_become_what_files_have():
    values = [Decimal("1"), Decimal("0.5"), b"\xff", memoryview(b"a"), True, None]
    assert [databases._plain(value) for value in values] == [1, 0.5, "\udcff", "a", True, None]


@given(st.text(), st.text())
def test_any_address_and_query_are_taken_or_refused(data, query):
    for address in (data, f"sqlite://{data}", f"postgresql://{data}"):
        with contextlib.suppress(InputError):
            databases.check(address, query or None)
