"""Version 1 of the canonicaliser, for the bundles that were trained with it, and for the ids of texts.

It reads every digit or mark between two letters as a letter, which changes one clean tweet in eight. New bundles are
trained with the version in canonical.py. The result of this module must never change.

The order of the steps matters: first characters that delete or reverse others, then forms of one character, then
scripts, then spellings.
Sources: Unicode Standard Annex #15 (normal forms), Unicode Technical Standard #39 (confusables, through the package
``confusable-homoglyphs``), Boucher et al. 2022, "Bad Characters" (invisible characters, deletions, reorderings).
"""

from __future__ import annotations

import functools
import re
import unicodedata

from content_arena.components.shared.text import hangul

_DELETION = re.compile("[^\x08\x7f]?[\x08\x7f]")
_OVERRIDE = re.compile("\u202e([^\u202c\u202d\u202e\n]*)(?:\u202c|\u202d|$)", re.MULTILINE)
# Format characters, soft hyphen, grapheme joiner, variation selectors, tags, Hangul fillers, other C0/C1 controls.
_INVISIBLE = re.compile(
    "[\x00-\x07\x0b\x0c\x0e-\x1f\x80-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e01ef]+"
)
# Blocks of marks that European scripts put on letters; marks of other scripts are part of their spelling.
_MARKS = re.compile("[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+")
# NFKD of jamo and syllables would take Hangul apart for good, so Hangul never goes through it.
_FOREIGN_RUN = re.compile("[^\x00-\x7f\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3]+")
_CONJOINING = re.compile("[\u1100-\u11ff]+")
_HALFWIDTH_JAMO = re.compile("[\uffa1-\uffdc]")
_WORD = re.compile(r"[^\W\d_]+")
# Look-alikes that UTS #39 pairs with another letter than attackers do, or that NFKD turns into another letter first.
_ALSO_ALIKE = {"І": "I", "Ι": "I", "ӏ": "l", "κ": "k", "м": "m"}
_LUNATE_SIGMA = str.maketrans({"ϲ": "c", "Ϲ": "C"})
_LATIN = re.compile("[A-Za-z]")

_LEET = str.maketrans({"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s", "!": "i",
                       "|": "l", "€": "e"})  # fmt: skip
# A look-alike between two letters, or a currency sign that opens or ends a word: "h3llo", "$hit", "a$$", not "mp3".
_LEET_INSIDE = re.compile(r"(?<=[A-Za-z])[0134578@$!|€]{1,2}(?=[A-Za-z])|(?<![\w$])\$(?=[A-Za-z]{2})|(?<=[A-Za-z])\$+")
# Three or more single letters with one and the same kind of gap between them: "i d i o t", "i.d.i.o.t".
_SPLIT_LETTERS = re.compile(r"(?<![^\W_])([^\W\d_])(?:([ .\-_*·,/~])\2?)(?:[^\W\d_](?:\2)\2?)+[^\W\d_](?![^\W_])")
_GAPS = re.compile(r"[ .\-_*·,/~]+")
_SPACES = re.compile(r"\s+")


def canonicalise(text: str) -> str:
    """Returns the text in the form that models read.

    Idempotent: ``canonicalise(canonicalise(t)) == canonicalise(t)``. Case is kept: folding it is the tokenizer's task.

    Args:
        text: Any text; may be empty, may hold lone surrogates.

    Returns:
        The canonical text; "" if nothing visible is left.
    """
    previous = None
    # A step can make work for an earlier one: folded look-alikes are single letters, joined letters are leet.
    for _ in range(4):
        if text == previous:
            break
        previous, text = text, _pass(text)
    return text


def _pass(text: str) -> str:
    if not text.isprintable() or not text.isascii():
        text = _characters(text)
    text = _LEET_INSIDE.sub(lambda match: match[0].translate(_LEET), text)
    text = _SPLIT_LETTERS.sub(lambda match: _GAPS.sub("", match[0]), text)
    return _SPACES.sub(" ", text).strip()


def _characters(text: str) -> str:
    """The steps that a printable ASCII text does not need."""
    while "\x08" in text or "\x7f" in text:
        text = _DELETION.sub("", text)
    text = _OVERRIDE.sub(lambda match: match[1][::-1], text)
    text = _INVISIBLE.sub("", text)
    if not text.isascii():
        text = text.translate(_LUNATE_SIGMA)
        text = _HALFWIDTH_JAMO.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text)
        text = _FOREIGN_RUN.sub(lambda match: unicodedata.normalize("NFKD", match[0]), text)
        text = _MARKS.sub("", text)
        text = _fold_look_alikes(text)
        text = _CONJOINING.sub(lambda match: _to_compatibility(unicodedata.normalize("NFC", match[0])), text)
        text = hangul.recompose(text)
        text = unicodedata.normalize("NFC", text)
    return text


@functools.cache
def _look_alikes() -> dict[int, str]:
    """Letters of other scripts that look like one ASCII letter, by UTS #39; some scripts, such as CJK, are left out."""
    from confusable_homoglyphs.confusables import confusables_data

    table: dict[int, str] = {}
    for source, targets in confusables_data.items():
        if len(source) != 1 or source.isascii() or not source.isalpha() or unicodedata.name(source, "").startswith(
            ("HANGUL", "CJK", "HIRAGANA", "KATAKANA", "ARABIC", "HEBREW")
        ):  # fmt: skip
            continue
        ascii_targets = [t["c"] for t in targets if len(t["c"]) == 1 and t["c"].isascii() and t["c"].isalpha()]
        if ascii_targets:
            same_case = [c for c in ascii_targets if c.isupper() == source.isupper()]
            table[ord(source)] = (same_case or ascii_targets)[0]
    return table | {ord(source): target for source, target in _ALSO_ALIKE.items()}


def _fold_look_alikes(text: str) -> str:
    """Folds look-alikes to Latin letters in words that are disguised Latin words.

    A word is disguised if it mixes Latin and look-alike letters, or if it consists of look-alikes only and the text as
    a whole is Latin. A text written in Cyrillic or Greek keeps its letters.
    """
    table = _look_alikes()
    mapped = [ord(char) in table for char in text]
    if not any(mapped):
        return text
    n_latin = len(_LATIN.findall(text))
    n_foreign = sum(1 for char in text if char.isalpha() and not char.isascii() and ord(char) not in table)

    def fold(match: re.Match[str]) -> str:
        word = match[0]
        if not all(char.isascii() or ord(char) in table for char in word):
            return word
        return word.translate(table) if _LATIN.search(word) or n_latin > n_foreign else word

    if n_latin == 0 and n_foreign > 0:
        return text
    if n_latin == 0:
        # Every letter is a look-alike: a short text disguised as a whole.
        return text.translate(table)
    return _WORD.sub(fold, text)


def _to_compatibility(text: str) -> str:
    """Replaces conjoining jamo that composed into no syllable by the compatibility jamo that keyboards type."""
    return "".join(
        unicodedata.normalize("NFKC", char) if not "\u1100" <= char <= "\u11ff" else _COMPATIBILITY.get(char, char)
        for char in text
    )


def _compatibility_table() -> dict[str, str]:
    table = {}
    for code in range(0x3131, 0x318F):
        target = unicodedata.normalize("NFKC", chr(code))
        if len(target) == 1:
            table[target] = chr(code)
    for index, final in enumerate(hangul.FINALS):
        if index:
            table[chr(0x11A7 + index)] = final
    return table


_COMPATIBILITY = _compatibility_table()
