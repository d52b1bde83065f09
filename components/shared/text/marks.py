"""Removes stacked combining marks (zalgo text), keeps those that are part of a spelling, and writes out small letters.

In spelling a letter has at most two marks (Vietnamese), and few letters of a word have a mark for which there is no
composed character (Yoruba, Taiwanese, Guaraní). A word with more marks, or with marks that strike letters through or
frame them, loses all its marks. Letters of their own that stand above others, as in old German (``uͤ``), are read behind
them, unless other marks show that they are nothing but marks.
"""

from __future__ import annotations

import enum
import functools
import re
import unicodedata

from content_arena.components.shared.text.invisible import is_symbol

# Blocks of marks that European scripts put on letters; marks of other scripts are part of their spelling.
_BLOCKS = "\u0300-\u036f\u0488\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20e2\u20e4-\u20ff\ufe20-\ufe2f"
_MARK = re.compile(f"[{_BLOCKS}]")
_MARKS = re.compile(f"[{_BLOCKS}]+")
_WORD = re.compile(rf"[^\W_](?:[^\W_]|[{_BLOCKS}])*+")
# Marks that stand on no letter.
_STRAY = re.compile(rf"(?<![^\W_])(?<![{_BLOCKS}])[{_BLOCKS}]++")
#: Marks that orthographies put on letters with which they do not compose: Guaraní, Taiwanese, Marshallese, Foochow.
_SPELLING = frozenset(
    "\u0300\u0301\u0302\u0303\u0304\u0307\u0308\u030c\u030d\u0323\u0324\u0327\u0328\u0331\u0332\u0358"
)
#: Grave, acute, circumflex, tilde, macron, caron: tones on vowels and nasals.
_TONES = frozenset("\u0300\u0301\u0302\u0303\u0304\u030c")
_TONED = frozenset("aeioumnŋɛɔɩʋǝə")
#: The one that stands beside a letter, where Taiwanese has a second one above it.
_BESIDE = "\u0358"
_DOT_ABOVE = "\u0307"
_MOST_MARKS = 2
#: Share of a word's letters that may have a mark of their own, beside tones.
_MOST_MARKED = 0.5
_LETTER_ABOVE = re.compile("COMBINING LATIN SMALL LETTER ([A-Z])")


def drop_stacked(text: str) -> str:
    """Removes all marks of the words that have stacked ones; the text has to be in normal form C.

    Where one word has them, the other words keep tones and composed characters only. Marks on signs are pictures (◡̈)
    and stay; those on nothing go.
    """
    if not _MARK.search(text):
        return text
    text = _STRAY.sub(lambda match: match[0] if is_symbol(text[match.start() - 1 : match.start()]) else "", text)
    marked = {word: _judge(word) for word in _WORD.findall(text) if _MARK.search(word)}
    least = _Marks.ODD if _Marks.STACKED in marked.values() else _Marks.STACKED

    def read(word: str) -> str:
        if word not in marked:
            return word
        if marked[word] >= least:
            return _MARKS.sub("", unicodedata.normalize("NFD", word))
        return _written_out(word)

    return _WORD.sub(lambda match: read(match[0]), text)


class _Marks(enum.IntEnum):
    """What the uncomposed marks of a word may be."""

    TONES = 0
    ODD = 1
    STACKED = 2


def _written_out(word: str) -> str:
    """A word with letters above others behind them."""
    # Lower-casing the Turkish capital with a dot leaves a second dot on the i.
    undotted = word.replace("i" + _DOT_ABOVE, "i")
    return _MARK.sub(lambda match: _letters_above().get(match[0], match[0]), undotted)


@functools.cache
def _letters_above() -> dict[str, str]:
    """Small letters that stand above another one, with the letters."""
    chars = [*map(chr, range(0x363, 0x370)), *map(chr, range(0x1DD3, 0x1DF5))]
    named = {char: _LETTER_ABOVE.fullmatch(unicodedata.name(char)) for char in chars}
    return {char: match[1].lower() for char, match in named.items() if match}


def _judge(word: str) -> _Marks:
    n_odd, has_letter_above = 0, False
    for match in _MARKS.finditer(word.replace("i" + _DOT_ABOVE, "i")):
        marks = match[0]
        below = unicodedata.normalize("NFD", match.string[match.start() - 1])
        on_top = marks.replace(_BESIDE, "")
        if len(on_top) > 1 or len(below) - 1 + len(marks) > _MOST_MARKS:
            return _Marks.STACKED
        if marks in _letters_above():
            has_letter_above = True
        elif not set(marks) <= _SPELLING:
            return _Marks.STACKED
        elif on_top and not (on_top in _TONES and (below[0].lower() in _TONED or _is_cyrillic(below[0]))):
            if len(below) > 1:
                return _Marks.STACKED
            n_odd += 1
    n_letters = len(_MARKS.sub("", word))
    if n_odd > 1 and n_odd > _MOST_MARKED * n_letters:
        return _Marks.STACKED
    return _Marks.ODD if n_odd or has_letter_above else _Marks.TONES


def _is_cyrillic(letter: str) -> bool:
    return "CYRILLIC" in unicodedata.name(letter, "")
