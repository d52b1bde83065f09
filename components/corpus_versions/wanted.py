"""Which texts are to be forgotten, and whether a text that is met somewhere is one of them.

Two texts are the same if corpora take them for the same: if they have one canonical form, whatever their case.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from content_arena.components.corpus_preparation.cleaning import imported_key
from content_arena.components.corpus_preparation.dropped_rows import EXAMPLE_LENGTH
from content_arena.components.corpus_preparation.splits import id_of
from content_arena.components.shared.scoring.reading import Reading

#: Columns of tables, and fields of documents, that hold texts.
TEXT_FIELDS = frozenset({"text", "original_text", "perturbed_text", "original", "perturbed"})
#: The same, without texts that were made from others.
ORIGINAL_FIELDS = frozenset({"text", "original_text", "original"})
#: Columns that name a text, or the one that it was made from.
ID_FIELDS = ("sample_id", "base_id")
#: The end of a text that was cut off does not tell: its last word may be cut in two.
_SURE_LENGTH = EXAMPLE_LENGTH - 40
#: Shorter texts occur by chance in prose.
_MIN_LENGTH_IN_PROSE = 12


@functools.lru_cache(maxsize=100_000)
def key_of(text: str) -> str:
    """The form in which a text is compared, as it is when it is read into a corpus."""
    return imported_key(text)


@dataclass(frozen=True)
class Wanted:
    """Texts to be forgotten.

    Attributes:
        keys: Their forms for comparison.
        forms: How they are written where they were found.
    """

    keys: frozenset[str]
    forms: frozenset[str] = frozenset()

    @functools.cached_property
    def _read(self) -> frozenset[str]:
        """As models read them: pages show examples of that."""
        reading = Reading()
        return frozenset(str(reading(form)) for form in self.forms)

    @functools.cached_property
    def ids(self) -> frozenset[str]:
        """The ids that they got when they were read: hashes, from which a short text could be guessed."""
        return frozenset(map(id_of, self.keys))

    def matches(self, text: object) -> bool:
        """Whether a text is one of them."""
        if not isinstance(text, str) or not text.strip():
            return False
        return key_of(text) in self.keys or text in self._read

    def matches_shortened(self, text: str) -> bool:
        """Whether a text is one of them, or the beginning of one as pages show it."""
        if self.matches(text):
            return True
        if len(text) != EXAMPLE_LENGTH + 1 or not text.endswith("…"):
            return False
        return any(key.startswith(key_of(text[:_SURE_LENGTH])) for key in self.keys)

    @functools.cached_property
    def in_prose(self) -> tuple[str, ...]:
        """Those that can be looked for in prose, and their ids, longest first."""
        long = {form for form in self.forms if len(form) >= _MIN_LENGTH_IN_PROSE} | self.ids
        return tuple(sorted(long, key=lambda form: (-len(form), form)))
