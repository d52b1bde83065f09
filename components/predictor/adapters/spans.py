"""Cuts texts: into sentences, and into pieces that are no longer than a text may be; pure functions."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from content_arena.components.shared.limits import MAX_TEXT_LENGTH

#: Sentences that are scored apart; a text of more has several of them in each span.
MAX_SENTENCES = 200
# A run without marks that end a sentence, the marks, and the quotes and brackets that close after them. A full stop
# inside a word or number (3.5, e.g.) ends nothing; the wide marks of Chinese and Japanese need no space after them.
_SENTENCE = re.compile(r"(?:[^.!?…。！？\n]|[.!?…](?=[^\s.!?…\"'”’)\]]))*(?:[.!?…。！？]+[\"'”’)\]]*|\n|$)")


class Span(NamedTuple):
    """A part of a text, in code points.

    Attributes:
        begin: First character.
        end: The one after the last.
    """

    begin: int
    end: int


def pieces(text: str, longest: int = MAX_TEXT_LENGTH) -> list[Span]:
    """The whole text in parts of at most ``longest`` characters, cut between words where there is a space.

    Parts of white space alone are left out.
    """
    return list(_pieces(text, Span(0, len(text)), longest))


def sentences(text: str, longest: int = MAX_TEXT_LENGTH) -> list[Span]:
    """The sentences of a text without the white space around them.

    A sentence ends with its mark or its line. One that is longer than ``longest`` is cut. Of a text with more than 200
    sentences, as many neighbours as needed are taken together.
    """
    found = [span for match in _SENTENCE.finditer(text) if (span := _stripped(text, Span(*match.span())))]
    size = -(-len(found) // MAX_SENTENCES) or 1
    groups = [found[start : start + size] for start in range(0, len(found), size)]
    merged = [Span(group[0].begin, group[-1].end) for group in groups]
    return list(itertools.chain.from_iterable(_pieces(text, span, longest) for span in merged))


def in_utf16(text: str, spans: Iterable[Span]) -> list[Span]:
    """The spans in UTF-16 code units, as Java and JavaScript count: a character beyond U+FFFF is two."""
    sizes = (2 if character > "\uffff" else 1 for character in text)
    offsets = list(itertools.accumulate(sizes, initial=0))
    return [Span(offsets[span.begin], offsets[span.end]) for span in spans]


def _pieces(text: str, span: Span, longest: int) -> Iterator[Span]:
    begin = span.begin
    while begin < span.end:
        end = min(begin + longest, span.end)
        if end < span.end:
            end = next((i for i in range(end, begin + longest // 2, -1) if text[i].isspace()), end)
        if not text[begin:end].isspace():
            yield Span(begin, end)
        begin = end


def _stripped(text: str, span: Span) -> Span | None:
    """The span without white space around it; None if nothing is left."""
    inside = text[span.begin : span.end]
    begin = span.begin + len(inside) - len(inside.lstrip())
    return Span(begin, begin + len(inside.strip())) if inside.strip() else None
