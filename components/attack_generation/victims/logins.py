"""What a filter wants to know before it answers: a user and a password, a key in the URL, headers.

A login is used for requests and stands nowhere else: what names a victim in logs, tables and answers is its URL without
it. A stage runs in a process or pod of its own, so a login reaches it through the environment.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from content_arena.components.attack_generation.settings import HEADERS_VARIABLE, QUERY_VARIABLE
from content_arena.components.attack_generation.victims.addresses import check, is_url, public
from content_arena.components.shared.errors import InputError

if TYPE_CHECKING:
    import requests

_AUTHORIZATION = "Authorization"
#: RFC 9110: a name is a token; a value has no control characters, and requests sends it as Latin-1.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")


@dataclass(frozen=True)
class Login:
    """What is sent with every request, beside the texts; its parts are not in its ``repr``.

    Attributes:
        headers: By name.
        query: Parameters of the URL, without the question mark.
    """

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls) -> Login:
        """What :data:`HEADERS_VARIABLE` and :data:`QUERY_VARIABLE` hold.

        Raises:
            InputError: A line is no header.
        """
        lines = os.environ.get(HEADERS_VARIABLE, "").splitlines()
        return cls(headers([line for line in lines if line.strip()]), os.environ.get(QUERY_VARIABLE, "").lstrip("?"))

    def as_environment(self) -> dict[str, str]:
        """The variables that :meth:`from_environment` reads; none that would be empty."""
        lines = "\n".join(f"{name}: {value}" for name, value in self.headers.items())
        given = {HEADERS_VARIABLE: lines, QUERY_VARIABLE: self.query}
        return {name: value for name, value in given.items() if value}

    def merged(self, other: Login) -> Login:
        """Both; where both have a header or parameters, the other's count."""
        mine = {
            name: value for name, value in self.headers.items() if name.title() not in map(str.title, other.headers)
        }
        return Login({**mine, **other.headers}, other.query or self.query)

    def url(self, address: str) -> str:
        """The URL that requests go to."""
        return f"{address}?{self.query}" if self.query else address

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Adds the headers: requests takes a login as a function, and asks ~/.netrc where it has none."""
        request.headers.update(self.headers)
        return request


def split(victim: str, given: Sequence[str] = ()) -> tuple[str, Login]:
    """The victim as it may be shown, and the login.

    Args:
        victim: A URL, which may hold a login, or the name of another victim.
        given: Headers as ``Name: value``.

    Raises:
        InputError: A header cannot be sent, there are two logins, or a login is given for what is no URL.
    """
    named = headers(given)
    if not is_url(victim):
        if named:
            raise InputError("--header is for a filter behind a URL, which begins with http:// or https://")
        return victim, Login()
    check(victim)
    parts = urlsplit(victim)
    if parts.username is not None:
        if any(name.title() == _AUTHORIZATION for name in named):
            raise InputError(f"two logins for {public(victim)}: one in the URL, one in --header Authorization")
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        named[_AUTHORIZATION] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return public(victim), Login(named, parts.query)


def headers(lines: Sequence[str]) -> dict[str, str]:
    """Headers by name, from ``Name: value``.

    Raises:
        InputError: One cannot be sent; the message does not hold its value.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        name, colon, value = line.partition(":")
        if not colon or not _NAME.fullmatch(name.strip()) or not _VALUE.fullmatch(value.strip()):
            raise InputError(
                f"header {number} cannot be sent: write --header 'Name: value', in Latin letters and on one line"
            )
        found[name.strip()] = value.strip()
    return found
