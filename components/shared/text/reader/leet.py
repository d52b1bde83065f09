"""Words of a text that is written in leet (``5hut up y0u 1d10t``), short ones and those that look like a quantity too.

A single token such as ``t0``, ``4s`` or ``5hut`` says nothing: it may be a name, a size or a number with a unit. A
writer who replaces letters by digits does so in more than one word, so beside other words in leet it is read as one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from content_arena.components.shared.text.reader import rules
from content_arena.components.shared.text.reader.lexicon import Lexicon

#: Words of a text that have to be readable as leet before any is.
_LEAST_WORDS = 2
#: Of two letters, nats that a word costs at most: the common ones (of, to, is).
_COMMON = 8.5
_SHORTEST, _SHORTEST_KEPT = 3, 4
_SINGLE = {"@": "a", "4": "a", "!": "i", "|": "i", "1": "i"}
_SIGNS = frozenset("0123456789@$!|€£+(")
# What may follow an apostrophe.
_ENDINGS = re.compile(r"(?P<s>[s5$])|(?P<t>[t7+])|(?P<ll>[l1|]{2})|(?P<ve>v[e3])|(?P<re>r[e3])|(?P<d>d)|(?P<m>m)")
# Quantities stay, whatever is beside them.
_QUANTITY = re.compile(r"[$€£]?[\d.,:]+(?:st|nd|rd|th|x|k|am|pm|hr|min|sec|ms|mm|cm|km|mi|ft|kg|lb|oz|ml|mb|gb|tb)?")
# So do codes: MI6, P51, WD40.
_CODE = re.compile(r"[A-Z]{1,4}-?\d+")
_EDGES = re.compile(r"""(?s)([("'“‘\[*]*)(.*?)([.,;:?)\]"'”’…*]*)""")
_PARTS = re.compile(r"(['’/-])")


class LeetWords:
    """Reads the words of texts in leet; everything is casefolded."""

    def __init__(self, lexicon: Lexicon) -> None:
        """Keeps the lexicon, where words come from."""
        self._lexicon = lexicon

    def read(self, tokens: Sequence[str]) -> dict[str, str]:
        """What the tokens of a text say that are words in leet; none of them if the text is not written so.

        Args:
            tokens: Of canonical text, without white space.
        """
        found = {}
        for token in tokens:
            if not _SIGNS.isdisjoint(token) and (word := self._word(token)) is not None:
                found[token] = word
        # A single sign is read beside words in leet, and is none itself.
        n_words = sum(any(map(str.isalpha, token)) for token in found)
        return found if n_words >= _LEAST_WORDS else {}

    def _word(self, token: str) -> str | None:
        match = _EDGES.fullmatch(token)
        before, core, after = (match[1], match[2], match[3]) if match else ("", token, "")
        # A ! at the end is more often a mark than a letter.
        unmarked = core.rstrip("!")
        if unmarked.isalpha() or _CODE.fullmatch(unmarked):
            return None
        for word, marks in dict.fromkeys(((unmarked, core[len(unmarked) :]), (core, ""))):
            read = self._parts(word.casefold())
            if read is not None:
                return f"{before}{read}{marks}{after}"
        return None

    def _parts(self, core: str) -> str | None:
        """What letters with signs say, also with an apostrophe or a hyphen among them; None if that is no word."""
        if core in _SINGLE:
            return _SINGLE[core]
        if _SIGNS.isdisjoint(core) or _QUANTITY.fullmatch(core):
            return None
        read = []
        parts = _PARTS.split(core)
        for i, part in enumerate(parts):
            is_ending = i > 1 and parts[i - 1] in "'’"
            if i % 2 or part.isalpha():
                word: str | None = part
            elif is_ending:
                word = match.lastgroup if (match := _ENDINGS.fullmatch(part)) else None
            else:
                word = _SINGLE.get(part) or self._cheapest(part)
            if word is None:
                return None
            read.append(word)
        return "".join(read)

    def _cheapest(self, part: str) -> str | None:
        words = filter(self._is_word, rules.unleet(part))
        return min(words, key=self._lexicon.cost, default=None)

    def _is_word(self, word: str) -> bool:
        if len(word) >= _SHORTEST_KEPT:
            return self._lexicon.knows(word)
        cost = self._lexicon.costs.get(word)
        return cost is not None and (len(word) >= _SHORTEST or (len(word) > 1 and cost <= _COMMON))
