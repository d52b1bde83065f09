"""Generic noise: random slips of single characters, which stand for perturbations that nobody knows yet.

The slips are the edits of Damerau 1964 (insertion, deletion, substitution, swap), at any place, spaces included. They
follow no keyboard and no strategy by which a filter is judged.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from random import Random

import pandas as pd

from content_arena.components.shared.scoring.reading import Reading
from content_arena.components.shared.text.masking import EMAIL_MASK, HANDLE_MASK, PHONE_MASK

#: Least and greatest share of the characters that are hurt; each text gets a share of its own between them.
RATES = (0.02, 0.12)
#: Share of all letters in the texts that the letters put in make up.
_COMMON = 0.95
_MASKS = re.compile(rf"({re.escape(EMAIL_MASK)}|{re.escape(PHONE_MASK)}|{HANDLE_MASK}\b)")


def perturbed(table: pd.DataFrame, reading: Reading, seed: int) -> pd.DataFrame:
    """The table with every text hurt, and the column read: the hurt texts as the model gets them.

    Args:
        table: Has a column text.
        reading: That of the model.
        seed: Decides every slip.
    """
    rng = Random(seed)  # noqa: S311
    alphabet = letters_of(table["text"])
    texts = [hurt(text, rng, alphabet) for text in table["text"]]
    return table.assign(text=texts, read=[reading(text) for text in texts])


def letters_of(texts: Iterable[str]) -> str:
    """The common letters of texts, each once, so that noise is made of the script that they are written in."""
    counts = Counter(char for text in texts for char in text.casefold() if char.isalpha())
    wanted, letters = _COMMON * counts.total(), []
    for letter, n in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if wanted <= 0:
            break
        letters.append(letter)
        wanted -= n
    return "".join(letters)


def hurt(text: str, rng: Random, letters: str) -> str:
    """The text with random slips.

    Masks stay as they are: nobody writes them, so nobody misspells them.

    Args:
        text: Any text.
        rng: Draws the share of characters to hurt, and the slips.
        letters: What may be put in; "" leaves out insertions and substitutions.

    Returns:
        At most twice as many characters, each of the text or of ``letters``.
    """
    rate = rng.uniform(*RATES)
    parts = _MASKS.split(text)
    # Every second part is a mask.
    return "".join(part if i % 2 else _slips(part, rate, rng, letters) for i, part in enumerate(parts))


def _slips(text: str, rate: float, rng: Random, letters: str) -> str:
    written: list[str] = []
    for char in text:
        slip = rng.randrange(4) if rng.random() < rate else None
        if slip == 0 and letters:
            written += [char, rng.choice(letters)]
        elif slip == 1 and letters:
            written.append(rng.choice(letters))
        elif slip == 2 and written:
            written.insert(-1, char)
        elif slip != 3:
            written.append(char)
    return "".join(written)
