"""Has an LLM write texts, and tells people how far it is."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping

from content_arena.components.attack_generation.writing.acceptance import problem_of
from content_arena.components.attack_generation.writing.asking import Asking
from content_arena.components.attack_generation.writing.kept import Answer, KeptAnswers
from content_arena.components.attack_generation.writing.prompts import Prompt
from content_arena.components.shared.chat import Chat, ChatSettings, open_chat
from content_arena.components.shared.chat.packaged import PackagedLlm
from content_arena.components.shared.chat.request import listed
from content_arena.components.shared.home import llm_file

#: Seconds between two lines about how far it is.
_INTERVAL = 5.0


class Writer:
    """An LLM that writes; threads may have it write at the same time."""

    def __init__(
        self, chat: Chat, settings: ChatSettings, kept: KeptAnswers, say: Callable[[str], None] = lambda line: None
    ) -> None:
        """Asks nothing yet.

        Args:
            chat: The LLM.
            settings: It is asked with.
            kept: What was written before.
            say: Called now and then with how far it is.
        """
        self._asking, self._say = Asking(chat, settings, kept, _taken), say
        self._due = time.monotonic() + _INTERVAL

    @classmethod
    def open(cls, settings: ChatSettings, say: Callable[[str], None] = lambda line: None) -> Writer:
        """The LLM that the environment names, with what is kept in the arena's home.

        Raises:
            ChatError: There is none.
        """
        return cls(open_chat(settings), settings, KeptAnswers(llm_file()), say)

    @property
    def model(self) -> str:
        """The LLM's name."""
        return self._asking.chat.model

    @property
    def at_once(self) -> int:
        """How many threads can have it write at the same time."""
        return self._asking.chat.at_once

    @property
    def is_weak(self) -> bool:
        """Whether it is the small LLM of a package, which shows how the arena works and not what LLMs can do."""
        return isinstance(self._asking.chat, PackagedLlm)

    @property
    def not_written(self) -> Counter[str]:
        """How many texts were not written, by problem."""
        return self._asking.problems

    @property
    def n_not_written(self) -> int:
        """How many texts were not written."""
        return self.not_written.total()

    def write(self, prompt: Prompt, strength: int, text: str) -> Mapping[str, str]:
        """What the LLM makes of a text, by field of the prompt; nothing if it made nothing that can be used.

        Raises:
            ChatError: The LLM cannot be asked.
        """
        texts = self._asking.ask(prompt, strength, text).texts
        # Two threads may say it at the same time, which harms nobody.
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + _INTERVAL
            self._say(self.summary())
        return texts

    def summary(self) -> str:
        """What it did, in one line for people."""
        line = f"{self.model} wrote {self._asking.n_used:,} texts"
        if self._asking.n_replayed:
            line += f", {self._asking.n_replayed:,} of them in an earlier run"
        if self.not_written:
            line += f"; {self.n_not_written:,} were not written, and are no attacks: {listed(self.not_written)}"
        return line


def _taken(source: str, texts: Mapping[str, str]) -> Answer:
    problem = problem_of(source, texts)
    return Answer({} if problem else texts, problem)
