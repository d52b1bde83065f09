"""Undoes disguises of words: forms of letters, letters of other scripts, symbols between letters."""

from __future__ import annotations

import functools
import re
import unicodedata

from content_arena.components.shared.text.invisible import is_symbol
from content_arena.components.shared.text.letter_forms import (
    FLAGS,
    character_class,
    is_latin,
    is_phonetic,
    is_superscript,
    letter_forms,
    look_alikes,
)

#: Squared and circled letters that are emoji: blood types, parking, information.
_EMOJI_LETTERS = frozenset("🅰🅱🅾🅿Ⓜℹ")
_REGIONAL = re.compile("[\U0001f1e6-\U0001f1ff]+")
_WORD = re.compile(r"[^\W\d_]+")
# Characters between two letters that are no letters, no ASCII and no spaces. The Reader takes © and ® for letters, and
# the sign of a degree stands in measures.
_BETWEEN_LETTERS = re.compile(r"(?<=[^\W\d_])(?![\ufe0e\ufe0f])[^\w\s\x00-\x7f©®°]+(?=[^\W\d_])")
_SIGN_FOR_LETTER = re.compile("([©®])[\ufe0e\ufe0f](?=[^\\W_])")
_KEYCAP = "\u20e3"
# Keycaps in a word, not before it, where they number a list.
_KEYCAPS = re.compile(f"(?<=[^\\W\\d_])(?:{_KEYCAP}+|(?:[0-9]\ufe0f?{_KEYCAP})+)")
_SELECTORS = str.maketrans("", "", "\ufe0e\ufe0f")
#: Least number of single letters with equal gaps between them that are read as a word.
_MIN_SPLIT = 3
#: Letters of Russian and modern Greek. No language mixes look-alikes outside these.
_PLAIN_FOREIGN = re.compile("[а-яёА-ЯЁα-ωΑ-Ω]")


@functools.cache
def _digits() -> dict[str, str]:
    """Circled and bracketed digits with the digits."""
    framed = (char for char in map(chr, range(0x2460, 0x2794)) if char.isdigit() and not char.isdecimal())
    return {char: str(unicodedata.digit(char)) for char in framed}


@functools.cache
def _digits_in_word() -> re.Pattern[str]:
    return re.compile(f"(?<=[A-Za-z])[{character_class(set(_digits()))}]+(?=[A-Za-z0-9])")


def unframe(text: str) -> str:
    """Writes digits in frames as digits inside Latin words (``idi⓪t``), and letters on keycaps as letters.

    Elsewhere such digits are list numbers and emoji.
    """
    if _KEYCAP in text:
        text = _KEYCAPS.sub(lambda match: "".join(filter(str.isdigit, match[0])), text)
    return _digits_in_word().sub(lambda match: "".join(_digits()[char] for char in match[0]), text)


def go_on(letters: str) -> bool:
    """Whether letters go on in the alphabet (abc, ijk), as those of a list do."""
    codes = [ord(letter) for letter in letters.casefold()]
    return codes == list(range(codes[0], codes[0] + len(codes)))


@functools.cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """Patterns of a form of a letter, of a word with such a form, and of single forms with equal gaps between them."""
    forms = character_class(set(letter_forms()))
    blocks = (range(0x30, 0x3A), range(0x41, 0x5B), range(0x61, 0x7B), range(0xC0, 0x2B0), range(0x1E00, 0x1F00))
    plain = {chr(code) for block in blocks for code in block if chr(code).isalnum()}
    latin = character_class(plain - set(letter_forms()))
    # Possessive, and at the start of a word only, so that a long word without forms is scanned once.
    word = rf"(?<![{latin}])[{latin}]*+[{forms}](?:[\ufe0e\ufe0f]?[{latin}{forms}])*[\ufe0e\ufe0f]?"
    split = (
        rf"(?<![{latin}{forms}])[{forms}][\ufe0e\ufe0f]?((?!, )[ .\-_*·,/~]{{1,2}})[{forms}]"
        rf"[\ufe0e\ufe0f]?(?:\1[{forms}][\ufe0e\ufe0f]?)+(?![{latin}{forms}])"
    )
    return re.compile(f"[{forms}]"), re.compile(word), re.compile(split)


