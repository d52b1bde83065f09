"""URLs of filters: where texts are posted, and how a URL is shown without the login in it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from content_arena.components.shared.errors import InputError

#: The accepted forms of an endpoint's URL, for error messages.
URL_FORMS = (
    "http://HOST[:PORT] (the model content-filter), http://HOST/v1/models/NAME[:predict] or "
    "http://HOST/v2/models/NAME[/infer]"
)
SCHEMES = ("http://", "https://")
_OUR_MODEL = "/v1/models/content-filter:predict"
_V1_MODEL = re.compile(r"/v1/models/[^/:]+")
_V2_MODEL = re.compile(r"/v2/models/[^/:]+(/versions/[^/:]+)?")
#: Where the part of a path begins that belongs to either protocol; a prefix such as the API server's `/api/v1/` may
#: come before it.
_MODELS = re.compile(r"/v[12]/models(/|$)")
#: A path that begins like that of either protocol, but names no models.
_INCOMPLETE = re.compile(r"(.*/proxy)?/v[12](/|$)")
_WITHOUT_SCHEME = re.compile(r"[\w.-]+:\d+(/.*)?|\[[0-9a-fA-F:]+\](:\d+)?(/.*)?|[\w.-]+/v[12]/.*", re.ASCII)


def shown(given: str) -> str:
    """A URL as messages and records show it: without user name, password, parameters and fragment.

    More than the login may be left out, never less: what stands before the last ``@`` may be a password that holds
    slashes, and a parameter may be a key.
    """
    scheme, separator, rest = given.partition("://")
    if not separator:
        scheme, rest = "", given
    return f"{scheme}{separator}{re.split('[?#]', rest.rpartition('@')[2], maxsplit=1)[0]}"


def public(url: str) -> str:
    """A URL that :func:`check` passed, without user name, password, parameters and fragment."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def is_url(given: str) -> bool:
    """Whether a victim is named by a URL."""
    return given.startswith(SCHEMES)


def lacks_scheme(given: str) -> bool:
    """Whether this is a URL but for the scheme, such as ``localhost:8080``."""
    return _WITHOUT_SCHEME.fullmatch(given.rpartition("@")[2]) is not None


def endpoint(url: str) -> str:
    """Completes any of :data:`URL_FORMS` to the URL that texts are posted to.

    Raises:
        InputError: The URL has no host, or its path belongs to one of the protocols but names no model.
    """
    check(url)
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    protocol = _MODELS.search(path) or _INCOMPLETE.match(path)
    # A prefix, such as a gateway's, is kept.
    route = path[protocol.start() :] if protocol else path
    if _V1_MODEL.fullmatch(route):
        path += ":predict"
    elif _V2_MODEL.fullmatch(route):
        path += "/infer"
    elif not route.endswith((":predict", "/infer")):
        if protocol:
            raise InputError(f"{shown(url)} names no model to ask: give {URL_FORMS}")
        path += _OUR_MODEL
    return parts._replace(path=path).geturl()


def with_path(url: str, path: str) -> str:
    """The URL, with this path if it has none.

    Raises:
        InputError: The URL has no host.
    """
    check(url)
    parts = urlsplit(url)
    return url if parts.path.strip("/") or not path else parts._replace(path=path).geturl()


def check(url: str) -> None:
    """Refuses what is no URL of a host.

    Raises:
        InputError: The URL has no host, or no number as its port; the message does not hold the login.
    """
    try:
        parts = urlsplit(url)
        # A password with a slash in it would be taken for a part of the path.
        known = bool(parts.hostname) and (parts.port is None or parts.port > 0) and "@" not in parts.path
    except ValueError:
        known = False
    if not known:
        raise InputError(
            f"{shown(url)} is no URL of a filter: give {URL_FORMS}; a password has @ / ? # : as %40 %2F %3F %23 %3A"
        )
