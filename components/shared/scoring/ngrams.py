"""Hashed character n-grams of a text: a second view of it, which needs no words.

A misspelt word that the tokenizer cuts into unknown pieces still has most of its n-grams, and joined words have theirs
whatever the spaces. The n-grams of a text without spaces and of its consonants alone (readers and writers mix up vowels
first) are hashed into a table of fixed size (Weinberger et al. 2009), so no vocabulary is needed.
"""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import numpy.typing as npt

#: Version of what this module computes. A model with n-grams is only used with the version it was trained with.
NGRAM_VERSION = 1
#: Number of hash values.
BUCKETS = 1 << 18
_SHORTEST, _LONGEST = 3, 5
_NO_LETTER = re.compile(r"[\W_]+")
_NO_CONSONANT = re.compile(r"[\daeiou]+")
_TWICE = re.compile(r"(.)\1+")
# FNV-1a (Fowler, Noll and Vo 1991) over code points, and the final mix of MurmurHash3's kind that spreads its low bits.
_FNV_OFFSET, _FNV_PRIME = 0x811C9DC5, np.uint32(0x01000193)
_MIX = np.uint32(0x2C1B3C6D)
_BY_LENGTH = 0x9E3779B1


def ngram_ids(text: str) -> npt.NDArray[np.int64]:
    """The hashes of a text's n-grams.

    Args:
        text: As the model reads it.

    Returns:
        int64[n], ascending, without repetition, in [0, BUCKETS); empty for a text with fewer than three letters.
    """
    # NFD divides Hangul syllables into letters and accents from theirs; the accents are no letters and are dropped.
    folded = text.casefold()
    letters = _NO_LETTER.sub("", folded if folded.isascii() else unicodedata.normalize("NFD", folded))
    consonants = _TWICE.sub(r"\1", _NO_CONSONANT.sub("", letters))
    found = [*_hashes(letters, _FNV_OFFSET ^ 1), *_hashes(consonants, _FNV_OFFSET ^ 2)]
    return np.unique(np.concatenate(found)).astype(np.int64) if found else np.zeros(0, dtype=np.int64)


def _hashes(letters: str, start: int) -> list[npt.NDArray[np.uint32]]:
    """The hashes of the n-grams of each length, uint32 below BUCKETS."""
    codes = np.frombuffer(letters.encode("utf-32-le", "replace"), dtype=np.uint32)
    found = []
    state = np.full(len(codes), start, dtype=np.uint32)
    for length in range(1, min(_LONGEST, len(codes)) + 1):
        state = (state[: len(codes) - length + 1] ^ codes[length - 1 :]) * _FNV_PRIME
        if length >= _SHORTEST:
            mixed = state ^ np.uint32(length * _BY_LENGTH & 0xFFFFFFFF)
            mixed = (mixed ^ (mixed >> np.uint32(15))) * _MIX
            found.append((mixed ^ (mixed >> np.uint32(12))) & np.uint32(BUCKETS - 1))
    return found


def padded(rows: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    """The ids of several texts as one int64[n, width] array, filled up with BUCKETS."""
    table = np.full((len(rows), max([1, *map(len, rows)])), BUCKETS, dtype=np.int64)
    for filled, row in zip(table, rows, strict=True):
        filled[: len(row)] = row
    return table
