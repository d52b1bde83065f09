"""Readings of a token with Hangul that hold signs for syllables or for jamo. Each is a candidate: the Reader chooses.

Forms of syllables (``㉮``), Chinese characters in place of the syllable that they are read as, letters and strokes of
other scripts that look like jamo (``ㅁㅏ`` as ``ㅁr``), syllables turned by 180 degrees (``나`` as ``ㅓㄱ``), and signs
put between syllables.
"""

from __future__ import annotations

import re
import unicodedata

from content_arena.components.shared.text.hangul import compose, recompose
from content_arena.components.shared.text.reader.hanja import reading

_ENCLOSED = re.compile("[\u3200-\u321e\u3260-\u327e]")
_BRACKETS = str.maketrans("", "", "()")
_CHINESE = re.compile("[\u4e00-\u9fff\uf900-\ufa0b]+")
#: Characters that look like a jamo, by the jamo.
_LOOKS = {
    "ㅏ": "トŀłŁĿrkþ├┝┣", "ㅓ": "jJ┤┥┫", "ㅗ": "丄⊥凸山┴┻", "ㅜ": "丅T┬┳", "ㅡ": "一─━_", "ㅣ": "丨│┃|lIi1ı",
    "ㅐ": "HħĦ¶", "ㄱ": "コ7", "ㄴ": "L└", "ㄹ": "己", "ㅁ": "口ロ□", "ㅅ": "人", "ㅇ": "oO0○〇", "ㅈ": "スズ",
    "ㅋ": "ヨ", "ㅕ": "よ",
}  # fmt: skip
_JAMO_OF = {ord(look): jamo for jamo, looks in _LOOKS.items() for look in looks}
_LOOK = "".join(map(re.escape, map(chr, _JAMO_OF)))
# A run of jamo and what looks like them, with a jamo in it.
_STROKES = re.compile(f"[ㄱ-ㅣ{_LOOK}]*[ㄱ-ㅣ][ㄱ-ㅣ{_LOOK}]*")
_JAMO = re.compile("[ㄱ-ㅣ]")
#: Syllables that one character looks like.
_WHOLE = str.maketrans({"ユ": "그", "ㅍ": "고"})
#: What the initial of a syllable with the vowel ㅏ looks like when the syllable is turned.
_TURNED = dict(zip("ㄱㄴコVOㅇ우ㅁㄹA", "ㄴㄱㄷㅅㅇㅇㅎㅁㄹㅂ", strict=True))
_TURN = re.compile(f"ㅓ([{''.join(_TURNED)}])")
# Signs that writers put between words as well (quotes, = and the like) are no disguise.
_BETWEEN = re.compile(r"(?<=[가-힣])[^\w\s~.,!?…'\"‘’“”()\[\]=/&%+:;-]+(?=[가-힣])|(?<=[가-힣])1(?=[가-힣])")


def unfold(token: str) -> str:
    """Forms of syllables and jamo as the syllables and jamo."""
    return _ENCLOSED.sub(lambda match: unicodedata.normalize("NFKC", match[0]).translate(_BRACKETS), token)


def read_chinese(token: str) -> str:
    """Chinese characters as the syllables they are read as, if all of them have a reading."""
    return _CHINESE.sub(lambda match: "".join(reading(char) or char for char in match[0]), token)


def turn(token: str) -> str:
    """Turned syllables turned back."""
    return _TURN.sub(lambda match: compose(_TURNED[match[1]], "ㅏ"), token)


def join_strokes(token: str) -> str:
    """Jamo, and what looks like them, joined to syllables where nothing is left over."""

    def join(match: re.Match[str]) -> str:
        joined = recompose(match[0].translate(_JAMO_OF))
        return match[0] if _JAMO.search(joined) else joined

    return _STROKES.sub(join, token)


def read_whole(token: str) -> str:
    """Characters that look like a whole syllable as the syllable."""
    return token.translate(_WHOLE)


def drop_signs(token: str) -> str:
    """Signs between syllables left out, and a single 1, the sign that is put into Korean insults most often."""
    return _BETWEEN.sub("", token)


#: In the order in which they are tried on a token.
READINGS = (read_chinese, turn, join_strokes, read_whole, drop_signs)
