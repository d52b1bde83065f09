"""Builds the pieces of Hangul words, with their costs, from a tokenizer's vocabulary and the training texts."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from content_arena.components.shared.text.reader.hangul_words import HangulWords

#: A piece is only taken from training texts if so many different ones hold it, as for words in letters.
MIN_TEXTS = 3
_SPACE = "▁"
_HANGUL = re.compile(r"[가-힣]+")
_WORD = re.compile(r"(?<![가-힣])[가-힣]+")
_LONGEST_ENDING = 4
#: With fewer pieces a vocabulary is not one for Korean.
_MIN_PIECES = 1_000
_GOES_ON = "##"
#: Share of the probability that goes by the training texts' own counts; the rest goes by rank in the vocabulary.
_TRAINING_SHARE = 0.5
_ZIPF_SHIFT = 2.7
#: Nats of a piece of the training texts before the first round.
_FIRST_COST = 12.0
#: Rounds in which the training words are divided into pieces by the costs of the last round.
_ROUNDS = 3


class Pieces(NamedTuple):
    """Nats of the pieces that begin a word, and of those that go on."""

    starts: dict[str, float]
    inside: dict[str, float]


class _Known(NamedTuple):
    """Pieces of enough training texts."""

    starts: set[str]
    inside: set[str]


class _Counts(NamedTuple):
    """How often pieces were met."""

    starts: Counter[str]
    inside: Counter[str]


def is_korean(texts: Sequence[str]) -> bool:
    """Whether most letters of the texts are Hangul syllables."""
    n_letters = sum(char.isalpha() for text in texts for char in text)
    return 2 * sum(len(run) for text in texts for run in _HANGUL.findall(text)) > n_letters


def build(vocabulary: Mapping[str, int], texts: Sequence[str]) -> Pieces | None:
    """The pieces and their costs; None if the vocabulary is not one for Korean.

    Args:
        vocabulary: Tokens with their ids; either what begins a word is marked with ``▁``, or what goes on with ``##``.
        texts: Canonical training texts.
    """
    ranked = _ranked(vocabulary)
    if len(ranked.starts) < _MIN_PIECES:
        return None
    words: Counter[str] = Counter()
    n_texts: Counter[str] = Counter()
    for text in texts:
        found = _WORD.findall(text)
        words.update(found)
        n_texts.update(set(found))
    known = _known_pieces(n_texts)
    pieces = Pieces(
        dict.fromkeys(known.starts, _FIRST_COST) | ranked.starts,
        dict.fromkeys(known.inside, _FIRST_COST) | ranked.inside,
    )
    for _ in range(_ROUNDS):
        counts = _counted(words, pieces)
        pieces = Pieces(
            _costs(counts.starts, known.starts, ranked.starts), _costs(counts.inside, known.inside, ranked.inside)
        )
    return pieces


def _ranked(vocabulary: Mapping[str, int]) -> Pieces:
    """Costs by rank (Mandelbrot 1953)."""
    ordered = sorted(vocabulary, key=vocabulary.__getitem__)
    plain = [token for token in ordered if _HANGUL.fullmatch(token)]
    starts, inside = _marked(ordered, _SPACE), plain
    if not starts:
        starts, inside = plain, _marked(ordered, _GOES_ON)
    return Pieces(_by_rank(starts), _by_rank(inside))


def _marked(tokens: Sequence[str], mark: str) -> list[str]:
    rests = (token.removeprefix(mark) for token in tokens if token.startswith(mark))
    return [rest for rest in rests if _HANGUL.fullmatch(rest)]


def _by_rank(tokens: Sequence[str]) -> dict[str, float]:
    total = sum(1 / (rank + _ZIPF_SHIFT) for rank in range(1, len(tokens) + 1))
    return {token: math.log((rank + _ZIPF_SHIFT) * total) for rank, token in enumerate(tokens, 1)}


def _known_pieces(n_texts: Mapping[str, int]) -> _Known:
    """Beginnings and endings of words that stand in enough texts."""
    starts: Counter[str] = Counter()
    inside: Counter[str] = Counter()
    for word, n in n_texts.items():
        for end in range(1, len(word) + 1):
            starts[word[:end]] += n
        for length in range(1, min(_LONGEST_ENDING, len(word) - 1) + 1):
            inside[word[-length:]] += n
    return _Known(*({piece for piece, n in found.items() if n >= MIN_TEXTS} for found in (starts, inside)))


def _counted(words: Mapping[str, int], pieces: Pieces) -> _Counts:
    """How often each piece stands in the likeliest divisions of the words."""
    divider = HangulWords(pieces.starts, pieces.inside)
    counts = _Counts(Counter(), Counter())
    for word, n in words.items():
        for i, piece in enumerate(divider.divide(word)):
            counts[i > 0][piece] += n
    return counts


def _costs(counts: Mapping[str, int], known: set[str], ranked: Mapping[str, float]) -> dict[str, float]:
    total = sum(n for piece, n in counts.items() if piece in known or piece in ranked) or 1
    shares: dict[str, float] = defaultdict(float)
    for piece, cost in ranked.items():
        shares[piece] += (1 - _TRAINING_SHARE) * math.exp(-cost)
    for piece, n in counts.items():
        if piece in known or piece in ranked:
            shares[piece] += _TRAINING_SHARE * n / total
    return {piece: -math.log(share) for piece, share in shares.items()}
