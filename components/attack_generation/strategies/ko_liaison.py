"""Korean finals written as the initial of the next syllable, as they are pronounced, and the reverse.

Sources: Lee et al. 2025, "KOTOX"; Standard Pronunciation of Korean (National Institute of Korean Language), rules 12 to
17 (finals before a vowel, palatal consonants).
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from content_arena.components.attack_generation.strategies.base import Span, Strategy
from content_arena.components.attack_generation.strategies.words import edit_words
from content_arena.components.shared.text import hangul

_SILENT = "ㅇ"
#: Before the vowel ㅣ these finals sound like another consonant.
_PALATAL = {"ㄷ": "ㅈ", "ㅌ": "ㅊ"}


class KoLiaison(Strategy):
    """Writes finals as they are pronounced, or moves an initial back: ``먹어`` becomes ``머거``, ``사람`` ``살암``."""

    name = "ko_liaison"
    family = "ko"
    langs = frozenset({"ko"})
    by_default = False

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is a word with two syllables between which a consonant can move."""

        def edit(word: str) -> str:
            joined, parted = _moved(word, _join), _moved(word, _part)
            ways = [moves for moves in (joined, parted) if moves]
            moves = rng.choice(ways)
            # As it is pronounced: every final. Back: one, since nobody writes a whole word so.
            chosen = moves if moves is joined else {(at := rng.choice(sorted(moves))): moves[at]}
            syllables = list(word)
            for at, (first, second) in sorted(chosen.items()):
                syllables[at] = _with_initial_of(syllables[at], first)
                syllables[at + 1] = second
            return "".join(syllables)

        def editable(word: str) -> bool:
            return bool(_moved(word, _join) or _moved(word, _part))

        return edit_words(text, rng, intensity, span, edit, editable)


def _with_initial_of(written: str, moved: str) -> str:
    """A syllable that has lost its final, with the initial that it may have got from the syllable before."""
    return hangul.compose(hangul.decompose(written)[0], *hangul.decompose(moved)[1:])


def _moved(word: str, move: Callable[[str, str], tuple[str, str] | None]) -> dict[int, tuple[str, str]]:
    """Where a consonant can move: the place of the first of two syllables, and what both become."""
    found = {}
    for at in range(len(word) - 1):
        if hangul.is_syllable(word[at]) and hangul.is_syllable(word[at + 1]):
            pair = move(word[at], word[at + 1])
            if pair is not None:
                found[at] = pair
    return found


def _join(first: str, second: str) -> tuple[str, str] | None:
    """The final of the first syllable as the initial of the second, which has none; None if that can not be."""
    initial, vowel, final = hangul.decompose(first)
    next_initial, next_vowel, next_final = hangul.decompose(second)
    if final in ("", _SILENT) or next_initial != _SILENT:
        return None
    stays, moves = hangul.CLUSTER_PARTS.get(final, ("", final))
    if moves == "ㅎ":
        # Not pronounced before a vowel: what is before it moves, or nothing.
        stays, moves = "", stays or _SILENT
    elif stays and moves == "ㅅ":
        moves = "ㅆ"
    if next_vowel == "ㅣ":
        moves = _PALATAL.get(moves, moves)
    return hangul.compose(initial, vowel, stays), hangul.compose(moves, next_vowel, next_final)


def _part(first: str, second: str) -> tuple[str, str] | None:
    """The initial of the second syllable as the final of the first, which has none; None if that can not be."""
    initial, vowel, final = hangul.decompose(first)
    next_initial, next_vowel, next_final = hangul.decompose(second)
    if final or next_initial == _SILENT or next_initial not in hangul.FINALS:
        return None
    return hangul.compose(initial, vowel, next_initial), hangul.compose(_SILENT, next_vowel, next_final)
