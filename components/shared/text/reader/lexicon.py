"""The lexicon of a Reader: the words it knows, each with a cost.

The cost of a word is its surprisal in nats, -ln p: about 4 for a common word, 13 for a rare one. The cost of a reading
is the sum of the costs of its words, so two readings of the same letters can be compared. A string that is not in the
lexicon costs its surprisal under a model of letters (letters.py) and a fixed amount for being unknown.
"""

from __future__ import annotations

import functools
import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from content_arena.components.shared.errors import BundleError
from content_arena.components.shared.text.reader.letters import LetterModel

FORMAT = 1
#: A word is only taken from training texts if so many different ones hold it: no name of a person gets into a bundle.
MIN_TEXTS = 3
EDIT_PRICE = 5.5
#: Alphabets in which words are compared.
LETTERS, JAMO = "letters", "jamo"
#: Share of the probability that goes by the training texts' own counts; the rest goes by rank in the vocabulary.
_TRAINING_SHARE = 0.5
#: Rank shift of the Zipf-Mandelbrot law (Mandelbrot 1953), by which a word of rank r has a probability of about
#: 1 / (r + shift).
_ZIPF_SHIFT = 2.7
_LONGEST_ENDING = 3
_SHORTEST_STEM = 3
#: Pairs of words that differ by an ending before it counts as one.
_MIN_PAIRS = 40
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_APOSTROPHE = str.maketrans({"’": "'"})


