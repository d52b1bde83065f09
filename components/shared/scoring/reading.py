"""How a model reads a text: canonicalised, masked, and with its words restored.

Serving, training, attacking and evaluation use this module, so that a model gets the same text in each of them.
"""

from __future__ import annotations

import re
from typing import NewType

from content_arena.components.shared.scoring import bundle as bundles
from content_arena.components.shared.text.canonical import (
    CANONICAL_VERSION,
    Canonicaliser,
    CanonicalText,
    canonicaliser,
)
from content_arena.components.shared.text.masking import HANDLE_MASK, mask
from content_arena.components.shared.text.reader.lexicon import Lexicon
from content_arena.components.shared.text.reader.reader import Reader

#: What a :class:`Reading` returns: a canonical text, masked, with its words restored if there is a Reader. Code that
#: tokenises texts asks for this type.
ReadText = NewType("ReadText", CanonicalText)

#: Bundles with this canonicaliser were trained to be served without masking.
_UNMASKED = "1"
#: A word may be joined to a handle that is masked already: @useridiot.
_MASKED_NAME = HANDLE_MASK.removeprefix("@")
_DOMAIN_ENDING = re.compile(r"(?<=\.)[a-zA-Z]{2,3}$")
# What stands between the words of an address or a handle. Digits end some handles (moron1988).
_BETWEEN_WORDS = re.compile(r"[\W\d_]+")


class Reading:
    """Turns the text that a user wrote into the text that a model gets.

    Attributes:
        canonicalise: The canonicaliser of the model's version. An edit that it undoes does not reach the model.
        reader: Restores words; None for a model without a lexicon.
    """

    def __init__(self, version: str = CANONICAL_VERSION, reader: Reader | None = None) -> None:
        """Makes a reading from a version of the canonicaliser and, if the model has one, a Reader.

        Raises:
            BundleError: There is no such version.
        """
        self.canonicalise: Canonicaliser = canonicaliser(version)
        self.reader = reader
        self._masks = version != _UNMASKED

    @classmethod
    def of(cls, bundle: bundles.Bundle) -> Reading:
        """The reading that a bundle's model was trained with.

        Raises:
            BundleError: Its lexicon can not be read.
        """
        path = bundle.lexicon_path
        return cls(bundle.spec.canonical_version, Reader(Lexicon.load(path)) if path else None)

    def __call__(self, text: str) -> ReadText:
        """Returns the text for the tokenizer."""
        read: str = self.canonicalise(text)
        if self._masks:
            read = mask(read, self._known_words if self.reader else None)
        if self.reader:
            read = self.reader.read(read)
        return ReadText(CanonicalText(read))

    def _known_words(self, hidden: str) -> str:
        """What a hidden handle or address says: the words it is made of if the model knows all of them, "" otherwise.

        ``@moron`` is an insult with one character before it, and only the mask would be left of it. A name that no
        lexicon knows says nothing about the text and is not read. Handles of several words are people's names most of
        the time, and are not read either.
        """
        reader, words = self.reader, list[str]()
        if reader is None:
            return ""
        name = hidden.removeprefix(_MASKED_NAME)
        if f"a{hidden}".casefold() in reader.lexicon:
            # The @ is the first letter: @nyone.
            return f"a{hidden}".casefold()
        may_be_several = name != hidden or "@" in hidden
        for part in filter(None, _BETWEEN_WORDS.split(_DOMAIN_ENDING.sub("", name).casefold())):
            found = reader.read(part).split()
            # What only resembles a word is a name.
            if "".join(found) != part or any(word not in reader.lexicon for word in found):
                return ""
            words += found
        return " ".join(words) if may_be_several or len(words) == 1 else ""
