"""Masks personal data: e-mail addresses, phone numbers and @handles.

The corpus is masked before anything else. A filter masks the texts it scores as well (see
scoring/reading.py), so a model gets the same masks in training and in serving. In doubt a text is left unchanged:
years, scores, prices and leet spellings such as ``@ss`` carry meaning, and the filter has to see them.
Existing packages do not fit: presidio and scrubadub need a language model or do not know ``@ss``, and phonenumbers
takes any seven digits in a row for a candidate.
"""

from __future__ import annotations

import re
from collections.abc import Callable

EMAIL_MASK = "[email]"
PHONE_MASK = "[phone]"
HANDLE_MASK = "@user"

# Letters of scripts that set words apart by spaces, with their marks. In Korean an address may have words before and
# behind it without a space, so Hangul is not among them.
_LETTERS = r"A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u052f\u1e00-\u1fff"
_DOMAIN = rf"(?:[{_LETTERS}0-9-]{{1,63}}\.){{1,4}}[{_LETTERS}]{{2,24}}(?![{_LETTERS}0-9])"
_EMAIL = re.compile(rf"(?<![{_LETTERS}0-9._%+-])[{_LETTERS}0-9._%+-]++@{_DOMAIN}")

# "p@ssword", "@$$hole" and "@ss" do not match; "@sshole" needs an exception.
_HANDLE_START = rf"(?<![{_LETTERS}0-9_@$])@"
_HANDLE = re.compile(
    rf"{_HANDLE_START}(?!ss(?:es|h[o0]les?|wipes?|hats?|clowns?|faces?)(?![A-Za-z0-9_]))"
    rf"[{_LETTERS}0-9_]{{4,}}+(?:\.[{_LETTERS}0-9_]++)*+"
)
# With the server: @alice@mastodon.social
_HANDLE_AT_SERVER = re.compile(rf"{_HANDLE_START}[{_LETTERS}0-9._-]++@{_DOMAIN}")

_DASH = r"\-\u2010-\u2015\u2212"
_GAP = rf"[ \u00a0.{_DASH}]"
# The usual groups of digits. Seven digits alone, or ten without a gap, may be something else.
_PHONE_FORMS = "|".join(
    (
        rf"\+[0-9]{{1,3}}(?:{_GAP}?\(?[0-9]{{1,5}}\)?){{1,5}}(?<=[0-9])",  # +82 10-1234-5678, +442071234567
        rf"(?:1{_GAP})?(?:\([0-9]{{3}}\) ?|[0-9]{{3}}{_GAP})[0-9]{{3}}{_GAP}[0-9]{{4}}",  # (212) 555-0123
        rf"01[016-9]{_GAP}?[0-9]{{3,4}}{_GAP}?[0-9]{{4}}",  # Korean mobile: 010-1234-5678, 01012345678
        # trunk prefix 0: 02-123-4567, 020 7946 0958
        rf"(?:\(0[0-9]{{1,4}}\) ?|0[0-9]{{1,4}}[ \u00a0{_DASH}])[0-9]{{3,4}}[ \u00a0{_DASH}][0-9]{{3,4}}",
        r"07[0-9]{3} ?[0-9]{6}",  # British mobile: 07700 900123
        rf"0[1-9](?:{_GAP}[0-9]{{2}}){{4}}",  # French: 06 12 34 56 78
        rf"0[1-9][0-9]{{1,3}}[ \u00a0/{_DASH}][0-9]{{6,8}}",  # German: 0151 23456789, 089/1234567
    )
)
# A digit beside it, with a sign between them, belongs to a longer number, unless that is a phone number too.
_PHONES = re.compile(
    rf"(?<![A-Za-z0-9_$€£¥₩#@+])(?<![0-9][{_DASH}.,:/])(?:{_PHONE_FORMS})(?:[,:/](?:{_PHONE_FORMS}))*"
    rf"(?![A-Za-z0-9_@%€₩])(?![{_DASH}.,:/][0-9(+])"
)
_PHONE = re.compile(_PHONE_FORMS)
_MIN_PHONE_DIGITS, _MAX_PHONE_DIGITS = 8, 15


def mask(text: str, known: Callable[[str], str] | None = None) -> str:
    """Returns the text with e-mail addresses, phone numbers and @handles replaced by their masks.

    Idempotent: ``mask(mask(t)) == mask(t)``. A text without ``@`` and without a digit is returned unchanged.

    Args:
        text: Any text.
        known: Called with an address or a handle without its ``@``. It returns the words in it that are to be written
            behind the mask, "" for none. None leaves the mask alone.
    """
    previous = None

    def handle(match: re.Match[str]) -> str:
        return _with_words(HANDLE_MASK, match[0], known)

    # Repeated, because a mask can change what is before a number or an @, which decides whether that is masked.
    while text != previous:
        previous = text
        if "@" in text:
            text = _HANDLE_AT_SERVER.sub(handle, text)
            text = _EMAIL.sub(lambda match: _with_words(EMAIL_MASK, match[0], known), text)
            text = _HANDLE.sub(handle, text)
        text = _PHONES.sub(lambda match: _PHONE.sub(_mask_phone, match[0]), text)
    return text


def _with_words(mask: str, hidden: str, known: Callable[[str], str] | None) -> str:
    words = known(hidden.removeprefix("@")) if known is not None and hidden != mask else ""
    return f"{mask} {words}" if words else mask


def _mask_phone(match: re.Match[str]) -> str:
    n_digits = sum(char.isdigit() for char in match[0])
    return PHONE_MASK if _MIN_PHONE_DIGITS <= n_digits <= _MAX_PHONE_DIGITS else match[0]
