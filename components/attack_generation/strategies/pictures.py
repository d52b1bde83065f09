"""Emoji by name, from the package ``emoji`` (names of Unicode and CLDR)."""

from __future__ import annotations

import functools
import re

#: Fully qualified, in the package's numbering.
_QUALIFIED = 2
#: Newer ones are missing in many fonts, and a later release of the package must not change what an attack draws from.
_LATEST_VERSION = 12
_SELECTOR = "\ufe0f"
#: Before the weather signs come letters, ideographs in boxes, and signs.
_FIRST = "\U0001f300"
#: What names add to the thing that is shown.
_ADDED = {"en": re.compile("_(?:face|sign|symbol|button|mark)$"), "ko": re.compile("_(?:얼굴|표시|기호|버튼)$")}


@functools.cache
def by_name(lang: str) -> dict[str, str]:
    """Emoji of one code point by their one-word names, in lower case.

    Args:
        lang: ``en`` or ``ko``.
    """
    import emoji  # Its table takes a tenth of a second to load.

    if lang != "en":
        emoji.config.load_language(lang)
    found: dict[str, str] = {}
    for picture, facts in emoji.EMOJI_DATA.items():
        if facts["status"] == _QUALIFIED and facts["E"] <= _LATEST_VERSION and len(picture.strip(_SELECTOR)) == 1:
            for name in (facts[lang], *(facts.get("alias", ()) if lang == "en" else ())):
                word = _ADDED[lang].sub("", name.strip(":").lower())
                if "_" not in word:
                    found.setdefault(word, picture)
    return found


@functools.cache
def faces_and_things() -> tuple[str, ...]:
    """Emoji of one code point that are pictures without a selector, in the order of their code points."""
    return tuple(sorted({picture for picture in by_name("en").values() if len(picture) == 1 and picture >= _FIRST}))
