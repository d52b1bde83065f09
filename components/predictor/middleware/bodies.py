"""Checks a request's body before anything is built of it; pure functions on bytes.

``json.loads`` makes 25 bytes of memory and more of every byte of ``[],[],[],...``, and holds Python's global lock until
it has finished. So a large body is looked through first, in steps, and is parsed only if it has no more values than a
request can have, and no string longer than a text. Its start is looked through before the rest has arrived.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable

from content_arena.components.predictor.limits import MAX_BODY_BYTES, SMALL_BODY_BYTES
from content_arena.components.shared.limits import MAX_TEXT_LENGTH

#: Most values (texts, numbers, names, lists, objects) in a body. A request of 256 texts has less than 300.
MAX_JSON_VALUES = 4_096
#: A character is at most two escapes of six bytes; an escape is two repetitions in the pattern below.
_LONGEST_STRING = 12 * MAX_TEXT_LENGTH
# A string, whose group is missing if it does not end; the start of a list or object; another value. Everything between
# is skipped. Nothing is read twice: all quantifiers are possessive.
_VALUE = re.compile(
    rb'"(?:[^"\\]++|\\.){0,%d}+(")?+|[\[{]|[^\s"\[\]{},:]++|[\s,:\]}]++' % (4 * MAX_TEXT_LENGTH + 2), re.DOTALL
)
_BETWEEN = b" \t\r\n\f\v,:]}"


class BodyError(Exception):
    """The body is none that the server reads; the message does not quote it."""


class BodySizeError(Exception):
    """The body is larger than the server reads."""


def announced_length(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    """Bytes of a request's body as its headers say, 0 if it has none; None if they do not say it, but announce one.

    Args:
        headers: Names in small letters, and values, as ASGI has them.
    """
    by_name = dict(headers)
    if b"transfer-encoding" in by_name:  # It overrides the length (RFC 9112, section 6.3).
        return None
    length = by_name.get(b"content-length", b"0")
    return int(length) if length.isdigit() else None


def check_json(body: bytes) -> None:
    """Refuses JSON that would make far more of a large body than a request's texts.

    Small bodies are not looked at: whatever they hold, it is little. The body may still be no JSON afterwards.

    Raises:
        BodyError: Too many values, or a string that is no text.
    """
    if len(body) > SMALL_BODY_BYTES:
        _look_through(body, is_whole=True)


def check_start(start: bytes) -> None:
    """See :func:`check_json`, for a large body of which the start is there: the rest need not arrive.

    Raises:
        BodyError: The start alone has too many values, or a string that is no text.
    """
    _look_through(start, is_whole=False)


def _look_through(body: bytes, is_whole: bool) -> None:
    n_values = 0
    for match in _VALUE.finditer(body):
        start, end = match.span()
        first = body[start : start + 1]
        if first in _BETWEEN:
            continue
        n_values += 1
        if n_values > MAX_JSON_VALUES:
            raise BodyError(f"the body has more than {MAX_JSON_VALUES} values, a request has at most 256 texts")
        is_cut = match[1] is None and (is_whole or end < len(body) - 1)  # The start may end within an escape.
        if first == b'"' and (is_cut or end - start > _LONGEST_STRING + 2):
            raise BodyError(f"the body has a string without an end or of more than {MAX_TEXT_LENGTH} characters")


def gunzip(body: bytes, most: int = MAX_BODY_BYTES) -> bytes:
    """What a gzip member holds.

    Args:
        body: One member (RFC 1952), as every client sends it; several are refused.
        most: Bytes that it may hold.

    Raises:
        BodyError: It is no gzip, or cut off.
        BodySizeError: It holds more than ``most`` bytes.
    """
    unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        plain = unpacker.decompress(body, most + 1)
    except zlib.error:
        raise BodyError("the body is not gzip, which its content encoding says") from None
    if len(plain) > most:
        raise BodySizeError
    if not unpacker.eof or unpacker.unused_data:
        raise BodyError("the body is not one whole gzip member")
    return plain
