"""Several strategies on one text.

Sources: Lee et al. 2025, "KOTOX" (difficulty is the number of rules); Boucher et al. 2022, "Bad Characters".
"""

from __future__ import annotations

import math
from random import Random

from content_arena.components.attack_generation.strategies.base import Span, Strategy
from content_arena.components.attack_generation.strategies.char_split import CharSplit
from content_arena.components.attack_generation.strategies.char_typo import CharTypo
from content_arena.components.attack_generation.strategies.diacritic_zalgo import DiacriticZalgo
from content_arena.components.attack_generation.strategies.emoji_between import EmojiBetween
from content_arena.components.attack_generation.strategies.emoji_words import EmojiWords
from content_arena.components.attack_generation.strategies.homoglyph_swap import HomoglyphSwap
from content_arena.components.attack_generation.strategies.ko_coda import KoCoda
from content_arena.components.attack_generation.strategies.ko_cross_script import KoCrossScript
from content_arena.components.attack_generation.strategies.ko_half_word import KoHalfWord
from content_arena.components.attack_generation.strategies.ko_liaison import KoLiaison
from content_arena.components.attack_generation.strategies.ko_mark_insert import KoMarkInsert
from content_arena.components.attack_generation.strategies.ko_phoneme_sub import KoPhonemeSub
from content_arena.components.attack_generation.strategies.ko_slang import KoSlang
from content_arena.components.attack_generation.strategies.ko_yamin import KoYamin
from content_arena.components.attack_generation.strategies.leet_sub import LeetSub
from content_arena.components.attack_generation.strategies.slang_respell import SlangRespell
from content_arena.components.attack_generation.strategies.space_join import SpaceJoin
from content_arena.components.attack_generation.strategies.wild_respell import WildRespell
from content_arena.components.shared.text import hangul

# Words are respelt before letters are changed, and joined last: each one still finds what it edits.
_KOREAN: tuple[Strategy, ...] = (KoSlang(), KoLiaison(), KoYamin(), KoPhonemeSub(), KoCoda(), EmojiWords(),
                                 KoHalfWord(), KoCrossScript(), KoMarkInsert(), EmojiBetween(),
                                 SpaceJoin())  # fmt: skip
_OTHER: tuple[Strategy, ...] = (SlangRespell(), EmojiWords(), WildRespell(), CharTypo(), LeetSub(), HomoglyphSwap(),
                                CharSplit(), EmojiBetween(), DiacriticZalgo(), SpaceJoin())  # fmt: skip
_MOST = 4


class Compound(Strategy):
    """Applies two to four other strategies one after the other, the more the higher the intensity."""

    name = "compound"
    family = "compound"
    langs = None
    by_default = False

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; the strategies are those for Korean where the span holds Hangul.

        Every strategy edits its own share of places, divided by their number: a text stays as readable as with one.
        """
        start, end = span or (0, len(text))
        part = text[start:end]
        if intensity <= 0:
            return text
        pool = _KOREAN if hangul.has_syllable(part) else _OTHER
        n = 1 + math.ceil(intensity * (_MOST - 1))
        for i in sorted(rng.sample(range(len(pool)), n)):
            part = pool[i].perturb(part, rng, intensity / n)
        return text[:start] + part + text[end:]
