"""Asks an LLM each question once, ever, where its answers are kept."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future

from content_arena.components.attack_generation.writing.kept import Answer, KeptAnswers, Question
from content_arena.components.attack_generation.writing.prompts import Prompt
from content_arena.components.shared.chat import Chat, ChatSettings, NoAnswerError
from content_arena.components.shared.chat.request import BROKEN


class Asking:
    """Asks what was not asked before; threads may ask at the same time, also the same question.

    Attributes:
        chat: The LLM.
        n_used: How many questions have an answer that is used.
        n_replayed: How many of these answers are of an earlier run.
        problems: How many questions have no such answer, by problem.
    """

    def __init__(
        self,
        chat: Chat,
        settings: ChatSettings,
        kept: KeptAnswers,
        taken: Callable[[str, Mapping[str, str]], Answer],
    ) -> None:
        """Asks nothing yet.

        Args:
            chat: The LLM.
            settings: It is asked with.
            kept: What it answered before.
            taken: What is taken of an answer, given the text that was asked about and what came by field.
        """
        self.chat = chat
        self._parameters, self._kept, self._taken = settings.sampling(), kept, taken
        self._lock = threading.Lock()
        self._asked: dict[Question, Future[Answer]] = {}
        self.n_used = self.n_replayed = 0
        self.problems: Counter[str] = Counter()

    def ask(self, prompt: Prompt, strength: int, text: str, original: str | None = None) -> Answer:
        """The answer to a prompt about a text; it is kept as soon as it comes.

        Args:
            prompt: What is asked.
            strength: Number of the prompt's strength.
            text: The text.
            original: What the text was made from, see :meth:`KeptAnswers.add`.

        Raises:
            ChatError: The LLM cannot be asked.
        """
        question = Question(prompt.version, self.chat.model, self._parameters, strength, text)
        with self._lock:
            future = self._asked.get(question)
            is_first = future is None
            if future is None:
                future = self._asked[question] = Future()
        if is_first:
            try:
                future.set_result(self._answer(prompt, question, original))
            except BaseException as error:
                future.set_exception(error)
                raise
        return future.result()

    def _answer(self, prompt: Prompt, question: Question, original: str | None) -> Answer:
        with self._lock:
            answer = self._kept.get(question)
        was_kept = answer is not None
        if answer is None:
            try:
                found = self.chat.ask(prompt.request(question.strength, question.original_text))
                answer = self._taken(question.original_text, found)
            except NoAnswerError as error:
                answer = Answer({}, error.reason)
        with self._lock:
            # A broken connection says nothing about the text: the next run asks again.
            if not was_kept and answer.problem != BROKEN:
                self._kept.add(question, answer, original)
            if answer.problem:
                self.problems[answer.problem] += 1
            else:
                self.n_used += 1
                self.n_replayed += was_kept
        return answer
