"""Abuse without open insults, and friendly texts that look like it, by an LLM.

Sources: Hartvigsen et al. 2022, "ToxiGen" (implicit toxicity, and benign statements about the same groups); ElSherief
et al. 2021, "Latent Hatred".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from content_arena.components.attack_generation.strategies.base import Strategy
from content_arena.components.attack_generation.strategies.rewriting import Rewriting

if TYPE_CHECKING:
    from content_arena.components.attack_generation.writing import Writer


class LlmImplicit(Rewriting, Strategy):
    """Has an LLM say the abuse without open insults, and write a benign twin of it, which must not be flagged.

    Benign texts are left out: in place of a perturbed benign text, its false alarms are measured on the twins.
    """

    name = "llm_implicit"
    family = "llm"
    langs = None
    prompt_name = "llm_implicit.1"

    def __init__(self, writer: Writer | None = None, *, is_twin: bool = False) -> None:
        """See :class:`Rewriting`.

        Args:
            writer: The LLM.
            is_twin: Whether the benign twins are what it makes.
        """
        super().__init__(writer)
        self.field = "benign" if is_twin else "implicit"
        self._twin = None if is_twin else LlmImplicit(writer, is_twin=True)

    def makes(self, label: str) -> Sequence[tuple[Strategy, str]]:
        """See :meth:`Strategy.makes`."""
        if label != "toxic":
            return ()
        return ((self, "toxic"), *(((self._twin, "benign"),) if self._twin else ()))