@dataclass(frozen=True)
class Lexicon:
    """Words and their costs.

    Attributes:
        costs: Surprisal in nats, by casefolded word.
        unknown_cost: Nats that an unknown word costs beside its letters: -ln of their share among all words met.
        edit_price: Nats that one wrong letter costs. With a lower price more words are restored, and more benign words
            are taken for others.
        alphabet: Which spelling the words are compared in: ``letters`` as they are, or ``jamo`` for Hangul.
        inside: With the alphabet ``jamo``, the surprisal of the pieces that go on within a word; ``costs`` has those
            that begin one.
        kept: Casefolded words of a dictionary that stay as they are. Nothing is corrected to one of them, because
            most are rarer than a misspelling of a word in ``costs``.
        censored: Casefolded words that people write with stars in place of letters, the likelier first.
    """

    costs: Mapping[str, float]
    unknown_cost: float = 3.0
    edit_price: float = EDIT_PRICE
    alphabet: str = LETTERS
    inside: Mapping[str, float] = field(default_factory=dict)
    kept: frozenset[str] = frozenset()
    censored: tuple[str, ...] = ()

    def __contains__(self, word: object) -> bool:
        return word in self.costs

    def knows(self, word: str) -> bool:
        """Whether it is a word: one that others are corrected to, or one that is only kept."""
        return word in self.costs or word in self.kept

    def __len__(self) -> int:
        return len(self.costs)

    def cost(self, word: str) -> float:
        """Nats of a word, known or not."""
        found = self.costs.get(word)
        if found is not None:
            return found
        return min(self.unknown(word), self.rarest) if word in self.kept else self.unknown(word)

    def unknown(self, word: str) -> float:
        """Nats of the letters, as if they were no word."""
        return self.unknown_cost + self._letters.cost(word)

    def inflected(self, word: str) -> float:
        """Nats of a word that is a known one with a common ending; infinite if it is none."""
        costs = (
            self.cost(word[:-n]) + self._endings[word[-n:]]
            for n in range(1, _LONGEST_ENDING + 1)
            if word[-n:] in self._endings and len(word) - n >= _SHORTEST_STEM and self.knows(word[:-n])
        )
        return min(costs, default=math.inf)

    @functools.cached_property
    def rarest(self) -> float:
        """Nats of the rarest word of ``costs``, which every kept word costs: their own frequencies are not stored."""
        return max(self.costs.values(), default=self.unknown_cost)

    @functools.cached_property
    def _endings(self) -> dict[str, float]:
        """Endings such as -s, -ing and -er, with their costs: many known words are another known word with one."""
        counts = Counter(
            word[-n:]
            for word in self.costs
            for n in range(1, _LONGEST_ENDING + 1)
            if len(word) - n >= _SHORTEST_STEM and word[:-n] in self.costs
        )
        total = sum(counts.values())
        return {ending: -math.log(n / total) for ending, n in counts.items() if n >= _MIN_PAIRS}

    @functools.cached_property
    def _letters(self) -> LetterModel:
        return LetterModel(self.costs)

    def save(self, path: Path) -> None:
        """Writes it as JSON."""
        content = {
            "format": FORMAT,
            "alphabet": self.alphabet,
            "unknown_cost": self.unknown_cost,
            "edit_price": self.edit_price,
            "inside": {piece: round(cost, 2) for piece, cost in sorted(self.inside.items())},
            "kept": " ".join(sorted(self.kept)),
            "censored": " ".join(self.censored),
            "words": {word: round(cost, 2) for word, cost in sorted(self.costs.items())},
        }
        path.write_text(json.dumps(content, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Lexicon:
        """Reads what :meth:`save` wrote.

        Raises:
            BundleError: It can not be read, or is of another format.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["format"] != FORMAT:
                raise BundleError(f"{path} has format {content['format']}, this code reads {FORMAT}")
            costs = {str(word): float(cost) for word, cost in content["words"].items()}
            inside = {str(piece): float(cost) for piece, cost in content.get("inside", {}).items()}
            unknown_cost, edit_price = float(content["unknown_cost"]), float(content["edit_price"])
            kept = frozenset(content.get("kept", "").split())
            censored = tuple(content.get("censored", "").split())
            return cls(costs, unknown_cost, edit_price, str(content["alphabet"]), inside, kept, censored)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BundleError(f"{path} is no lexicon: {error}") from error


def build(
    vocabulary: Mapping[str, int],
    texts: Sequence[str],
    labels: Sequence[str] | None = None,
    edit_price: float = EDIT_PRICE,
    kept: Iterable[str] = (),
    censored: Iterable[str] = (),
) -> Lexicon:
    """A lexicon of a tokenizer's whole words and the words of the training texts.

    Args:
        vocabulary: Tokens of the tokenizer with their ids; the more common a word, the lower its id.
        texts: Canonical training texts.
        labels: Their labels. Each label's words get the same weight in all: where most texts are toxic, a benign word
            with a wrong letter would else be read as a toxic one.
        edit_price: See :class:`Lexicon`.
        kept: Words of a dictionary, casefolded; those that are in the lexicon anyway are left out.
        censored: See :class:`Lexicon`.
    """
    n_texts: Counter[str] = Counter()
    by_label: dict[str, Counter[str]] = defaultdict(Counter)
    for text, label in zip(texts, labels if labels is not None else [""] * len(texts), strict=True):
        words = words_of(text)
        by_label[label].update(words)
        n_texts.update(set(words))
    counts: dict[str, float] = defaultdict(float)
    for of_label in by_label.values():
        n_words = sum(of_label.values())
        for word, n in of_label.items():
            counts[word] += n / n_words
    known = {word: counts[word] for word, n in n_texts.items() if n >= MIN_TEXTS}
    ranks = _ranks(vocabulary)
    total = sum(known.values()) or 1
    harmonic = sum(1 / (rank + _ZIPF_SHIFT) for rank in ranks.values()) or 1.0
    share = _TRAINING_SHARE if known else 0.0
    costs = {}
    for word in known.keys() | ranks.keys():
        # Every single letter is a token of a vocabulary. It is a word only if the training texts use it as one.
        if len(word) == 1 and word not in known:
            continue
        by_rank = 1 / (ranks[word] + _ZIPF_SHIFT) / harmonic if word in ranks else 0.0
        costs[word] = -math.log(share * known.get(word, 0) / total + (1 - share) * by_rank)
    return Lexicon(costs, edit_price=edit_price, kept=frozenset(kept) - costs.keys(), censored=tuple(censored))


def words_of(text: str) -> list[str]:
    """The words of a text as a lexicon spells them."""
    return _WORD.findall(text.translate(_APOSTROPHE).casefold())


def _ranks(vocabulary: Mapping[str, int]) -> dict[str, int]:
    """Rank of every whole word of a vocabulary. WordPiece marks inner pieces (##), other tokenizers a word's start."""
    marks = [mark for mark in ("▁", "Ġ") if sum(token.startswith(mark) for token in vocabulary) > len(vocabulary) / 10]
    ordered = sorted(vocabulary, key=vocabulary.__getitem__)
    ranks: dict[str, int] = {}
    for token in ordered:
        if marks:
            if not token.startswith(marks[0]):
                continue
            token = token[1:]
        word = token.casefold()
        if word.isalpha() and word not in ranks:
            ranks[word] = len(ranks) + 1
    return ranks
