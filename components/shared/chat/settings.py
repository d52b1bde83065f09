"""How an LLM is reached and asked. Nothing heavy is imported here: the command line reads it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

from content_arena.components.shared.errors import InputError

#: Environment of a stage that asks an LLM. The key is sent and stands nowhere else.
BASE_URL_VARIABLE = "CONTENT_ARENA_LLM_BASE_URL"
MODEL_VARIABLE = "CONTENT_ARENA_LLM_MODEL"
KEY_VARIABLE = "CONTENT_ARENA_LLM_API_KEY"
LLM_VARIABLES = (BASE_URL_VARIABLE, MODEL_VARIABLE, KEY_VARIABLE)


@dataclass(frozen=True, kw_only=True)
class ChatSettings:
    """How an LLM is asked; where it is, the environment says.

    Attributes:
        temperature: Of its sampling, from 0 to 2: at 0 it gives nearly the same answer every time.
        max_tokens: Most tokens of an answer; an answer that is cut off there is not used.
        timeout_seconds: How long it may be silent before a request is given up.
        at_once: Requests at a time.
    """

    SECTION: ClassVar[str] = "llm"
    temperature: float = 0.7
    max_tokens: int = 1024
    timeout_seconds: float = 60.0
    at_once: int = 8

    def sampling(self) -> str:
        """What an answer depends on, as JSON: answers are kept under it."""
        return json.dumps({"max_tokens": self.max_tokens, "temperature": self.temperature})

    def __post_init__(self) -> None:
        # Written so that NaN fails.
        if not 0 <= self.temperature <= 2:
            raise InputError(f"temperature is {self.temperature}, it has to be from 0 to 2")
        if not self.timeout_seconds > 0:
            raise InputError(f"timeout_seconds is {self.timeout_seconds}, it has to be above 0")
        for name in ("max_tokens", "at_once"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}, it has to be at least 1")