def unfold_forms(text: str) -> str:
    """Writes forms of letters as the letters, where they stand in a word.

    A form that stands alone is a sign, unless words of the same text are written in forms.
    """
    form, word, split = _patterns()
    if not form.search(text):
        return text
    joined = split.sub(lambda match: _join(match[0], match[1]), text)
    unfolded = word.sub(lambda match: _unfold(match[0]), joined)
    return word.sub(lambda match: _unfold_single(match[0]), unfolded) if unfolded != text else text


def _join(letters: str, gap: str) -> str:
    joined = letters.translate(_SELECTORS).replace(gap, "")
    if len(joined) < _MIN_SPLIT or all(is_superscript(char) for char in joined):
        return letters
    unfolded = joined.translate(_table())
    return letters if go_on(unfolded) else unfolded


@functools.cache
def _table() -> dict[int, str]:
    return {ord(form): letters for form, letters in letter_forms().items()}


def _unfold(word: str) -> str:
    plain = word.translate(_SELECTORS)
    forms = [char for char in plain if char in letter_forms()]
    regional = _REGIONAL.fullmatch(plain)
    if regional:
        return plain.translate(_table()) if len(plain) >= _MIN_SPLIT and not _are_flags(plain) else word
    unfolded = plain.translate(_table())
    n_letters = sum(map(str.isalpha, unfolded))
    if (
        len(unfolded) < 2
        or n_letters == 0
        or (all(map(is_superscript, forms)) and len(forms) < 2)
        or (len(forms) == len(plain) and go_on(unfolded) and all(map(_is_framed, plain)))
        or (len(plain) < _MIN_SPLIT and set(plain) <= _EMOJI_LETTERS)
        or any(is_phonetic(char) and char not in letter_forms() for char in plain)
        or (_REGIONAL.search(plain) and _are_flags("".join(_REGIONAL.findall(plain))))
    ):
        return word
    return unfolded


def _is_framed(form: str) -> bool:
    return "\u249c" <= form <= "\u24e9" or "\U0001f110" <= form <= "\U0001f189"


def _unfold_single(word: str) -> str:
    plain = word.translate(_SELECTORS)
    letters = plain.translate(_table())
    is_sign = len(plain) > 1 or plain in _EMOJI_LETTERS or _REGIONAL.match(plain) or is_superscript(plain)
    return word if is_sign or not letters.isalpha() else letters


def _are_flags(regional: str) -> bool:
    letters = regional.translate(_table())
    return len(letters) % 2 == 0 and all(letters[i : i + 2] in FLAGS for i in range(0, len(letters), 2))


def fold_look_alikes(text: str) -> str:
    """Replaces look-alikes of other scripts by the Latin letters, in words that are disguised Latin words.

    A word is in disguise if it mixes Latin letters with look-alikes, and every letter is one or the other. A word of
    look-alikes alone is a word of its own script, unless all unmistakable letters around it are Latin, and it holds
    letters that no alphabet puts together or another word of the text mixes scripts.
    """
    table = look_alikes()
    if not any(char in table for char in text):
        return text
    codes = {ord(char): letter for char, letter in table.items()}
    foreign = [w for w in _WORD.findall(text) if any(not is_latin(char) for char in w)]
    own_script = any(char not in table and not is_latin(char) for w in foreign for char in w)
    has_latin = any("a" <= char <= "z" or "A" <= char <= "Z" for char in text)

    mixes = any(any(map(is_latin, w)) and all(is_latin(char) or char in table for char in w) for w in foreign)

    def fold(match: re.Match[str]) -> str:
        word = match[0]
        alike = [char for char in word if char in table]
        if not alike or any(char not in table and not is_latin(char) for char in word):
            return word
        if any(is_phonetic(char) and char not in table for char in word):
            return word
        if len(alike) < len(word):
            return word.translate(codes)
        odd = mixes or any(not _PLAIN_FOREIGN.match(char) for char in word)
        return word.translate(codes) if odd and has_latin and not own_script else word

    return _WORD.sub(fold, text)


def set_symbols_apart(text: str) -> str:
    """Puts spaces around a symbol between two letters.

    Without them, tokenizers that split at spaces and punctuation make one unknown token of the whole word.
    """
    if not any(map(is_symbol, text)):
        return text
    text = _SIGN_FOR_LETTER.sub(r"\1", text)
    return _BETWEEN_LETTERS.sub(lambda match: f" {match[0]} " if any(map(is_symbol, match[0])) else match[0], text)
