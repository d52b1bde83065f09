"""What a strategy is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, ClassVar, Self

from content_arena.components.attack_generation.selection import FAMILIES

if TYPE_CHECKING:
    from content_arena.components.attack_generation.writing import Writer

#: Families whose strategies say the same in other words, if they do not declare otherwise.
REWORDING = frozenset({"word", "sentence", "llm"})
#: Half-open range of characters an attack is confined to.
Span = tuple[int, int]


class Strategy(ABC):
    """One way to change a text without changing its meaning.

    The same text, generator state, intensity and span always give the same result, and nothing is kept between calls.
    A subclass has to declare name, family and langs, or its definition fails. The first line of its docstring is its
    description in the README.

    Attributes:
        name: Unique. A built-in strategy has its file's name, one of another package its entry point's.
        family: One of :data:`~content_arena.components.attack_generation.selection.FAMILIES`.
        langs: ISO 639-1 codes of the languages it applies to; None for any.
        by_default: Whether a battle attacks with it that names no strategies and families. A built-in strategy that
            came later is not: a run would take longer with every one, and its figures could not be compared any more.
        rewrites: Whether an LLM writes the text anew: see :mod:`rewriting`, where what is said here about equal
            arguments is said otherwise. Such a text is not compared with the original letter by letter.
        rewords: Whether it says the same in other words, so that the embeddings of both texts are compared; a sentence
            encoder cannot read a word that is only spelt otherwise. True for the families of :data:`REWORDING`, unless
            a strategy declares False.
    """

    name: ClassVar[str]
    family: ClassVar[str]
    langs: ClassVar[frozenset[str] | None]
    by_default: ClassVar[bool] = True
    rewrites: ClassVar[bool] = False
    rewords: ClassVar[bool]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        missing = [fact for fact in ("name", "family", "langs") if not hasattr(cls, fact)]
        if missing:
            raise TypeError(f"strategy {cls.__name__} does not declare {', '.join(missing)}")
        if cls.family not in FAMILIES:
            raise TypeError(f"strategy {cls.__name__}: family {cls.family!r} is none of {', '.join(FAMILIES)}")
        if not hasattr(cls, "rewords"):
            cls.rewords = cls.family in REWORDING

    @abstractmethod
    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """Changes the text.

        Args:
            text: The original.
            rng: The only source of randomness.
            intensity: Share of the editable places to edit, in [0, 1]. Above 0 at least one place is edited, at 0 none.
            span: Edit inside this range of characters only; None for anywhere.

        Returns:
            The perturbed text; the original itself where there is nothing to edit.
        """

    def bound(self, writer: Writer) -> Self:
        """The strategy with an LLM that writes; itself if it needs none."""
        return self

    @property
    def at_once(self) -> int:
        """How many threads can have it perturb at the same time to some use."""
        return 1

    def made_with(self) -> Mapping[str, str]:
        """What beside the arguments its texts depend on, for records."""
        return {}

    def makes(self, label: str) -> Sequence[tuple[Strategy, str]]:
        """What it makes of originals with a label: how, and the label of what comes out; nothing if it leaves them."""
        return ((self, label),)

    def speaks(self, lang: str) -> bool:
        """Whether the strategy applies to a language."""
        return self.langs is None or lang in self.langs
