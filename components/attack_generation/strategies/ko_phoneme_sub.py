"""Korean syllables with a sound that is near.

Source: Lee et al. 2025, "KOTOX" (plain, tense and aspirated consonants, near vowels).
"""

from __future__ import annotations

from random import Random

from content_arena.components.attack_generation.strategies.base import Span, Strategy
from content_arena.components.attack_generation.strategies.words import edit_words
from content_arena.components.shared.text import hangul

_INITIALS = ("ㄱㄲㅋ", "ㄷㄸㅌ", "ㅂㅃㅍ", "ㅅㅆ", "ㅈㅉㅊ")
_VOWELS = ("ㅐㅔ", "ㅒㅖ", "ㅙㅚㅞ", "ㅏㅑ", "ㅓㅕ", "ㅗㅛ", "ㅜㅠ", "ㅡㅢ", "ㅢㅣ", "ㅟㅢ", "ㅝㅓ", "ㅘㅏ")


def _others(groups: tuple[str, ...]) -> dict[str, str]:
    """For every jamo those that are near it."""
    found: dict[str, str] = {}
    for group in groups:
        for jamo in group:
            found[jamo] = found.get(jamo, "") + group.replace(jamo, "")
    return found


_NEAR_INITIALS, _NEAR_VOWELS = _others(_INITIALS), _others(_VOWELS)


class KoPhonemeSub(Strategy):
    """Exchanges plain, tense and aspirated consonants or near vowels: ``바보`` becomes ``빠뵤``."""

    name = "ko_phoneme_sub"
    family = "ko"
    langs = frozenset({"ko"})
    by_default = False

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is a word with a Hangul syllable, up to two of them change."""

        def edit(word: str) -> str:
            syllables = list(word)
            places = [i for i, c in enumerate(word) if hangul.is_syllable(c)]
            for i in rng.sample(places, min(len(places), rng.randint(1, 2))):
                syllables[i] = _near(word[i], rng)
            return "".join(syllables)

        return edit_words(text, rng, intensity, span, edit, hangul.has_syllable)


def _near(syllable: str, rng: Random) -> str:
    """The syllable with its initial, its vowel, or both exchanged; every vowel has a near one."""
    initial, vowel, final = hangul.decompose(syllable)
    if initial not in _NEAR_INITIALS:
        return hangul.compose(initial, rng.choice(_NEAR_VOWELS.get(vowel, vowel)), final)
    kind = rng.randrange(3)
    if kind != 1:
        initial = rng.choice(_NEAR_INITIALS[initial])
    if kind != 0:
        vowel = rng.choice(_NEAR_VOWELS.get(vowel, vowel))
    return hangul.compose(initial, vowel, final)
