"""Friendly sentences around the text.

Sources: Hosseini et al. 2017, "Deceiving Google's Perspective API"; Gröndahl et al. 2018, "All You Need is 'Love'".
"""

from __future__ import annotations

import re
from random import Random

from content_arena.components.attack_generation.strategies.base import Span, Strategy

_HANGUL = re.compile("[가-힣]")
_FRIENDLY = (
    "Hope you are having a lovely day!", "Thanks so much for sharing this.", "Love this community.",
    "What a beautiful morning.", "Have a great weekend everyone!", "Greetings from the seaside.",
    "I really enjoyed reading the other comments.", "The weather is wonderful here.", "Peace and love to all.",
    "My grandmother makes the best soup.", "Congratulations on the anniversary!", "The puppy in the photo is adorable.",
)  # fmt: skip
_FRIENDLY_KO = (
    "오늘도 좋은 하루 보내세요!", "좋은 글 감사합니다.", "모두 행복하세요.", "날씨가 참 좋네요.", "항상 응원합니다!",
    "덕분에 많이 배웠어요.", "주말 잘 보내세요.", "강아지가 정말 귀엽네요.", "사랑합니다 여러분.",
)  # fmt: skip


class BenignAppend(Strategy):
    """Adds one to three friendly sentences before or behind the text."""

    name = "benign_append"
    family = "sentence"
    langs = frozenset({"en", "ko"})

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; the places are three sentences around the text, ``span`` does not apply."""
        if intensity <= 0:
            return text
        pool = _FRIENDLY_KO if _HANGUL.search(text) else _FRIENDLY
        for sentence in rng.sample(pool, max(1, round(3 * intensity))):
            text = f"{sentence} {text}" if rng.random() < 0.5 else f"{text} {sentence}"
        return text
