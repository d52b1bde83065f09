"""Decomposes Hangul syllables into compatibility jamo and composes them again.

Unicode's normal forms do not do this: NFC does not join the compatibility jamo that keyboards type (U+3131..U+3163),
and NFKC joins a syllable without its final consonant. The arithmetic is that of The Unicode Standard, section 3.12
(conjoining jamo behaviour). A run of jamo is parsed as a Korean input method reads keystrokes: a consonant before a
vowel begins the next syllable, any other consonant ends the current one.
"""

from __future__ import annotations

import re
import unicodedata

_BASE = 0xAC00
INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
FINALS = " ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"  # index 0: no final
_PAIRS = ("ㄱㅅ", "ㄴㅈ", "ㄴㅎ", "ㄹㄱ", "ㄹㅁ", "ㄹㅂ", "ㄹㅅ", "ㄹㅌ", "ㄹㅍ", "ㄹㅎ", "ㅂㅅ")
_CLUSTERS = dict(zip(_PAIRS, "ㄳㄵㄶㄺㄻㄼㄽㄾㄿㅀㅄ", strict=True))
#: The two consonants of a final that is written with two.
CLUSTER_PARTS = {cluster: (pair[0], pair[1]) for pair, cluster in _CLUSTERS.items()}
_INITIAL_INDEX = {jamo: i for i, jamo in enumerate(INITIALS)}
_VOWEL_INDEX = {jamo: i for i, jamo in enumerate(VOWELS)}
_FINAL_INDEX = {jamo: i for i, jamo in enumerate(FINALS) if jamo != " "}

# Only a run with a consonant before a vowel can hold a syllable. Laughing and crying (ㅋㅋㅠㅠ) is no syllable. The two
# patterns are apart because one for both takes quadratic time on a long run without a syllable.
_RUN = re.compile("[ㄱ-ㅎㅏ-ㅣ]+")
_SYLLABLE_START = re.compile("[ㄱ-ㅎ][ㅏ-ㅣ]")
_EMOTION = re.compile("[ㅋㅎㅠㅜㅡㅗ]+")


def is_syllable(char: str) -> bool:
    """Whether ``char`` is a precomposed Hangul syllable."""
    return "가" <= char <= "힣"


def has_syllable(text: str) -> bool:
    """Whether there is a precomposed Hangul syllable in ``text``."""
    return any(map(is_syllable, text))


def decompose(syllable: str) -> tuple[str, str, str]:
    """Decomposes one syllable.

    Args:
        syllable: A precomposed syllable, U+AC00..U+D7A3.

    Returns:
        Initial, vowel and final as compatibility jamo; the final is "" where there is none.

    Raises:
        ValueError: Not a precomposed syllable.
    """
    if not is_syllable(syllable):
        raise ValueError(f"not a Hangul syllable: {syllable!r}")
    index = ord(syllable) - _BASE
    initial, rest = divmod(index, len(VOWELS) * len(FINALS))
    vowel, final = divmod(rest, len(FINALS))
    return INITIALS[initial], VOWELS[vowel], FINALS[final].strip()


def compose(initial: str, vowel: str, final: str = "") -> str:
    """Composes one syllable; the inverse of :func:`decompose`.

    Raises:
        KeyError: A jamo that cannot have this position.
    """
    index = (_INITIAL_INDEX[initial] * len(VOWELS) + _VOWEL_INDEX[vowel]) * len(FINALS)
    return chr(_BASE + index + (_FINAL_INDEX[final] if final else 0))


def recompose(text: str) -> str:
    """Joins runs of compatibility jamo into syllables; jamo that form no syllable (``ㅋㅋ``, ``ㅠㅠ``) stay.

    >>> recompose("ㅂㅏㅂㅗ ㅋㅋ")
    '바보 ㅋㅋ'
    """
    return _RUN.sub(lambda match: _read_run(match[0]), text)


def _read_run(run: str) -> str:
    if not _SYLLABLE_START.search(run) or _EMOTION.fullmatch(run):
        return run
    out: list[str] = []
    i = 0
    while i < len(run):
        if run[i] in _INITIAL_INDEX and i + 1 < len(run) and run[i + 1] in _VOWEL_INDEX:
            final, width = _final_at(run, i + 2)
            out.append(compose(run[i], run[i + 1], final))
            i += 2 + width
        else:
            out.append(run[i])
            i += 1
    return "".join(out)


def _final_at(run: str, i: int) -> tuple[str, int]:
    """The final that starts at ``i`` and how many jamo it takes; a consonant before a vowel is the next initial."""

    def closes(j: int) -> bool:
        return j < len(run) and run[j] in _FINAL_INDEX and not (j + 1 < len(run) and run[j + 1] in _VOWEL_INDEX)

    if i + 1 < len(run) and run[i : i + 2] in _CLUSTERS and closes(i + 1):
        return _CLUSTERS[run[i : i + 2]], 2
    return (run[i], 1) if closes(i) else ("", 0)


def to_compatibility(text: str) -> str:
    """Replaces conjoining jamo that composed into no syllable by the compatibility jamo that keyboards type."""
    return "".join(_COMPATIBILITY.get(char, char) for char in text)


def _compatibility_table() -> dict[str, str]:
    table = {}
    for code in range(0x3131, 0x318F):
        conjoining = unicodedata.normalize("NFKC", chr(code))
        if len(conjoining) == 1:
            table[conjoining] = chr(code)
    return table | {chr(0x11A7 + index): final for index, final in enumerate(FINALS) if index}


_COMPATIBILITY = _compatibility_table()
