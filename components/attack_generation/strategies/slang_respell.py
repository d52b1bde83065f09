"""English as communities write it to get past filters.

Sources: Steen, Yurechko, Klug 2023, "You Can (Not) Say What You Want" (algospeak); Eisenstein 2013, "What to Do About
Bad Language on the Internet" (respellings); Brody, Diakopoulos 2011, "Cooooooooooooooollllllllllllll!!!!!!"
(lengthened vowels).
"""

from __future__ import annotations

import re
from random import Random

from content_arena.components.attack_generation.strategies.base import Span, Strategy
from content_arena.components.attack_generation.strategies.words import edit_words

_WORDS: dict[str, tuple[str, ...]] = {
    word: tuple(others.split("/"))
    for word, others in {
        "you": "u/yu/ya", "your": "ur/yo", "are": "r/ar", "people": "ppl/peeps", "please": "plz/pls", "the": "da/teh",
        "that": "dat", "this": "dis", "them": "dem/em", "they": "dey", "with": "wit/wiv", "what": "wut/wat",
        "why": "y", "for": "4", "to": "2", "too": "2", "be": "b", "before": "b4", "great": "gr8", "hate": "h8",
        "because": "cuz/bc", "and": "n/nd", "know": "kno", "nothing": "nuthin", "something": "sumthin",
        "going": "goin", "love": "luv", "like": "liek/lyk", "really": "rly", "about": "abt", "never": "nvr",
        "just": "jus/jst", "boy": "boi", "girl": "gurl/grl", "girls": "gurls/grlz", "man": "mane",
        "brother": "bruh/bro", "friend": "fren", "idiot": "idjit/eediot/idi0t", "stupid": "stoopid/stewpid/stoopit",
        "moron": "morron/mawron", "dumb": "dum/dumm", "ugly": "ugleh/uggo", "loser": "looser/l0ser",
        "trash": "trasch/traash", "garbage": "garbij/gahbage", "fuck": "fuk/phuck/fck/fook/fuq",
        "fucking": "fukin/effing/fckn/freaking", "shit": "shyt/sht/schitt/chit", "bitch": "biatch/betch/beach/bish",
        "ass": "azz/arse/a55", "asshole": "azzhole/a-hole/ahole", "dick": "dik/dicc/d1ck", "bastard": "bstrd/basturd",
        "whore": "hoor/w-word", "slut": "slvt/slu7", "crap": "krap/carp", "damn": "dam/dayum",
        "kill": "unalive/k!ll", "killed": "unalived", "die": "unalive/dye", "dead": "unalived/ded",
        "death": "unaliving", "suicide": "sewer slide/sewerslide", "sex": "seggs/secks", "porn": "corn/pr0n",
        "rape": "grape/r@pe", "racist": "rayciss/racis", "nazi": "yahtzee/notsee",
        "lesbian": "le$bian/le dollar bean", "gay": "ghey/g4y", "black": "blk/blacc", "white": "yt/wyt",
        "gun": "pew pew/gat", "drunk": "dronk", "drugs": "drvgs/dr00gz", "disgusting": "disgustang",
        "pathetic": "pathetik", "worthless": "worfless", "hell": "heck/h3ll", "liar": "lyer",
    }.items()
}  # fmt: skip
#: Endings and sounds, for words that are not listed.
_RULES = tuple(
    (re.compile(pattern, re.IGNORECASE), into)
    for pattern, into in (
        (r"(?<=\w{2})ing\b", "in"), (r"(?<=\w{2})er\b", "a"), (r"(?<=[^s\W])s\b", "z"), (r"\bth", "d"), (r"th\b", "f"),
        (r"ck", "cc"), (r"\bph", "f"), (r"ough\b", "uff"), (r"tion\b", "shun"), (r"ight", "ite"),
        (r"(?<=\w)([aeiou])(?=[^aeiou\W]+\b)", r"\1\1\1"),
    )
)  # fmt: skip


class SlangRespell(Strategy):
    """Writes words as communities do: ``unalive``, ``seggs``, ``u r stoopid``, ``boyz``."""

    name = "slang_respell"
    family = "slang"
    langs = frozenset({"en"})
    by_default = False

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is an ASCII word that is listed or that one of the rules respells."""

        def edit(word: str) -> str:
            spelt = rng.choice(_spellings(word))
            return spelt[0].upper() + spelt[1:] if word[0].isupper() and spelt[0].isalpha() else spelt

        return edit_words(text, rng, intensity, span, edit, lambda word: bool(_spellings(word)))


def _spellings(word: str) -> tuple[str, ...]:
    """How a word may be respelt: as listed, or else by the first two rules that change it."""
    if not word.isascii():
        return ()
    listed = _WORDS.get(word.lower())
    if listed:
        return listed
    changed = [rule.sub(into, word) for rule, into in _RULES if len(word) > 3]
    return tuple(spelt for spelt in changed if spelt != word)[:2]
