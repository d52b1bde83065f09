"""How a Hangul syllable may have been meant that is written otherwise, and at what price.

A syllable is read jamo by jamo: the initial, the vowel, the final. What people change on purpose, and still
understand, is what sounds or looks alike: plain, tense and aspirated consonants (``ㄱㄲㅋ``), near vowels (``ㅐㅔ``,
``ㅏㅑ``), finals that sound the same (``ㅅㅆㅈ``), finals left out or put in, a final written as the next initial as it
is pronounced (``있어`` as ``이써``), and pairs of initial and vowel that look alike (``대`` and ``머``).

Sources: Standard Pronunciation of Korean (National Institute of Korean Language) on finals, their moving to the next
syllable, and palatal consonants; the look-alikes are those that Korean calls yaminjeongeum.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import NamedTuple

from content_arena.components.shared.text.hangul import FINALS, decompose

NO_INITIAL = "ㅇ"
_CONSONANTS = ("ㄱㄲㅋ", "ㄷㄸㅌ", "ㅂㅃㅍ", "ㅈㅉㅊ", "ㅅㅆ")
_VOWELS = ("ㅏㅑㅘ", "ㅓㅕㅝ", "ㅗㅛ", "ㅜㅠㅟ", "ㅡㅢ", "ㅣㅟㅢ", "ㅐㅔㅒㅖㅙㅚㅞ", "ㅗㅜ", "ㅏㅓ", "ㅡㅜ")
#: Finals of one sound.
_FINALS = ("ㄱㄲㅋㄳㄺ", "ㄷㅅㅆㅈㅊㅌㅎ", "ㅂㅍㅄㄼ", "ㄴㄵㄶ", "ㄹㄽㄾㅀ", "ㅁㄻ")
_LOOK_ALIKES = (
    ("ㄷㅐ", "ㅁㅓ"),
    ("ㄱㅟ", "ㅋㅓ"),
    ("ㄱㅘ", "ㅍㅏ"),
    ("ㅁㅕ", "ㄸㅣ"),
    ("ㅂㅣ", "ㄴㅔ"),
    ("ㅇㅠ", "ㅇㅡ"),
)
#: Finals with what they leave behind and what they give to a syllable without an initial.
_MOVING = {
    **{final: ("", final) for final in "ㄱㄲㄴㄷㄹㅁㅂㅅㅆㅈㅊㅋㅌㅍ"},
    "ㄳ": ("ㄱ", "ㅆ"), "ㄵ": ("ㄴ", "ㅈ"), "ㄶ": ("", "ㄴ"), "ㄺ": ("ㄹ", "ㄱ"), "ㄻ": ("ㄹ", "ㅁ"),
    "ㄼ": ("ㄹ", "ㅂ"), "ㄾ": ("ㄹ", "ㅌ"), "ㅀ": ("", "ㄹ"), "ㅄ": ("ㅂ", "ㅆ"),
}  # fmt: skip
#: Before the vowel ㅣ these finals sound like another consonant.
_PALATAL = {"ㅊ": "ㅌ", "ㅈ": "ㄷ"}


@dataclass(frozen=True)
class Prices:
    """Nats that a slip costs.

    Attributes:
        consonant: A plain, tense or aspirated initial in place of another of the three.
        vowel: A near vowel.
        final: Another final of the same sound.
        other_final: A final of another sound.
        added: A final that was put in.
        echo: The same, where it is the next initial, or an initial that is the final before.
        dropped: A final that was left out.
        moved: A final written as the next initial; a silent final left out.
        aspirate: An initial ㅎ left out or put in.
        look: A pair of initial and vowel that looks alike.
    """

    consonant: float = 2.5
    vowel: float = 2.5
    final: float = 2.0
    other_final: float = 5.0
    added: float = 2.5
    echo: float = 1.5
    dropped: float = 3.5
    moved: float = 1.5
    aspirate: float = 3.5
    look: float = 3.5


def scaled(prices: Prices, factor: float) -> Prices:
    """The prices times a factor."""
    return Prices(**{name: price * factor for name, price in asdict(prices).items()})


class Jamo(NamedTuple):
    """A syllable's parts; ``final`` is "" where there is none."""

    initial: str
    vowel: str
    final: str


class Meant(NamedTuple):
    """What a written syllable may have been meant to be.

    Attributes:
        heads: Price of each initial and vowel.
        tails: Price of each final, and whether it takes the next syllable's initial.
    """

    heads: dict[tuple[str, str], float]
    tails: dict[str, list[tuple[float, bool]]]


