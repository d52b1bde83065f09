"""The canonicaliser: undoes edits that can be read in one way only, before any model sees the text.

Training, serving, attacking and evaluation all read text through it. An edit that it undoes costs an attacker a query
and gains nothing. It works without knowing the language: it looks at the scripts of a word's letters, and changes only
letters that do not belong to the word's script. Edits that can be undone only with the words of a language (digits for
letters, marks inside words, split and joined words) are left to the Reader, which has a lexicon.

The order of the steps matters: first characters that delete or reverse others, then invisible characters, then forms of
one letter, then scripts.
Sources: Unicode Standard Annex #15 (normal forms), Unicode Technical Standards #39 (confusables) and #51 (emoji),
Boucher et al. 2022, "Bad Characters" (invisible characters, deletions, reorderings).

Existing packages were measured and not used: ftfy keeps zero-width spaces and confusables, decancer turns 39 of 51
compatibility jamo into Latin letters, and NFKC breaks split Hangul and Thai and expands one character to 18.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import NewType

from content_arena.components.shared.errors import BundleError
from content_arena.components.shared.text import canonical_v1, fancy_letters, hangul, invisible, marks, words

#: Written into every bundle: a model is only served with the canonicaliser it was trained with.
CANONICAL_VERSION = "2"
#: The canonical text has at most this many times the characters of the text it was made from.
MAX_GROWTH = 3

#: What a canonicaliser returns. Code that compares texts asks for this type and not for ``str``.
CanonicalText = NewType("CanonicalText", str)
Canonicaliser = Callable[[str], CanonicalText]

_CONJOINING = re.compile("[\u1100-\u11ff]+")
_HALFWIDTH_JAMO = re.compile("[\uffa1-\uffdc]")
_BLANK = str.maketrans({"\u2800": " "})  # The braille pattern without dots looks like a space.
_SPACES = re.compile(r"\s+")
# Three or more bracketed single letters: "(i)(d)(i)(o)(t)" or "{i} {d} {i}", but not paragraphs of a law: "5(a)(1)".
_BRACKETED = re.compile(
    "|".join(
        rf"(?<![\w)\]}}\\]){left}[^\W\d_]{right}(?P<gap{i}> ?)"
        rf"{left}[^\W\d_]{right}(?:(?P=gap{i}){left}[^\W\d_]{right})+"
        for i, (left, right) in enumerate(((r"\(", r"\)"), (r"\[", r"\]"), (r"\{", r"\}")))
    )
)


def canonicaliser(version: str) -> Canonicaliser:
    """The canonicaliser of a version, as named in bundle.json.

    Raises:
        BundleError: This code has no such version.
    """
    if version not in VERSIONS:
        raise BundleError(f"this code has no canonicaliser {version}, only {', '.join(VERSIONS)}")
    return VERSIONS[version]


def canonicalise(text: str) -> CanonicalText:
    """Returns the text in the form that models read, by the current version.

    Idempotent: ``canonicalise(canonicalise(t)) == canonicalise(t)``. Takes time linear in the text's length. Case is
    kept: folding it is the tokenizer's task.

    Args:
        text: Any text; may be empty, may hold lone surrogates.

    Returns:
        The canonical text, at most :data:`MAX_GROWTH` times as long; "" if nothing visible is left.
    """
    previous = None
    # A step can make work for an earlier one: folded look-alikes are single letters. Few texts need a second pass.
    for _ in range(8):
        if text == previous:
            break
        previous, text = text, _pass(text)
    return CanonicalText(text)


def _pass(text: str) -> str:
    if not text.isascii() or not text.isprintable():
        text = _characters(text)
    if "(" in text or "[" in text or "{" in text:
        text = _BRACKETED.sub(lambda match: _unbracketed(match[0]), text)
    return _SPACES.sub(" ", text).strip()


def _unbracketed(bracketed: str) -> str:
    letters = "".join(filter(str.isalpha, bracketed))
    return bracketed if words.go_on(letters) else letters


def _characters(text: str) -> str:
    """The steps that a printable ASCII text does not need."""
    text = invisible.undo_deletions(text)
    text = invisible.undo_overrides(text)
    text = invisible.drop_invisible(text)
    if text.isascii():
        return text
    text = unicodedata.normalize("NFC", text.translate(_BLANK))
    text = marks.drop_stacked(text)
    text = words.unframe(text)
    text = words.unfold_forms(text)
    text = fancy_letters.turn_over(text)
    text = fancy_letters.unfold_fancy(text)
    text = words.fold_look_alikes(text)
    text = _hangul(text)
    text = words.set_symbols_apart(text)
    return unicodedata.normalize("NFC", text)


def _hangul(text: str) -> str:
    """Composes syllables from the jamo they were split into."""
    text = _HALFWIDTH_JAMO.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text)
    text = _CONJOINING.sub(lambda match: hangul.to_compatibility(unicodedata.normalize("NFC", match[0])), text)
    return hangul.recompose(text)


def _version_1(text: str) -> CanonicalText:
    return CanonicalText(canonical_v1.canonicalise(text))


#: Every canonicaliser that a bundle may have been trained with, by its version.
VERSIONS: Mapping[str, Canonicaliser] = {"1": _version_1, CANONICAL_VERSION: canonicalise}
