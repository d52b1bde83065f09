"""Attacks to develop against: the project's own strategies, and kinds of edits that none of them makes.

Rows are of the same form as the frozen ones of freeze_blind_attacks.py, and drawn from other texts than these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from random import Random

import pandas as pd

from content_arena.components.attack_generation import strategies
from content_arena.components.attack_generation.strategies.words import edit_words
from content_arena.components.shared.records import sha256_of

RUNGS = 3
Perturb = Callable[[str, Random, float], str]
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_MARKS = "*.-_·'~"


def _words(edit: Callable[[Random, str], str], least: int) -> Perturb:
    def perturb(text: str, rng: Random, intensity: float) -> str:
        return edit_words(text, rng, intensity, None, partial(edit, rng), lambda word: len(word) >= least)

    return perturb


def _inserted(rng: Random, word: str) -> str:
    at = rng.randrange(1, len(word))
    return word[:at] + rng.choice(_LETTERS) + word[at:]


def _scrambled(rng: Random, word: str) -> str:
    inner = list(word[1:-1])
    rng.shuffle(inner)
    return word[0] + "".join(inner) + word[-1]


def _vowel_swapped(rng: Random, word: str) -> str:
    places = [i for i, letter in enumerate(word) if letter.lower() in "aeiou"]
    if not places:
        return word
    at = rng.choice(places)
    return word[:at] + rng.choice("aeiou") + word[at + 1 :]


def _repeated(rng: Random, word: str) -> str:
    at = rng.randrange(len(word))
    return word[:at] + word[at] * rng.randint(3, 5) + word[at + 1 :]


def _cut(rng: Random, word: str) -> str:
    at = rng.randrange(1, len(word))
    return f"{word[:at]} {word[at:]}"


def _marked(rng: Random, word: str) -> str:
    at = rng.randrange(1, len(word))
    return word[:at] + rng.choice(_MARKS) + word[at:]


def _symbol(rng: Random, word: str) -> str:
    at = rng.randrange(1, len(word))
    return word[:at] + rng.choice("★❤🙂✨") + word[at:]


def kinds(lang: str) -> Mapping[str, Perturb]:
    """Every development attack by name."""
    own = {
        strategy.name: partial(lambda s, text, rng, share: s.perturb(text, rng, share), strategy)
        for strategy in strategies.select(lang)
    }
    join, typo = own["space_join"], own["char_typo"]
    return own | {
        "inserted": _words(_inserted, 3),
        "scrambled": _words(_scrambled, 4),
        "truncated": _words(lambda rng, word: word[:-1], 4),
        "vowel_swapped": _words(_vowel_swapped, 3),
        "repeated": _words(_repeated, 3),
        "cut": _words(_cut, 4),
        "marked": _words(_marked, 3),
        "symbol": _words(_symbol, 3),
        "join_typo": lambda text, rng, share: join(typo(text, rng, share), rng, share),
    }


def attack(samples: pd.DataFrame, lang: str, seed: int = 0, made: Mapping[str, Perturb] | None = None) -> pd.DataFrame:
    """Attacks every text with every kind: toxic ones at three strengths, benign ones at one of them.

    Args:
        samples: Columns base_id, text, label.
        lang: ISO 639-1 code.
        seed: Decides every edit.
        made: Kinds by name; those of :func:`kinds` if None.

    Returns:
        Columns base_id, kind, rung, label, original, text.
    """
    rows = []
    for kind, perturb in (made or kinds(lang)).items():
        for sample in samples.itertuples(index=False):
            drawn = int(sha256_of(str(seed), sample.base_id, kind)[:12], 16)
            rungs = range(RUNGS) if sample.label == "toxic" else [drawn % RUNGS]
            rows += [
                {
                    "base_id": sample.base_id,
                    "kind": kind,
                    "rung": rung,
                    "label": sample.label,
                    "original": sample.text,
                    "text": perturb(sample.text, Random(drawn + rung), (rung + 1) / RUNGS),
                }
                for rung in rungs
            ]
    return pd.DataFrame(rows)
