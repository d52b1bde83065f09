"""What the strategies have in common for which an LLM writes the text anew."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, ClassVar, Self

from content_arena.components.attack_generation.strategies.base import Span
from content_arena.components.shared.errors import ChatError

if TYPE_CHECKING:
    from content_arena.components.attack_generation.writing import Prompt, Writer


class Rewriting:
    """Perturbs a text by what an LLM writes; mixed into a :class:`Strategy`.

    It is no pure function of its arguments: what was written once is kept, and given again for the same prompt, model,
    parameters and text. The intensity says how far the text is to go from the original, and chance decides nothing.

    Attributes:
        prompt_name: File of the prompt.
        field: Which text of the answer is taken.
    """

    rewrites: ClassVar[bool] = True
    by_default: ClassVar[bool] = False
    name: ClassVar[str]
    prompt_name: ClassVar[str]
    field = "text"

    def __init__(self, writer: Writer | None = None) -> None:
        """Takes the LLM that writes; without one it perturbs nothing."""
        self.writer = writer

    @property
    def prompt(self) -> Prompt:
        """What the LLM is asked."""
        from content_arena.components.attack_generation.writing import prompts

        return prompts.load(self.prompt_name)

    def bound(self, writer: Writer) -> Self:
        """See :meth:`Strategy.bound`."""
        return type(self)(writer)

    @property
    def at_once(self) -> int:
        """See :attr:`Strategy.at_once`."""
        return self._writer().at_once

    def made_with(self) -> dict[str, str]:
        """See :meth:`Strategy.made_with`."""
        return {"prompt": self.prompt.version, "model": self._writer().model}

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; it works on whole texts only.

        Raises:
            ChatError: There is no LLM, or it cannot be asked.
        """
        if intensity <= 0 or not text.strip() or span not in (None, (0, len(text))):
            return text
        written = self._writer().write(self.prompt, self.prompt.strength_of(intensity), text)
        return written.get(self.field, text)

    def _writer(self) -> Writer:
        if self.writer is None:
            raise ChatError(f"{self.name} was given no LLM: Strategy.bound gives it one")
        return self.writer
