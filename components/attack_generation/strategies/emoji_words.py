"""Emoji in the place of words.

Source: Kirk et al. 2022, "Hatemoji" (emoji in the place of insults and of identities).
"""

from __future__ import annotations

from random import Random

from content_arena.components.attack_generation.strategies import pictures
from content_arena.components.attack_generation.strategies.base import Span, Strategy
from content_arena.components.attack_generation.strategies.words import edit_words
from content_arena.components.shared.text import hangul

#: What emoji stand for beside what Unicode names them after.
_ALSO = {
    "you": "🫵", "i": "👁️", "eye": "👁️", "see": "👀", "look": "👀", "be": "🐝", "to": "2️⃣", "too": "2️⃣",
    "two": "2️⃣", "for": "4️⃣", "no": "🚫", "yes": "✅", "love": "❤️", "hate": "😡", "idiot": "🤡", "fool": "🤡",
    "moron": "🤡", "stupid": "🤪", "shit": "💩", "crap": "💩", "ass": "🍑", "dick": "🍆", "cock": "🐓", "pussy": "🐱",
    "bitch": "🐕", "fuck": "🖕", "kill": "🔪", "die": "💀", "dead": "💀", "death": "💀", "sick": "🤮",
    "disgusting": "🤮", "trash": "🗑️", "garbage": "🗑️", "people": "👥", "money": "💰", "개": "🐶", "새끼": "🐦끼",
    "똥": "💩", "눈": "👁️", "손": "✋", "발": "🦶", "돈": "💰", "쓰레기": "🗑️", "바보": "🤪", "사랑": "❤️",
    "죽": "💀", "칼": "🔪", "미친": "🤪", "토하": "🤮하", "토할": "🤮할", "토나": "🤮나",
}  # fmt: skip
#: Names of emoji that are more often another word or the beginning of one: if somebody goes, upwards, engineer.
_MISREAD = frozenset({"가면", "위로", "반대로", "기타", "엔지", "프리", "클럽"})
#: A Korean word carries particles, so its beginning is looked up, the longest first.
_LONGEST = 6
_LONGEST_BUTTON = 2


class EmojiWords(Strategy):
    """Writes words as emoji: ``you 🐷``, ``🐶🐦끼``."""

    name = "emoji_words"
    family = "emoji"
    langs = frozenset({"en", "ko"})
    by_default = False

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is a word that an emoji is named after or stands for."""
        return edit_words(text, rng, intensity, span, _shown, lambda word: _shown(word) != word)


def _shown(word: str) -> str:
    """The word as an emoji; itself where there is none."""
    if hangul.is_syllable(word[0]):
        return _korean(word)
    names, plain = pictures.by_name("en"), word.lower()
    found = _ALSO.get(plain)
    # Names of one or two letters are buttons: AB, UP, NG.
    if found is None and len(plain) > _LONGEST_BUTTON:
        found = names.get(plain) or names.get(plain.removesuffix("s"))
    return found or word


def _korean(word: str) -> str:
    names = pictures.by_name("ko")
    for length in range(min(len(word), _LONGEST), 0, -1):
        start = word[:length]
        found = _ALSO.get(start) or (names.get(start) if length > 1 and start not in _MISREAD else None)
        if found:
            # Of a compound insult the rest is looked up as well.
            return found + (_korean(word[length:]) if word[length:] else "")
    return word