def jamo(syllable: str) -> Jamo:
    """The parts of a syllable."""
    return Jamo(*decompose(syllable))


def meant(written: Jamo, before: Jamo | None, after: Jamo | None, taken: bool, prices: Prices) -> Meant:
    """What a syllable may have been meant to be, itself included.

    Args:
        written: The syllable.
        before: The written syllable before it.
        after: The written syllable after it.
        taken: Whether its initial was read as the final of the syllable before.
        prices: Of the slips.
    """
    heads: dict[tuple[str, str], float] = {}
    for initial, first in _initials(written, before, taken, prices):
        for vowel, second in _vowels(written.vowel, prices):
            _lower(heads, (initial, vowel), first + second)
    if not taken:
        for pair in _LOOKS.get(written.initial + written.vowel, ()):
            _lower(heads, (pair[0], pair[1]), prices.look)
    tails: dict[str, list[tuple[float, bool]]] = {}
    for final, price in _finals(written.final, after, prices):
        tails.setdefault(final, []).append((price, False))
    for final, price in _moved(written.final, after, prices):
        tails.setdefault(final, []).append((price, True))
    return Meant(heads, tails)


def _lower(prices: dict[tuple[str, str], float], key: tuple[str, str], price: float) -> None:
    prices[key] = min(price, prices.get(key, price))


def _initials(written: Jamo, before: Jamo | None, taken: bool, prices: Prices) -> Iterator[tuple[str, float]]:
    if taken:
        yield NO_INITIAL, 0.0
        return
    initial = written.initial
    yield initial, 0.0
    for other in _ALIKE_INITIALS.get(initial, ()):
        yield other, prices.consonant
    if initial == NO_INITIAL:
        yield "ㅎ", prices.aspirate
    elif before is not None and before.final and _MOVING.get(before.final, ("", ""))[1] == initial:
        yield NO_INITIAL, prices.echo
    elif initial == "ㅎ":
        yield NO_INITIAL, prices.aspirate


def _vowels(vowel: str, prices: Prices) -> Iterator[tuple[str, float]]:
    yield vowel, 0.0
    for other in _NEAR_VOWELS[vowel]:
        yield other, prices.vowel


def _finals(final: str, after: Jamo | None, prices: Prices) -> Iterator[tuple[str, float]]:
    yield final, 0.0
    if not final:
        for other in _ALL_FINALS:
            silent = other == "ㅎ" and after is not None and after.initial == NO_INITIAL
            yield other, prices.moved if silent else prices.dropped
        return
    echoes = after is not None and _sound(after.initial) == _sound(final)
    yield "", prices.echo if echoes else prices.added
    for other in _ALL_FINALS:
        if other != final:
            yield other, prices.final if _sound(other) == _sound(final) else prices.other_final


def _moved(final: str, after: Jamo | None, prices: Prices) -> Iterator[tuple[str, float]]:
    """The finals that may have been written as the next initial."""
    if after is None or after.initial == NO_INITIAL:
        return
    initials = {after.initial: 0.0}
    if after.vowel in "ㅣㅕ" and after.initial in _PALATAL:
        initials[_PALATAL[after.initial]] = 0.0
    for other in _ALIKE_INITIALS.get(after.initial, ()):
        initials.setdefault(other, prices.consonant)
    for meant_final, (left, given) in _MOVING.items():
        if left == final and given in initials:
            yield meant_final, prices.moved + initials[given]


def _alike(groups: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for group in groups:
        for one in group:
            found[one] = "".join(dict.fromkeys(found.get(one, "") + group.replace(one, "")))
    return found


def _sound(final: str) -> str:
    return _SOUNDS.get(final, final)


_ALIKE_INITIALS = _alike(_CONSONANTS)
_NEAR_VOWELS = _alike(_VOWELS)
_ALL_FINALS = FINALS.strip()
_SOUNDS = {
    **{final: group[0] for group in _FINALS for final in group},
    # As initials; no final is one of these.
    "ㄸ": "ㄷ", "ㅃ": "ㅂ", "ㅉ": "ㄷ",
}  # fmt: skip
_LOOKS: dict[str, list[str]] = {}
for _one, _other in _LOOK_ALIKES:
    _LOOKS.setdefault(_one, []).append(_other)
    _LOOKS.setdefault(_other, []).append(_one)
