"""Removes stacked combining marks (zalgo text) and keeps the marks that are part of a spelling.

In spelling a letter has at most two marks (Vietnamese). They compose with it into one character, or one of them is a
tone mark for which there is no composed character (Yoruba). In a word with other marks, all marks are removed.
"""

from __future__ import annotations

import re
import unicodedata

# Blocks of marks that European scripts put on letters; marks of other scripts are part of their spelling.
_BLOCKS = "\u0300-\u036f\u0488\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20e2\u20e4-\u20ff\ufe20-\ufe2f"
_MARK = re.compile(f"[{_BLOCKS}]")
_MARKS = re.compile(f"[{_BLOCKS}]+")
_WORD = re.compile(rf"(?:[^\W_]|[{_BLOCKS}])++")
#: Grave, acute, circumflex, tilde, macron, caron: tones on vowels and nasals.
_TONES = frozenset("\u0300\u0301\u0302\u0303\u0304\u030c")
_TONED = frozenset("aeioumnŋɛɔɩʋǝə")
_DOT_ABOVE = "\u0307"
_MOST_MARKS = 2


def drop_stacked(text: str) -> str:
    """Removes all marks of the words that have stacked ones; the text has to be in normal form C."""
    if not _MARK.search(text):
        return text
    return _WORD.sub(lambda match: _drop_in_word(match[0]) if _MARK.search(match[0]) else match[0], text)


def _drop_in_word(word: str) -> str:
    # Lower-casing the Turkish capital with a dot leaves a second dot on the i.
    undotted = word.replace("i" + _DOT_ABOVE, "i")
    if not _MARK.search(undotted):
        return undotted
    return _MARKS.sub("", unicodedata.normalize("NFD", word)) if _has_stacked(undotted) else undotted


def _has_stacked(word: str) -> bool:
    for match in _MARKS.finditer(word):
        base = word[match.start() - 1] if match.start() else ""
        below = unicodedata.normalize("NFD", base)
        n_marks = len(_MARKS.sub("", below)) and len(below) - 1 + len(match[0])
        if len(match[0]) > 1 or match[0] not in _TONES or n_marks > _MOST_MARKS:
            return True
        if not below or (below[0].lower() not in _TONED and "CYRILLIC" not in unicodedata.name(below[0], "")):
            return True
    return False
