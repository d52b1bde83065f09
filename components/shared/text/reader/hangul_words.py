"""Reads Hangul words that are misspelt: the likeliest row of known pieces behind the written syllables.

A Korean word is a stem with endings, so a lexicon of whole words would know few of them. This one knows pieces: those
that begin a word, and those that go on. What a word costs is the sum of its pieces and of the slips between what is
written and what is meant (a noisy channel; Kernighan, Church and Gale 1990), and a beam search finds the cheapest.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from content_arena.components.shared.text.hangul import is_syllable
from content_arena.components.shared.text.reader.hangul_slips import Meant, Prices, jamo, meant

#: Nats of a syllable that no piece holds: one of KS X 1001, with which nearly all Korean is written, and any other.
_RARE_SYLLABLE, _ODD_SYLLABLE = 12.0, 16.0
#: Readings that are followed at a time.
_BEAM = 8
#: A word of more syllables is looked at in parts; the search takes about a millisecond for four.
LONGEST = 12


@dataclass(eq=False)
class _Node:
    """A node of a trie of pieces.

    Attributes:
        children: Nodes by the next syllable.
        cost: Nats of the piece that ends here; None if none does.
        cheapest: Nats of the cheapest piece that ends here or below.
    """

    children: dict[str, _Node] = field(default_factory=dict)
    cost: float | None = None
    cheapest: float = float("inf")
    by_head: dict[tuple[str, str], list[tuple[str, str, _Node]]] = field(default_factory=dict)

    def add(self, piece: str, cost: float) -> None:
        node = self
        node.cheapest = min(node.cheapest, cost)
        for syllable in piece:
            child = node.children.get(syllable)
            if child is None:
                child = node.children[syllable] = _Node()
                initial, vowel, final = jamo(syllable)
                node.by_head.setdefault((initial, vowel), []).append((syllable, final, child))
            node = child
            node.cheapest = min(node.cheapest, cost)
        node.cost = cost if node.cost is None else min(node.cost, cost)


class _State(NamedTuple):
    """A reading of the syllables so far.

    Attributes:
        cost: Nats of its finished pieces and its slips.
        node: Where it is in the trie.
        taken: Whether the next initial was read already.
        text: The syllables it reads.
    """

    cost: float
    node: _Node
    taken: bool
    text: str

    @property
    def rank(self) -> float:
        """What it costs at least."""
        return self.cost + self.node.cheapest


class HangulWords:
    """The pieces of a lexicon, searchable by what is written."""

    def __init__(self, starts: Mapping[str, float], inside: Mapping[str, float], prices: Prices | None = None) -> None:
        """Builds the tries.

        Args:
            starts: Nats of the pieces that begin a word; those that hold anything but syllables are left out.
            inside: Nats of the pieces that go on.
            prices: Of slips.
        """
        self._prices = prices or Prices()
        self._starts, self._inside = _Node(), _Node()
        for node, pieces in ((self._starts, starts), (self._inside, inside)):
            for piece, cost in pieces.items():
                if piece and all(map(is_syllable, piece)):
                    node.add(piece, cost)

    def as_written(self, word: str) -> float:
        """Nats of a word without slips."""
        return self._divided(word)[0][-1]

    def is_piece(self, word: str) -> bool:
        """Whether a word is one known piece."""
        return len(self.divide(word)) == 1

    def divide(self, word: str) -> list[str]:
        """The likeliest pieces of a word as it is written."""
        _, begins = self._divided(word)
        pieces = []
        end = len(word)
        while end:
            pieces.append(word[begins[end] : end])
            end = begins[end]
        return pieces[::-1]

    def _divided(self, word: str) -> tuple[list[float], list[int]]:
        """For every end, the nats of the syllables before it and where the last of their pieces begins."""
        costs = [0.0] + [float("inf")] * len(word)
        begins = [0] * (len(word) + 1)
        for start in range(len(word)):
            node, base = self._inside if start else self._starts, costs[start]
            unknown = base + _unknown(word[start])
            if unknown < costs[start + 1]:
                costs[start + 1], begins[start + 1] = unknown, start
            for end in range(start, len(word)):
                following = node.children.get(word[end])
                if following is None:
                    break
                node = following
                if node.cost is not None and base + node.cost < costs[end + 1]:
                    costs[end + 1], begins[end + 1] = base + node.cost, start
        return costs, begins

    def best(self, word: str, below: float) -> tuple[str, float] | None:
        """The likeliest word behind the written syllables, and its nats with its slips.

        Args:
            word: 1 to :data:`LONGEST` syllables.
            below: Nats that a reading has to stay below.

        Returns:
            None if the search finds no such reading.
        """
        written = [jamo(syllable) for syllable in word]
        beam = [_State(0.0, self._starts, False, "")]
        for i, syllable in enumerate(word):
            before = written[i - 1] if i else None
            after = written[i + 1] if i + 1 < len(written) else None
            options: dict[bool, Meant] = {}
            reached: dict[tuple[int, bool, str], _State] = {}
            for state in beam:
                if state.taken not in options:
                    options[state.taken] = meant(written[i], before, after, state.taken, self._prices)
                for following in self._follow(state, syllable, options[state.taken], below):
                    key = (id(following.node), following.taken, following.text[-1:])
                    known = reached.get(key)
                    if known is None or following.cost < known.cost:
                        reached[key] = following
            beam = sorted(reached.values(), key=lambda state: state.rank)[:_BEAM]
        finished = [state for state in beam if not state.taken and state.node is self._inside]
        best = min(finished, key=lambda state: state.cost, default=None)
        return (best.text, best.cost) if best and best.cost < below else None

    def _follow(self, state: _State, syllable: str, options: Meant, below: float) -> Iterable[_State]:
        for meant_syllable, price, taken, node in _steps(state.node, options):
            cost = state.cost + price
            if cost + node.cheapest >= below:
                continue
            if node.children:
                yield _State(cost, node, taken, state.text + meant_syllable)
            if node.cost is not None and cost + node.cost < below:
                yield _State(cost + node.cost, self._inside, taken, state.text + meant_syllable)
        if not state.taken and (state.node is self._starts or state.node is self._inside):
            yield _State(state.cost + _unknown(syllable), self._inside, False, state.text + syllable)


def _steps(node: _Node, options: Meant) -> Iterable[tuple[str, float, bool, _Node]]:
    """The syllables that a piece may go on with: each with its price and whether it takes the next initial."""
    for head, first in options.heads.items():
        for syllable, final, child in node.by_head.get(head, ()):
            for second, taken in options.tails.get(final, ()):
                yield syllable, first + second, taken, child


def _unknown(syllable: str) -> float:
    return _ODD_SYLLABLE if is_odd(syllable) else _RARE_SYLLABLE


@functools.lru_cache(maxsize=1 << 14)
def is_odd(syllable: str) -> bool:
    """Whether a syllable is none of the 2,350 of KS X 1001."""
    return len(syllable.encode("euc-kr", "ignore")) != 2
