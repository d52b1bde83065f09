"""The one net for what libraries raise: MLflow, SQLAlchemy, requests, Arrow, S3, the operating system.

Such an error is something that a user can act on (a server is away, a disk is full, a file is damaged), told in the
words of a library that the user never called. Here it becomes an :class:`ArenaError` that says what was being done to
what. Errors that Python itself raises (KeyError, TypeError) are mistakes in this code and pass through.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import re
import traceback
from collections.abc import Callable, Iterator
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from content_arena.components.shared.errors import ArenaError
from content_arena.components.shared.tracking_login import advice

#: Packages whose own errors are no news about the outside world.
_NOT_LIBRARIES = frozenset({"builtins", "content_arena", "click", "typer", "_pytest", "hypothesis"})
#: What stands before the last ``@`` of an address: a password may hold slashes and further ``@``. An address ends at
#: white space, at a quote, or where the next one begins. More than the credentials may be masked, never less.
_CREDENTIALS = re.compile(r"(?<=://)[^\s'\"]+?@(?=[^@\s'\"]*(?:://|[\s'\"]|\Z))")
_REASON_LENGTH = 300

P = ParamSpec("P")
R = TypeVar("R")


class _HasUri(Protocol):
    """Something that talks to a server or a database.

    Attributes:
        uri: Its address.
    """

    uri: str


Talks = TypeVar("Talks", bound=_HasUri)


class LibraryError(ArenaError):
    """A library's error in one line; the library's own is its ``__cause__``, whose traceback belongs into a log."""


def is_of_a_library(error: BaseException) -> bool:
    """Whether a library or the operating system raised it, and not a mistake in this code."""
    if not isinstance(error, Exception) or isinstance(error, ArenaError):
        return False
    if isinstance(error, OSError | MemoryError):
        return True
    return any(kind.__module__.partition(".")[0] not in _NOT_LIBRARIES for kind in type(error).__mro__[:-1])


def explained(error: BaseException, doing: str) -> LibraryError | None:
    """An error of a library in one line; None if it is not one.

    Args:
        error: What was raised.
        doing: What was being done to what, such as ``reading version 3 of the registry at http://mlflow:5000``.
    """
    if not is_of_a_library(error):
        return None
    wrapped = LibraryError(f"{without_credentials(doing)} failed: {reason(error)}")
    wrapped.__cause__ = error
    return wrapped


@contextlib.contextmanager
def during(doing: str) -> Iterator[None]:
    """Turns the errors of libraries in a block, or in a function that it decorates, into :class:`LibraryError`.

    The innermost block wins: it knows best what was being done.

    Args:
        doing: See :func:`explained`.
    """
    try:
        yield
    except Exception as error:
        known = explained(error, doing)
        if known is None:
            raise
        raise known from error


def naming(
    doing: str,
) -> Callable[[Callable[Concatenate[Talks, P], R]], Callable[Concatenate[Talks, P], R]]:
    """:func:`during` for a method that talks to MLflow.

    Args:
        doing: What the method does; ``{name}`` stands for an argument of it. MLflow's address is added.
    """

    def mark(method: Callable[Concatenate[Talks, P], R]) -> Callable[Concatenate[Talks, P], R]:
        signature = inspect.signature(method)

        @functools.wraps(method)
        def run(self: Talks, /, *args: P.args, **kwargs: P.kwargs) -> R:
            bound = signature.bind(self, *args, **kwargs)
            bound.apply_defaults()
            with during(f"{doing.format(**bound.arguments)} (MLflow at {self.uri})"):
                return method(self, *args, **kwargs)

        return run

    return mark


def reason(error: BaseException) -> str:
    """Why, in one line: the root of a chain of errors that a library wrapped into each other, without credentials."""
    refused = advice(error)
    if refused is not None:
        return f"{refused} ({type(error).__name__})"
    root = _root(error)
    if isinstance(root, OSError) and root.errno is not None:
        text = os.strerror(root.errno) + (f": {root.filename}" if root.filename else "")
    else:
        nothing_said = "not enough memory" if isinstance(root, MemoryError) else type(root).__name__
        text = _first_line(str(root)) or nothing_said
    # Cut last: half of an address has no @ by which its password is known.
    return f"{without_credentials(text)[:_REASON_LENGTH]} ({type(error).__name__})"


def without_credentials(text: str) -> str:
    """The text without the user names and passwords of the addresses in it."""
    return _CREDENTIALS.sub("***@", text)


def traceback_of(error: BaseException) -> str:
    """The traceback of an error without credentials, for a log; it ends with a line break.

    Args:
        error: What was raised; of a :class:`LibraryError` the library's own error is shown.
    """
    shown = error.__cause__ or error if isinstance(error, LibraryError) else error
    return without_credentials("".join(traceback.format_exception(shown)))


def _root(error: BaseException) -> BaseException:
    """SQLAlchemy keeps the driver's error in ``orig``; requests and urllib3 keep theirs in ``reason`` or ``args``."""
    for _ in range(5):
        inner = [getattr(error, "orig", None), getattr(error, "reason", None), *error.args[-1:]]
        cause = next((each for each in inner if isinstance(each, Exception)), None)
        if cause is None:
            return error
        error = cause
    return error


def _first_line(text: str) -> str:
    return next((" ".join(line.split()) for line in text.splitlines() if line.strip()), "")
