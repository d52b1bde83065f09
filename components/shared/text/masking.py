"""Masks personal data: e-mail addresses, phone numbers and @handles.

The corpus is masked before anything else. A filter masks the texts it scores as well (see
scoring/reading.py), so a model gets the same masks in training and in serving. In doubt a text is left unchanged:
years, scores, prices and leet spellings such as ``@ss`` carry meaning, and the filter has to see them.
Existing packages do not fit: presidio and scrubadub need a language model or do not know ``@ss``, and phonenumbers
takes any seven digits in a row for a candidate.
"""

from __future__ import annotations

import re

EMAIL_MASK = "[email]"
PHONE_MASK = "[phone]"
HANDLE_MASK = "@user"

# ASCII only: in Korean an address may have words before and behind it without a space.
_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]++@(?:[A-Za-z0-9-]{1,63}\.){1,4}[A-Za-z]{2,24}(?![A-Za-z0-9])"
)

# "p@ssword", "@$$hole" and "@ss" do not match; "@sshole" needs an exception.
_HANDLE = re.compile(
    r"(?<![A-Za-z0-9_@$\u00c0-\u024f])@(?!ss(?:es|h[o0]les?|wipes?|hats?|clowns?|faces?)(?![A-Za-z0-9_]))"
    r"[A-Za-z0-9_]{4,}"
)

# The usual groups of digits. Seven digits alone, or ten without a gap, may be something else.
_PHONE_FORMS = (
    r"\+[0-9]{1,3}(?:[ .-]?\(?[0-9]{1,5}\)?){1,5}(?<=[0-9])",  # international: +82 10-1234-5678, +442071234567
    r"(?:1[ .-])?(?:\([0-9]{3}\) ?|[0-9]{3}[ .-])[0-9]{3}[ .-][0-9]{4}",  # North America: (212) 555-0123
    r"01[016-9][ .-]?[0-9]{3,4}[ .-]?[0-9]{4}",  # Korean mobile: 010-1234-5678, 01012345678
    r"(?:\(0[0-9]{1,4}\) ?|0[0-9]{1,4}[ -])[0-9]{3,4}[ -][0-9]{3,4}",  # trunk prefix 0: 02-123-4567, 020 7946 0958
    r"07[0-9]{3} ?[0-9]{6}",  # British mobile: 07700 900123
    r"0[1-9](?:[ .-][0-9]{2}){4}",  # French: 06 12 34 56 78
)
_PHONE = re.compile(
    r"(?<![A-Za-z0-9_$€£¥₩#@+])(?<![0-9][-.,:/])(?:" + "|".join(_PHONE_FORMS) + r")(?![A-Za-z0-9_@%€₩])"
    r"(?![-.,:/][0-9(+])"
)
_MIN_PHONE_DIGITS, _MAX_PHONE_DIGITS = 8, 15


def mask(text: str) -> str:
    """Returns the text with e-mail addresses, phone numbers and @handles replaced by their masks.

    Idempotent: ``mask(mask(t)) == mask(t)``. A text without ``@`` and without a digit is returned unchanged.
    """
    previous = None
    # Repeated, because a mask can change what is before a number or an @, which decides whether that is masked.
    while text != previous:
        previous = text
        if "@" in text:
            text = _HANDLE.sub(HANDLE_MASK, _EMAIL.sub(EMAIL_MASK, text))
        text = _PHONE.sub(_mask_phone, text)
    return text


def _mask_phone(match: re.Match[str]) -> str:
    n_digits = sum(char.isdigit() for char in match[0])
    return PHONE_MASK if _MIN_PHONE_DIGITS <= n_digits <= _MAX_PHONE_DIGITS else match[0]
