"""How a model reads a text: canonicalised, masked, restored. One place for predictor, trainer, attacker and judge."""

from __future__ import annotations

import re
from collections.abc import Callable

from content_arena.components.shared import bundle as bundles
from content_arena.components.shared.canonical import CANONICAL_VERSION, canonicaliser
from content_arena.components.shared.masking import HANDLE_MASK, mask
from content_arena.components.shared.reader.lexicon import Lexicon
from content_arena.components.shared.reader.reader import Reader

#: Bundles of this version were served without masking.
_UNMASKED = "1"
# A word run together with a masked handle is not part of the handle.
_JOINED_MASK = re.compile(rf"{HANDLE_MASK}(?=[^\W_])")


class Reading:
    """The text a model gets for the text a user wrote.

    Attributes:
        canonicalise: The canonicaliser of its version: what this undoes was no edit.
    """

    def __init__(self, version: str = CANONICAL_VERSION, reader: Reader | None = None) -> None:
        """Reads through a version of the canonicaliser, and through a Reader if there is one.

        Raises:
            BundleError: There is no such version.
        """
        self.canonicalise: Callable[[str], str] = canonicaliser(version)
        self.reader = reader
        self._masks = version != _UNMASKED

    @classmethod
    def of(cls, bundle: bundles.Bundle) -> Reading:
        """As a bundle was trained.

        Raises:
            BundleError: Its lexicon can not be read.
        """
        path = bundle.lexicon_path
        return cls(bundle.spec.canonical_version, Reader(Lexicon.load(path)) if path else None)

    def __call__(self, text: str) -> str:
        """The text as the tokenizer is to get it."""
        text = self.canonicalise(text)
        if self._masks:
            text = mask(_JOINED_MASK.sub(f"{HANDLE_MASK} ", text))
        return self.reader.read(text) if self.reader else text
