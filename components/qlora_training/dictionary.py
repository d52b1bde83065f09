"""Words of a dictionary, which the Reader leaves as they are though no training text holds them.

Without them it would take a rare word for a misspelt common one: ``slut`` for ``shut``, and ``Shiite`` for ``shit``.
"""

from __future__ import annotations

import functools
from importlib import resources

#: Shorter words are abbreviations as often as words.
_SHORTEST = 3
#: SCOWL with the frequencies of Google Books, by Wolf Garbe; a word and its count a line. In the package symspellpy.
_ENGLISH = "frequency_dictionary_en_82_765.txt"
#: Insults and slurs that this dictionary does not have. Plurals and feminine forms are listed where they are used.
_ENGLISH_INSULTS = """
abo abos arsewipe asshat asshats asshole assholes asswipe asswipes batshit beaner beaners bellend bellends bint bints
bogan bogans bugchaser bulldyke bullshitter butterface chav chavs chinky choad cuck cucks cumdump cumslut cuntface
dickwad dickwads dipshit dipshits dothead douchebag douchebags dumbass dumbasses dumbfuck fatass fatsos feminazi
feminazis fuckboy fuckboys fucktard fucktards fuckwit fuckwits fudgepacker gaijin gammons golliwog golliwogs gyppo
gyppos halfbreed halfwit halfwits heeb heebs honkey honkeys incel incels injuns islamofascist jigaboo jigaboos kaffirs
knobend knobhead knobheads lardarse lardass lesbo lezzie libtard libtards minger mingers mongs mudblood mudslime
mudslimes munter munters muzzie muzzies numpties numpty nutjob nutjobs paedo paedos paki pakis pedo pedophile
pedophiles pedos perv pickaninny pikey pikeys pillock pillocks pommies pommy poofter poofters raghead ragheads retardo
sandmonkey sandnigger scrote scrotes shemale shemales shitbag shitbags shitstain simps skank skanks skanky sleazebag
sleazebags slopehead soyboy soyboys spacker spaz spazzes tard tards terf terfs thicko thickos thot thots towelhead
towelheads trannies tranny twatwaffle wetback wetbacks yobbos zionazi zipperhead
"""
#: Names that this dictionary does not have and that two common words make, as ``harsh it`` and ``man jit`` do. No kept
#: library of names is small enough to ask.
_ENGLISH_NAMES = "harshit hitchens keanu lalit lightwater manjit meiling ranjit rohit sumit surjit takeshi"
#: Words that people write with stars, the commonest first, and endings that they take.
_ENGLISH_CENSORED = """
fuck shit bitch ass dick cunt pussy nigga nigger whore slut bastard asshole arse cock faggot fag twat wank wanker prick
tits cum porn rape kill suicide retard cripple paki chink chinky coon kike spic gook dyke queer tranny bollocks bugger
motherfuck motherfucker bullshit goddamn damn crap
"""
_ENGLISH_ENDINGS = ("", "s", "es", "ed", "er", "ers", "ing", "in", "y", "ty", "head", "heads", "face", "hole", "holes")


@functools.cache
def words(lang: str) -> frozenset[str]:
    """The casefolded words of a language; none for a language without a dictionary.

    Args:
        lang: ISO 639-1 code. Only English has a dictionary.
    """
    if lang != "en":
        return frozenset()
    lines = (resources.files("symspellpy") / _ENGLISH).read_text("utf-8-sig").splitlines()
    listed = (line.partition(" ")[0].casefold() for line in lines)
    own = {*_ENGLISH_INSULTS.split(), *_ENGLISH_NAMES.split()}
    return frozenset(own.union(word for word in listed if word.isalpha() and len(word) >= _SHORTEST))


@functools.cache
def censored(lang: str) -> tuple[str, ...]:
    """Words that people write with stars in place of letters (``f**k``), likelier ones first.

    Args:
        lang: ISO 639-1 code; none for another language than English.
    """
    if lang != "en":
        return ()
    stems = _ENGLISH_CENSORED.split()
    forms = dict.fromkeys(f"{stem}{ending}" for ending in _ENGLISH_ENDINGS for stem in stems)
    known = words(lang)
    return tuple(form for form in forms if form in stems or form in known)
