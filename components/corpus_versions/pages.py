"""Takes texts out of the HTML pages of the arena.

Pages show texts in elements of the class "hostile", written by :mod:`content_arena.components.shared.pages.display`:
marked, and with signs for what cannot be seen. Nothing else on a page comes from a text. An attacked text stands beside
its original, in one element of the class "texts": both leave, since the one can be guessed from the other.
"""

from __future__ import annotations

import html
import re

from content_arena.components.corpus_versions.wanted import Wanted

_PAGE = re.compile(r"\s*<(?:!doctype html|html)\b", re.IGNORECASE)
_SIGN = r'<span class="hidden-char" title="[^"]*">[^<]*</span>'
_SHOWN = re.compile(
    rf'(?P<start><(?P<tag>bdi|span) class="hostile"[^>]*>)(?P<text>(?:[^<]|{_SIGN}|<br>|</?mark>)*)(?P<end></(?P=tag)>)'
)
_PAIR = re.compile(r'<div class="texts">')
#: The sign of a character that cannot be seen: its code point, and how often it stands there.
_HIDDEN = re.compile(
    r'<span class="hidden-char" title="U\+(?P<code>[0-9A-F]+)[^"]*?(?:, (?P<n>\d+) times)?">[^<]*</span>'
)
_MARKUP = re.compile(r"<[^>]*>")


def is_page(content: str) -> bool:
    """Whether a text is an HTML page."""
    return _PAGE.match(content) is not None


def without(page: str, wanted: Wanted, instead: str) -> tuple[str, int]:
    """A page without some texts, and how many of them it showed.

    Args:
        page: A page of the arena.
        wanted: The texts.
        instead: What stands in their place.
    """
    shown = list(_SHOWN.finditer(page))
    pair_of = _pairs(page, shown)
    hit = {pair_of[match.start()] for match in shown if wanted.matches_shortened(text_of(match["text"]))}
    n_shown = 0

    def replace(match: re.Match[str]) -> str:
        nonlocal n_shown
        if pair_of[match.start()] not in hit:
            return match[0]
        n_shown += 1
        return match["start"] + html.escape(instead) + match["end"]

    return _SHOWN.sub(replace, page), n_shown


def text_of(markup: str) -> str:
    """The text that a page shows as this markup."""
    signs_undone = _HIDDEN.sub(lambda match: chr(int(match["code"], 16)) * int(match["n"] or 1), markup)
    return html.unescape(_MARKUP.sub("", _without_deletions(signs_undone)))


def _without_deletions(markup: str) -> str:
    """The markup without the signs that say how many characters an attack removed."""
    return re.sub(_SIGN, "", markup)


def _pairs(page: str, shown: list[re.Match[str]]) -> dict[int, int]:
    """Where the pair begins that a text stands in, by where the text begins; itself if it stands alone."""
    starts = [match.start() for match in _PAIR.finditer(page)]
    pairs = {}
    for match in shown:
        before = [start for start in starts if start < match.start()]
        is_inside = bool(before) and "</details>" not in page[before[-1] : match.start()]
        pairs[match.start()] = before[-1] if is_inside else match.start()
    return pairs
