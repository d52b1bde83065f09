"""Tells in which script a text is written."""

from __future__ import annotations

import functools
import re
from collections import Counter

from confusable_homoglyphs import categories

from content_arena.components.shared.text.masking import EMAIL_MASK, HANDLE_MASK, PHONE_MASK

#: Of a text without letters: numbers, emoji, punctuation.
NO_LETTERS = "no letters"
#: Scripts that one language uses side by side (Japanese; Chinese characters in Korean).
_TOGETHER = dict.fromkeys(("HAN", "HIRAGANA", "KATAKANA", "BOPOMOFO"), "Han and kana")
_NO_SCRIPT = ("COMMON", "INHERITED", "UNKNOWN")
# Latin letters that say nothing about the language of a text.
_ADDRESSES = re.compile("|".join([r"https?://\S+", *map(re.escape, (EMAIL_MASK, PHONE_MASK, HANDLE_MASK))]))


def main_script(text: str) -> str:
    """The script of most letters of a text, such as "Latin" or "Hangul"; :data:`NO_LETTERS` if it has none.

    Scripts are the property of Unicode Standard Annex #24. Masks and web addresses are left out.
    """
    counts: Counter[str] = Counter()
    for char, n in Counter(_ADDRESSES.sub(" ", text)).items():
        script = _script(char)
        if script is not None:
            counts[script] += n
    # The name decides between scripts with equally many letters, so that the order of letters does not.
    return max(counts, key=lambda script: (counts[script], script)) if counts else NO_LETTERS


@functools.cache
def _script(char: str) -> str | None:
    """The script of a letter; None for any other character."""
    if not char.isalpha():
        return None
    name: str = categories.alias(char).upper()
    if name in _NO_SCRIPT:
        return None
    return _TOGETHER.get(name, name.replace("_", " ").capitalize())
