"""Chooses the pieces of a vocabulary that texts in one language need.

The whole vocabulary has 250,002 pieces in some hundred languages; its embeddings are four fifths of the model.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from content_arena.components.qlora_training.multilingual.packed import Vocabulary

#: What a piece has instead of a space at its start.
SPACE = "▁"
#: Pieces of more than one letter that stand in ASCII letters are kept below this id: the more common a piece is, the
#: lower its id.
MAX_ASCII_ID = 150_000
#: By language, the scripts whose pieces are kept beside ASCII, by the first word of their letters' Unicode names. A
#: language that is not listed keeps the whole vocabulary.
SCRIPTS: Mapping[str, frozenset[str]] = {"en": frozenset(), "ko": frozenset({"HANGUL"})}


def kept_ids(vocabulary: Vocabulary, lang: str) -> list[int]:
    """The ids of the pieces that are kept, in their order.

    Every special token and every single character is kept, so no character becomes unknown that was known before.
    Beyond these, pieces without letters are kept, pieces with a letter of the language's scripts, and the common ones
    in ASCII letters.

    Args:
        vocabulary: The whole one.
        lang: ISO 639-1 code.
    """
    if lang not in SCRIPTS:
        return list(range(len(vocabulary.pieces)))
    scripts = SCRIPTS[lang]
    return [
        i
        for i, piece in enumerate(vocabulary.pieces)
        if i in vocabulary.special or _is_kept(piece.replace(SPACE, ""), i, scripts)
    ]


def _is_kept(text: str, i: int, scripts: frozenset[str]) -> bool:
    if len(text) < 2:
        return True
    letters = [char for char in text if char.isalpha()]
    if not letters:
        return True
    if text.isascii():
        return i < MAX_ASCII_ID
    return any(unicodedata.name(char, "").split(" ")[0] in scripts for char in letters)
