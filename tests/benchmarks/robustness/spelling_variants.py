"""Sentences of our own with hand-written spelling variants, after the functional tests 25 to 29 of HateCheck.

HateCheck (Röttger et al. 2021) checks swapped and missing characters, missing word boundaries, added spaces and leet.
Here are two kinds more, repeated letters and spelling by ear. Toxic and benign sentences have the same variants, so
that a filter that takes bad spelling for an offence shows it. Rows are of the same form as those of development.py.
"""

from __future__ import annotations

import re

import pandas as pd

KINDS = ("swapped", "missing", "spaced", "leet", "repeated", "by_ear")
#: For each word one variant of each kind, in that order.
_VARIANTS = {
    "bitch": ("bicth", "btch", "b i t c h", "b1tch", "biiitch", "bich"),
    "bitches": ("bithces", "bitchs", "b i t c h e s", "b1tch3s", "bitcheees", "bichez"),
    "fuck": ("fukc", "fck", "f u c k", "fu(k", "fuuuck", "phuck"),
    "fucking": ("fukcing", "fuckin", "f u c k i n g", "fuck1ng", "fuckiiing", "fukkin"),
    "shit": ("shti", "sht", "s h i t", "sh1t", "shiiit", "shyt"),
    "idiot": ("idoit", "idot", "i d i o t", "1d10t", "idiooot", "eediot"),
    "stupid": ("stuipd", "stupd", "s t u p i d", "stup1d", "stuuupid", "stoopid"),
    "trash": ("trahs", "trsh", "t r a s h", "tr4sh", "traaash", "trassh"),
    "whore": ("whroe", "whre", "w h o r e", "wh0re", "whoooore", "hore"),
    "pussy": ("pusys", "pssy", "p u s s y", "pu55y", "pusssssy", "pussie"),
    "ugly": ("uglyl", "ugl", "u g l y", "ug1y", "uglyyy", "uggly"),
    "dumb": ("dubm", "dmb", "d u m b", "dum8", "duuumb", "dum"),
    "loser": ("losre", "losr", "l o s e r", "l0s3r", "loooser", "looser"),
    "morning": ("monring", "mornin", "m o r n i n g", "m0rning", "morniiing", "mornning"),
    "coffee": ("cofefe", "cofee", "c o f f e e", "c0ff33", "coffeeee", "coffy"),
    "friends": ("freinds", "frends", "f r i e n d s", "fr13nds", "frieeends", "frendz"),
    "beautiful": ("beautifull", "beutiful", "b e a u t i f u l", "b3autiful", "beauuutiful", "bootiful"),
    "weather": ("waether", "wether", "w e a t h e r", "w34ther", "weatherrr", "wetha"),
    "music": ("muisc", "msic", "m u s i c", "mus1c", "muuusic", "muzik"),
    "great": ("graet", "grat", "g r e a t", "gr8at", "greaaat", "grate"),
    "thanks": ("thakns", "thnks", "t h a n k s", "th4nks", "thaaanks", "thanx"),
    "tomorrow": ("tomorrwo", "tomorow", "t o m o r r o w", "t0morr0w", "tomorrooow", "tomoro"),
    "dinner": ("dinnre", "diner", "d i n n e r", "d1nner", "dinnerrr", "dinna"),
    "weekend": ("weeekdn", "weknd", "w e e k e n d", "w33kend", "weekeeend", "weakend"),
    "happy": ("hpapy", "hapy", "h a p p y", "h4ppy", "happyyyy", "happi"),
}
_TOXIC = (
    "shut up you stupid bitch nobody asked you", "these bitches all lie and they are proud of it",
    "fuck you and everything you stand for", "you are a fucking idiot and you know it",
    "what a piece of shit you turned out to be", "only an idiot would marry you",
    "your whole family is trash and so are you", "she is a whore and the whole street knows",
    "stop crying like a pussy and take it", "you are so ugly that mirrors hide",
    "too dumb to find your own door", "go home loser we do not want you here",
    "that stupid whore can rot for all I care", "look at this ugly loser begging again",
    "you fucking trash get out of my town", "dumb bitch learn to drive",
)  # fmt: skip
_BENIGN = (
    "good morning from a very quiet harbour", "first coffee of the day and the sun is out",
    "met my oldest friends at the station today", "what a beautiful garden your aunt has",
    "the weather will be better for the match", "this music makes the long drive short",
    "great game last night well played everyone", "thanks for the lift home last night",
    "see you tomorrow at the library", "dinner is ready come down please",
    "we paint the kitchen at the weekend", "happy birthday to the best sister there is",
    "the morning train had great coffee for once", "thanks for a beautiful weekend with friends",
    "happy to have music with dinner tomorrow", "great weather for a walk with the dog",
)  # fmt: skip
_WORD = re.compile(r"\w+")


def rows() -> pd.DataFrame:
    """Every sentence in every variant.

    Returns:
        Columns base_id, kind, rung, label, original, text.
    """
    made = []
    for label, sentences in (("toxic", _TOXIC), ("benign", _BENIGN)):
        for number, sentence in enumerate(sentences):
            variants = {kind: _respelt(sentence, place) for place, kind in enumerate(KINDS)}
            variants["joined"] = sentence.replace(" ", "")
            made += [
                {"base_id": f"{label}-{number}", "kind": kind, "rung": 0, "label": label, "original": sentence,
                 "text": text} for kind, text in variants.items()
            ]  # fmt: skip
    return pd.DataFrame(made)


def _respelt(sentence: str, place: int) -> str:
    return _WORD.sub(lambda match: _VARIANTS[match[0]][place] if match[0] in _VARIANTS else match[0], sentence)
