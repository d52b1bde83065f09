"""What libraries raise becomes one line that says what was being done to what."""

import errno
import sqlite3

import pyarrow
import pytest
import requests
import sqlalchemy.exc
import urllib3.exceptions
from hypothesis import given
from hypothesis import strategies as st
from minio.error import S3Error
from mlflow.exceptions import MlflowException, RestException

from content_arena.components.shared import library_errors
from content_arena.components.shared.errors import ArenaError, InputError
from content_arena.components.shared.library_errors import LibraryError, during, explained, naming


def refused():
    return requests.ConnectionError(
        urllib3.exceptions.MaxRetryError(None, "/api", ConnectionRefusedError(errno.ECONNREFUSED, "no"))
    )


#: An error of each library, and what the line has to hold of it.
ERRORS = {
    "mlflow": (MlflowException("the server\nsaid no"), "the server"),
    "mlflow-rest": (RestException({"error_code": "INTERNAL_ERROR", "message": "no such table"}), "no such table"),
    "sqlalchemy": (
        sqlalchemy.exc.OperationalError("SELECT 1", {}, sqlite3.OperationalError("database is locked")),
        "database is locked",
    ),
    "requests": (refused(), "Connection refused"),
    "urllib3": (urllib3.exceptions.ReadTimeoutError(None, "/", "Read timed out."), "Read timed out."),
    "arrow": (pyarrow.ArrowInvalid("Parquet magic bytes not found"), "magic bytes"),
    "arrow-memory": (pyarrow.ArrowMemoryError("malloc of size 1"), "malloc"),
    "s3": (S3Error(None, "AccessDenied", "Access Denied.", "/models", "1", "2"), "Access Denied"),
    "disk": (OSError(errno.ENOSPC, "no", "/data/model.onnx"), "No space left on device: /data/model.onnx"),
    "permission": (PermissionError(errno.EACCES, "no", "/data"), "Permission denied: /data"),
    "memory": (MemoryError(), "not enough memory"),
}


@pytest.mark.parametrize("library", ERRORS)
def test_one_line_says_what_was_done_to_what_and_why(library):
    error, why = ERRORS[library]
    with pytest.raises(LibraryError) as caught, during("reading version 3 of the registry at sqlite:///x.db"):
        raise error
    line = str(caught.value)
    assert line.startswith("reading version 3 of the registry at sqlite:///x.db failed: ")
    assert why in line
    assert "\n" not in line
    assert caught.value.exit_code == 2
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [KeyError("x"), TypeError("x"), ValueError("x"), AssertionError(), RuntimeError("x")])
def test_a_mistake_in_the_code_is_none_of_them(error):
    assert explained(error, "anything") is None
    with pytest.raises(type(error)), during("anything"):
        raise error


def test_an_error_of_the_arena_keeps_its_words_and_its_type():
    with pytest.raises(InputError, match=r"^no such column$"), during("reading"):
        raise InputError("no such column")


def test_the_innermost_says_what_was_done():
    with pytest.raises(ArenaError, match=r"^inner failed"), during("outer"), during("inner"):
        raise OSError(errno.ENOSPC, "no")


def test_no_line_holds_credentials():
    error = explained(MlflowException("no answer from https://me:secret@mlflow:5000/api"), "asking http://a:b@c")
    assert str(error) == ("asking http://***@c failed: no answer from https://***@mlflow:5000/api (MlflowException)")


#: Passwords that hold anything but what ends an address: white space, a quote, the start of the next address.
PASSWORDS = st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters="'\""), min_size=1).filter(
    lambda text: "://" not in text
)
BETWEEN = st.sampled_from([" ", ", ", ",", "\n", "' or '", '","', " and ask me@example.com or "])


@given(st.lists(st.tuples(PASSWORDS, BETWEEN), min_size=1, max_size=4))
def test_every_password_is_masked_and_nothing_around_it(addresses):
    def text(credentials):
        each = [f"http://{credentials(password)}@mlflow:5000/api{between}" for password, between in addresses]
        return "ask me@example.com about " + "".join(each)

    shown = text(lambda password: f"arena:{password}")
    assert library_errors.without_credentials(shown) == text(lambda password: "***")


@given(st.text().filter(lambda text: "://" not in text))
def test_a_text_without_an_address_stays_as_it_is(text):
    text = f"me@example.com {text} you@example.com"
    assert library_errors.without_credentials(text) == text


def test_a_long_reason_is_not_cut_within_a_password():
    text = library_errors.reason(MlflowException(f"{'x' * 280} http://arena:geheim-geheim-geheim@mlflow:5000"))
    assert "geheim" not in text


def test_a_method_names_its_arguments_and_the_address():
    class Server:
        uri = "http://mlflow:5000"

        @naming("moving the alias {alias} to version {version}")
        def move(self, alias, version=1):
            raise MlflowException("no")

    with pytest.raises(LibraryError, match=r"^moving the alias champion to version 1 \(MLflow at http://mlflow:5000\)"):
        Server().move("champion")


def test_a_long_reason_is_cut():
    assert len(library_errors.reason(MlflowException("x" * 10_000))) < 400
