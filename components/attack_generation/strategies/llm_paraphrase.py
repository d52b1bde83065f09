"""Paraphrases by an LLM.

Sources: Krishna et al. 2023, "Paraphrasing evades detectors of AI-generated text"; Perez et al. 2022, "Red Teaming
Language Models with Language Models".
"""

from __future__ import annotations

from content_arena.components.attack_generation.strategies.base import Strategy
from content_arena.components.attack_generation.strategies.rewriting import Rewriting


class LlmParaphrase(Rewriting, Strategy):
    """Has an LLM say the same in other words, the farther from the text the higher the intensity."""

    name = "llm_paraphrase"
    family = "llm"
    langs = None
    prompt_name = "llm_paraphrase.1"
