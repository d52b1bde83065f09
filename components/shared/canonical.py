"""The canonicaliser: undoes what has one meaning only, before any model sees the text.

Training, serving, attacking and judging all read text through it, so an edit that it undoes costs an attacker a query
and gains nothing. It takes no language: each word is judged by the scripts of its letters, and a letter of a word's own
script is no disguise. What needs a language (digits for letters, marks inside words, split and joined words) is read
by the Reader, which has a lexicon.

Order matters: characters that cancel others go first, then what nobody sees, then forms of one letter, then scripts.
Sources: Unicode Standard Annex #15 (normal forms), Unicode Technical Standards #39 (confusables) and #51 (emoji),
Boucher et al. 2022, "Bad Characters" (invisible characters, deletions, reorderings).

The packages that promise the same were measured and left: ftfy keeps zero-width spaces and confusables; decancer turns
39 of 51 compatibility jamo into Latin letters; NFKC breaks split Hangul and Thai, and makes 18 letters of one sign.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping

from content_arena.components.shared import canonical_v1, hangul, invisible, marks, words
from content_arena.components.shared.errors import BundleError

#: Goes into every bundle: a model is only served with the canonicaliser it was trained with.
CANONICAL_VERSION = "2"
#: The canonical text has at most this many times the characters of the text it was made from.
MAX_GROWTH = 3

_CONJOINING = re.compile("[\u1100-\u11ff]+")
_HALFWIDTH_JAMO = re.compile("[\uffa1-\uffdc]")
_BLANK = str.maketrans({"\u2800": " "})  # The braille cell without dots, drawn as a space.
_SPACES = re.compile(r"\s+")
# One letter to a pair of brackets, three times or more: "(i)(d)(i)(o)(t)"; not the paragraphs of a law, "5(a)(1)".
_BRACKETED = re.compile(r"(?<![\w)\]}])(?:\([^\W\d_]\)){3,}|(?<![\w)\]}])(?:\[[^\W\d_]\]){3,}")
_BRACKETS = str.maketrans("", "", "()[]")


def canonicaliser(version: str) -> Callable[[str], str]:
    """The canonicaliser of a version, as bundle.json names it.

    Raises:
        BundleError: This code has no such version.
    """
    if version not in VERSIONS:
        raise BundleError(f"this code has no canonicaliser {version}, only {', '.join(VERSIONS)}")
    return VERSIONS[version]


def canonicalise(text: str) -> str:
    """Returns the text without its disguises.

    Idempotent: ``canonicalise(canonicalise(t)) == canonicalise(t)``. Takes time linear in the text. Case is kept; the
    model's tokenizer decides on it.

    Args:
        text: Any text; may be empty, may hold lone surrogates.

    Returns:
        The canonical text, at most :data:`MAX_GROWTH` times as long; "" if nothing visible is left.
    """
    previous = None
    # One step can uncover work for an earlier one (a fold that makes single letters of signs); few texts need two.
    for _ in range(8):
        if text == previous:
            break
        previous, text = text, _pass(text)
    return text


def _pass(text: str) -> str:
    if not text.isascii() or not text.isprintable():
        text = _characters(text)
    if "(" in text or "[" in text:
        text = _BRACKETED.sub(lambda match: match[0].translate(_BRACKETS), text)
    return _SPACES.sub(" ", text).strip()


def _characters(text: str) -> str:
    """Everything that a pure-ASCII, printable text does not need."""
    text = invisible.undo_deletions(text)
    text = invisible.undo_overrides(text)
    text = invisible.drop_invisible(text)
    if text.isascii():
        return text
    text = unicodedata.normalize("NFC", text.translate(_BLANK))
    text = marks.drop_stacked(text)
    text = words.unfold_forms(text)
    text = words.fold_look_alikes(text)
    text = _hangul(text)
    text = words.set_symbols_apart(text)
    return unicodedata.normalize("NFC", text)


def _hangul(text: str) -> str:
    """Syllables put together from the jamo they were split into."""
    text = _HALFWIDTH_JAMO.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text)
    text = _CONJOINING.sub(lambda match: hangul.to_compatibility(unicodedata.normalize("NFC", match[0])), text)
    return hangul.recompose(text)


#: Every version that bundles may have been trained behind.
VERSIONS: Mapping[str, Callable[[str], str]] = {"1": canonical_v1.canonicalise, CANONICAL_VERSION: canonicalise}
