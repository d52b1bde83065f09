"""Masks what points at one person: e-mail addresses, phone numbers and @handles.

A corpus is masked before anything else, and what a filter serves is masked where it is read (reading.py), so a model
meets the same masks in training and in serving. The rules lean to the side of leaving a text alone: a year, a score, a
price or a leet spelling such as ``@ss`` says what a text means, and the filter has to see it. Packages that find
personal data (presidio, scrubadub) need a language model or know nothing of ``@ss``; phonenumbers takes any seven
digits in a row for a candidate.
"""

from __future__ import annotations

import re

EMAIL_MASK = "[email]"
PHONE_MASK = "[phone]"
HANDLE_MASK = "@user"

# ASCII only: a Korean particle may follow an address, and a Korean word may stand before it, without a space.
_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]++@(?:[A-Za-z0-9-]{1,63}\.){1,4}[A-Za-z]{2,24}(?![A-Za-z0-9])"
)

# "p@ssword" does not start a word, "@$$hole" holds more than letters, "@ss" is too short; "@sshole" needs an exception.
_HANDLE = re.compile(
    r"(?<![A-Za-z0-9_@$\u00c0-\u024f])@(?!ss(?:es|h[o0]les?|wipes?|hats?|clowns?|faces?)(?![A-Za-z0-9_]))"
    r"[A-Za-z0-9_]{4,}"
)

# Groups of digits in the ways numbers are dialled. Seven digits alone, and ten without a gap, may be anything.
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

    Idempotent: ``mask(mask(t)) == mask(t)``. A text without ``@`` and without a digit comes back as it is.
    """
    previous = None
    # What stands right before a number or an @ decides on it, and may itself be masked: hence until nothing changes.
    while text != previous:
        previous = text
        if "@" in text:
            text = _HANDLE.sub(HANDLE_MASK, _EMAIL.sub(EMAIL_MASK, text))
        text = _PHONE.sub(_mask_phone, text)
    return text


def _mask_phone(match: re.Match[str]) -> str:
    n_digits = sum(char.isdigit() for char in match[0])
    return PHONE_MASK if _MIN_PHONE_DIGITS <= n_digits <= _MAX_PHONE_DIGITS else match[0]
