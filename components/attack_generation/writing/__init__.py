"""Texts that an LLM writes for attacks: what it is asked, what of its answers is taken, and where they are kept."""

from content_arena.components.attack_generation.writing.prompts import Prompt
from content_arena.components.attack_generation.writing.writer import Writer

__all__ = ["Prompt", "Writer"]
