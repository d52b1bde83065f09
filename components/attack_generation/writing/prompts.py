"""The prompts, which are files of the package. What was written with one is kept under its name and its content."""

from __future__ import annotations

import functools
import hashlib
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from content_arena.components.shared.chat import Request

_FOLDER = Path(__file__).parents[1] / "prompts"
_STRENGTH = "$strength"


@dataclass(frozen=True)
class Prompt:
    """What an LLM is asked to make of a text.

    Attributes:
        version: Name and number of the file, and the first digits of the SHA-256 of its content: a prompt that was
            changed has another version, whatever its name.
        instructions: With :data:`_STRENGTH` where one of the strengths goes.
        strengths: How much of the text is to change, from little to much.
        fields: Names of the texts that the answer has to hold.
        in_short: What a small LLM is asked for each of them.
    """

    version: str
    instructions: str
    strengths: tuple[str, ...]
    fields: tuple[str, ...]
    in_short: Mapping[str, str]

    def strength_of(self, intensity: float) -> int:
        """The number of the strength, from 0, for an intensity in (0, 1]."""
        return math.ceil(intensity * len(self.strengths)) - 1

    def request(self, strength: int, text: str) -> Request:
        """What is asked about a text."""
        instructions = " ".join(self.instructions.replace(_STRENGTH, self.strengths[strength]).split())
        return Request(instructions, {"text": text}, self.fields, self.in_short)


@functools.cache
def load(name: str, folder: Path = _FOLDER) -> Prompt:
    """The prompt of a file.

    Args:
        name: Such as ``llm_paraphrase.1``.
        folder: Where prompts lie; that of the attacks if not given.
    """
    content = (folder / f"{name}.toml").read_bytes()
    found = tomllib.loads(content.decode())
    return Prompt(
        version=f"{name}-{hashlib.sha256(content).hexdigest()[:8]}",
        instructions=found["instructions"],
        strengths=tuple(found["strengths"]),
        fields=tuple(found["fields"]),
        in_short=found["in_short"],
    )
