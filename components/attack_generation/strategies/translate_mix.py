"""Two languages in one text, mixed by an LLM.

Sources: Yoo et al. 2024, "CSRT" (code-switching red-teaming); Deng et al. 2023, "Multilingual Jailbreak Challenges in
Large Language Models".
"""

from __future__ import annotations

from content_arena.components.attack_generation.strategies.base import Strategy
from content_arena.components.attack_generation.strategies.rewriting import Rewriting


class TranslateMix(Rewriting, Strategy):
    """Has an LLM mix the text with another language (code-switching): Spanish into English, English into others."""

    name = "translate_mix"
    family = "llm"
    langs = None
    #: An encoder of one language cannot read the other.
    rewords = False
    prompt_name = "translate_mix.1"
