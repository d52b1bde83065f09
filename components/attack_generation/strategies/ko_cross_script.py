"""Korean in other scripts.

Source: Lee et al. 2025, "KOTOX" (Latin, Chinese and kana look-alikes, romanised and foreign readings); the layout is
KS X 5002 (dubeolsik) on a QWERTY keyboard.
"""

from __future__ import annotations

import functools
import unicodedata
from random import Random

from content_arena.components.attack_generation.strategies.base import Span, Strategy
from content_arena.components.attack_generation.strategies.words import edit_words
from content_arena.components.shared.text import hangul
from content_arena.components.shared.text.reader.hanja import reading

_JAMO, _QWERTY = (
    "ㅂㅃㅈㅉㄷㄸㄱㄲㅅㅆㅛㅕㅑㅐㅒㅔㅖㅁㄴㅇㄹㅎㅗㅓㅏㅣㅋㅌㅊㅍㅠㅜㅡ",
    "qQwWeErRtTyuioOpPasdfghjklzxcvbnm",
)
_KEYS = dict(zip(_JAMO, _QWERTY, strict=True))
#: Vowels that are typed with two keys.
_VOWELS = dict(zip("ㅘㅙㅚㅝㅞㅟㅢ", ("ㅗㅏ", "ㅗㅐ", "ㅗㅣ", "ㅜㅓ", "ㅜㅔ", "ㅜㅣ", "ㅡㅣ"), strict=True))
#: The initial that is not spoken: the final before it is spoken in its place. Of these finals a part is mute there.
_SILENT, _LAST = "ㅇ", {"ㅎ": "", "ㄶ": "ㄴ", "ㅀ": "ㄹ"}
#: How a final is written where it closes a syllable.
_CLOSED = {
    jamo: letters
    for letters, finals in {
        "k": "ㄱㄲㅋㄳㄺ", "n": "ㄴㄵㄶ", "t": "ㄷㅅㅆㅈㅊㅌㅎ", "l": "ㄹㄼㄽㄾㅀ", "m": "ㅁㄻ", "p": "ㅂㅄㅍㄿ",
        "ng": "ㅇ",
    }.items()
    for jamo in finals
}  # fmt: skip
#: Signs that look like a jamo. The vowels are those that stand beside their consonant.
_VOWEL_LOOKS = {"ㅏ": "rトk", "ㅣ": "l丨1", "ㅓ": "j", "ㅐ": "H"}
_CONSONANT_LOOKS = {"ㅁ": "口ロ", "ㄹ": "己", "ㅅ": "人", "ㅇ": "○o", "ㄱ": "コ", "ㄴ": "L", "ㅈ": "ス", "ㅋ": "ヨ"}
#: Chinese characters that Koreans learn first; how each is read comes from KS X 1001.
_CHINESE = (
    "一二三四五六七八九十百千大小中人王女子父母兄弟生先學校門山水火木金土日月年東西南北白靑萬長外國軍民敎室韓力安有主上下"
    "正平不世全事物自車道手足前後左右方內間家口名面心出入食活動每立市時農里住所同天花草川夏秋冬春地江海林色老少命文字語話"
    "記算數問答登工空電氣旗歌夫便祖姓洞邑場直重紙村休來育然夕午"
)


class KoCrossScript(Strategy):
    """Writes a word in Latin letters, Chinese characters or look-alikes: ``babo``, ``qkqh``, ``多른``, ``ㅂr보``."""

    name = "ko_cross_script"
    family = "ko"
    langs = frozenset({"ko"})
    by_default = False

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is a word with a Hangul syllable, written in one of the ways."""

        def edit(word: str) -> str:
            ways = [_romanised, _wrong_layout]
            # The syllables have to allow it; a word of which one part is foreign is seen more often than a whole one.
            if any(syllable in _chinese() for syllable in word):
                ways += [_with_chinese] * 2
            if any(map(_comes_apart, word)):
                ways += [_with_look_alikes] * 2
            return rng.choice(ways)(word, rng)

        return edit_words(text, rng, intensity, span, edit, hangul.has_syllable)


def _romanised(word: str, rng: Random) -> str:
    """Revised Romanisation, without the changes between two consonants: ``좆도`` is jotdo, ``먹어`` meogeo."""
    return "".join(map(_latin, word, f"{word[1:]} "))


def _latin(char: str, following: str) -> str:
    """By the syllable's name in Unicode; people write ch for the consonant that is called c there."""
    if not hangul.is_syllable(char):
        return char
    initial, vowel, final = hangul.decompose(char)
    is_carried_over = hangul.is_syllable(following) and hangul.decompose(following)[0] == _SILENT
    shown = hangul.compose(initial, vowel, _LAST.get(final, final) if is_carried_over else "")
    name = unicodedata.name(shown).removeprefix("HANGUL SYLLABLE ").lower().replace("c", "ch")
    return name if is_carried_over else name + _CLOSED.get(final, "")


def _wrong_layout(word: str, rng: Random) -> str:
    """As it is typed by somebody who forgot to change to Hangul."""
    return "".join("".join(map(_key, hangul.decompose(c))) if hangul.is_syllable(c) else c for c in word)


def _key(jamo: str) -> str:
    parts = _VOWELS.get(jamo) or hangul.CLUSTER_PARTS.get(jamo) or jamo
    return "".join(_KEYS[part] for part in parts)


def _with_chinese(word: str, rng: Random) -> str:
    """One or two syllables as Chinese characters that are read so."""
    table, letters = _chinese(), list(word)
    places = [i for i, c in enumerate(word) if c in table]
    for i in rng.sample(places, min(len(places), rng.randint(1, 2))):
        letters[i] = rng.choice(table[word[i]])
    return "".join(letters)


@functools.cache
def _chinese() -> dict[str, str]:
    """Chinese characters by the syllable they are read as."""
    found: dict[str, str] = {}
    for char in _CHINESE:
        syllable = reading(char)
        if syllable:
            found[syllable] = found.get(syllable, "") + char
    return found


def _with_look_alikes(word: str, rng: Random) -> str:
    """Syllables without a final and with a vowel at their side: consonant and vowel apart, one or both as signs."""
    return "".join(_apart(char, rng) if _comes_apart(char) else char for char in word)


def _comes_apart(char: str) -> bool:
    if not hangul.is_syllable(char):
        return False
    _, vowel, final = hangul.decompose(char)
    return not final and vowel in _VOWEL_LOOKS


def _apart(syllable: str, rng: Random) -> str:
    initial, vowel, _ = hangul.decompose(syllable)
    looks = _CONSONANT_LOOKS.get(initial)
    consonant = rng.choice(looks) if looks and rng.random() < 0.3 else initial
    return consonant + rng.choice(_VOWEL_LOOKS[vowel])
