"""Attacks that resemble what other people's packages make, and that the Reader was not designed with.

Some kinds are to choose by, the others (:data:`END_KINDS`) to look at once, when everything is chosen. Misspellings are
those that people make, from the dictionary of ``codespell`` (``pip install codespell==2.4.3``), which no part of the
product uses. Rows are of the same form as those of development.py.
"""

from __future__ import annotations

import functools
import importlib.util
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from random import Random

from content_arena.components.attack_generation.strategies.words import edit_words

Perturb = Callable[[str, Random, float], str]
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_PLAIN_KEYS = ("1234567890-=", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./")
_SHIFTED_KEYS = ("!@#$%^&*()_+", "QWERTYUIOP{}", 'ASDFGHJKL:"', "ZXCVBNM<>?")
#: What scanners take for each other; textbook pairs.
_CONFUSED = (
    ("o", "0"), ("o", "c"), ("l", "1"), ("i", "1"), ("i", "l"), ("s", "5"), ("b", "6"), ("b", "h"), ("g", "9"),
    ("g", "q"), ("z", "2"), ("a", "o"), ("e", "c"), ("u", "v"), ("n", "h"), ("t", "f"), ("t", "+"), ("m", "rn"),
    ("w", "vv"), ("d", "cl"), ("h", "li"), ("B", "8"), ("S", "5"), ("O", "0"), ("I", "l"),
)  # fmt: skip


def _words(edit: Callable[[Random, str], str], least: int) -> Perturb:
    def perturb(text: str, rng: Random, intensity: float) -> str:
        return edit_words(text, rng, intensity, None, partial(edit, rng), lambda word: len(word) >= least)

    return perturb


def _character(rng: Random, word: str) -> str:
    """One random edit: a letter put in, left out, changed, or two neighbours swapped."""
    kind, at = rng.randrange(4), rng.randrange(len(word))
    if kind == 0:
        return word[:at] + rng.choice(_LETTERS) + word[at:]
    if kind == 1 and len(word) > 1:
        return word[:at] + word[at + 1 :]
    if kind == 2 and at + 1 < len(word):
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + rng.choice(_LETTERS) + word[at + 1 :]


def _two_characters(rng: Random, word: str) -> str:
    return _character(rng, _character(rng, word))


@functools.cache
def _neighbours() -> dict[str, str]:
    places = {key: (row, i) for row, keys in enumerate(_PLAIN_KEYS) for i, key in enumerate(keys)}
    near: dict[str, str] = {}
    for key, (row, i) in places.items():
        around = [(row, i - 1), (row, i + 1), (row - 1, i), (row - 1, i + 1), (row + 1, i - 1), (row + 1, i)]
        plain = [_PLAIN_KEYS[r][k] for r, k in around if 0 <= r < 4 and 0 <= k < len(_PLAIN_KEYS[r])]
        near[key] = "".join(plain)
    return near


def _key(rng: Random, word: str) -> str:
    """One or two keys beside the right ones, a third of them with the shift key held."""
    letters = list(word)
    for at in rng.sample(range(len(letters)), min(len(letters), 1 if len(letters) < 8 else 2)):
        near = _neighbours().get(letters[at].lower())
        if near:
            struck = rng.choice(near)
            row = next(r for r, keys in enumerate(_PLAIN_KEYS) if struck in keys)
            shifted = rng.random() < 1 / 3
            letters[at] = _SHIFTED_KEYS[row][_PLAIN_KEYS[row].index(struck)] if shifted else struck
    return "".join(letters)


def _scanned(rng: Random, word: str) -> str:
    found = [(i, b) for i, char in enumerate(word) for a, b in _CONFUSED if a == char]
    found += [(i, a) for i, char in enumerate(word) for a, b in _CONFUSED if b == char]
    # From the right, because what is put in may be longer.
    for at, put in sorted(rng.sample(found, min(len(found), 1 if len(word) < 7 else 2)), reverse=True):
        word = word[:at] + put + word[at + 1 :]
    return word


def _case_or_key(rng: Random, word: str) -> str:
    at = rng.randrange(len(word))
    return word[:at] + rng.choice("0123456789!?#%&;:") + word[at + (rng.random() < 0.5) :]


@functools.cache
def _misspellings() -> dict[str, list[str]]:
    """Misspellings by word."""
    found = importlib.util.find_spec("codespell_lib")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("codespell is not installed: pip install codespell==2.4.3")
    data = Path(found.submodule_search_locations[0]) / "data"
    by_word: dict[str, list[str]] = defaultdict(list)
    for name in ("dictionary.txt", "dictionary_rare.txt", "dictionary_informal.txt"):
        for line in (data / name).read_text("utf-8").splitlines():
            wrong, _, right = line.partition("->")
            for word in right.split(","):
                if word.strip().isalpha() and wrong.isalpha():
                    by_word[word.strip()].append(wrong)
    return by_word


def _misspelt(rng: Random, word: str) -> str:
    known = _misspellings().get(word.lower())
    return rng.choice(known) if known else word


def _misspelt_or_slip(rng: Random, word: str) -> str:
    """As people misspell it; a word that nobody is known to misspell gets a slip that is typical of people."""
    known = _misspellings().get(word.lower())
    if known:
        return rng.choice(known)
    vowels = [i for i, letter in enumerate(word) if letter.lower() in "aeiou"]
    doubled = [i for i in range(1, len(word)) if word[i] == word[i - 1]]
    if doubled and rng.random() < 0.5:
        at = rng.choice(doubled)
        return word[:at] + word[at + 1 :]
    if vowels and rng.random() < 0.6:
        at = rng.choice(vowels)
        return word[:at] + rng.choice(("", "a", "e", "i", "o", "u", word[at] * 2)) + word[at + 1 :]
    at = rng.randrange(1, len(word))
    return word[:at] + word[at - 1] + word[at:]


def _cut(rng: Random, word: str) -> str:
    at = rng.randrange(1, len(word))
    return f"{word[:at]} {word[at:]}"


def _anywhere(text: str, rng: Random, share: float) -> str:
    """Random edits of any character, spaces included."""
    out = []
    for char in text:
        if rng.random() >= 0.1 * share:
            out.append(char)
            continue
        kind = rng.randrange(4)
        if kind == 0:
            out.append(char + rng.choice(_LETTERS + " "))
        elif kind == 1:
            out.append(rng.choice(_LETTERS))
        elif kind == 2 and out:
            out.insert(-1, char)
    return "".join(out)


_misspelling, _slip = _words(_misspelt_or_slip, 3), _words(_character, 3)
_cutting, _keys = _words(_cut, 4), _words(_key, 3)

#: Kinds to choose by.
CHOICE_KINDS: Mapping[str, Perturb] = {
    "misspelt": _misspelling,
    "keys": _keys,
    "two_characters": _words(_two_characters, 4),
    "cut_then_anywhere": lambda text, rng, share: _anywhere(_cutting(text, rng, share), rng, share),
    "misspelt_then_character": lambda text, rng, share: _slip(_misspelling(text, rng, share), rng, share),
}
#: Kinds to look at once.
END_KINDS: Mapping[str, Perturb] = {
    "scanned": _words(_scanned, 3),
    "one_character": _slip,
    "anywhere": _anywhere,
    "digit_in_word": _words(_case_or_key, 3),
    "dictionary_misspelt_then_keys": lambda text, rng, share: _keys(_words(_misspelt, 3)(text, rng, share), rng, share),
    "cut_then_misspelt": lambda text, rng, share: _cutting(_misspelling(text, rng, share), rng, share / 2),
}
