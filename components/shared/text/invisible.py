"""Removes invisible characters, except those that are part of a spelling or of an emoji.

Persian and the scripts of India use joiners in their spelling, Khmer and Thai mark word boundaries with a zero-width
space, and emoji sequences have joiners and variation selectors. Elsewhere these characters only split a word.
Sources: Unicode Technical Standard #51 (emoji sequences), Unicode Standard Annex #9 (bidirectional text), Boucher et
al. 2022, "Bad Characters".
"""

from __future__ import annotations

import functools
import re
import unicodedata

# Format characters, soft hyphen, grapheme joiner, variation selectors, tags, Hangul fillers, other C0/C1 controls.
_INVISIBLE = re.compile(
    "[\x00-\x07\x0b\x0c\x0e-\x1f\x80-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e01ef]+"
)
_OVERRIDE = re.compile("\u202e([^\u202a-\u202e\n]*)(?:[\u202a-\u202e]|$)", re.MULTILINE)
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]")
# Arabic and related scripts, the scripts of India and Sri Lanka, Mongolian: joiners are part of their spelling.
_JOINING = re.compile("[\u0600-\u08ff\u0900-\u0dff\u1800-\u18af\ufb50-\ufdff\ufe70-\ufefc]")
# Thai, Lao, Myanmar, Khmer: no spaces between words, so a zero-width one marks the boundary.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
_MONGOLIAN = re.compile("[\u1800-\u18af]")
_IDEOGRAPH = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_TAG_FLAG = re.compile("[\U000e0020-\U000e007e]{2,6}\U000e007f")
_KEYCAP_BASE = "0123456789#*"
_KEYCAP = "\u20e3"


def undo_deletions(text: str) -> str:
    """Removes each backspace or delete character together with the character before it."""
    if "\x08" not in text and "\x7f" not in text:
        return text
    kept: list[str] = []
    for char in text:
        if char not in "\x08\x7f":
            kept.append(char)
        elif kept:
            kept.pop()
    return "".join(kept)


def undo_overrides(text: str) -> str:
    """Puts text that a right-to-left override shows reversed into the order in which it is shown."""
    if "\u202e" not in text:
        return text
    return _OVERRIDE.sub(lambda match: match[1] if _RIGHT_TO_LEFT.search(match[1]) else match[1][::-1], text)


def drop_invisible(text: str) -> str:
    """Removes every invisible character that has no function between its neighbours."""

    def keep(match: re.Match[str]) -> str:
        before = text[match.start() - 1] if match.start() else ""
        after = text[match.end()] if match.end() < len(text) else ""
        return _functional(match[0], before, after)

    return _INVISIBLE.sub(keep, text)


def _functional(run: str, before: str, after: str) -> str:
    """The characters of an invisible run that have a function between these two visible characters."""
    if not before:
        return ""
    if before.isspace() and is_symbol(after):
        return "\ufe0f" if "\ufe0f" in run else ""
    if before == "🏴" and (flag := _TAG_FLAG.search(run)):
        return flag[0]
    if is_symbol(before) or is_mark_on_symbol(before):
        selector = next((char for char in run if char in "\ufe0e\ufe0f"), "")
        joiner = "\u200d" if "\u200d" in run and not after.isalnum() else ""
        return selector + joiner
    first = run[0]
    if before in _KEYCAP_BASE and after == _KEYCAP:
        return "\ufe0f" if "\ufe0f" in run else ""
    if first in "\u200c\u200d" and _JOINING.match(before):
        return first
    if first == "\u200b" and _UNSPACED.match(before) and after and _UNSPACED.match(after):
        return first
    if "\u180b" <= first <= "\u180f" and _MONGOLIAN.match(before):
        return first
    if (first >= "\U000e0100" or "\ufe00" <= first <= "\ufe0f") and _IDEOGRAPH.match(before):
        return first
    return ""


@functools.lru_cache(maxsize=4096)
def is_symbol(char: str) -> bool:
    """Whether a character is a picture or sign: an emoji, a star, an arrow."""
    return char != "" and (unicodedata.category(char) in ("So", "Sk") or char in "‼⁉ℹ〰〽↔↕↖↗↘↙↩↪⤴⤵▪▫◻◼◽◾")


def is_mark_on_symbol(char: str) -> bool:
    """Whether a character ends an emoji sequence without being one: a skin tone, a keycap."""
    return "\U0001f3fb" <= char <= "\U0001f3ff" or char == _KEYCAP
