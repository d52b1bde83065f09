"""Has an LLM write texts: each question is asked once, ever, where what it wrote is kept."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future

from content_arena.components.attack_generation.writing.acceptance import problem_of
from content_arena.components.attack_generation.writing.kept import Answer, KeptAnswers, Question
from content_arena.components.attack_generation.writing.prompts import Prompt
from content_arena.components.shared.chat import Chat, ChatSettings, NoAnswerError, open_chat
from content_arena.components.shared.chat.packaged import PackagedLlm
from content_arena.components.shared.chat.request import BROKEN, listed
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
        self._chat, self._kept, self._say = chat, kept, say
        self._parameters = settings.sampling()
        self._lock = threading.Lock()
        self._asked: dict[Question, Future[Mapping[str, str]]] = {}
        self._due = time.monotonic() + _INTERVAL
        self.n_written = self.n_replayed = 0
        #: How many texts were not written, by problem.
        self.not_written: Counter[str] = Counter()

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
        return self._chat.model

    @property
    def at_once(self) -> int:
        """How many threads can have it write at the same time."""
        return self._chat.at_once

    @property
    def is_weak(self) -> bool:
        """Whether it is the small LLM of a package, which shows how the arena works and not what LLMs can do."""
        return isinstance(self._chat, PackagedLlm)

    @property
    def n_not_written(self) -> int:
        """How many texts were not written."""
        return self.not_written.total()

    def write(self, prompt: Prompt, strength: int, text: str) -> Mapping[str, str]:
        """What the LLM makes of a text, by field of the prompt; nothing if it made nothing that can be used.

        Raises:
            ChatError: The LLM cannot be asked.
        """
        question = Question(prompt.version, self._chat.model, self._parameters, strength, text)
        with self._lock:
            future = self._asked.get(question)
            is_first = future is None
            if future is None:
                future = self._asked[question] = Future()
        if is_first:
            try:
                future.set_result(self._answer(prompt, question))
            except BaseException as error:
                future.set_exception(error)
                raise
        return future.result()

    def summary(self) -> str:
        """What it did, in one line for people."""
        line = f"{self.model} wrote {self.n_written:,} texts"
        if self.n_replayed:
            line += f", {self.n_replayed:,} of them in an earlier run"
        if self.not_written:
            line += f"; {self.n_not_written:,} were not written, and are no attacks: {listed(self.not_written)}"
        return line

    def _answer(self, prompt: Prompt, question: Question) -> Mapping[str, str]:
        with self._lock:
            answer = self._kept.get(question)
        was_kept = answer is not None
        if answer is None:
            answer = self._ask(prompt, question)
        with self._lock:
            # A broken connection says nothing about the text: the next run asks again.
            if not was_kept and answer.problem != BROKEN:
                self._kept.add(question, answer)
            if answer.problem:
                self.not_written[answer.problem] += 1
            else:
                self.n_written += 1
                self.n_replayed += was_kept
            if time.monotonic() >= self._due:
                self._due = time.monotonic() + _INTERVAL
                self._say(self.summary())
        return answer.texts

    def _ask(self, prompt: Prompt, question: Question) -> Answer:
        try:
            texts = self._chat.ask(prompt.request(question.strength, question.original_text))
        except NoAnswerError as error:
            return Answer({}, error.reason)
        problem = problem_of(question.original_text, texts)
        return Answer({} if problem else texts, problem)
