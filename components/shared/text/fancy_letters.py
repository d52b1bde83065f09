"""Texts in the alphabets of "fancy text" generators: letters of many scripts by shape alone, and letters turned over.

These letters resemble Latin ones less than look-alikes do, and each is a letter of a living script. What gives such a
text away is the mixture: no language writes one word in two foreign scripts, or goes back and forth between scripts.
Source: the alphabets that fancy text generators on the web offer in common.
"""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata

from content_arena.components.shared.text.letter_forms import character_class, is_latin, is_phonetic, look_alikes

_LATIN = "abcdefghijklmnopqrstuvwxyz"
#: Each is a to z, in order.
_ALPHABETS = (
    "αв¢∂єƒgнιנкℓмησρqяѕтυνωχуz",
    "αвς∂єƒɠђιנкℓмησρqяѕтυνωχуz",
    "ค๒ς๔єŧﻮђเןкl๓ภ๏קợгรtยשฬאץz",
    "ąცƈɖɛʄɠɧıʝƙƖɱŋơ℘զཞʂɬų۷ῳҳყʑ",
    "ǟɮƈɖɛʄɢɦɨʝӄʟʍռօքզʀֆȶʊʋաӽʏʐ",
    "αႦƈԃҽϝɠԋιʝƙʅɱɳσρϙɾʂƚυʋɯxყȥ",
    "卂乃匚ᗪ乇千Ꮆ卄丨ﾌҝㄥ爪几ㄖ卩q尺丂ㄒㄩᐯ山乂ㄚ乙",
    "ᗩᗷᑕᗪeᖴgᕼiᒍkᒪᗰᑎoᑭᑫᖇᔕtᑌᐯᗯ᙭yᘔ",
    "ᏗᏰፈᎴᏋᎦᎶᏂᎥᏠᏦᏝᎷᏁᎧᎮᎤᏒᏕᏖᏬᏉᏇጀᎩፚ",
    "abcdefghijklmиopqrstцvшxyz",
    "λbcdσfghijklmпөpqяstцvщxyz",
)
_TURNED = dict(zip("ɐqɔpǝɟƃɥıɾʞןɯuodbɹsʇnʌʍxʎz", _LATIN, strict=True)) | {"ᴉ": "i", "ə": "e", "ʃ": "l", "l": "l"}
#: Letters that no phonetic alphabet and no orthography of today uses.
_ONLY_TURNED = frozenset("ʇʞƃ")
#: Words with fewer of the others may be in a phonetic alphabet, where ə is the commonest.
_LEAST_TURNED = 3
_SCHWA = "ə"


@functools.cache
def _fancy() -> dict[str, str]:
    """Letters and signs with the Latin letter they stand for."""
    table: dict[str, str] = {}
    for alphabet in _ALPHABETS:
        for char, letter in zip(alphabet, _LATIN, strict=True):
            if not char.isascii():
                table.setdefault(char, letter)
                upper = char.upper()
                # A capital of another script is no letter of this table if it looks like another letter.
                if len(upper) == 1 and upper != char and not upper.isascii() and upper not in look_alikes():
                    table.setdefault(upper, letter.upper())
    return table | look_alikes()


@functools.cache
def _translation() -> dict[int, str]:
    return {ord(char): letter for char, letter in _fancy().items()}


@functools.cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Patterns of a word that may hold fancy letters, and of a run of words turned over."""
    signs = character_class({char for char in _fancy() if not char.isalpha()})
    turned = character_class(set(_TURNED))
    ends = rf"(?<![^\W\d_])[{turned}]++(?![^\W\d_])"
    return (
        re.compile(rf"(?:[^\W\d_]|[{signs}])+"),
        re.compile(rf"{ends}(?:[ ,.'!?¡¿˙]++{ends})*+"),
    )


def unfold_fancy(text: str) -> str:
    """Writes words in the letters of several scripts as the Latin words that they resemble."""
    if _fancy().keys().isdisjoint(text):
        return text
    word, _ = _patterns()
    foreign = [found for found in word.findall(text) if any(not is_latin(char) for char in found)]
    mixed = {found for found in foreign if _is_mixture(found)}
    if not mixed:
        return text
    # The words of one script between them are of the same alphabet: "уσυ αяє α ѕтυρι∂".
    n_mixed = sum(found in mixed for found in foreign)
    everywhere = 2 * n_mixed >= len(foreign) and all(_resembles_latin(found) for found in foreign)

    def unfold(match: re.Match[str]) -> str:
        return match[0].translate(_translation()) if everywhere or match[0] in mixed else match[0]

    return word.sub(unfold, text)


def _resembles_latin(word: str) -> bool:
    return all(is_latin(char) or char in _fancy() for char in word)


def _is_mixture(word: str) -> bool:
    """Whether a word's letters resemble Latin ones and are of scripts that no language mixes."""
    if not _resembles_latin(word):
        return False
    scripts = [_script(char) for char in word if char.isalpha()]
    foreign = set(scripts) - {"LATIN"}
    if any(map(is_phonetic, word)) and foreign <= {"GREEK"}:
        return False
    n_changes = sum(one != other for one, other in itertools.pairwise(scripts))
    return len(foreign) > 1 or n_changes > 1 or (bool(foreign) and any(map(is_phonetic, word)))


@functools.lru_cache(maxsize=4096)
def _script(char: str) -> str:
    return "LATIN" if is_latin(char) else unicodedata.name(char, "").split(" ")[0]


def turn_over(text: str) -> str:
    """Writes words that are turned over (``ʇoıpı``) upright, letter by letter and from the end."""
    if not any(char in text for char in "ʇʞƃɐǝɹɥʎʌʍɯɟɔ"):
        return text
    _, run = _patterns()
    return run.sub(lambda match: _upright(match[0]), text)


def _upright(run: str) -> str:
    words = re.split(r"([ ,.'!?¡¿˙]+)", run)
    turned = [{char for char in word if not char.isascii() and char != _SCHWA} for word in words[::2]]
    if not any(letters & _ONLY_TURNED or len(letters) >= _LEAST_TURNED for letters in turned):
        return run
    # Words of plain letters at the ends (so, dub) are written as they are read.
    first = next(i for i, word in enumerate(words) if not word.isascii())
    last = max(i for i, word in enumerate(words) if not word.isascii())
    upright = "".join(_TURNED.get(char, char) for char in reversed("".join(words[first : last + 1])))
    return "".join(words[:first]) + upright + "".join(words[last + 1 :])
