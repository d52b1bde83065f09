"""An LLM as a voter: it is asked what a text is, and sees neither the original nor a label.

It is without weight, as every voter that people have not measured, and is asked about texts that wait for a person
only: people's answers about them measure it. What it said is kept beside what LLMs wrote for attacks, so that the same
text is asked about once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from content_arena.components.attack_generation.writing import prompts
from content_arena.components.attack_generation.writing.kept import Answer, KeptAnswers, Question
from content_arena.components.labeling.voters import Votes
from content_arena.components.shared.chat import Chat, ChatSettings, NoAnswerError, open_chat
from content_arena.components.shared.chat.request import BROKEN, OTHER_SHAPE, listed
from content_arena.components.shared.home import llm_file

_PROMPT, _FIELD = "llm_judge.1", "verdict"
#: The votes of the words that it may answer; it abstains where it answers that a text is unclear.
_VOTES = {"toxic": 1.0, "benign": 0.0, "unclear": float("nan")}


class Judge:
    """Asks an LLM what texts are."""

    def __init__(self, chat: Chat, settings: ChatSettings, kept: KeptAnswers) -> None:
        """Asks nothing yet.

        Args:
            chat: The LLM.
            settings: It is asked with.
            kept: What it said before.
        """
        self._chat, self._kept = chat, kept
        self._prompt = prompts.load(_PROMPT, Path(__file__).parent / "prompts")
        self._parameters = settings.sampling()
        self.n_replayed = 0
        #: How many texts got no verdict, by problem.
        self.without_verdict: Counter[str] = Counter()

    @classmethod
    def open(cls, settings: ChatSettings) -> Judge:
        """The LLM that the environment names, at temperature 0: a verdict is no matter of chance.

        Raises:
            ChatError: There is none.
        """
        certain = replace(settings, temperature=0.0)
        return cls(open_chat(certain), certain, KeptAnswers(llm_file()))

    @property
    def model(self) -> str:
        """The LLM's name."""
        return self._chat.model

    def verdicts(self, texts: Mapping[str, str]) -> dict[str, float]:
        """Votes by text, without those that it gave no verdict on.

        Args:
            texts: What each text was made from, by text; as many are asked about at a time as the LLM takes.

        Raises:
            ChatError: The LLM cannot be asked.
        """
        questions = [Question(self._prompt.version, self.model, self._parameters, 0, text) for text in texts]
        pool = ThreadPoolExecutor(self._chat.at_once)
        try:
            new = [question for question in questions if self._kept.get(question) is None]
            # An answer is kept as soon as it comes: what is asked again after a failure is only the rest.
            asked = {pool.submit(self._ask, question): question for question in new}
            for future in as_completed(asked):
                question, answer = asked[future], future.result()
                # A broken connection says nothing about the text: the next run asks again.
                if answer.problem == BROKEN:
                    self.without_verdict[BROKEN] += 1
                else:
                    self._kept.add(question, answer, texts[question.original_text])
        finally:
            pool.shutdown(cancel_futures=True)
        self.n_replayed += len(questions) - len(new)
        answers = [(question, self._kept.get(question)) for question in questions]
        found = {question.original_text: answer for question, answer in answers if answer is not None}
        self.without_verdict += Counter(answer.problem for answer in found.values() if answer.problem)
        said = {text: answer.texts.get(_FIELD, "") for text, answer in found.items() if not answer.problem}
        return {text: _VOTES[verdict] for text, verdict in said.items() if verdict in _VOTES}

    def summary(self, n_texts: int) -> str:
        """What it did, in one line for people."""
        line = f"{self.model} was asked about {n_texts:,} texts that wait for a person"
        if self.n_replayed:
            line += f", about {self.n_replayed:,} of them in an earlier run"
        if self.without_verdict:
            line += f"; {self.without_verdict.total():,} got no verdict: {listed(self.without_verdict)}"
        return line

    def _ask(self, question: Question) -> Answer:
        try:
            said = self._chat.ask(self._prompt.request(question.strength, question.original_text))
        except NoAnswerError as error:
            return Answer({}, error.reason)
        verdict = said[_FIELD].strip(" .!\"'").casefold()
        return Answer({_FIELD: verdict}) if verdict in _VOTES else Answer({}, OTHER_SHAPE)


class JudgeVoter:
    """Votes as an LLM judged the perturbed text; abstains on texts that it was not asked about."""

    name = "llm_judge"
    weight = 0.0

    def __init__(self, verdicts: Mapping[str, float]) -> None:
        """Takes the votes by text."""
        self._verdicts = verdicts

    def vote(self, attacks: pd.DataFrame) -> Votes:
        """See :meth:`Voter.vote`: 1 for toxic, 0 for benign."""
        votes = attacks["perturbed_text"].map(self._verdicts)
        return np.asarray(votes, dtype=np.float64)
