"""Characters that people read as Latin letters: forms of these letters, and look-alikes of other scripts.

Both tables are built from Unicode's own data: decompositions and names (the character database that comes with
Python), and the confusables of Unicode Technical Standard #39 (package ``confusable-homoglyphs``).
"""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata

# Circled and squared letters and small capitals may have no decomposition; their names name the letter.
_NAMED_FORM = re.compile(
    r"(?:(?:CROSSED )?NEGATIVE |DOUBLE |TORTOISE SHELL )?(?:CIRCLED|SQUARED|PARENTHESIZED|BRACKETED) (?:LATIN )?"
    r"(?P<case>CAPITAL|SMALL) LETTER (?P<letter>[A-Z])"
    r"|REGIONAL INDICATOR SYMBOL LETTER (?P<flag>[A-Z])"
    r"|(?:LATIN LETTER|MODIFIER LETTER) SMALL CAPITAL (?P<small>[A-Z])"
    r"|MODIFIER LETTER SMALL (?:CAPITAL |SCRIPT )?(?P<raised>[A-Z])(?: BAR| WITH [A-Z -]+)?"
)
_COMPATIBILITY_FORM = re.compile(r"[A-Za-z0-9]|f[fil]l?|st|\([a-zA-Z]\)")
#: Outlined capitals and digits of Unicode 16, which is newer than the character database of Python 3.11.
_OUTLINED = {
    **{0x1CCD6 + i: chr(ord("A") + i) for i in range(26)},
    **{0x1CCF0 + i: chr(ord("0") + i) for i in range(10)},
}
#: Blocks in which forms may stand: all but those of ideographs, syllables, private use and unused planes.
_BLOCKS = (range(0x80, 0x3400), range(0xA640, 0xAC00), range(0xF900, 0x10000), range(0x10780, 0x107C0),
           range(0x1D000, 0x20000))  # fmt: skip
#: Circled and other list numbers stay numbers; only these digits are forms of the digit itself.
_DIGIT_FORMS = re.compile("[\uff10-\uff19\U0001d7ce-\U0001d7ff\U0001fbf0-\U0001fbf9]")
# Look-alikes that UTS #39 pairs with another letter than attackers do, or not at all.
_ALSO_ALIKE = {"І": "I", "Ι": "I", "ӏ": "l", "κ": "k", "м": "m", "ϲ": "c", "Ϲ": "C"}
_OTHER_WRITING = ("HANGUL", "CJK", "HIRAGANA", "KATAKANA", "ARABIC", "HEBREW")
#: Latin letters of phonetic alphabets.
_PHONETIC = re.compile("[\u0250-\u02af\u1d00-\u1dbf]")

#: Regions with a flag (ISO 3166-1, and the codes Unicode adds), two letters each.
_REGIONS = (
    "ACADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZCACCCDCFCGCHCICKCLCMCNCOCPCRCUCVCWCX"
    "CYCZDEDGDJDKDMDODZEAECEEEGEHERESETEUFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGSGTGUGWGYHKHMHNHRHTHUICIDIEILIMINIO"
    "IQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNE"
    "NFNGNINLNONPNRNUNZOMPAPEPFPGPHPKPLPMPNPRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTATCTDTFTG"
    "THTJTKTLTMTNTOTRTTTVTWTZUAUGUMUNUSUYUZVAVCVEVGVIVNVUWFWSXKYEYTZAZMZW"
)
FLAGS = frozenset(_REGIONS[i : i + 2] for i in range(0, len(_REGIONS), 2))


@functools.cache
def letter_forms() -> dict[str, str]:
    """Forms of Latin letters and digits, with the one to three characters they are read as.

    Fullwidth, mathematical, circled, squared, bracketed, super- and subscript letters, small capitals, regional
    indicators and ligatures. Letters with a mark of their own (é, ø, đ) are letters, not forms.
    """
    found: dict[str, str] = {}
    for code in itertools.chain.from_iterable(_BLOCKS):
        char = chr(code)
        decomposition = unicodedata.decomposition(char)
        if decomposition and not decomposition.startswith("<"):
            continue
        # The compatibility form is the letters or another form: that of a raised small capital is a small capital.
        plain = unicodedata.normalize("NFKC", char) if decomposition else char
        named = _NAMED_FORM.fullmatch(unicodedata.name(plain, "")) if len(plain) == 1 else None
        # Below a raised letter there may be a letter of its own: i with a stroke.
        named = named or _NAMED_FORM.fullmatch(unicodedata.name(char, ""))
        if named:
            letter = named["letter"] or named["flag"] or named["small"] or named["raised"]
            found[char] = letter if named["case"] == "CAPITAL" or named["flag"] else letter.lower()
        elif _COMPATIBILITY_FORM.fullmatch(plain) and (not plain.isdigit() or _DIGIT_FORMS.match(char)):
            found[char] = plain.strip("()")
    return found | {chr(code): letter for code, letter in _OUTLINED.items()}


@functools.cache
def look_alikes() -> dict[str, str]:
    """Letters of other scripts and of phonetic alphabets that look like one ASCII letter, by UTS #39."""
    from confusable_homoglyphs.confusables import confusables_data

    table: dict[str, str] = {}
    for source, targets in confusables_data.items():
        if len(source) != 1 or source.isascii() or not source.isalpha() or source in letter_forms():
            continue
        if is_latin(source) and not _PHONETIC.match(source):
            continue
        if unicodedata.name(source, "").startswith(_OTHER_WRITING):
            continue
        letters = [t["c"] for t in targets if len(t["c"]) == 1 and t["c"].isascii() and t["c"].isalpha()]
        if letters:
            same_case = [letter for letter in letters if letter.isupper() == source.isupper()]
            letter = (same_case or letters)[0]
            # Scripts without case resemble capitals, and UTS #39 has one class for all upright strokes.
            table[source] = "I" if letter == "l" and source.upper() == source.lower() else letter
    return table | _ALSO_ALIKE


@functools.lru_cache(maxsize=4096)
def is_latin(char: str) -> bool:
    """Whether a letter belongs to the Latin script."""
    return char.isascii() or "LATIN" in unicodedata.name(char, "")


@functools.lru_cache(maxsize=4096)
def is_superscript(char: str) -> bool:
    """Whether a form is set above or below the line (1ˢᵗ, xⁿ)."""
    decomposition = unicodedata.decomposition(char)
    return decomposition.startswith(("<super>", "<sub>")) or unicodedata.name(char, "").startswith("MODIFIER")


def is_phonetic(char: str) -> bool:
    """Whether a letter is one that only phonetic alphabets use."""
    return _PHONETIC.match(char) is not None


def character_class(chars: set[str] | frozenset[str]) -> str:
    """These characters as the inside of a regular expression's character class, as ranges."""
    codes = sorted(map(ord, chars))
    ranges: list[list[int]] = []
    for code in codes:
        if ranges and code == ranges[-1][1] + 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(re.escape(chr(a)) + (f"-{re.escape(chr(b))}" if b > a else "") for a, b in ranges)
